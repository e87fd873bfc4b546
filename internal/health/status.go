// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// objectHealth is how an object is doing.
type objectHealth struct {
	status  healthStatus
	message string
}

type healthStatus string

const (
	healthy healthStatus = "Healthy"
	// waiting for something that may still come.
	waiting healthStatus = "Waiting"
	// failed objects do not become healthy by waiting.
	failed healthStatus = "Failed"
	// unseen objects have not been looked at yet.
	unseen healthStatus = "Unseen"
)

// watching says with whose rights a kind is watched.
type watching string

const (
	// noWatch is for kinds that are healthy once applied. A rollout that waited for an ingress controller's address, for a metrics
	// server, or for a volume that is bound on first use, would wait for what its application does not need.
	noWatch watching = "None"
	// operatorsWatch is for the workloads that the operator itself may read.
	operatorsWatch watching = "Operator"
	// deployersWatch is for custom resources: their controllers say by conditions how they are doing.
	deployersWatch watching = "Deployer"
)

var (
	podResource        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	replicaSetResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}
)

func watchOf(kind schema.GroupVersionKind) watching {
	switch kind.GroupKind() {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupKind{Group: "apps", Kind: "StatefulSet"},
		schema.GroupKind{Group: "apps", Kind: "DaemonSet"}, schema.GroupKind{Group: "apps", Kind: "ReplicaSet"},
		schema.GroupKind{Group: "batch", Kind: "Job"}, schema.GroupKind{Kind: "Pod"}:
		return operatorsWatch
	}
	if builtIn(kind.Group) {
		return noWatch
	}
	return deployersWatch
}

func builtIn(group string) bool {
	return scheme.Scheme.IsGroupRegistered(group) || group == "apiextensions.k8s.io" || group == "apiregistration.k8s.io"
}

func hasReplicaSets(kind schema.GroupVersionKind) bool {
	return kind.Group == "apps" && kind.Kind == "Deployment"
}

func hasPods(kind schema.GroupVersionKind) bool {
	return watchOf(kind) == operatorsWatch && kind.Kind != "Pod"
}

// mayRecover tells whether a failure can belong to an earlier rollout and go away. A Job or a Pod that has failed has failed for good.
func mayRecover(kind schema.GroupVersionKind) bool {
	return kind.Kind != "Job" && kind.Kind != "Pod"
}

// compute judges an object by kstatus, and jobs as a release manager does: running is not done.
func compute(live *unstructured.Unstructured) objectHealth {
	result, err := status.Compute(live)
	if err != nil {
		return objectHealth{waiting, "its status cannot be read: " + err.Error()}
	}
	switch result.Status {
	case status.CurrentStatus:
		return computeJob(live)
	case status.FailedStatus:
		return objectHealth{failed, failureMessage(live, result.Message)}
	case status.TerminatingStatus:
		return objectHealth{waiting, "is being deleted"}
	case status.InProgressStatus, status.NotFoundStatus, status.UnknownStatus:
	}
	return objectHealth{waiting, result.Message}
}

// computeJob makes a job that kstatus calls current wait until it is complete; a suspended one waits for somebody else.
func computeJob(live *unstructured.Unstructured) objectHealth {
	if live.GroupVersionKind().GroupKind() != (schema.GroupKind{Group: "batch", Kind: "Job"}) {
		return objectHealth{status: healthy}
	}
	suspended, _, _ := unstructured.NestedBool(live.Object, "spec", "suspend")
	if _, complete := condition(live, "Complete"); complete || suspended {
		return objectHealth{status: healthy}
	}
	return objectHealth{waiting, "is running"}
}

// failureMessage adds what the failed condition itself says.
func failureMessage(live *unstructured.Unstructured, message string) string {
	for _, name := range []string{"Failed", "Progressing"} {
		if found, _ := conditionOf(live, name); found["message"] != nil {
			if text := fmt.Sprint(found["message"]); text != "" && !strings.Contains(message, text) {
				return message + ": " + text
			}
		}
	}
	return message
}

// failureMark tells one failure from the next: the conditions with the times at which they were set.
func failureMark(live *unstructured.Unstructured) string {
	var marks []string
	for _, name := range []string{"Progressing", "Stalled"} {
		found, _ := conditionOf(live, name)
		marks = append(marks, fmt.Sprint(live.GetGeneration(), found["status"], found["reason"], found["lastTransitionTime"], found["lastUpdateTime"]))
	}
	return strings.Join(marks, " ")
}

// condition returns the message of a condition, and whether it is true.
func condition(live *unstructured.Unstructured, name string) (message string, isTrue bool) {
	found, _ := conditionOf(live, name)
	message, _ = found["message"].(string)
	return message, found["status"] == "True"
}

func conditionOf(live *unstructured.Unstructured, name string) (map[string]any, bool) {
	conditions, _, _ := unstructured.NestedFieldNoCopy(live.Object, "status", "conditions")
	items, _ := conditions.([]any)
	for _, item := range items {
		if found, _ := item.(map[string]any); found["type"] == name {
			return found, true
		}
	}
	return nil, false
}

// maxMessageBytes is what a failing object's message holds in a Promotion's status.
const maxMessageBytes = 2048

func bounded(message string) string {
	if message == "" {
		return "is not ready yet"
	}
	if len(message) <= maxMessageBytes {
		return message
	}
	cut := maxMessageBytes - len("…")
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + "…"
}
