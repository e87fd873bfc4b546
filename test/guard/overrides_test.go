// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// overrideBy opens Approval, with everything spelled out that could be stamped.
func overrideBy(user string, plan v1alpha1.Digest) v1alpha1.PromotionOverride {
	return v1alpha1.PromotionOverride{
		Gates: []v1alpha1.OverridableGate{"Approval"}, Reason: "production is down", PlanDigest: plan,
		UsedBy: v1alpha1.Person{Username: user, Groups: groupsOf(user)},
	}
}

// acknowledgementBy has everything spelled out that could be stamped.
func acknowledgementBy(user string) v1alpha1.Acknowledgement {
	return v1alpha1.Acknowledgement{Username: user, Groups: groupsOf(user)}
}

// overridden has an override that dave has set.
func (w *world) overridden(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.planned(ctx)
	promotion.Spec.Override = overrideBy(cluster.Dave, planA)
	Expect(w.as(cluster.Dave).Update(ctx, promotion)).To(Succeed())
	return promotion
}

// used has started through the gate that dave's override opens.
func (w *world) used(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.overridden(ctx)
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) {
		status.StartTime = metav1.NewTime(time.Now())
		status.Overridden = promotion.Spec.Override.Gates
	})
	return promotion
}

// acknowledged is used by dave, as frank has taken note of.
func (w *world) acknowledged(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := w.used(ctx)
	promotion.Spec.Acknowledgement = acknowledgementBy(frank)
	Expect(w.as(frank).Update(ctx, promotion)).To(Succeed())
	return promotion
}

func overridden(ctx context.Context, w *world) client.Object   { return w.overridden(ctx) }
func used(ctx context.Context, w *world) client.Object         { return w.used(ctx) }
func acknowledged(ctx context.Context, w *world) client.Object { return w.acknowledged(ctx) }

// overriddenForThePlanBefore has another plan than the one that dave saw.
func overriddenForThePlanBefore(ctx context.Context, w *world) client.Object {
	promotion := w.overridden(ctx)
	w.plan(ctx, promotion, planB)
	return promotion
}

// overriddenForAPlanThatIsGone has none any more.
func overriddenForAPlanThatIsGone(ctx context.Context, w *world) client.Object {
	promotion := w.overridden(ctx)
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) { status.Plan = v1alpha1.Plan{} })
	return promotion
}

// endedOverridden has ended without a start.
func endedOverridden(ctx context.Context, w *world) client.Object {
	promotion := w.overridden(ctx)
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) { status.CompletionTime = metav1.NewTime(time.Now()) })
	return promotion
}

// startedThrough says that it has opened a gate, and has no override.
func startedThrough(ctx context.Context, w *world) client.Object {
	promotion := w.started(ctx)
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) { status.Overridden = []v1alpha1.OverridableGate{"Window"} })
	return promotion
}

func groupsAsAny(user string) []any {
	groups := []any{}
	for _, group := range groupsOf(user) {
		groups = append(groups, group)
	}
	return groups
}

// override sets dave's or somebody else's override, changed by more.
func override(user string, plan v1alpha1.Digest, more ...func(map[string]any)) func(*unstructured.Unstructured) {
	content := map[string]any{
		"gates": []any{"Approval"}, "reason": "now", "planDigest": string(plan),
		"usedBy": map[string]any{"username": user, "groups": groupsAsAny(user)},
	}
	for _, change := range more {
		change(content)
	}
	return set(content, "spec", "override")
}

func without(field string) func(map[string]any) {
	return func(content map[string]any) { delete(content, field) }
}

// ofWindow opens another gate, and names no plan.
func ofWindow(content map[string]any) {
	content["gates"] = []any{"Window"}
	delete(content, "planDigest")
}

// as says who has used the override, and which groups they claim.
func as(username string, groups ...any) func(map[string]any) {
	return with("usedBy", map[string]any{"username": username, "groups": groups})
}

// acknowledgement sets somebody's, changed by more.
func acknowledgement(user string, more ...func(map[string]any)) func(*unstructured.Unstructured) {
	content := map[string]any{"username": user, "groups": groupsAsAny(user)}
	for _, change := range more {
		change(content)
	}
	return set(content, "spec", "acknowledgement")
}

