// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// Probes are scenarios that no sweep comes upon by itself: in some, a start would be wrong, although the operator has every reason but one to believe
// that it is right; in others, people act at the very moment at which something fails. They are made once each.
func Probes() []Scenario {
	return []Scenario{
		{Name: "a hold that no cache knows of", course: unseenHold},
		{Name: "an approver who has lost the right", course: lostRight},
		{
			Name: "cancelled while it is unknown whether the intent is on record", course: cancelledInBetween,
			faults: []Fault{{At: firstIntent, Mode: Refused}, {At: firstIntent + " #2", Mode: Lost}},
		},
	}
}

const firstIntent = "create auditrecords production-0000000001 Intent"

// cancelledInBetween ends a rollout whose intent was written and not answered; the next one must not wait for it.
func cancelledInBetween(ctx context.Context, r *Run) error {
	cancelled := make(chan error, 1)
	r.keeper.listen(func(_ *process, name string) {
		if name == firstIntent+" #2" {
			cancelled <- r.patch(ctx, cluster.Bob, "one", map[string]any{"cancel": map[string]any{"reason": "a mistake"}})
		}
	})
	return inTurn(
		func() error { return r.ask(ctx, "one", shop("1")...) },
		func() error { return r.await(ctx, "one", v1alpha1.ReasonAwaitingApproval) },
		func() error { return r.approve(ctx, cluster.Alice, "one") },
		func() error { return r.end(ctx, "one", v1alpha1.ReasonCancelled) },
		func() error { return <-cancelled },
		func() error { return r.promote(ctx, "two", shop("2")...) },
	)
}

func unseenHold(ctx context.Context, r *Run) error {
	var thaw func()
	defer func() {
		if thaw != nil {
			thaw()
		}
	}()
	return inTurn(
		func() error { return r.settled(ctx) },
		func() error { return r.ask(ctx, "one", shop("1")...) },
		func() error { return r.await(ctx, "one", v1alpha1.ReasonAwaitingApproval) },
		func() error {
			thaw = r.keeper.streams.freeze("environments")
			return r.amend(ctx, `{"spec": {"hold": {"reason": "incident 4711"}}}`)
		},
		func() error { return r.approve(ctx, cluster.Alice, "one") },
		func() error { return r.await(ctx, "one", v1alpha1.ReasonBlocked) },
		func() error { return r.amend(ctx, `{"spec": {"hold": null}}`) },
		func() error {
			thaw()
			return r.end(ctx, "one", v1alpha1.ReasonSucceeded)
		},
	)
}

func lostRight(ctx context.Context, r *Run) error {
	return inTurn(
		func() error { return r.project.Bind(ctx, "assent-approver", cluster.Dave) },
		func() error { return r.amend(ctx, `{"spec": {"hold": {"reason": "incident 4711"}}}`) },
		func() error { return r.ask(ctx, "one", shop("1")...) },
		func() error { return r.await(ctx, "one", v1alpha1.ReasonAwaitingApproval) },
		func() error { return r.approve(ctx, cluster.Dave, "one") },
		func() error { return r.await(ctx, "one", v1alpha1.ReasonBlocked) },
		func() error { return r.withdraw(ctx, cluster.Dave) },
		func() error { return r.amend(ctx, `{"spec": {"hold": null}}`) },
		func() error { return r.await(ctx, "one", v1alpha1.ReasonAwaitingApproval) },
		func() error { return r.approve(ctx, cluster.Alice, "one") },
		func() error { return r.end(ctx, "one", v1alpha1.ReasonSucceeded) },
	)
}

// withdraw what a user alone was given in the project, and wait until the API server says no.
func (r *Run) withdraw(ctx context.Context, user string) error {
	admin := r.world.as(cluster.Admin)
	var bindings rbacv1.RoleBindingList
	if err := admin.List(ctx, &bindings, client.InNamespace(r.project.Name)); err != nil {
		return fmt.Errorf("withdrawing the rights of %q: %w", user, err)
	}
	for i := range bindings.Items {
		binding := &bindings.Items[i]
		if slices.ContainsFunc(binding.Subjects, func(s rbacv1.Subject) bool { return s.Name == user }) && len(binding.Subjects) == 1 {
			if err := admin.Delete(ctx, binding); err != nil {
				return fmt.Errorf("withdrawing the rights of %q: %w", user, err)
			}
		}
	}
	r.project.Withdrawn(user)
	return persist(ctx, "waiting until the API server says no", func(ctx context.Context) error {
		err := r.patch(ctx, user, "one", map[string]any{"reason": "may I still?"})
		if apierrors.IsForbidden(err) {
			return nil
		}
		return fmt.Errorf("%q may still change the promotion: %w", user, err)
	})
}
