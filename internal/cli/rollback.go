// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

type rollbackCommand struct {
	*session
	waiting
	consent
	output  *output
	release string
	reason  string
}

func newRollback(s *session) *cobra.Command {
	r := &rollbackCommand{session: s}
	cmd := &cobra.Command{
		Use:     "rollback ENVIRONMENT",
		GroupID: groupDeliver,
		Short:   "Ask to go back to the previous Release of an Environment, or to another that has succeeded there",
		Long: `Ask to go back to the Release that ran in an Environment before, or to another that has succeeded there: create a Promotion of type Rollback, wait a moment
for its plan, and show what it would change. It does not wait for upstream Environments, soaking and windows; whether it needs approvals the Environment says.

It needs the verb "rollback" on the Environment, as the ClusterRole assent-promoter has it.`,
		Example: `  kubectl assent rollback production --reason "1.1.0 loses orders"
  kubectl assent rollback production --to shop-1.0.0 --yes --wait`,
		Args: names(1, 1, "one Environment, such as `kubectl assent rollback production`"),
	}
	r.output = addOutput(cmd)
	s.completes(cmd, anyEnvironment, 1)
	cmd.Flags().StringVar(&r.release, "to", "", "The Release to go back to, instead of the previous one.")
	cmd.Flags().StringVar(&r.reason, "reason", "", "Why; shown to the people who decide, and kept in the history.")
	s.completesFlag(cmd, "to", anyRelease)
	r.addYes(cmd)
	r.addWait(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := r.consents(cmd, r.session); err != nil {
			return err
		}
		return r.run(cmd.Context(), args[0])
	}
	return cmd
}

func (r *rollbackCommand) run(ctx context.Context, name string) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	environment := &v1alpha1.Environment{}
	if err := c.read(ctx, name, environment); err != nil {
		return err
	}
	release, err := r.back(environment)
	if err != nil {
		return err
	}
	agreed, err := r.given(r.session, fmt.Sprintf("Roll %s back from %s to %s?", name, environment.Status.Current.Release, release))
	if err != nil {
		return err
	}
	if !agreed {
		return fmt.Errorf("nothing was asked for")
	}
	asked, err := r.ask(ctx, c, person.Request{Release: release, Environment: name, Type: v1alpha1.PromotionTypeRollback, Reason: r.reason})
	if err != nil {
		return err
	}
	return r.finish(ctx, c, asked.Promotion, r.output, r.waiting, isPlanned, func(planned *v1alpha1.Promotion) {
		if planned.Status.Plan.Digest != "" {
			fmt.Fprint(r.Out, report.Differ(planned).Text(r.style())+"\n")
		}
		fmt.Fprint(r.Out, report.Explain(planned).Text(r.style(), now()))
	})
}

// back is the Release to go back to.
func (r *rollbackCommand) back(environment *v1alpha1.Environment) (string, error) {
	release, err := person.Back(environment, r.release)
	var none *person.NoWayBack
	if errors.As(err, &none) && none.Release != "" && environment.Status.Current.Release != "" {
		return "", fmt.Errorf("%w; those that have are in `kubectl assent history --environment %s`", err, environment.Name)
	}
	return release, err
}
