// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

// longestWait is how long --wait waits where nobody says otherwise: people decide, and a CI job must not run for ever.
const longestWait = time.Hour

// waiting are the flags of commands that can wait for the end of a Promotion.
type waiting struct {
	wait    bool
	timeout time.Duration
}

func (w *waiting) addWait(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&w.wait, "wait", false, "Wait until the promotion has ended, however. The exit code says how: 0 succeeded, 2 ended otherwise, 3 timed out.")
	cmd.Flags().DurationVar(&w.timeout, "timeout", longestWait, "For how long --wait waits.")
}

type promoteCommand struct {
	*session
	waiting
	output *output

	environment string
	reason      string
	at          string
	// bundle are the Releases that the one to promote is made of, where it is not there yet.
	bundle []string
}

func newPromote(s *session) *cobra.Command {
	p := &promoteCommand{session: s}
	cmd := &cobra.Command{
		Use:     "promote RELEASE --to ENVIRONMENT",
		GroupID: groupDeliver,
		Short:   "Ask to run a Release in an Environment",
		Long: `Ask to run a Release in an Environment: create the Promotion, wait a moment for its plan, and show what it would change and what it waits for.

The Promotion is named RELEASE-ENVIRONMENT. Where one of that name has not ended, the command takes it up instead of asking twice, so that a CI job
can be run again. Where it has ended, the next one is named RELEASE-ENVIRONMENT-2, and so on.

With --bundle, several Releases go together: RELEASE is created as a bundle of those that are named, of the Environment's application, unless it is there already.
They are planned, approved, rolled out and rolled back as one.

It needs the verb "promote" on the Environment, as the ClusterRole assent-promoter has it.`,
		Example: `  kubectl assent promote shop-1.0.0 --to production --reason "the first version for our customers"
  kubectl assent promote shop-1.0.0 --to dev --wait --timeout 5m
  kubectl assent promote shop-1.0.0 --to production --at 2031-03-10T20:00:00Z
  kubectl assent promote platform-3.0.0 --to staging --bundle shop-1.0.0,search-2.1.0`,
		Args: names(1, 1, "one Release, such as `kubectl assent promote shop-1.0.0 --to production`"),
	}
	p.output = addOutput(cmd)
	s.completes(cmd, anyRelease, 1)
	p.addWait(cmd)
	cmd.Flags().StringVar(&p.environment, "to", "", "The Environment to run it in.")
	s.completesFlag(cmd, "to", anyEnvironment)
	cmd.Flags().StringVar(&p.reason, "reason", "", "Why; shown to the people who decide, and kept in the history.")
	cmd.Flags().StringVar(&p.at, "at", "", "The earliest start: a time such as 2031-03-10T20:00:00Z, or a length of time from now, such as 2h.")
	cmd.Flags().StringSliceVar(&p.bundle, "bundle", nil, "Releases that RELEASE is a bundle of; it is created where it is not there yet.")
	s.completesFlag(cmd, "bundle", anyRelease)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request, err := p.request(cmd, args[0])
		if err != nil {
			return err
		}
		return p.run(cmd.Context(), request)
	}
	return cmd
}

// request is what the flags ask for.
func (p *promoteCommand) request(cmd *cobra.Command, release string) (person.Request, error) {
	request := person.Request{Release: release, Environment: p.environment, Type: v1alpha1.PromotionTypePromote, Reason: p.reason}
	if p.environment == "" {
		return request, misused(cmd, fmt.Errorf("name the Environment by --to"))
	}
	if p.at == "" {
		return request, nil
	}
	if length, err := time.ParseDuration(p.at); err == nil && length > 0 {
		request.NotBefore = metav1.NewTime(now().Add(length).Truncate(time.Second))
		return request, nil
	}
	at, err := time.Parse(time.RFC3339, p.at)
	if err != nil {
		return request, misused(cmd, fmt.Errorf("--at must be a time such as 2031-03-10T20:00:00Z, or a length of time such as 2h: %w", err))
	}
	request.NotBefore = metav1.NewTime(at)
	return request, nil
}

func (p *promoteCommand) run(ctx context.Context, request person.Request) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	if len(p.bundle) > 0 {
		if err := p.gather(ctx, c, request.Release); err != nil {
			return err
		}
	}
	asked, err := p.ask(ctx, c, request)
	if err != nil {
		return err
	}
	if asked.Sooner {
		p.say("It is not scheduled as late as you ask: cancel it by `kubectl assent cancel %s`, and ask again.", asked.Promotion.Name)
	}
	return p.finish(ctx, c, asked.Promotion, p.output, p.waiting, isPlanned, p.present)
}

// gather Releases into a bundle of that name, unless it is there.
func (p *promoteCommand) gather(ctx context.Context, c *connection, name string) error {
	environment := &v1alpha1.Environment{}
	if err := c.read(ctx, p.environment, environment); err != nil {
		return err
	}
	application := environment.Spec.Application
	release := &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.project},
		Spec:       v1alpha1.ReleaseSpec{Application: application, Version: strings.TrimPrefix(name, application+"-"), Build: fromCI(v1alpha1.ReleaseBuild{}, os.Getenv)},
	}
	for _, each := range p.bundle {
		release.Spec.Source.Bundle = append(release.Spec.Source.Bundle, v1alpha1.BundledRelease{Name: each})
	}
	err := c.Create(ctx, release.DeepCopy(), client.FieldOwner(v1alpha1.FieldManager))
	if !apierrors.IsAlreadyExists(err) {
		if err == nil {
			p.say("release.assent.dev/%s created", name)
		}
		return err
	}
	present := &v1alpha1.Release{}
	if err := c.read(ctx, name, present); err != nil {
		return err
	}
	if !slices.Equal(present.Spec.Source.Bundle, release.Spec.Source.Bundle) {
		return fmt.Errorf("release %q is there already, and is no bundle of %s: promote it without --bundle, or give the bundle another name", name, strings.Join(p.bundle, ", "))
	}
	return nil
}

// ask creates the Promotion, or takes up the one that asks for the same.
func (s *session) ask(ctx context.Context, c *connection, request person.Request) (person.Asked, error) {
	actor, err := c.actor(ctx)
	if err != nil {
		return person.Asked{}, err
	}
	request.Project = c.project
	asked, err := actor.Ask(ctx, request)
	switch {
	case err != nil:
		return asked, err
	case asked.Already:
		s.say("promotion.assent.dev/%s has asked for it already, at %s", asked.Promotion.Name, asked.Promotion.CreationTimestamp.UTC().Format(time.RFC3339))
	default:
		s.say("promotion.assent.dev/%s created", asked.Promotion.Name)
	}
	return asked, nil
}

// present the plan in short and what it waits for.
func (s *session) present(promotion *v1alpha1.Promotion) {
	if promotion.Status.Plan.Digest != "" {
		fmt.Fprint(s.Out, report.Differ(promotion).Summary(s.style())+"\n")
	}
	fmt.Fprint(s.Out, report.Explain(promotion).Text(s.style(), now()))
}

// isPlanned says whether there is something to look at: a plan with what it waits for, or an end.
func isPlanned(promotion *v1alpha1.Promotion) bool {
	state, _ := report.State(promotion)
	return report.Ended(promotion) || (promotion.Status.Plan.Digest != "" && state != "" && state != v1alpha1.ReasonPlanning) ||
		(state == v1alpha1.ReasonPlanning && len(promotion.Status.Blockers) > 0)
}
