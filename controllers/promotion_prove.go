// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
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
func (r *PromotionReconciler) prove(ctx context.Context, seen *view, inputs v1alpha1.PlanInputs) error {
	if seen.unlock == nil {
		seen.unlock = r.starting.lock(environmentOf(seen.Promotion))
	}
	seen.anticipated = r.Planner.anticipate(ctx, seen.Observation, inputs)
	p := seen.Promotion
	// The history before the Environment: what has ended by then is in the inventory that is read next, or is owed to it. The
	// other way round, a rollout could end in between, and what it applied would be in neither.
	state, err := r.readAgain(ctx, p, auditHead(seen.Environment))
	if err != nil || promotion.Ended(p) {
		return err
	}
	if err := r.lookAgain(ctx, seen); err != nil {
		return err
	}
	if other := runningBeside(p, state, seen.Environment); other != "" {
		seen.Running = other
	}
	seen.Live, seen.proved = true, state.Head.Sequence
	return nil
}

// readAgain reads the promotion, and how far the history of its Environment is.
func (r *PromotionReconciler) readAgain(ctx context.Context, p *v1alpha1.Promotion, head v1alpha1.AuditHead) (audit.State, error) {
	var state audit.State
	environment, key := environmentOf(p), keyOf(p)
	group, together := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		state, err = r.Ledger.State(together, environment, head)
		return err
	})
	group.Go(func() error {
		// Into the same object: whoever holds it goes on with what the API server has, and writes against that version.
		return moved(r.Live.Get(together, key, p))
	})
	return state, group.Wait()
}

// lookAgain makes the observation from live reads, asks for the authority of those who have decided, and finds the end that an earlier process put on
// record for a promotion that has not started, and died before it could say so in the status.
func (r *PromotionReconciler) lookAgain(ctx context.Context, seen *view) error {
	p := seen.Promotion
	var people authorities
	known := &rollout{}
	group, together := errgroup.WithContext(ctx)
	group.Go(func() error { return r.look(together, p, seen, r.Live) })
	group.Go(func() (err error) {
		people, err = r.authorities(together, p)
		return err
	})
	if !promotion.Started(p) {
		group.Go(func() (err error) {
			known, err = r.recall(together, p)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	seen.Authority, seen.OverrideAuthority = people.approve, people.override
	if known.outcome != nil {
		seen.rollout, seen.Rollout = known, &promotion.Rollout{Intent: known.intent, Outcome: known.outcome}
	}
	return nil
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

// authorities are what those who have decided may do.
type authorities struct {
	// approve is by user.
	approve  map[string]approval.Authority
	override approval.Authority
}

// authorities asks the API server whether each approver, and whoever has set an override, may do so now, by the identity that the guard has
// stamped.
func (r *PromotionReconciler) authorities(ctx context.Context, p *v1alpha1.Promotion) (authorities, error) {
	found := authorities{approve: make(map[string]approval.Authority, len(p.Spec.Approvals))}
	var err error
	for _, entry := range p.Spec.Approvals {
		person := v1alpha1.Person{Username: entry.User, UID: entry.UID, Groups: entry.Groups}
		if found.approve[entry.User], err = r.authority(ctx, p, person, v1alpha1.VerbApprove); err != nil {
			return found, err
		}
	}
	if len(p.Spec.Override.Gates) > 0 {
		found.override, err = r.authority(ctx, p, p.Spec.Override.UsedBy, v1alpha1.VerbOverride)
	}
	return found, err
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
