// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

// decideCommand is `approve`, `reject` or `withdraw`: the same steps for each Promotion, and another entry at their end.
type decideCommand struct {
	*session
	waiting
	consent
	output *output

	// decision is empty for a withdrawal.
	decision v1alpha1.Decision
	selector string
	comment  string
}

func newApprove(s *session) *cobra.Command {
	d := &decideCommand{session: s, decision: v1alpha1.DecisionApproved}
	cmd := d.command(&cobra.Command{
		Use:   "approve PROMOTION…",
		Short: "Approve the plan of a Promotion",
		Long: `Approve the plan of a Promotion: its diff and what else it waits for are shown, and on a terminal you are asked.

The approval names the digest of the plan that was shown. If the plan changes before the approval arrives, it is refused, and there is a new diff to look
at. In a script, where nobody is asked, --yes agrees to the plan of the moment, and --plan to the one that was looked at before.

It needs the verb "approve" on the Environment, as the ClusterRole assent-approver has it.`,
		Example: `  kubectl assent approve shop-1.0.0-production
  kubectl assent approve shop-1.0.0-production --yes --comment "looked at with carol" --wait`,
	})
	cmd.Flags().StringVar(&d.comment, "comment", "", "A comment; some Environments ask for one.")
	d.addPlan(cmd)
	d.addWait(cmd)
	return cmd
}

func newReject(s *session) *cobra.Command {
	d := &decideCommand{session: s, decision: v1alpha1.DecisionRejected}
	cmd := d.command(&cobra.Command{
		Use:   "reject PROMOTION… --reason REASON",
		Short: "Reject the plan of a Promotion, which ends it",
		Long: `Reject the plan of a Promotion, which ends it. Its diff and what else it waits for are shown, and on a terminal you are asked.

It needs the verb "approve" on the Environment, as the ClusterRole assent-approver has it.`,
		Example: `  kubectl assent reject shop-1.0.0-production --reason "the migration is not tested"`,
	})
	cmd.Flags().StringVar(&d.comment, "reason", "", "Why; kept in the history.")
	cmd.Flags().StringVar(&d.comment, "comment", "", "The same as --reason.")
	d.addPlan(cmd)
	return cmd
}

func newWithdraw(s *session) *cobra.Command {
	d := &decideCommand{session: s}
	return d.command(&cobra.Command{
		Use:   "withdraw PROMOTION…",
		Short: "Take your own decision on a Promotion back, before its rollout starts",
		Long: `Take your own decision on a Promotion back: your entry in its approvals is removed, and nobody else's. That can be done until the rollout has
started.`,
		Example: `  kubectl assent withdraw shop-1.0.0-production`,
	})
}

func (d *decideCommand) command(cmd *cobra.Command) *cobra.Command {
	cmd.GroupID = groupDecide
	d.output = addOutput(cmd)
	d.completes(cmd, openPromotions, manyNames)
	cmd.Flags().StringVarP(&d.selector, "selector", "l", "", "Instead of names: labels of the Promotions, such as -l team=shop. Those that have ended are left out.")
	d.addYes(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := d.check(cmd, args); err != nil {
			return err
		}
		return d.run(cmd.Context(), args)
	}
	return cmd
}

func (d *decideCommand) check(cmd *cobra.Command, args []string) error {
	switch {
	case (len(args) == 0) == (d.selector == ""):
		return misused(cmd, fmt.Errorf("name Promotions, or choose them by --selector"))
	case d.plan != "" && len(args) != 1:
		return misused(cmd, fmt.Errorf("--plan is for one Promotion"))
	case d.decision == v1alpha1.DecisionRejected && strings.TrimSpace(d.comment) == "":
		return misused(cmd, fmt.Errorf("say why by --reason: it is shown to whoever asked, and kept in the history"))
	default:
		return d.consents(cmd, d.session)
	}
}

// run decides on one Promotion after the other. What fails does not keep the others from being decided on.
func (d *decideCommand) run(ctx context.Context, args []string) error {
	c, err := d.connect()
	if err != nil {
		return err
	}
	actor, err := c.actor(ctx)
	if err != nil {
		return err
	}
	if d.selector != "" {
		if args, err = c.selected(ctx, d.selector); err != nil {
			return err
		}
	}
	var failed []error
	for _, name := range args {
		if err := d.one(ctx, c, actor, name); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) == 1 {
		return failed[0]
	}
	return several(failed)
}

// several errors are one, with the exit code that they share.
func several(failed []error) error {
	if len(failed) == 0 {
		return nil
	}
	code := exitOf(failed[0])
	for _, err := range failed {
		if exitOf(err) != code {
			code = exitError
		}
	}
	return &ending{code, errors.Join(failed...)}
}

// selected are the names of the Promotions with these labels that have not ended.
func (c *connection) selected(ctx context.Context, selector string) ([]string, error) {
	labels, err := parseSelector(selector)
	if err != nil {
		return nil, err
	}
	var found []string
	err = pages(ctx, c, func() *v1alpha1.PromotionList { return &v1alpha1.PromotionList{} }, func(page *v1alpha1.PromotionList) {
		for i := range page.Items {
			if !report.Ended(&page.Items[i]) {
				found = append(found, page.Items[i].Name)
			}
		}
	}, client.InNamespace(c.project), client.MatchingLabelsSelector{Selector: labels})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no promotion with labels %q waits in project %q", selector, c.project)
	}
	return found, nil
}

// one Promotion: look, ask, write.
func (d *decideCommand) one(ctx context.Context, c *connection, actor person.Actor, name string) error {
	seen, err := c.readPlanned(ctx, name)
	if err != nil {
		return err
	}
	if err := d.sensible(actor, seen); err != nil {
		return err
	}
	agreed, err := d.confirm(seen)
	if err != nil {
		return err
	}
	if !agreed {
		return fmt.Errorf("nothing was decided on promotion %q", name)
	}
	decided, err := d.write(ctx, actor, seen)
	if err != nil {
		return err
	}
	return d.tell(ctx, c, actor.Me, decided)
}

// sensible refuses what cannot have been meant. Whether it is allowed is for the API server to say.
func (d *decideCommand) sensible(actor person.Actor, seen *v1alpha1.Promotion) error {
	err := actor.Decidable(seen, d.decision)
	var ended *person.Ended
	var started *person.Started
	var unplanned *person.Unplanned
	switch {
	case errors.As(err, &ended):
		return &ending{exitEnded, fmt.Errorf("promotion %q has ended as %s, and cannot be decided on any more: %s", seen.Name, ended.State, ended.Message)}
	case errors.As(err, &started):
		return fmt.Errorf("%w: stop it by `kubectl assent cancel %s`", err, seen.Name)
	case errors.As(err, &unplanned):
		return hasPlan(seen)
	case err != nil || d.decision == "":
		return err
	default:
		return d.planned(seen)
	}
}