var overrides = []attack{
	{"G9", "a Promotion is created with an override by a user without the verb", cluster.Bob, newRequest(cluster.Bob, production),
		override(cluster.Bob, "", ofWindow), creations, false},
	{"G9", "a user without the verb overrides", cluster.Alice, planned, override(cluster.Alice, planA), changes, false},
	{"G9", "a user without the verb changes an override", cluster.Bob, overridden, override(cluster.Bob, planA), changes, false},
	{"G9", "a user without the verb takes an override away", cluster.Bob, overridden, unset("spec", "override"), changes, false},
	{"G9", "a user with the verb gives no reason", cluster.Dave, planned, override(cluster.Dave, planA, with("reason", "  ")), changes, false},

	{"G9", "a user overrides in somebody else's name", cluster.Dave, planned,
		override(cluster.Dave, planA, as(cluster.Alice, "security", "system:authenticated")), changes, false},
	{"G9", "a user overrides in nobody's name", cluster.Dave, planned, override(cluster.Dave, planA, without("usedBy")), changes, true},
	{"G9", "a user overrides with another UID", cluster.Dave, planned,
		override(cluster.Dave, planA, with("usedBy", map[string]any{"username": cluster.Dave, "uid": "4711", "groups": groupsAsAny(cluster.Dave)})), changes, false},
	{"G9", "a user claims a group in an override", cluster.Dave, planned,
		override(cluster.Dave, planA, as(cluster.Dave, "security", "shop-owners", "system:authenticated")), changes, false},
	{"G9", "a user leaves a group out of an override", cluster.Dave, planned, override(cluster.Dave, planA, as(cluster.Dave, "security")), changes, false},
	{"G9", "a user changes an override and leaves it in the name of who has set it", frank, overridden, set("now", "spec", "override", "reason"), changes, true},
	{"G9", "a user takes the name off an override", cluster.Dave, overridden, unset("spec", "override", "usedBy"), changes, true},
	{"G9", "a user puts their name on somebody else's override", frank, overridden,
		set(map[string]any{"username": frank, "groups": groupsAsAny(frank)}, "spec", "override", "usedBy"), changes, false},

	{"G9", "a Promotion is created with an override of Approval", cluster.Dave, newRequest(cluster.Dave, production),
		override(cluster.Dave, "", without("planDigest")), creations, false},
	{"G9", "a Promotion is created with an override of a plan", cluster.Dave, newRequest(cluster.Dave, production),
		override(cluster.Dave, planA, with("gates", []any{"Window"})), creations, false},
	{"G9", "a user overrides Approval before there is a plan", cluster.Dave, requested, override(cluster.Dave, planA), changes, false},
	{"G9", "a user overrides Approval before there is a plan, and names an empty one", cluster.Dave, requested, override(cluster.Dave, ""), changes, false},
	{"G9", "a user overrides Approval and names no plan", cluster.Dave, planned, override(cluster.Dave, planA, without("planDigest")), changes, true},
	{"G9", "a user overrides another plan", cluster.Dave, planned, override(cluster.Dave, planB), changes, false},
	{"G9", "a user overrides another gate for another plan", cluster.Dave, planned,
		override(cluster.Dave, planB, with("gates", []any{"Window"})), changes, false},
	{"G9", "a user changes an override for the plan before this one", cluster.Dave, overriddenForThePlanBefore,
		set("now", "spec", "override", "reason"), changes, false},

	{"G9", "a user overrides after the start", cluster.Dave, started, override(cluster.Dave, planA), changes, false},
	{"G9", "a user changes an override after the start", cluster.Dave, used, override(cluster.Dave, planA), changes, false},
	{"G9", "a user takes a used override away", cluster.Dave, used, unset("spec", "override"), changes, false},
	{"G9", "a user overrides after the end", cluster.Dave, ended, override(cluster.Dave, planA), changes, false},
	{"G9", "a user takes an override away after the end", cluster.Dave, endedOverridden, unset("spec", "override"), changes, false},
	{"G9", "a user overrides an invalid Promotion", cluster.Dave, invalid, override(cluster.Dave, planA), changes, false},
}

var acknowledgements = []attack{
	{"G9", "who has used an override acknowledges it", cluster.Dave, used, acknowledgement(cluster.Dave), changes, false},
	{"G9", "a user without the verb acknowledges", cluster.Alice, used, acknowledgement(cluster.Alice), changes, false},
	{"G9", "who has used an override acknowledges it in somebody else's name", cluster.Dave, used, acknowledgement(frank), changes, false},
	{"G9", "a user acknowledges in somebody else's name", frank, used, acknowledgement(frank, with("username", cluster.Alice)), changes, false},
	{"G9", "a user acknowledges with another UID", frank, used, acknowledgement(frank, with("uid", "4711")), changes, false},
	{"G9", "a user claims a group in an acknowledgement", frank, used,
		acknowledgement(frank, with("groups", []any{"incident-leads", "security", "system:authenticated"})), changes, false},
	{"G9", "a user leaves a group out of an acknowledgement", frank, used, acknowledgement(frank, with("groups", []any{"incident-leads"})), changes, false},
	{"G9", "a user acknowledges an override that nothing has started through", frank, overridden, acknowledgement(frank), changes, false},
	{"G9", "a user acknowledges what needed no override", frank, started, acknowledgement(frank), changes, false},
	{"G9", "a user acknowledges an override that is not there", frank, startedThrough, acknowledgement(frank), changes, false},
	{"G9", "a Promotion is created with an acknowledgement", cluster.Dave, newRequest(cluster.Dave, production), acknowledgement(cluster.Dave), creations, false},
	{"G9", "a user changes their acknowledgement", frank, acknowledged, acknowledgement(frank, with("comment", "on second thoughts")), changes, false},
	{"G9", "a user takes their acknowledgement back", frank, acknowledged, unset("spec", "acknowledgement"), changes, false},
	{"G9", "who has used an override takes the acknowledgement away", cluster.Dave, acknowledged, unset("spec", "acknowledgement"), changes, false},
	{"G9", "a user deletes a used override", cluster.Mallory, used, nil, deletions, false},
	{"G9", "a user deletes a used override of which something else is over", cluster.Mallory, usedAnd(v1alpha1.ConditionApproved, metav1.ConditionFalse), nil,
		deletions, false},
	{"G9", "a user deletes a used override that waits for its acknowledgement", cluster.Mallory,
		usedAnd(v1alpha1.ConditionOverridden, metav1.ConditionTrue), nil, deletions, false},
	{"G9", "who has used an override deletes it", cluster.Dave, used, nil, deletions, false},
	{"G9", "the administrator deletes a used override", cluster.Admin, used, nil, deletions[:1], false},
	{"G9", "the operator deletes a used override", operator, used, nil, deletions, false},
}
