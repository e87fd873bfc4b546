// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// checksOf an Environment in a phase.
func checksOf(environment *v1alpha1.Environment, phase v1alpha1.CheckPhase) []v1alpha1.Check {
	if environment == nil {
		return nil
	}
	var found []v1alpha1.Check
	for _, check := range environment.Spec.Checks {
		if (check.Phase == v1alpha1.CheckAfter) == (phase == v1alpha1.CheckAfter) { // without a phase, it is Before
			found = append(found, check)
		}
	}
	return found
}

// verify decides on a rollout whose objects are all healthy: it has succeeded when every check after it has passed.
func verify(seen Observation) (Decision, *failure) {
	checks := checksOf(seen.Environment, v1alpha1.CheckAfter)
	next := Verify{Deadline: remaining(seen)}
	var open []string
	for _, check := range checks {
		switch running := runs(seen, check.Name); {
		case !running && answerOf(seen, check.Name) != nil:
			continue
		case !running:
			next.Run = append(next.Run, check.Name)
		}
		open = append(open, check.Name)
	}
	switch {
	case len(checks) == 0:
		return Finish{Type: v1alpha1.AuditSucceeded, Message: "every object is applied and healthy"}, nil
	case len(open) == 0:
		return Finish{Type: v1alpha1.AuditSucceeded, Message: "every object is applied and healthy, and passed " + counted(len(checks), "check")}, nil
	case seen.Promotion.Status.Progress.VerifyingSinceTime.IsZero():
		next.Deadline = timeout(seen.Environment) + verification(seen.Environment)
	case next.Deadline <= 0:
		return nil, &failure{applied: true, why: fmt.Sprintf("not verified within %s: no answer that counts from check %s",
			span(timeout(seen.Environment)+verification(seen.Environment)), quoted(open, "and"))}
	}
	return next, nil
}

// failedCheck says which check after the rollout has failed, and why; empty if none has, or if the rollout goes back already.
func failedCheck(seen Observation) string {
	if GoesBack(seen.Promotion) {
		return ""
	}
	for _, check := range checksOf(seen.Environment, v1alpha1.CheckAfter) {
		if answer := answerOf(seen, check.Name); answer != nil && answer.Result != v1alpha1.CheckPassed && !runs(seen, check.Name) {
			return fmt.Sprintf("check %q has failed: %s", check.Name, Clip(answer.Message, 600))
		}
	}
	return ""
}

// verification is how long the checks after a rollout may take: twice as long as the slowest of them does when each repetition needs every attempt. Each ends
// by itself before that, unless a process dies: the next one begins anew.
func verification(environment *v1alpha1.Environment) time.Duration {
	var longest time.Duration
	for _, check := range checksOf(environment, v1alpha1.CheckAfter) {
		each := seconds(check.TimeoutSeconds) + seconds(check.IntervalSeconds) + grace
		longest = max(longest, time.Duration(max(check.Times, 1))*time.Duration(max(check.Attempts, 1))*each)
	}
	return 2 * longest
}

// verifying says in words how far the checks are.
func verifying(seen Observation) string {
	checks := checksOf(seen.Environment, v1alpha1.CheckAfter)
	var open, courses []string
	for _, check := range checks {
		if runs(seen, check.Name) || answerOf(seen, check.Name) == nil {
			open = append(open, check.Name)
			if sofar := seen.Checks[check.Name].SoFar; sofar != "" {
				courses = append(courses, fmt.Sprintf("%q %s", check.Name, sofar))
			}
		}
	}
	return sentence(append([]string{
		fmt.Sprintf("every object is healthy; %d of %s passed, waiting for %s", len(checks)-len(open), counted(len(checks), "check"), quoted(open, "and")),
	}, courses...))
}

// grace is how long the Job of a check may take to be seen beyond its time.
const grace = 15 * time.Second

// counted things, in words.
func counted(number int, thing string) string {
	if number == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", number, thing)
}
