// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"fmt"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// permissions are what somebody may do, told as attacks are: a rule that refuses too much keeps people from their work, and those whose right
// names one Environment alone from all of it.
var permissions = []attack{
	{"G1", "who may promote to production alone asks for it", cluster.Dave, newRequest(cluster.Dave, production), nil, creations, false},
	{"G1 G2 G3", "an approver who may not promote approves", cluster.Alice, planned, entries(entry(cluster.Alice, planA)), changes, false},
	{"G3 G6 G9", "a user of more groups than are written down asks for a promotion", manyGroups, newRequest(manyGroups, production), nil, creations, false},
	{"G4", "an approver withdraws", cluster.Alice, approved, entries(), changes, false},
	{"G5 G7", "somebody who has lost the verb withdraws", erinExpelled, approvedByErin, entries(), changes, false},
	{"G5", "who may approve for staging alone approves for it", cluster.Dave, plannedFor(staging), entries(entry(cluster.Dave, planA)), changes, false},
	{"G5 G6", "an approver who has left a group writes something else", erinExpelled, approvedByErin, set("because", "spec", "reason"), changes, false},
	{"G5 G6", "an approver who is somebody new of that name writes something else", erinAgain, approvedByErin, set("because", "spec", "reason"), changes, false},
	{"G6", "an approver who has joined a group writes something else", erinInMore, approvedByErin, set("because", "spec", "reason"), changes, false},
	{"G7", "an approver of the plan before this one writes something else", cluster.Alice, replanned, set("because", "spec", "reason"), changes, false},
	{"G6", "a user of more groups than are written down approves", manyGroups, planned, entries(entry(manyGroups, planA)), changes, false},
	{"G8 G9", "an approver approves what has not ended, whatever else is said of it", cluster.Carol, awaiting,
		entries(entry(cluster.Alice, planA), entry(cluster.Carol, planA)), changes, false},

	{"G8 G9", "the requester writes something else after the start", cluster.Bob, started, set("because", "spec", "reason"), changes, false},
	{"G9", "the requester writes something else than the override", cluster.Bob, overridden, set("because", "spec", "reason"), changes, false},
	{"G9", "a holder of the verb takes an override away", frank, overridden, unset("spec", "override"), changes, false},
	{"G9", "a Promotion is created with an override of another gate than Approval", cluster.Dave, newRequest(cluster.Dave, production),
		override(cluster.Dave, "", ofWindow), creations, false},
	{"G9", "a holder of the verb opens more gates", frank, overridden,
		override(frank, planA, with("reason", "production is down"), with("gates", []any{"Approval", "Window"})), changes, false},
	{"G9", "a holder of the verb gives another reason", frank, overridden, override(frank, planA), changes, false},
	{"G9", "who has overridden does so for the plan that is there now", cluster.Dave, overriddenForThePlanBefore,
		set(string(planB), "spec", "override", "planDigest"), changes, false},
	{"G9", "who may override in staging alone overrides there", cluster.Carol, plannedFor(staging), override(cluster.Carol, planA), changes, false},
	{"G9", "who may override in staging alone acknowledges there", cluster.Carol, usedIn(staging), acknowledgement(cluster.Carol), changes, false},
	{"G9", "a user of more groups than are written down overrides", manyGroups, planned, override(manyGroups, planA), changes, false},
	{"G9", "a user of more groups than are written down acknowledges", manyGroups, used, acknowledgement(manyGroups), changes, false},
	{"G9", "somebody who may not acknowledge writes something else", cluster.Bob, acknowledged, set("because", "spec", "reason"), changes, false},
	{"G9", "a used override is cancelled", cluster.Bob, used, set("not today", "spec", "cancel", "reason"), changes, false},
	{"G9", "an override that nothing has started through is deleted", cluster.Bob, overridden, nil, deletions[:1], false},
	{"G9", "an acknowledged override is deleted", cluster.Bob, acknowledged, nil, deletions[:1], false},
	{"G9", "an override is deleted that the operator has recorded as acknowledged", cluster.Bob, usedAnd(v1alpha1.ConditionOverridden, metav1.ConditionFalse), nil,
		deletions[:1], false},
	{"G9", "the namespace controller deletes a used override", namespaceController, used, nil, deletions[:1], false},

	{"G10", "the operator gives a Promotion its finalizer", operator, planned, finalizer, changes[:3], false},
	{"G11 G12", "a user creates a Release", cluster.Bob, newRelease, nil, creations, false},
	{"G11 G12", "a user labels a Release", cluster.Mallory, aRelease, label, changes, false},
	{"G11 G12", "a user deletes a Release", cluster.Mallory, aRelease, nil, deletions[:1], false},
	{"G11", "a user changes something else of an Environment in another cluster", cluster.Mallory, remote, set("live", "spec", "stage"), changes, false},
	{"G11 G14", "a user deletes an Environment whose deployer they may not impersonate", cluster.Mallory, anEnvironment, nil, deletions[:1], false},
	{"G11", "a user changes something else than the target", cluster.Mallory, anEnvironment, set("live", "spec", "stage"), changes, false},
	{"G11", "a user changes something else than the checks and what is promoted by itself", cluster.Mallory, checked, set("live", "spec", "stage"), changes, false},
	{"G11", "a user gives an Environment a check that asks a server", cluster.Mallory, anEnvironment,
		set([]any{map[string]any{"name": "ticket", "http": map[string]any{"url": "https://tickets.example.com"}}}, "spec", "checks"), changes, false},
	{"G11", "a user lets an Environment no longer promote by itself", cluster.Mallory, checked, unset("spec", "autoPromotion"), changes, false},
	{"G11", "who may impersonate the checker sets a Job", frank, anEnvironment, jobOf("smoke", "spec: {}"), changes, false},
	{"G11", "who may promote to production alone lets it promote by itself", cluster.Dave, newProduction, promotes(">=1.0.0"), creations, false},

	{"G12", "an archiver deletes an audit record", archiver, aRecord, nil, deletions[:1], false},
	{"G12", "who may archive one record alone deletes it", archiverOfOne, theOneRecord, nil, deletions[:1], false},
	{"G10 G12 G13", "the operator creates an audit record with a finalizer and an owner", operator, newRecord, finalizer, creations[:1], false},

	{"G12 G13", "the operator gives an audit record a finalizer", operator, aRecord, finalizer, changes[:3], false},

	{"G13", "the requester writes something else while the operator's finalizer is there", cluster.Bob, held, set("because", "spec", "reason"), changes, false},

	{"G14", "a user gives another reason for a hold", cluster.Mallory, onHold, set("incident 4712", "spec", "hold", "reason"), changes, false},
	{"G14", "a user gives another reason in a hold's annotation", cluster.Mallory, annotated, holdText("incident 4712"), changes, false},
	{"G14", "a user gives another reason for a block", cluster.Mallory, blocked, set("loses customers", "spec", "blocked", "reason"), changes, false},
	{"G14", "a user changes something else of an Environment that nothing holds but an empty hold", cluster.Mallory, heldByNoWord, label, changes, false},
	{"G14", "a user changes something else of a Release that nothing blocks but an empty block", cluster.Mallory, blockedByNoWord, label, changes, false},
	{"G14", "a user sets a hold without a word, which stops nothing", cluster.Mallory, anEnvironment, set("", "spec", "hold", "reason"), changes, false},
	{"G14", "a user sets a block without a word, which stops nothing", cluster.Mallory, aRelease, set("", "spec", "blocked", "reason"), changes, false},
	{"G14", "a user clears an annotation that means nothing on a Release", cluster.Mallory, annotatedRelease, noHoldText, changes, false},
	{"G14", "a user deletes a Release with an annotation that means nothing there", cluster.Mallory, annotatedRelease, nil, deletions[:1], false},
	{"G14", "who may resume production alone resumes it", cluster.Dave, productionOnHold, noHold, changes, false},
	{"G14", "who may unblock one Release alone unblocks it", cluster.Dave, knownBlocked, noBlock, changes, false},
	{"G14", "an owner of the project resumes it", projectOwner, heldProject, noHoldText, changes, false},
	{"G14", "a user gives another reason for a project's hold", cluster.Mallory, heldProject, holdText("incident 4712"), changes, false},
	{"G14", "a user labels a namespace that is not on hold", cluster.Mallory, unlockedNamespace, label, changes, false},
}

