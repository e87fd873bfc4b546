// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// attack is what somebody may not do, whatever RBAC lets them.
type attack struct {
	// rule of the guard that forbids it.
	rule string
	// name says what is tried.
	name string
	// by whom.
	by string
	// on which object; it is made anew for each try.
	on func(context.Context, *world) client.Object
	// change that is tried; none for a deletion.
	change func(*unstructured.Unstructured)
	// ways that the change can be written in.
	ways []way
	// healed says that healing makes a permitted write of it.
	healed bool
}

// try is nil when the attack has succeeded.
func (a attack) try(ctx context.Context, w *world, by way) error {
	GinkgoHelper()
	before := w.loose(a.on(ctx, w))
	if before.GetUID() != "" {
		Expect(w.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(before), before)).To(Succeed())
	}
	change := a.change
	if change == nil {
		change = func(*unstructured.Unstructured) {}
	}
	return attempt(ctx, w.as(a.by), by, before, change)
}

// promotions as the tables below name them.
func newRequest(user, environment string) func(context.Context, *world) client.Object {
	return func(_ context.Context, w *world) client.Object {
		request := w.request(user, environment)
		// Server-side apply knows no generated names.
		request.GenerateName = ""
		request.Name = unique("promotion")
		return request
	}
}

func requested(ctx context.Context, w *world) client.Object { return w.requested(ctx) }
func planned(ctx context.Context, w *world) client.Object   { return w.planned(ctx) }
func approved(ctx context.Context, w *world) client.Object  { return w.approved(ctx) }
func replanned(ctx context.Context, w *world) client.Object { return w.replanned(ctx) }
func started(ctx context.Context, w *world) client.Object   { return w.started(ctx) }
func ended(ctx context.Context, w *world) client.Object     { return w.ended(ctx) }
func invalid(ctx context.Context, w *world) client.Object   { return w.invalid(ctx) }

func approvedByErin(ctx context.Context, w *world) client.Object {
	promotion := w.planned(ctx)
	w.approve(ctx, erin, promotion)
	return promotion
}

// set sets a field of an object.
func set(value any, path ...string) func(*unstructured.Unstructured) {
	return func(object *unstructured.Unstructured) {
		GinkgoHelper()
		Expect(unstructured.SetNestedField(object.Object, value, path...)).To(Succeed())
	}
}

// unset removes a field of an object.
func unset(path ...string) func(*unstructured.Unstructured) {
	return func(object *unstructured.Unstructured) { unstructured.RemoveNestedField(object.Object, path...) }
}

// entries of `approvals`, as they are to become.
func entries(entries ...map[string]any) func(*unstructured.Unstructured) {
	list := make([]any, 0, len(entries))
	for _, entry := range entries {
		list = append(list, entry)
	}
	return set(list, "spec", "approvals")
}

// entry is a user's approval with everything spelled out, changed by more.
func entry(user string, plan v1alpha1.Digest, more ...func(map[string]any)) map[string]any {
	content := map[string]any{"user": user, "decision": "Approved", "planDigest": string(plan), "groups": groupsAsAny(user)}
	for _, change := range more {
		change(content)
	}
	return content
}

func with(field string, value any) func(map[string]any) {
	return func(content map[string]any) { content[field] = value }
}

var requests = []attack{
	{"G1", "a user without the verb `promote` asks for a promotion", cluster.Mallory, newRequest(cluster.Mallory, production), nil, creations, false},
	{"G1", "a user who may promote to production asks for staging", cluster.Dave, newRequest(cluster.Dave, staging), nil, creations, false},
	{"G1", "a user who may promote asks for a rollback", cluster.Dave, newRequest(cluster.Dave, production), set("Rollback", "spec", "type"), creations, false},
	{"G1", "a user names no Environment, which would mean any", cluster.Bob, newRequest(cluster.Bob, production), set("", "spec", "environment"), creations, false},

	{"G2", "a Promotion is created with somebody's approval", cluster.Bob, newRequest(cluster.Bob, production), entries(entry(cluster.Alice, planA)), creations, false},
	{"G2", "a Promotion is created with its creator's approval", cluster.Bob, newRequest(cluster.Bob, production), entries(entry(cluster.Bob, planA)), creations, false},

	{"G3", "a Promotion is created in somebody else's name", cluster.Bob, newRequest(cluster.Alice, production), nil, creations, false},
	{"G3", "a Promotion is created in somebody else's name, with the creator's groups", cluster.Bob, newRequest(cluster.Bob, production),
		set(cluster.Alice, "spec", "requestedBy", "username"), creations, false},
	{"G3", "a Promotion is created in nobody's name", cluster.Bob, newRequest(cluster.Bob, production), unset("spec", "requestedBy"), creations, true},
	{"G3", "a Promotion is created with another UID", cluster.Bob, newRequest(cluster.Bob, production), set("4711", "spec", "requestedBy", "uid"), creations, false},
	{"G3", "a Promotion is created with a group that its creator is not in", cluster.Bob, newRequest(cluster.Bob, production),
		set([]any{"developers", "security", "system:authenticated"}, "spec", "requestedBy", "groups"), creations, false},
	{"G3", "a Promotion is created without one of its creator's groups", cluster.Bob, newRequest(cluster.Bob, production),
		set([]any{"system:authenticated"}, "spec", "requestedBy", "groups"), creations, false},
	{"G3", "the Release is changed", cluster.Bob, approved, set("shop-2", "spec", "release"), changes, false},
	{"G3", "the Environment is changed", cluster.Bob, approved, set(staging, "spec", "environment"), changes, false},
	{"G3", "the type is changed", cluster.Bob, approved, set("Rollback", "spec", "type"), changes, false},
	{"G3", "the requester is changed", cluster.Alice, planned, set("carol", "spec", "requestedBy", "username"), changes, false},
	{"G3", "the requester is taken away", cluster.Alice, planned, unset("spec", "requestedBy"), changes, false},
}

