// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

func unique(prefix string) string {
	return prefix + "-" + rand.String(8)
}

func aRelease(ctx context.Context, w *world) client.Object      { return w.release(ctx) }
func anEnvironment(ctx context.Context, w *world) client.Object { return w.environment(ctx) }
func aRecord(ctx context.Context, w *world) client.Object       { return w.recorded(ctx) }
func held(ctx context.Context, w *world) client.Object          { return w.held(ctx) }
func newRecord(_ context.Context, w *world) client.Object       { return w.record() }

func newRelease(_ context.Context, w *world) client.Object {
	return cluster.NewRelease(w.project.Name, unique("release"), "1.0.0", "{}")
}

func newEnvironment(_ context.Context, w *world) client.Object {
	return cluster.NewEnvironment(w.project.Name, unique("environment"), w.target)
}

func newEnvironmentElsewhere(_ context.Context, w *world) client.Object {
	return cluster.NewEnvironment(w.project.Name, unique("environment"), w.elsewhere)
}

// checked is an Environment that runs a Job and asks a server, and promotes by itself.
func checked(ctx context.Context, w *world) client.Object {
	environment := w.environment(ctx)
	environment.Spec.Checks = []v1alpha1.Check{
		{Name: "smoke", Job: v1alpha1.JobCheck{Template: "spec: {}"}},
		{Name: "ticket", HTTP: v1alpha1.HTTPCheck{URL: "https://tickets.example.com"}},
	}
	environment.Spec.AutoPromotion.Versions = ">=1.0.0"
	Expect(w.as(cluster.Admin).Update(ctx, environment)).To(Succeed())
	return environment
}

// newEnvironmentToBeNamed gets its name from the API server.
func newEnvironmentToBeNamed(_ context.Context, w *world) client.Object {
	environment := cluster.NewEnvironment(w.project.Name, "", w.target)
	environment.GenerateName = production + "-"
	return environment
}

// jobOf gives a check a Job, and leaves no other check.
func jobOf(check, template string) func(*unstructured.Unstructured) {
	return set([]any{map[string]any{"name": check, "job": map[string]any{"template": template}}}, "spec", "checks")
}

// jobAfter gives a check a Job that verifies rollouts, and leaves no other check.
func jobAfter(check, template string) func(*unstructured.Unstructured) {
	return set([]any{map[string]any{"name": check, "phase": "After", "job": map[string]any{"template": template}}}, "spec", "checks")
}

// remote is an Environment in a cluster whose kubeconfig dave may read, and somebody who has no right to a deployer here.
func remote(ctx context.Context, w *world) client.Object {
	environment := cluster.NewEnvironment(w.project.Name, unique("environment"), w.target)
	environment.Spec.Target.Cluster.Kubeconfig = v1alpha1.SecretKeyReference{Name: kubeconfig, Key: "kubeconfig"}
	Expect(w.as(kubeconfigReader).Create(ctx, environment)).To(Succeed())
	return environment
}

func inCluster(secret string) func(*unstructured.Unstructured) {
	return set(map[string]any{"kubeconfig": map[string]any{"name": secret, "key": "kubeconfig"}}, "spec", "target", "cluster")
}

func promotes(versions string) func(*unstructured.Unstructured) {
	return set(map[string]any{"versions": versions}, "spec", "autoPromotion")
}

// ready is a status that Releases and Environments could have. Where a rule is taken out to see that it matters, it is written.
func ready(object *unstructured.Unstructured) {
	reason := v1alpha1.ReasonResolved
	if object.GetKind() == "Environment" {
		reason = v1alpha1.ReasonAccepted
	}
	set([]any{trueFor(v1alpha1.ConditionReady, reason)}, "status", "conditions")(object)
}

// approvedByNobody is what every gate of approvals would be open for.
func approvedByNobody(promotion *unstructured.Unstructured) {
	set([]any{trueFor(v1alpha1.ConditionApproved, v1alpha1.ReasonRulesMet)}, "status", "conditions")(promotion)
}

