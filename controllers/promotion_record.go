// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
)

// progressInterval is how often at most a running rollout's progress is written. It is part of what a promotion may cost.
const progressInterval = 10 * time.Second

// record writes the promotion's status, once, and then tells of the transition.
func (r *PromotionReconciler) record(ctx context.Context, p *v1alpha1.Promotion, seen *view, next promotion.Decision, done outcome) (outcome, error) {
	status := promotion.Status(seen.Observation, next)
	if _, starts := next.(promotion.Start); starts || equality.Semantic.DeepEqual(p.Status, status) {
		return done, nil
	}
	if running(next) && !turns(p.Status, status) {
		if wait := r.untilProgress(seen); wait > 0 || done.again {
			done.after = min(max(done.after, time.Second), max(wait, time.Second))
			return done, nil
		}
		seen.rollout.progressTime = seen.Now
	}
	before := p.Status
	p.Status = status
	if err := r.Client.Status().Update(ctx, p); err != nil {
		return outcome{}, moved(err)
	}
	r.writes.wrote(p)
	r.announce(p, before)
	if promotion.Ended(p) {
		observeEnd(p)
		r.forget(keyOf(p))
	}
	return done, nil
}

// running says whether a decision leaves the rollout running.
func running(next promotion.Decision) bool {
	switch next.(type) {
	case promotion.Apply, promotion.Watch, promotion.Prune, promotion.Verify, promotion.RollBack:
		return true
	case promotion.Rest, promotion.MakePlan, promotion.Prove, promotion.Wait, promotion.Start,
		promotion.Finish, promotion.Conclude, promotion.End, promotion.Acknowledge:
		return false
	}
	return false
}

// turns says whether a status tells what a new process has to know: that the checks have begun, or the way back.
func turns(before, after v1alpha1.PromotionStatus) bool {
	return !before.Progress.VerifyingSinceTime.Equal(&after.Progress.VerifyingSinceTime) || before.Rollback != after.Rollback
}

// untilProgress is how long it is until progress may be written again.
func (r *PromotionReconciler) untilProgress(seen *view) time.Duration {
	last := seen.Promotion.Status.StartTime.Time
	if seen.rollout.progressTime.After(last) {
		last = seen.rollout.progressTime
	}
	return last.Add(progressInterval).Sub(seen.Now)
}

// announce tells of a transition that somebody may have to act on. What goes well is told by the conditions and the history,
// and costs no event.
func (r *PromotionReconciler) announce(p *v1alpha1.Promotion, before v1alpha1.PromotionStatus) {
	now := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionSucceeded)
	earlier := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionSucceeded)
	if now == nil || (earlier != nil && earlier.Reason == now.Reason) {
		return
	}
	switch now.Reason {
	case v1alpha1.ReasonInvalid, v1alpha1.ReasonFailed, v1alpha1.ReasonRolledBack, v1alpha1.ReasonRejected, v1alpha1.ReasonBlocked:
		r.Events.Eventf(p, nil, "Warning", now.Reason, "Promote", "%s", note(now.Message))
	}
}

// note is a message as an event can hold it: the API server refuses longer ones.
func note(message string) string {
	const most = 1024
	return promotion.Clip(message, most)
}
