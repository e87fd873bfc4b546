// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

type overrideCommand struct {
	*session
	waiting
	consent
	output *output
	gates  []string
	reason string
}

func newOverride(s *session) *cobra.Command {
	o := &overrideCommand{session: s}
	cmd := &cobra.Command{
		Use:     "override PROMOTION --gates GATE,… --reason REASON",
		GroupID: groupDecide,
		Short:   "Break-glass: open named gates of a Promotion, on the record",
		Long: `Break-glass: open named gates of a Promotion. The plan and the blockers are shown, and on a terminal you are asked. The override names the plan that was
shown, is recorded for good, and is shown on the Environment until somebody else has acknowledged it.

Gates: ` + gateNames() + `. It needs the verb "override" on the Environment, as the ClusterRole assent-override has it.`,
		Example: `  kubectl assent override shop-1.0.1-production --gates Window,Hold --reason "mends incident 4711"`,
		Args:    names(1, 1, "one Promotion"),
	}
	o.output = addOutput(cmd)
	s.completes(cmd, openPromotions, 1)
	cmd.Flags().StringSliceVar(&o.gates, "gates", nil, "The gates to open: "+gateNames()+".")
	cmd.Flags().StringVar(&o.reason, "reason", "", "Why; recorded for good.")
	o.addYes(cmd)
	o.addPlan(cmd)
	o.addWait(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		gates, err := o.check(cmd)
		if err != nil {
			return err
		}
		return o.run(cmd.Context(), args[0], gates)
	}
	return cmd
}

func gateNames() string {
	var text []string
	for _, gate := range person.Overridable() {
		text = append(text, string(gate))
	}
	return strings.Join(text, ", ")
}

func (o *overrideCommand) check(cmd *cobra.Command) ([]v1alpha1.OverridableGate, error) {
	var gates []v1alpha1.OverridableGate
	for _, named := range o.gates {
		known := false
		for _, gate := range person.Overridable() {
			if strings.EqualFold(named, string(gate)) {
				gates, known = append(gates, gate), true
			}
		}
		if !known {
			return nil, misused(cmd, fmt.Errorf("%q is no gate that can be overridden; those are %s", named, gateNames()))
		}
	}
	switch {
	case len(gates) == 0:
		return nil, misused(cmd, fmt.Errorf("name the gates to open by --gates, such as --gates Window,Hold"))
	case strings.TrimSpace(o.reason) == "":
		return nil, misused(cmd, errNoReason)
	default:
		return gates, o.consents(cmd, o.session)
	}
}

func (o *overrideCommand) run(ctx context.Context, name string, gates []v1alpha1.OverridableGate) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	actor, err := c.actor(ctx)
	if err != nil {
		return err
	}
	seen := &v1alpha1.Promotion{}
	if err := c.read(ctx, name, seen); err != nil {
		return err
	}
	if state, message := report.State(seen); report.Ended(seen) {
		return &ending{exitEnded, fmt.Errorf("promotion %q has ended as %s, and nothing can be overridden any more: %s", name, state, message)}
	}
	if o.plan != "" {
		if err := o.planned(seen); err != nil {
			return err
		}
	}
	o.lookAt(seen)
	agreed, err := o.given(o.session, fmt.Sprintf("Override %s of %s?", strings.Join(o.gates, ", "), name))
	if err != nil {
		return err
	}
	if !agreed {
		return fmt.Errorf("nothing was overridden")
	}
	changed, err := actor.Override(ctx, seen, gates, o.reason)
	if err != nil {
		return stale(seen, err)
	}
	o.say("promotion.assent.dev/%s: override of %s is on record; somebody else has to acknowledge it once it was used", name, strings.Join(o.gates, ", "))
	return o.finish(ctx, c, changed, o.output, o.waiting, judged(changed), o.progress)
}

func newAcknowledge(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "acknowledge PROMOTION",
		GroupID: groupDecide,
		Short:   "Take note of the override that somebody else has used",
		Long: `Take note of the override that somebody else has used for a Promotion. Until then it is shown on the Environment, and the Promotion cannot be deleted.

It needs the verb "override" on the Environment, as the ClusterRole assent-override has it.`,
		Example: `  kubectl assent acknowledge shop-1.0.1-production --comment "seen; talked it over with dave"`,
		Args:    names(1, 1, "one Promotion"),
	}
	output := addOutput(cmd)
	s.completes(cmd, anyPromotion, 1)
	comment := cmd.Flags().String("comment", "", "A comment.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := s.connect()
		if err != nil {
			return err
		}
		actor, err := c.actor(cmd.Context())
		if err != nil {
			return err
		}
		promotion := &v1alpha1.Promotion{}
		if err := c.read(cmd.Context(), args[0], promotion); err != nil {
			return err
		}
		if err := actor.Acknowledge(cmd.Context(), promotion, *comment); err != nil {
			return stale(promotion, err)
		}
		s.say("promotion.assent.dev/%s acknowledged", args[0])
		if output.forPeople() {
			return nil
		}
		return output.print(s.Out, c.scheme, promotion)
	}
	return cmd
}
