// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

func newDiff(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "diff PROMOTION",
		GroupID: groupSee,
		Short:   "Show what a Promotion would change",
		Long: `Show what the plan of a Promotion would change against what runs now, object by object, and then in short. Values of Secrets are masked.

The last line is the plan's digest, which an approval names: kubectl assent approve PROMOTION --plan DIGEST. On a terminal the diff is shown by the
program in PAGER, or by less.

A diff shows what ran when the plan was made. With --against-live the objects are read again, as you, and those that somebody has changed since are named. What
the rollout would change does not depend on it: it applies what the plan says. Values of Secrets are not compared.

The exit code is 0 whether anything changes or not.`,
		Example: `  kubectl assent diff shop-1.0.0-production
  kubectl assent diff shop-1.0.0-production --against-live
  kubectl assent diff shop-1.0.0-production -o jsonpath={.diff}`,
		Args: names(1, 1, "one Promotion, such as `kubectl assent diff shop-1.0.0-production`"),
	}
	output := addOutput(cmd)
	s.completes(cmd, openPromotions, 1)
	var noPager, live bool
	cmd.Flags().BoolVar(&live, "against-live", false, "Compare with what runs now, too: has anything changed since the plan was made?")
	cmd.Flags().BoolVar(&noPager, "no-pager", false, "Print on the terminal itself.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := s.connect()
		if err != nil {
			return err
		}
		promotion, err := c.readPlanned(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if err := hasPlan(promotion); err != nil {
			return err
		}
		difference := report.Differ(promotion)
		if live {
			if difference, err = s.againstLive(cmd.Context(), c, promotion, difference); err != nil {
				return err
			}
		}
		if !output.forPeople() {
			return output.print(s.Out, c.scheme, difference)
		}
		return s.page(cmd.Context(), difference.Text(s.style()), !noPager)
	}
	return cmd
}

// hasPlan is an error where there is nothing to look at and to decide on, and says why.
func hasPlan(promotion *v1alpha1.Promotion) error {
	if promotion.Status.Plan.Digest != "" {
		return nil
	}
	state, message := report.State(promotion)
	switch {
	case state == "":
		return fmt.Errorf("promotion %q has no plan yet, because the operator has not looked at it: try again in a moment", promotion.Name)
	case report.Ended(promotion):
		return fmt.Errorf("promotion %q has no plan; it has ended as %s: %s", promotion.Name, state, message)
	default:
		return fmt.Errorf("promotion %q has no plan yet (%s: %s): see `kubectl assent why %s --namespace %s`",
			promotion.Name, state, message, promotion.Name, promotion.Namespace)
	}
}
