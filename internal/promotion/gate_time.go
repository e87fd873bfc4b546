// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/window"
)

// HoldReason is why an object with this annotation is on hold; empty if it is not.
func HoldReason(object metav1.Object) string {
	return strings.TrimSpace(object.GetAnnotations()[v1alpha1.AnnotationHold])
}

// holdGate is closed while the Environment or its project is on hold. It is closed for rollbacks too.
func holdGate(seen Observation) *v1alpha1.Blocker {
	var held, clears []string
	project := seen.Promotion.Namespace
	if seen.ProjectHold != "" {
		held = append(held, fmt.Sprintf("project %q is on hold: %s", project, seen.ProjectHold))
		clears = append(clears, fmt.Sprintf("whoever holds the verb `resume` on every environment of project %q, by `kubectl annotate namespace %s %s-`",
			project, project, v1alpha1.AnnotationHold))
	}
	if environment := seen.Environment; environment != nil {
		for _, hold := range []struct{ reason, remedy string }{
			{strings.TrimSpace(environment.Spec.Hold.Reason), "removing its `spec.hold`"},
			{HoldReason(environment), fmt.Sprintf("`kubectl annotate environment %s --namespace %s %s-`", environment.Name, project, v1alpha1.AnnotationHold)},
		} {
			if hold.reason != "" {
				held = append(held, fmt.Sprintf("environment %q is on hold: %s", environment.Name, hold.reason))
				clears = append(clears, fmt.Sprintf("whoever holds the verb `resume` on environment %q, by %s", environment.Name, hold.remedy))
			}
		}
	}
	if len(held) == 0 {
		return nil
	}
	return &v1alpha1.Blocker{Gate: v1alpha1.GateHold, Message: sentence(held), Clears: sentence(clears)}
}

// scheduleGate is closed before the time that the Promotion asks for.
func scheduleGate(seen Observation) *v1alpha1.Blocker {
	start := seen.Promotion.Spec.NotBeforeTime
	if !seen.Now.Before(start.Time) { // as it never is where no time is asked for
		return nil
	}
	return &v1alpha1.Blocker{
		Gate:      v1alpha1.GateSchedule,
		Message:   fmt.Sprintf("scheduled to start %s at the earliest (`spec.notBeforeTime`)", moment(start.Time)),
		Clears:    "time; nobody has to do anything",
		UntilTime: start,
	}
}

// windowGate is closed outside of the allow windows and inside of a freeze. A window that cannot be understood keeps it closed. A rollback
// does not ask.
func windowGate(seen Observation) *v1alpha1.Blocker {
	if seen.Environment == nil || rollsBack(seen) {
		return nil
	}
	name := seen.Environment.Name
	policy, problems := window.Parse(seen.Environment.Spec.Windows)
	if len(problems) > 0 {
		var wrong []string
		for _, problem := range problems {
			wrong = append(wrong, fmt.Sprintf("`%s`: %s", problem.Field, problem.Message))
		}
		return &v1alpha1.Blocker{
			Gate:    v1alpha1.GateWindow,
			Message: fmt.Sprintf("the windows of environment %q cannot be understood, so nothing starts: %s", name, sentence(wrong)),
			Clears:  fmt.Sprintf("whoever may change environment %q, by mending the field; that voids the approvals given so far", name),
		}
	}
	verdict := policy.At(seen.Now)
	if verdict.Open {
		return nil
	}
	blocker := &v1alpha1.Blocker{Gate: v1alpha1.GateWindow, Message: verdict.Message(), Clears: "time; nobody has to do anything"}
	if verdict.Opens.IsZero() {
		blocker.Clears = fmt.Sprintf("whoever may change environment %q, by mending its `spec.windows`; that voids the approvals given so far", name)
		return blocker
	}
	blocker.UntilTime = metav1.NewTime(verdict.Opens)
	return blocker
}
