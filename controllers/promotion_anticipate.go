// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
)

// anticipation is the plan that a proof will ask for if the caches are right. It is made while the live reads of the proof are under way: it asks the target
// after the approval, as it would afterwards, and only saves waiting for one after the other.
type anticipation struct {
	inputs v1alpha1.PlanInputs
	// seen is what it is made from.
	seen promotion.Observation
	// stop ends what is not wanted any more.
	stop context.CancelFunc
	// done is closed once the rest is there.
	done      chan struct{}
	planned   *promotion.Planned
	rendering Rendering
	err       error
}

// anticipate begins to make a plan from what the caches say; nil if the decision will not ask for one.
func (p *Planner) anticipate(ctx context.Context, seen promotion.Observation, inputs v1alpha1.PlanInputs) *anticipation {
	if inputs == (v1alpha1.PlanInputs{}) {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	seen.Promotion = seen.Promotion.DeepCopy() // the proof reads into the other one
	a := &anticipation{inputs: inputs, seen: seen, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.planned, a.rendering, a.err = p.Make(ctx, a.seen, inputs)
	}()
	return a
}

// plan that was anticipated, if what was read live are the very versions that it was made from.
func (a *anticipation) plan(seen promotion.Observation, inputs v1alpha1.PlanInputs) (*promotion.Planned, Rendering, bool) {
	if a == nil || inputs != a.inputs || seen.Promotion.ResourceVersion != a.seen.Promotion.ResourceVersion ||
		seen.Release.ResourceVersion != a.seen.Release.ResourceVersion || seen.Environment.ResourceVersion != a.seen.Environment.ResourceVersion {
		return nil, Rendering{}, false
	}
	<-a.done
	return a.planned, a.rendering, a.err == nil
}

// plan what is asked for, unless that was done already.
func (r *PromotionReconciler) plan(ctx context.Context, seen *view, inputs v1alpha1.PlanInputs) (err error) {
	planned, rendering, fits := seen.anticipated.plan(seen.Observation, inputs)
	if !fits {
		planned, rendering, err = r.Planner.Make(ctx, seen.Observation, inputs)
	}
	seen.Planned, seen.Rendering = planned, rendering
	return err
}
