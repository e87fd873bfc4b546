// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cli/report"
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
	if state, message := report.State(promotion); report.Ended(promotion) {
		return &ending{exitEnded, fmt.Errorf("promotion %q has ended already, as %s: %s", name, state, message)}
	}
	if err := c.merge(ctx, promotion, map[string]any{"spec": map[string]any{"cancel": v1alpha1.PromotionCancel{Reason: k.reason}}}); err != nil {
		return err
	}
	k.say("promotion.assent.dev/%s cancelled", name)
	return k.finish(ctx, c, promotion, k.output, waiting{}, report.Ended, k.progress)
}

// merge a JSON merge patch (RFC 7396) into an object, and get what came of it.
func (c *connection) merge(ctx context.Context, object client.Object, change map[string]any) error {
	text, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("writing a patch: %w", err)
	}
	return c.Patch(ctx, object, client.RawPatch(types.MergePatchType, text), client.FieldOwner(v1alpha1.FieldManager))
}
