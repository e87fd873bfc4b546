// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/test/cluster"
)

// copyEnded adds Promotions to every Environment that ended like its Promotion of a version, which the operator has rolled out. The operator must not run.
func (c *Crowd) copyEnded(ctx context.Context, version string, each int) error {
	models, err := c.promotions(ctx, version)
	if err != nil {
		return err
	}
	return c.each(ctx, "copying promotions that have ended", each*len(models), func(ctx context.Context, i int) error {
		model := models[i/each]
		asked := cluster.NewPromotion(model.Namespace, fmt.Sprintf("%s-copy-%d", model.Name, i%each), model.Spec.Release, model.Spec.Environment)
		if err := c.bob.Create(ctx, asked); err != nil {
			return err
		}
		digest, err := plan.Digest(asked.UID, model.Status.Plan.Inputs, model.Status.Plan.RenderedDigest, model.Status.Plan.Fallback)
		if err != nil {
			return err
		}
		asked.Status = *model.Status.DeepCopy()
		asked.Status.Plan.Digest = digest
		for i := range asked.Status.Approvals.Counted {
			asked.Status.Approvals.Counted[i].PlanDigest = digest
		}
		return c.account.Status().Update(ctx, asked)
	})
}

// copyWaiting adds Promotions to every Environment that wait like its Promotion of a version, which the operator has planned. The operator must not run.
func (c *Crowd) copyWaiting(ctx context.Context, version string, each int) error {
	models, err := c.promotions(ctx, version)
	if err != nil {
		return err
	}
	return c.each(ctx, "copying promotions that wait", each*len(models), func(ctx context.Context, i int) error {
		model := models[i/each]
		asked := cluster.NewPromotion(model.Namespace, fmt.Sprintf("%s-copy-%d", model.Name, i%each), model.Spec.Release, model.Spec.Environment)
		if err := c.bob.Create(ctx, asked); err != nil {
			return err
		}
		asked.Status = *model.Status.DeepCopy()
		digest, err := plan.Digest(asked.UID, model.Status.Plan.Inputs, model.Status.Plan.RenderedDigest, model.Status.Plan.Fallback)
		if err != nil {
			return err
		}
		asked.Status.Plan.Digest = digest
		expires := asked.CreationTimestamp.Add(7 * 24 * time.Hour)
		for i := range asked.Status.Blockers {
			if !asked.Status.Blockers[i].UntilTime.IsZero() {
				asked.Status.Blockers[i].UntilTime = metav1.NewTime(expires)
			}
		}
		return c.account.Status().Update(ctx, asked)
	})
}
