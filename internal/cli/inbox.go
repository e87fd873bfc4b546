// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/report"
)

// together is how many questions are put to the API server at the same time.
const together = 16

type inboxCommand struct {
	*session
	watching
	output *output
	all    bool
}

func newInbox(s *session) *cobra.Command {
	i := &inboxCommand{session: s}
	cmd := &cobra.Command{
		Use:     "inbox",
		GroupID: groupSee,
		Short:   "List what waits for your decision",
		Long: `List the Promotions that wait for your decision: those whose plan still needs an approval that you could give, as the API server says of the verb "approve"
on each Environment, and as the rules of the Environment say. What you have decided on already is left out, and so is what you have asked for yourself where that
does not count.

It looks at all projects that you may read at once, else at the project of --namespace or of your context. With -o, the list is one of Promotions, as kubectl prints it.`,
		Example: `  kubectl assent inbox
  kubectl assent inbox --watch
  kubectl assent inbox --namespace shop -o name`,
		Args: names(0, 0, "nothing"),
	}
	i.output = addOutput(cmd)
	i.addWatch(cmd)
	cmd.Flags().BoolVarP(&i.all, "all-projects", "A", false, "Fail where you may not read all projects, instead of looking at one.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return i.run(cmd.Context()) }
	return cmd
}

func (i *inboxCommand) run(ctx context.Context) error {
	c, err := i.connect()
	if err != nil {
		return err
	}
	me, err := c.whoami(ctx)
	if err != nil {
		return err
	}
	if i.watch {
		return i.stayAt(ctx, c, me)
	}
	open, err := seen(i, c, func(options ...client.ListOption) (found []v1alpha1.Promotion, err error) {
		return found, c.open(ctx, "", func(p *v1alpha1.Promotion) {
			if report.AwaitsApproval(p) {
				found = append(found, *p)
			}
		}, options...)
	})
	if err != nil {
		return err
	}
	mine, err := c.mine(ctx, me, open)
	if err != nil {
		return err
	}
	list := &v1alpha1.PromotionList{Items: mine}
	if !i.output.forPeople() {
		return i.output.print(i.Out, c.scheme, list)
	}
	if len(mine) == 0 {
		i.say("Nothing waits for you, %s.", me.Username)
		return nil
	}
	fmt.Fprint(i.Out, report.Inbox(mine, i.output.wide, now()).Text(i.style()))
	return nil
}

// stayAt the inbox. What the caller may do is asked for anew at each change: nobody tells when a right is given or taken.
func (i *inboxCommand) stayAt(ctx context.Context, c *connection, me v1alpha1.Person) error {
	m, err := seen(i, c, func(options ...client.ListOption) (*mirror, error) { return c.mirror(ctx, options...) })
	if err != nil {
		return err
	}
	return i.stay(ctx, m, i.output, func(ctx context.Context) (shown, error) {
		mine, err := m.inbox(ctx, me)
		return shown{&v1alpha1.PromotionList{Items: mine}, func(style report.Style, now time.Time) string {
			if len(mine) == 0 {
				return fmt.Sprintf("Nothing waits for you, %s.\n", plan.Visible(me.Username))
			}
			return report.Inbox(mine, i.output.wide, now).Text(style)
		}}, err
	})
}

// inbox of the caller, of what is mirrored.
func (m *mirror) inbox(ctx context.Context, me v1alpha1.Person) ([]v1alpha1.Promotion, error) {
	environments, promotions := m.now()
	open := slices.DeleteFunc(promotions, func(p v1alpha1.Promotion) bool { return !report.AwaitsApproval(&p) || report.Decided(&p, me) })
	allowed, err := m.granted(ctx, v1alpha1.VerbApprove, placesOf(open))
	return mine(me, open, allowed, environments), err
}

// seen is what is read of all projects where that may be read, else of one.
func seen[T any](i *inboxCommand, c *connection, read func(...client.ListOption) (T, error)) (T, error) {
	if *i.flags.Namespace != "" && !i.all {
		return read(client.InNamespace(c.project))
	}
	found, err := read()
	if !apierrors.IsForbidden(err) || i.all {
		return found, err
	}
	i.say("You may not list the promotions of all projects; this is project %q. Name another by --namespace.", c.project)
	return read(client.InNamespace(c.project))
}

// place is one Environment of one project.
type place struct{ project, environment string }

// placesOf are the Environments of Promotions, each once.
func placesOf(promotions []v1alpha1.Promotion) []place {
	var places []place
	known := map[place]bool{}
	for i := range promotions {
		if at := (place{promotions[i].Namespace, promotions[i].Spec.Environment}); !known[at] {
			known[at] = true
			places = append(places, at)
		}
	}
	return places
}

// mine are those that the caller could bring further. Each Environment is asked about once, and read where the answer is yes.
func (c *connection) mine(ctx context.Context, me v1alpha1.Person, open []v1alpha1.Promotion) ([]v1alpha1.Promotion, error) {
	open = slices.DeleteFunc(open, func(p v1alpha1.Promotion) bool { return report.Decided(&p, me) })
	allowed, err := c.granted(ctx, v1alpha1.VerbApprove, placesOf(open))
	if err != nil {
		return nil, err
	}
	var wanted []place
	for at, is := range allowed {
		if is {
			wanted = append(wanted, at)
		}
	}
	environments, err := c.environmentsAt(ctx, wanted)
	return mine(me, open, allowed, environments), err
}

// mine of open Promotions, the oldest first: those that an approval of this person would bring further.
func mine(me v1alpha1.Person, open []v1alpha1.Promotion, allowed map[place]bool, environments map[place]v1alpha1.Environment) []v1alpha1.Promotion {
	found := []v1alpha1.Promotion{}
	for _, promotion := range open {
		at := place{promotion.Namespace, promotion.Spec.Environment}
		environment, there := environments[at]
		if there && allowed[at] && report.CouldApprove(&promotion, &environment, me) {
			found = append(found, promotion)
		}
	}
	slices.SortFunc(found, func(a, b v1alpha1.Promotion) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return found
}

// environmentsAt places. A few are read one by one; of many those of their projects are listed.
func (c *connection) environmentsAt(ctx context.Context, places []place) (map[place]v1alpha1.Environment, error) {
	found := make(map[place]v1alpha1.Environment, len(places))
	if len(places) > together {
		return found, c.environmentsOf(ctx, places, found)
	}
	for _, at := range places {
		environment := &v1alpha1.Environment{}
		err := c.Get(ctx, client.ObjectKey{Namespace: at.project, Name: at.environment}, environment)
		switch {
		case err == nil:
			found[at] = *environment
		case !apierrors.IsNotFound(err):
			return nil, err
		}
	}
	return found, nil
}

// environmentsOf the projects of places, by one list of all projects where there is more than one.
func (c *connection) environmentsOf(ctx context.Context, places []place, into map[place]v1alpha1.Environment) error {
	one := !slices.ContainsFunc(places, func(at place) bool { return at.project != places[0].project })
	var options []client.ListOption
	if one {
		options = append(options, client.InNamespace(places[0].project))
	}
	all, err := c.environments(ctx, options...)
	for _, environment := range all {
		into[place{environment.Namespace, environment.Name}] = environment
	}
	return err
}
