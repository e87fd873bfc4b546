// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// mayChange are those whom no lock stops; the last two because they may override.
func mayChange() []string {
	return slices.Concat([]string{rollout, kubelet}, ofKubernetes, []string{cluster.Dave, overridesHere})
}

// mayScale are those who decide how much runs.
func mayScale() []string {
	return append([]string{rollout, controllerManagerUsername, cluster.Dave},
		accountsOfKubernetes("generic-garbage-collector", "horizontal-pod-autoscaler", "kube-controller-manager", "deployment-controller")...)
}

// lockPermissions are what a lock lets pass.
func lockPermissions() []attack {
	all := []attack{
		{"G15", "somebody deletes a pod that a controller makes again", cluster.Mallory, controlledPod, nil, []way{remove}, false},
		{"G15", "somebody writes a status", cluster.Mallory, lockedReplicaSet, set(int64(7), "status", "observedGeneration"), statuses[1:3], false},
		{"G15", "a controller from elsewhere keeps its finalizer on what is locked", accountElsewhere, lockedPolicy, finalizer, changes[:3], false},
		{"G15", "a controller from elsewhere annotates a kind of its own", accountElsewhere, lockedWidget, annotation, changes, false},
		{"G15", "a controller from elsewhere writes the status of a kind of its own", accountElsewhere, lockedWidget, set("True", "status", "ready"), changes, false},
		{"G15", "a controller from elsewhere takes the status of a kind of its own away", accountElsewhere, widgetWithStatus, unset("status"), changes[:2], false},
		{"G15", "somebody changes what is not locked, beside what is", cluster.Mallory, unlockedPolicy, bothWays, changes, false},
		{"G15", "somebody uses the label where nothing is locked", cluster.Mallory, newPolicyElsewhere, nil, creations, false},
		{"G15 G17", "somebody labels a locked namespace", cluster.Mallory, lockedNamespace, label, changes, false},
		{"G15", "somebody annotates a locked namespace through its status", cluster.Mallory, lockedNamespace, annotation, statuses[1:3], false},
		{"G15", "somebody creates a Release with the label in a locked namespace", cluster.Mallory, newReleaseThere, nil, creations, false},
		{"G15", "the operator writes the status of a Release with the label in a locked namespace", operator, releaseThere, ready, statuses[:1], false},
		{"G16", "somebody scales where nothing is locked", cluster.Mallory, deploymentElsewhere, nil, scales[:2], false},
		{"G16", "a rollout sets an autoscaler up", rollout, newAutoscaler, nil, creations, false},
		{"G16", "a rollout changes an autoscaler", rollout, anAutoscaler, set(int64(9), "spec", "maxReplicas"), patches[:2], false},
		{"G17", "somebody who may update a namespace locks it", cluster.Mallory, unlockedNamespace, toLock("some"), changes, false},
		{"G17", "a holder of override in the project unlocks a namespace", cluster.Dave, lockedNamespace, unlock, changes, false},
		{"G17", "a holder of override in the project deletes a namespace", cluster.Dave, lockedNamespace, nil, []way{remove}, false},
	}
	for _, who := range mayChange() {
		all = append(all, attack{"G15", "what is locked is changed by " + who, who, lockedPolicy, bothWays, []way{update}, false})
	}
	for _, who := range mayScale() {
		all = append(all, attack{"G16", "a locked workload is scaled by " + who, who, lockedDeployment, nil, scales[:1], false})
	}
	return all
}

func controlledPod(ctx context.Context, w *world) client.Object {
	// A replica set would give up a pod that it does not select, and delete one too many.
	owner := lockedDeployment(ctx, w)
	pod := &corev1.Pod{ObjectMeta: podMeta(unique("pod")), Spec: podSpec("web:1")}
	pod.Name, pod.Namespace = pod.Labels["app"], w.locked.Namespace
	pod.SetOwnerReferences(controlledBy("Deployment", owner))
	return w.made(ctx, deploymentMaker, pod)
}

func widgetWithStatus(ctx context.Context, w *world) client.Object {
	widget := w.newWidget()
	widget.Object["status"] = map[string]any{"ready": "True"}
	return w.made(ctx, rollout, widget)
}

func newPolicyElsewhere(ctx context.Context, w *world) client.Object {
	policy := newPolicy(ctx, w)
	policy.SetNamespace(w.elsewhere.Namespace)
	return policy
}

func newReleaseThere(_ context.Context, w *world) client.Object {
	release := cluster.NewRelease(w.locked.Namespace, unique("release"), "1.0.0", "{}")
	release.Labels = map[string]string{v1alpha1.LabelLock: production}
	return release
}

func releaseThere(ctx context.Context, w *world) client.Object {
	return w.made(ctx, cluster.Admin, newReleaseThere(ctx, w))
}

func deploymentElsewhere(ctx context.Context, w *world) client.Object {
	deployment := w.newDeployment(0)
	deployment.Namespace = w.elsewhere.Namespace
	return w.made(ctx, cluster.Admin, deployment)
}

func unlockedNamespace(ctx context.Context, w *world) client.Object {
	return w.made(ctx, cluster.Admin, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: unique("unlocked")}})
}

// calledPod is of a kind of others, and controlled as pods are.
func calledPod(ctx context.Context, w *world) client.Object {
	pod := w.newOfOthers("Pod")
	pod.SetOwnerReferences(controlledBy("Deployment", lockedDeployment(ctx, w)))
	return w.made(ctx, rollout, pod)
}