func trueFor(condition, reason string) map[string]any {
	return map[string]any{
		"type": condition, "status": "True", "reason": reason, "message": "As somebody says.", "observedGeneration": int64(1),
		"lastTransitionTime": "2026-01-01T00:00:00Z",
	}
}

var (
	finalizer = set([]any{"example.com/mine"}, "metadata", "finalizers")
	owner     = set([]any{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "4711"}}, "metadata", "ownerReferences")
	label     = set("there", "metadata", "labels", "mine")
)

// numbered gives an audit record a sequence, and the name that ends with it.
func numbered(sequence int64, end string) func(*unstructured.Unstructured) {
	return func(record *unstructured.Unstructured) {
		set(sequence, "spec", "sequence")(record)
		record.SetName(production + "-" + end)
	}
}

var objects = []attack{
	{"G10", "the administrator writes a Promotion's status", cluster.Admin, planned, approvedByNobody, statuses, false},
	{"G10", "a user writes a Promotion's plan", cluster.Mallory, planned, set(string(planB), "status", "plan", "digest"), statuses, false},
	{"G10", "an approver takes the start away", cluster.Alice, started, unset("status", "startTime"), statuses[:3], false},
	{"G10", "a user writes a Release's status", cluster.Mallory, aRelease, ready, statuses, false},
	{"G10", "a user writes an Environment's status", cluster.Mallory, anEnvironment, ready, statuses, false},
	{"G10", "the operator asks for something", operator, planned, set("because", "spec", "reason"), patches, false},

	{"G11", "a user sets an Environment up with a deployer that they may not impersonate", cluster.Mallory, newEnvironment, nil, creations, false},
	{"G11", "a user sets an Environment up that goes to another namespace", cluster.Dave, newEnvironmentElsewhere, nil, creations, false},
	{"G11", "a user names no deployer, which would mean any", cluster.Admin, newEnvironment, set("", "spec", "target", "serviceAccountName"), creations, false},
	{"G11", "a user names no namespace, which would mean any", cluster.Admin, newEnvironment, set("", "spec", "target", "namespace"), creations, false},
	{"G11", "a user changes the deployer to one that they may not impersonate", cluster.Dave, anEnvironment,
		set("default", "spec", "target", "serviceAccountName"), changes, false},
	{"G11", "a user moves an Environment to another namespace", cluster.Dave, anEnvironment, set("kube-system", "spec", "target", "namespace"), changes, false},
	{"G11", "a user who may not impersonate the deployer moves an Environment", cluster.Mallory, anEnvironment,
		set("kube-system", "spec", "target", "namespace"), changes, false},

	{"G11", "a user who may not read the kubeconfig sets an Environment up in another cluster", cluster.Dave, newEnvironment, inCluster("theirs"), creations, false},
	{"G11", "a user names no kubeconfig, which would mean any", cluster.Admin, newEnvironment, inCluster(""), creations, false},
	{"G11", "a user moves an Environment to another cluster", cluster.Dave, anEnvironment, inCluster("theirs"), changes, false},
	{"G11", "a user names another kubeconfig than the one that they may read", cluster.Dave, remote, inCluster("theirs"), changes, false},
	{"G11", "a user names another key of a kubeconfig", cluster.Mallory, remote, set("other", "spec", "target", "cluster", "kubeconfig", "key"), changes, false},
	{"G11", "a user no longer asks another cluster who it is", cluster.Mallory, remote, set("NotRequired", "spec", "target", "cluster", "tlsVerification"), changes, false},
	{"G11", "a user changes the deployer in another cluster", cluster.Mallory, remote, set("default", "spec", "target", "serviceAccountName"), changes, false},
	{"G11", "who may read the kubeconfig brings an Environment back without the right to its target here", kubeconfigReader, remote,
		unset("spec", "target", "cluster"), changes, false},

	{"G11", "a user who may not impersonate the checker sets an Environment up with a Job", cluster.Dave, newEnvironment, jobOf("smoke", "spec: {}"), creations, false},
	{"G11", "a user gives an Environment a check with a Job", cluster.Mallory, anEnvironment, jobOf("smoke", "spec: {}"), changes, false},
	{"G11", "a user verifies rollouts with a Job", cluster.Mallory, anEnvironment, jobAfter("smoke", "spec: {}"), changes, false},
	{"G11", "a user sets an Environment up that verifies rollouts with a Job", cluster.Dave, newEnvironment, jobAfter("smoke", "spec: {}"), creations, false},
	{"G11", "a user runs the Job of a check after the rollout instead of before it", cluster.Mallory, checked, jobAfter("smoke", "spec: {}"), changes, false},
	{"G11", "a user changes the Job of a check", cluster.Mallory, checked, jobOf("smoke", "spec: {suspend: false}"), changes, false},
	{"G11", "a user turns a question to a server into a Job", cluster.Mallory, checked, jobOf("ticket", "spec: {suspend: false}"), changes, false},
	{"G11", "a user gives a Job another name, under which it runs again", cluster.Mallory, checked, jobOf("smoke-2", "spec: {}"), changes, false},
	{"G11", "a user sets an Environment up that promotes by itself", cluster.Dave, newEnvironment, promotes(">=1.0.0"), creations, false},
	{"G11", "a user sets an Environment up that promotes by itself, with a name to come", cluster.Dave, newEnvironmentToBeNamed,
		promotes(">=1.0.0"), creations[:1], false},
	{"G11", "a user lets an Environment promote by itself", cluster.Mallory, anEnvironment, promotes(">=1.0.0"), changes, false},
	{"G11", "a user changes what is promoted by itself", cluster.Mallory, checked, promotes(">=0.0.0"), changes, false},

	{"G12", "a user creates an audit record", cluster.Mallory, newRecord, nil, creations, false},
	{"G12", "the administrator creates an audit record", cluster.Admin, newRecord, nil, creations, false},
	{"G12", "the operator creates an audit record of another name", operator, newRecord, set("production-7", "metadata", "name"), creations[:1], false},
	{"G12", "the operator creates an audit record with another's sequence", operator, newRecord, set(int64(9999999999), "spec", "sequence"), creations[:1], false},
	{"G12", "the operator creates an audit record before the first", operator, newRecord, numbered(0, "0000000000"), creations[:1], false},
	{"G12", "the operator creates an audit record after the last", operator, newRecord, numbered(10_000_000_000, "0000000000"), creations[:1], false},
	{"G12", "the administrator annotates an audit record", cluster.Admin, aRecord, set("there", "metadata", "annotations", "mine"), changes, false},
	{"G12", "the administrator changes an audit record", cluster.Admin, aRecord, set("Failed", "spec", "type"), changes, false},
	{"G12", "a user labels an audit record", cluster.Mallory, aRecord, label, changes, false},
	{"G12", "a user deletes an audit record", cluster.Mallory, aRecord, nil, deletions, false},
	{"G12", "the namespace controller deletes an audit record", namespaceController, aRecord, nil, deletions, false},

	{"G13", "a user creates a Release with a finalizer", cluster.Bob, newRelease, finalizer, creations, false},
	{"G13", "a user creates an Environment with an owner", cluster.Dave, newEnvironment, owner, creations, false},
	{"G13", "a user creates a Promotion with a finalizer", cluster.Bob, newRequest(cluster.Bob, production), finalizer, creations, false},
	{"G13", "a user gives a Promotion a finalizer", cluster.Bob, planned, finalizer, changes, false},
	{"G13", "a user gives a Promotion an owner", cluster.Bob, planned, owner, changes, false},
	{"G13", "a user takes the operator's finalizer away", cluster.Mallory, held, unset("metadata", "finalizers"), changes, false},
	{"G13", "a user gives a Release an owner", cluster.Mallory, aRelease, owner, changes, false},
	{"G13", "a user gives an Environment a finalizer", cluster.Mallory, anEnvironment, finalizer, changes, false},
	{"G13", "the administrator gives an audit record an owner", cluster.Admin, aRecord, owner, changes, false},
}