// Kubernetes' own controllers clean up whatever is there.
func init() {
	for _, controller := range []string{namespaceController, collector, controllerManager} {
		permissions = append(permissions,
			attack{"G14", "an Environment on hold is deleted by " + controller, controller, onHold, nil, deletions[:1], false},
			attack{"G14", "an Environment held by its annotation is deleted by " + controller, controller, annotated, nil, deletions[:1], false},
			attack{"G14", "a blocked Release is deleted by " + controller, controller, blocked, nil, deletions[:1], false},
			attack{"G13", "a finalizer is taken away by " + controller, controller, held, unset("metadata", "finalizers"), changes[:3], false},
		)
	}
}

func manyGroupsNames() []string {
	groups := make([]string, 0, 600)
	for i := range 600 {
		groups = append(groups, fmt.Sprintf("g-%04d", i))
	}
	return groups
}

// plannedFor is a Promotion to that Environment, with a plan.
func plannedFor(environment string) func(context.Context, *world) client.Object {
	return func(ctx context.Context, w *world) client.Object {
		promotion := w.request(cluster.Bob, environment)
		Expect(w.as(cluster.Bob).Create(ctx, promotion)).To(Succeed())
		w.plan(ctx, promotion, planA)
		return promotion
	}
}

// usedIn has started in that Environment through the gate that dave's override opens.
func usedIn(environment string) func(context.Context, *world) client.Object {
	return func(ctx context.Context, w *world) client.Object {
		promotion := plannedFor(environment)(ctx, w).(*v1alpha1.Promotion)
		promotion.Spec.Override = overrideBy(cluster.Dave, planA)
		Expect(w.as(cluster.Dave).Update(ctx, promotion)).To(Succeed())
		w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) {
			status.StartTime = metav1.Now()
			status.Overridden = promotion.Spec.Override.Gates
		})
		return promotion
	}
}

