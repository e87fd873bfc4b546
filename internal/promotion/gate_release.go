// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// unreleased is the Release gate as far as no override opens it: without its content, there is nothing to roll out.
func unreleased(seen Observation) *v1alpha1.Blocker {
	name := seen.Promotion.Spec.Release
	if seen.Release == nil {
		return &v1alpha1.Blocker{
			Gate:    v1alpha1.GateRelease,
			Message: fmt.Sprintf("release %q does not exist in project %q", name, seen.Promotion.Namespace),
			Clears:  "whoever creates the release; if the name is wrong, delete this promotion and create one with the right `spec.release`",
		}
	}
	ready := meta.FindStatusCondition(seen.Release.Status.Conditions, v1alpha1.ConditionReady)
	if fetched(ready) && seen.Release.Status.Digest != "" {
		return nil
	}
	message := fmt.Sprintf("release %q is not ready yet: its content has not been fetched", name)
	if ready != nil {
		message = fmt.Sprintf("release %q is not ready: %s: %s", name, ready.Reason, ready.Message)
	}
	return &v1alpha1.Blocker{
		Gate: v1alpha1.GateRelease, Message: message,
		Clears: fmt.Sprintf("the operator, once the content can be fetched; `kubectl describe release %s` says more", name),
	}
}

// fetched says whether a Release's content is there and in order. It is for a blocked one, too: the block is another matter.
func fetched(ready *metav1.Condition) bool {
	return ready != nil && (ready.Status == metav1.ConditionTrue || ready.Reason == v1alpha1.ReasonBlockedRelease)
}

// blockedGate is closed by a Release that somebody has blocked. The spec counts, and not what the status makes of it later.
func blockedGate(seen Observation) *v1alpha1.Blocker {
	if seen.Release == nil {
		return nil
	}
	blocked := Blocked(seen.Release, seen.Bundled)
	if blocked == nil {
		return nil
	}
	name := blocked.Name
	return &v1alpha1.Blocker{
		Gate:    v1alpha1.GateRelease,
		Message: fmt.Sprintf("release %q is blocked: %s", name, blocked.Spec.Blocked.Reason),
		Clears:  fmt.Sprintf("whoever holds the verb `unblock` on release %q, by removing its `spec.blocked`; or promote another release", name),
	}
}

// Blocked is the Release, or the first one of those that it bundles, that somebody has blocked; nil if none is.
func Blocked(release *v1alpha1.Release, bundled []*v1alpha1.Release) *v1alpha1.Release {
	for _, release := range append([]*v1alpha1.Release{release}, bundled...) {
		if release.Spec.Blocked.Reason != "" {
			return release
		}
	}
	return nil
}

// inputsGate is closed while it cannot be found out what a plan would be made from.
func inputsGate(seen Observation) *v1alpha1.Blocker { return seen.Unreadable }

func environmentGate(seen Observation) *v1alpha1.Blocker {
	if seen.Environment != nil {
		return nil
	}
	return &v1alpha1.Blocker{
		Gate:    v1alpha1.GateTarget,
		Message: fmt.Sprintf("environment %q does not exist in project %q", seen.Promotion.Spec.Environment, seen.Promotion.Namespace),
		Clears:  "whoever creates the environment; if the name is wrong, delete this promotion and create one with the right `spec.environment`",
	}
}

// targetGate is closed when the deployer cannot carry out the plan, or when none can be made now.
func targetGate(seen Observation) *v1alpha1.Blocker {
	if seen.Planned == nil || (seen.Planned.Plan.Digest != "" && seen.Planned.Unable == "") {
		return nil
	}
	return &v1alpha1.Blocker{
		Gate:    cmp.Or(seen.Planned.Gate, v1alpha1.GateTarget),
		Message: cmp.Or(seen.Planned.Unable, "no plan could be made"),
		Clears:  cmp.Or(seen.Planned.Remedy, "the operator, which tries again every minute"),
	}
}

// guardGate is closed while the admission policies are not as they were shipped. No override opens it.
func guardGate(seen Observation) *v1alpha1.Blocker {
	if len(seen.Guard.Problems) == 0 {
		return nil
	}
	return &v1alpha1.Blocker{
		Gate:    v1alpha1.GateGuard,
		Message: "the admission policies that enforce who may approve are not as they were shipped, so nothing starts: " + sentence(seen.Guard.Problems),
		Clears:  "a cluster administrator, by `kubectl apply -k config/guard`; approvals that were given before are void then",
	}
}

// queueGate is closed while another rollout runs. No override opens it.
func queueGate(seen Observation) *v1alpha1.Blocker {
	if seen.Running == "" {
		return nil
	}
	return &v1alpha1.Blocker{
		Gate:    v1alpha1.GateQueue,
		Message: fmt.Sprintf("promotion %q is rolling out in environment %q", seen.Running, seen.Promotion.Spec.Environment),
		Clears:  "the end of that rollout; nobody has to do anything",
	}
}
