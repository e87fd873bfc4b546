// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/promotion"
)

// prove makes the observation anew from live reads: the promotion, the Release, the Environment, the guard, the history,
// and the approvers' authority. The plan is forgotten, so that it is made anew as well.
//
// The Environment stays locked until the observation is released: what was proved must not be overtaken by another start.
func (r *PromotionReconciler) prove(ctx context.Context, seen *view) error {
	if seen.unlock == nil {
		seen.unlock = r.starting.lock(environmentOf(seen.Promotion))
	}
	p := seen.Promotion
	// Into the same object: whoever holds it goes on with what the API server has, and writes against that version.
	if err := r.Live.Get(ctx, keyOf(p), p); err != nil {
		return moved(err)
	}
	if promotion.Ended(p) {
		return nil
	}
	// The history before the Environment: what has ended by then is in the inventory that is read next, or is owed to it. The
	// other way round, a rollout could end in between, and what it applied would be in neither.
	state, err := r.Ledger.State(ctx, environmentOf(p), auditHead(seen.Environment))
	if err != nil {
		return err
	}
	if err := r.look(ctx, p, seen, r.Live); err != nil {
		return err
	}
	if other := runningBeside(p, state, seen.Environment); other != "" {
		seen.Running = other
	}
	if err := r.lookAtAuthority(ctx, seen); err != nil {
		return err
	}
	seen.Live = true
	return r.lookForOutcome(ctx, seen)
}

// runningBeside names the promotion whose rollout runs by the history, or whose end the Environment does not know of yet:
// before it does, its inventory does not say what there is to prune.
func runningBeside(p *v1alpha1.Promotion, state audit.State, environment *v1alpha1.Environment) string {
	for _, intent := range []*v1alpha1.AuditRecord{state.Open, state.Owed(environment).Intent} {
		if intent != nil && intent.Spec.Promotion.UID != string(p.UID) {
			return intent.Spec.Promotion.Name
		}
	}
	return ""
}

// lookForOutcome finds the end that an earlier process put on record for a promotion that has not started, and died before
// it could say so in the status.
func (r *PromotionReconciler) lookForOutcome(ctx context.Context, seen *view) error {
	if seen.rollout != nil {
		return nil
	}
	known, err := r.recall(ctx, seen.Promotion)
	if err != nil || known.outcome == nil {
		return err
	}
	seen.rollout, seen.Rollout = known, &promotion.Rollout{Intent: known.intent, Outcome: known.outcome}
	return nil
}

// lookAtAuthority asks the API server whether each approver, and whoever has set an override, may do so now, by the identity that the guard has
// stamped.
func (r *PromotionReconciler) lookAtAuthority(ctx context.Context, seen *view) error {
	p := seen.Promotion
	seen.Authority = make(map[string]approval.Authority, len(p.Spec.Approvals))
	for _, entry := range p.Spec.Approvals {
		person := v1alpha1.Person{Username: entry.User, UID: entry.UID, Groups: entry.Groups}
		var err error
		if seen.Authority[entry.User], err = r.authority(ctx, p, person, v1alpha1.VerbApprove); err != nil {
			return err
		}
	}
	if len(p.Spec.Override.Gates) == 0 {
		return nil
	}
	var err error
	seen.OverrideAuthority, err = r.authority(ctx, p, p.Spec.Override.UsedBy, v1alpha1.VerbOverride)
	return err
}

// authority of a person to use a verb on the promotion's Environment, now.
func (r *PromotionReconciler) authority(ctx context.Context, p *v1alpha1.Promotion, person v1alpha1.Person, verb string) (approval.Authority, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: person.Username, UID: person.UID, Groups: person.Groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: v1alpha1.GroupName, Version: v1alpha1.SchemeGroupVersion.Version, Resource: "environments",
			Namespace: p.Namespace, Name: p.Spec.Environment, Verb: verb,
		},
	}}
	if person.Username == "" {
		return approval.AuthorityLost, nil // the API server would refuse the question
	}
	if err := r.Client.Create(ctx, review); err != nil {
		return approval.AuthorityUnproven, fmt.Errorf("ask whether %q may %s: %w", person.Username, verb, err)
	}
	if review.Status.Allowed && !review.Status.Denied {
		return approval.AuthorityHeld, nil
	}
	return approval.AuthorityLost, nil
}

// auditHead is where an Environment's status says that its history stood.
func auditHead(environment *v1alpha1.Environment) v1alpha1.AuditHead {
	if environment == nil {
		return v1alpha1.AuditHead{}
	}
	return environment.Status.Audit
}
