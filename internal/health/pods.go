// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	revisionAnnotation = "deployment.kubernetes.io/revision"
	revisionLabel      = "controller-revision-hash"
	// maxPods keeps a message readable: the third pod seldom says anything new.
	maxPods = 3
)

func withDetails(message string, details []string) string {
	if len(details) == 0 {
		return message
	}
	return message + ": " + strings.Join(details, "; ")
}

// details say why a workload is not ready: that its pods cannot be made, or what those pods wait for that belong to its newest revision.
func (o *trackedObject) details(live *unstructured.Unstructured) []string {
	var details []string
	if text, failing := condition(live, "ReplicaFailure"); failing {
		details = append(details, "pods cannot be created: "+text)
	}
	var pods []*unstructured.Unstructured
	switch {
	case live.GetKind() == "Pod" && live.GroupVersionKind().Group == "":
		pods = []*unstructured.Unstructured{live}
	case o.replicaSets != nil:
		newest := newestReplicaSet(o.replicaSets.controlledBy(live.GetUID()))
		if newest == nil {
			return details
		}
		pods = o.pods.controlledBy(newest.GetUID())
	case o.pods != nil:
		pods = ofRevision(o.pods.controlledBy(live.GetUID()), live)
	}
	return append(details, podReasons(pods)...)
}

func newestReplicaSet(sets []*unstructured.Unstructured) *unstructured.Unstructured {
	if len(sets) == 0 {
		return nil
	}
	return slices.MaxFunc(sets, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(revision(a), revision(b)), a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time))
	})
}

func revision(set *unstructured.Unstructured) int {
	number := 0
	// What is no number is older than any that is.
	_, _ = fmt.Sscan(set.GetAnnotations()[revisionAnnotation], &number)
	return number
}

// ofRevision leaves out the pods of earlier revisions, where the workload says which one it updates to.
func ofRevision(pods []*unstructured.Unstructured, live *unstructured.Unstructured) []*unstructured.Unstructured {
	wanted, found, _ := unstructured.NestedString(live.Object, "status", "updateRevision")
	if !found {
		return pods
	}
	return slices.DeleteFunc(pods, func(pod *unstructured.Unstructured) bool { return pod.GetLabels()[revisionLabel] != wanted })
}

// podReasons tells the reasons of the pods that are not ready, each reason once.
func podReasons(pods []*unstructured.Unstructured) []string {
	slices.SortFunc(pods, func(a, b *unstructured.Unstructured) int { return strings.Compare(a.GetName(), b.GetName()) })
	var reasons []string
	told, more := map[string]bool{}, 0
	for _, pod := range pods {
		reason := podReason(pod)
		switch {
		case reason == "" || told[reason]:
		case len(reasons) == maxPods:
			more++
		default:
			told[reason] = true
			reasons = append(reasons, fmt.Sprintf("pod %s: %s", pod.GetName(), reason))
		}
	}
	if more > 0 {
		reasons = append(reasons, fmt.Sprintf("and %d more pods", more))
	}
	return reasons
}

// podReason says why a pod is not ready; "" when it is, or when it gives no reason.
func podReason(pod *unstructured.Unstructured) string {
	if _, ready := condition(pod, "Ready"); ready {
		return ""
	}
	if reason := containerReason(pod); reason != "" {
		return reason
	}
	if scheduled, found := conditionOf(pod, "PodScheduled"); found && scheduled["status"] == "False" {
		return fmt.Sprintf("%v: %v", scheduled["reason"], scheduled["message"])
	}
	phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
	if phase != "Failed" {
		return ""
	}
	reason, _, _ := unstructured.NestedString(pod.Object, "status", "reason")
	message, _, _ := unstructured.NestedString(pod.Object, "status", "message")
	return strings.TrimRight(fmt.Sprintf("failed: %s: %s", reason, message), ": ")
}

func containerReason(pod *unstructured.Unstructured) string {
	for _, field := range []string{"initContainerStatuses", "containerStatuses"} {
		statuses, _, _ := unstructured.NestedFieldNoCopy(pod.Object, "status", field)
		items, _ := statuses.([]any)
		for _, item := range items {
			container, _ := item.(map[string]any)
			if reason := stateReason(container); reason != "" {
				return fmt.Sprintf("container %q %s", container["name"], reason)
			}
		}
	}
	return ""
}

// ordinary are the reasons for which every container waits for a while.
var ordinary = []string{"", "ContainerCreating", "PodInitializing"}

func stateReason(container map[string]any) string {
	waits, _, _ := unstructured.NestedStringMap(container, "state", "waiting")
	if reason := waits["reason"]; !slices.Contains(ordinary, reason) {
		text := strings.TrimRight(fmt.Sprintf("is waiting: %s: %s", reason, waits["message"]), ": ")
		return text + lastExit(container)
	}
	return exit(container, "state", "has ended")
}

// lastExit says how a container ended that is waiting to be started again.
func lastExit(container map[string]any) string {
	if text := exit(container, "lastState", "last ended"); text != "" {
		return " (" + text + ")"
	}
	return ""
}

func exit(container map[string]any, state, verb string) string {
	ended, found, _ := unstructured.NestedMap(container, state, "terminated")
	code, isNumber := ended["exitCode"].(int64)
	if !found || !isNumber || code == 0 {
		return ""
	}
	text := fmt.Sprintf("%s with exit code %d", verb, code)
	for _, field := range []string{"reason", "message"} {
		if detail, _ := ended[field].(string); detail != "" {
			text += ": " + strings.TrimSpace(detail)
		}
	}
	return text
}
