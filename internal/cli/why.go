// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

func newWhy(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "why PROMOTION",
		GroupID: groupSee,
		Short:   "Say why a Promotion does not run: each blocker, who clears it, and when",
		Long: `Say where a Promotion stands and why: each gate that is closed, who or what clears it, and when; whose decision does not count; what has failed.

The exit code is 0 whatever the answer is.`,
		Example: `  kubectl assent why shop-1.0.0-production
  kubectl assent why shop-1.0.0-production -o jsonpath='{range .blockers[*]}{.gate}{"\n"}{end}'`,
		Args: names(1, 1, "one Promotion, such as `kubectl assent why shop-1.0.0-production`"),
	}
	output := addOutput(cmd)
	s.completes(cmd, anyPromotion, 1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := s.connect()
		if err != nil {
			return err
		}
		promotion := &v1alpha1.Promotion{}
		if err := c.read(cmd.Context(), args[0], promotion); err != nil {
			return err
		}
		explanation := report.Explain(promotion)
		if !output.forPeople() {
			return output.print(s.Out, c.scheme, explanation)
		}
		fmt.Fprint(s.Out, explanation.Text(s.style(), now()))
		return nil
	}
	return cmd
}
