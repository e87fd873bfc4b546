// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Overridable are the gates that break-glass can open, in the order of the API.
func Overridable() []v1alpha1.OverridableGate {
	gates := []v1alpha1.Gate{
		v1alpha1.GateRelease, v1alpha1.GateUpstream, v1alpha1.GateSoak, v1alpha1.GateApproval,
		v1alpha1.GateWindow, v1alpha1.GateHold, v1alpha1.GateSchedule, v1alpha1.GateCheck,
	}
	overridable := make([]v1alpha1.OverridableGate, 0, len(gates))
	for _, gate := range gates {
		overridable = append(overridable, v1alpha1.OverridableGate(gate))
	}
	return overridable
}

// Override opens gates of a Promotion, for the plan that was looked at: where that has changed, the guard refuses (G9), and the error is a *PlanChanged.
func (a Actor) Override(ctx context.Context, seen *v1alpha1.Promotion, gates []v1alpha1.OverridableGate, reason string) (*v1alpha1.Promotion, error) {
	if err := ended(seen); err != nil {
		return nil, err
	}
	changed := seen.DeepCopy()
	override := v1alpha1.PromotionOverride{Gates: gates, Reason: reason, PlanDigest: seen.Status.Plan.Digest, UsedBy: a.Me}
	err := a.patch(ctx, changed, operation{Op: "add", Path: "/spec/override", Value: override})
	if apierrors.IsForbidden(err) {
		return nil, a.moved(ctx, seen, err)
	}
	return changed, a.refused(ctx, seen, err)
}

// Acknowledge takes note of the override that somebody else has used, and fills the Promotion with what came of it.
func (a Actor) Acknowledge(ctx context.Context, promotion *v1alpha1.Promotion, comment string) error {
	note := v1alpha1.Acknowledgement{Username: a.Me.Username, UID: a.Me.UID, Groups: a.Me.Groups, Comment: comment}
	before := promotion.DeepCopy()
	return a.refused(ctx, before, a.patch(ctx, promotion, operation{Op: "add", Path: "/spec/acknowledgement", Value: note}))
}
