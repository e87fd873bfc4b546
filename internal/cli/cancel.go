// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

type cancelCommand struct {
	*session
	output *output
	reason string
}

func newCancel(s *session) *cobra.Command {
	k := &cancelCommand{session: s}
	cmd := &cobra.Command{
		Use:     "cancel PROMOTION --reason REASON",
		GroupID: groupDeliver,
		Short:   "End a Promotion: before its start nothing is applied, during its rollout it stops where it is",
		Long: `End a Promotion. Before its start nothing is applied; during its rollout it stops where it is, and what was applied stays.

Whoever may change the Promotion may cancel it: refusing is safe.`,
		Example: `  kubectl assent cancel shop-1.0.0-production --reason "1.0.1 is on its way"`,
		Args:    names(1, 1, "one Promotion, such as `kubectl assent cancel shop-1.0.0-production --reason …`"),
	}
	k.output = addOutput(cmd)
	s.completes(cmd, openPromotions, 1)
	cmd.Flags().StringVar(&k.reason, "reason", "", "Why; recorded for good.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(k.reason) == "" {
			return misused(cmd, errNoReason)
		}
		return k.run(cmd.Context(), args[0])
	}
	return cmd
}

var errNoReason = fmt.Errorf("say why by --reason: it is recorded for good")

func (k *cancelCommand) run(ctx context.Context, name string) error {
	c, err := k.connect()
	if err != nil {
		return err
	}
	promotion := &v1alpha1.Promotion{}
	if err := c.read(ctx, name, promotion); err != nil {
		return err
	}
	err = c.anonymous().Cancel(ctx, promotion, k.reason)
	var ended *person.Ended
	if errors.As(err, &ended) {
		return &ending{exitEnded, fmt.Errorf("promotion %q has ended already, as %s: %s", name, ended.State, ended.Message)}
	}
	if err != nil {
		return stale(promotion, err)
	}
	k.say("promotion.assent.dev/%s cancelled", name)
	return k.finish(ctx, c, promotion, k.output, waiting{}, report.Ended, k.progress)
}