var decisions = []attack{
	{"G4", "an approver approves in somebody else's name", cluster.Carol, planned, entries(entry(cluster.Alice, planA)), changes, false},
	{"G4", "an approver approves in somebody else's name, beside others", cluster.Carol, approved,
		entries(entry(cluster.Alice, planA), entry(cluster.Dave, planA)), changes, false},
	{"G4", "an approver turns somebody's approval into a rejection", cluster.Carol, approved,
		entries(entry(cluster.Alice, planA, with("decision", "Rejected"))), changes, false},
	{"G4", "an approver moves somebody's approval to the new plan", cluster.Carol, replanned, entries(entry(cluster.Alice, planB)), changes, false},
	{"G4", "the requester gives an approver more groups", cluster.Bob, approved,
		entries(entry(cluster.Alice, planA, with("groups", []any{"shop-owners", "security", "system:authenticated"}))), changes, false},
	{"G4", "an approver replaces somebody's approval by their own", cluster.Carol, approved, entries(entry(cluster.Carol, planA)), changes, true},
	{"G4", "somebody takes an approval away", cluster.Mallory, approved, entries(), changes, false},

	{"G5", "a user without any verb approves", cluster.Mallory, planned, entries(entry(cluster.Mallory, planA)), changes, false},
	{"G5", "the requester approves without the verb", cluster.Bob, approved, entries(entry(cluster.Alice, planA), entry(cluster.Bob, planA)), changes, false},
	{"G5", "an approver of staging approves for production", cluster.Dave, planned, entries(entry(cluster.Dave, planA)), changes, false},
	{"G5", "a user without the verb rejects", cluster.Mallory, planned, entries(entry(cluster.Mallory, planA, with("decision", "Rejected"))), changes, false},
	{"G5", "somebody who has lost the verb changes their approval", erinExpelled, approvedByErin,
		entries(entry(erin, planA, with("comment", "still me"), with("groups", []any{"system:authenticated"}))), changes, false},

	{"G6", "an approver claims a group", cluster.Carol, planned,
		entries(entry(cluster.Carol, planA, with("groups", []any{"shop-owners", "security", "system:authenticated"}))), changes, false},
	{"G6", "an approver leaves a group out", cluster.Carol, planned, entries(entry(cluster.Carol, planA, with("groups", []any{"shop-owners"}))), changes, false},
	{"G6", "an approver claims a UID", cluster.Carol, planned, entries(entry(cluster.Carol, planA, with("uid", "4711"))), changes, false},

	{"G7", "an approver names another plan", cluster.Carol, planned, entries(entry(cluster.Carol, planB)), changes, false},
	{"G7", "an approver names the plan before this one", cluster.Carol, replanned,
		entries(entry(cluster.Alice, planA), entry(cluster.Carol, planA)), changes, false},
	{"G7", "an approver changes a decision on the plan before this one", cluster.Alice, replanned,
		entries(entry(cluster.Alice, planA, with("decision", "Rejected"))), changes, false},
	{"G7", "an approver decides before there is a plan", cluster.Carol, requested, entries(entry(cluster.Carol, planA)), changes, false},
	{"G7", "an approver decides before there is a plan, and names none", cluster.Carol, requested, entries(entry(cluster.Carol, "")), changes, false},

	{"G8", "an approver withdraws after the start", cluster.Alice, started, entries(), changes, false},
	{"G8", "an approver rejects after the start", cluster.Alice, started, entries(entry(cluster.Alice, planA, with("decision", "Rejected"))), changes, false},
	{"G8", "an approver approves after the start", cluster.Carol, started, entries(entry(cluster.Alice, planA), entry(cluster.Carol, planA)), changes, false},
	{"G8", "an approver withdraws after the end", cluster.Alice, ended, entries(), changes, false},
	{"G8", "an approver approves an invalid Promotion", cluster.Carol, invalid, entries(entry(cluster.Alice, planA), entry(cluster.Carol, planA)), changes, false},
}