// usedAnd is a used override with one condition.
func usedAnd(condition string, state metav1.ConditionStatus) func(context.Context, *world) client.Object {
	return func(ctx context.Context, w *world) client.Object {
		promotion := w.used(ctx)
		w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) { status.Conditions = conditionsOf(condition, state) })
		return promotion
	}
}

func conditionsOf(condition string, state metav1.ConditionStatus) []metav1.Condition {
	reason := map[string]string{
		v1alpha1.ConditionSucceeded: v1alpha1.ReasonAwaitingApproval, v1alpha1.ConditionApproved: v1alpha1.ReasonRulesNotMet,
		v1alpha1.ConditionOverridden: v1alpha1.ReasonUnacknowledged,
	}[condition]
	if condition == v1alpha1.ConditionOverridden && state == metav1.ConditionFalse {
		reason = v1alpha1.ReasonAcknowledged
	}
	return []metav1.Condition{{
		Type: condition, Status: state, Reason: reason, Message: "As the operator has it.", ObservedGeneration: 1, LastTransitionTime: metav1.Now(),
	}}
}

// awaiting is approved by alice, and the operator has said that this is not enough.
func awaiting(ctx context.Context, w *world) client.Object {
	promotion := w.approved(ctx)
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) {
		status.Conditions = append(conditionsOf(v1alpha1.ConditionSucceeded, metav1.ConditionUnknown),
			conditionsOf(v1alpha1.ConditionApproved, metav1.ConditionFalse)...)
	})
	return promotion
}

// newProduction takes the place of the Environment of that name, for those whose right names it.
func newProduction(ctx context.Context, w *world) client.Object {
	environment := cluster.NewEnvironment(w.project.Name, production, w.target)
	Expect(client.IgnoreNotFound(w.as(collector).Delete(ctx, environment.DeepCopy()))).To(Succeed())
	return environment
}

func productionOnHold(ctx context.Context, w *world) client.Object {
	environment := newProduction(ctx, w).(*v1alpha1.Environment)
	environment.Spec.Hold.Reason = "incident 4711"
	return w.made(ctx, cluster.Dave, environment)
}

// known is the name of the Release that dave may unblock.
const known = "shop-known"

func knownBlocked(ctx context.Context, w *world) client.Object {
	release := cluster.NewRelease(w.project.Name, known, "1.0.0", "{}")
	Expect(client.IgnoreNotFound(w.as(collector).Delete(ctx, release.DeepCopy()))).To(Succeed())
	release.Spec.Blocked.Reason = "loses orders"
	return w.made(ctx, cluster.Bob, release)
}

func heldByNoWord(ctx context.Context, w *world) client.Object {
	environment := newEnvironment(ctx, w).(*v1alpha1.Environment)
	environment.Spec.Hold.Reason = " "
	return w.made(ctx, cluster.Dave, environment)
}

func blockedByNoWord(ctx context.Context, w *world) client.Object {
	release := newRelease(ctx, w).(*v1alpha1.Release)
	release.Spec.Blocked.Reason = " "
	return w.made(ctx, cluster.Bob, release)
}

func annotatedRelease(ctx context.Context, w *world) client.Object {
	release := newRelease(ctx, w)
	release.SetAnnotations(map[string]string{v1alpha1.AnnotationHold: "incident 4711"})
	return w.made(ctx, cluster.Bob, release)
}

// oneRecord is the environment of the one record that archiverOfOne may archive.
const oneRecord = "archived"

func theOneRecord(ctx context.Context, w *world) client.Object {
	record := w.record()
	record.Name, record.Spec.Environment, record.Spec.Sequence = oneRecord+"-0000000001", oneRecord, 1
	Expect(client.IgnoreAlreadyExists(w.as(operator).Create(ctx, record))).To(Succeed())
	return record
}

func controlledMap(ctx context.Context, w *world) client.Object {
	deployment := lockedDeployment(ctx, w)
	content := &corev1.ConfigMap{ObjectMeta: w.lockedMeta("map")}
	content.SetOwnerReferences(controlledBy("Deployment", deployment))
	return w.made(ctx, rollout, content)
}
