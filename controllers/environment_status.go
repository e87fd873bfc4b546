// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/rules"
)

// environmentStatus is what the status says. It is pure, and says the same while nothing changes.
func environmentStatus(environment *v1alpha1.Environment, seen surroundings) v1alpha1.EnvironmentStatus {
	status := *environment.Status.DeepCopy()
	status.ObservedGeneration = environment.Generation
	status.Stage = cmp.Or(environment.Spec.Stage, environment.Name)
	waiting, count := waitingOf(environment, seen)
	status.Waiting, status.WaitingCount = waiting, ptr.To(int32(count)) //nolint:gosec // as many as there are promotions
	if seen.asked.release != nil {
		status.AutoPromoted = v1alpha1.AutoPromoted{Release: seen.asked.release.Name, Version: seen.asked.release.Spec.Version}
	}
	set := func(condition metav1.Condition) {
		condition.Message = plan.Visible(condition.Message) // it may quote what anybody wrote
		condition.ObservedGeneration, condition.LastTransitionTime = environment.Generation, metav1.NewTime(seen.now)
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	set(environmentReadiness(environment, seen))
	for _, kind := range []string{v1alpha1.ConditionHealthy, v1alpha1.ConditionInSync} {
		if known := meta.FindStatusCondition(status.Conditions, kind); known != nil {
			known.ObservedGeneration = environment.Generation
			continue
		}
		set(metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotDeployed, Message: "nothing was rolled out here yet"})
	}
	afterLook(&status, environment, seen.health, seen.now)
	afterComparison(&status, environment, seen.drift, seen.now)
	return status
}

// environmentReadiness is the Ready condition: whether promotions can be carried out here, and asked for by themselves if they are to be.
func environmentReadiness(environment *v1alpha1.Environment, seen surroundings) metav1.Condition {
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	target := environment.Spec.Target
	switch {
	case len(seen.problems) > 0:
		ready.Reason, ready.Message = v1alpha1.ReasonInvalidRules, rules.Text(seen.problems)
	case seen.unreachable != "":
		ready.Reason, ready.Message = v1alpha1.ReasonClusterUnreachable, seen.unreachable
	case !seen.hasDeployer:
		ready.Reason = v1alpha1.ReasonDeployerMissing
		ready.Message = fmt.Sprintf("`spec.target`: service account %q does not exist in namespace %q: create it, and bind it to a Role that allows what releases need there",
			target.ServiceAccountName, target.Namespace)
	case seen.asked.refused != "":
		ready.Reason, ready.Message = v1alpha1.ReasonAutoPromotionRefused, seen.asked.refused
	default:
		ready.Status, ready.Reason = metav1.ConditionTrue, v1alpha1.ReasonAccepted
		ready.Message = fmt.Sprintf("rollouts go to namespace %q as service account %q", target.Namespace, target.ServiceAccountName)
	}
	return ready
}
