// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cli/report"
)

// together is how many questions are put to the API server at the same time.
const together = 16

type inboxCommand struct {
	*session
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
  kubectl assent inbox --namespace shop -o name`,
		Args: names(0, 0, "nothing"),
	}
	i.output = addOutput(cmd)
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
	open, err := i.open(ctx, c)
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

// open are the Promotions that wait for approvals, in all projects where that may be read, else in one.
func (i *inboxCommand) open(ctx context.Context, c *connection) ([]v1alpha1.Promotion, error) {
	if *i.flags.Namespace != "" && !i.all {
		return c.open(ctx, client.InNamespace(c.project))
	}
	found, err := c.open(ctx)
	if !apierrors.IsForbidden(err) || i.all {
		return found, err
	}
	i.say("You may not list the promotions of all projects; this is project %q. Name another by --namespace.", c.project)
	return c.open(ctx, client.InNamespace(c.project))
}

func (c *connection) open(ctx context.Context, options ...client.ListOption) ([]v1alpha1.Promotion, error) {
	var found []v1alpha1.Promotion
	err := pages(ctx, c, func() *v1alpha1.PromotionList { return &v1alpha1.PromotionList{} }, func(page *v1alpha1.PromotionList) {
		for i := range page.Items {
			if report.AwaitsApproval(&page.Items[i]) {
				found = append(found, page.Items[i])
			}
		}
	}, options...)
	return found, err
}

// place is one Environment of one project.
type place struct{ project, environment string }

// mine are those that the caller could bring further, the oldest first. Each Environment is asked about once.
func (c *connection) mine(ctx context.Context, me v1alpha1.Person, open []v1alpha1.Promotion) ([]v1alpha1.Promotion, error) {
	candidates := map[place][]v1alpha1.Promotion{}
	for _, promotion := range open {
		if !report.Decided(&promotion, me) {
			at := place{promotion.Namespace, promotion.Spec.Environment}
			candidates[at] = append(candidates[at], promotion)
		}
	}
	found := make(chan []v1alpha1.Promotion, len(candidates))
	questions, asked := errgroup.WithContext(ctx)
	questions.SetLimit(together)
	for at, promotions := range candidates {
		questions.Go(func() error {
			allowed, err := c.may(asked, v1alpha1.VerbApprove, at.project, at.environment)
			if err != nil || !allowed {
				return err
			}
			missing, err := c.missing(asked, me, at, promotions)
			found <- missing
			return err
		})
	}
	if err := questions.Wait(); err != nil {
		return nil, err
	}
	close(found)
	all := []v1alpha1.Promotion{}
	for some := range found {
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b v1alpha1.Promotion) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}

// missing are those that an approval of the caller would bring further, by the rules of their Environment.
func (c *connection) missing(ctx context.Context, me v1alpha1.Person, at place, promotions []v1alpha1.Promotion) ([]v1alpha1.Promotion, error) {
	environment := &v1alpha1.Environment{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: at.project, Name: at.environment}, environment); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return slices.DeleteFunc(promotions, func(p v1alpha1.Promotion) bool { return !report.CouldApprove(&p, environment, me) }), nil
}
