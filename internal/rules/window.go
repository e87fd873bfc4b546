// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/window"
)

// NeverOpens is the problem of an Environment whose windows let no rollout start from now on, or not in years. Changes is when that may become so
// without anybody's doing: when the last of the windows ends that do not recur. It is zero if none does. Windows that cannot be understood are
// another problem.
func NeverOpens(environment *v1alpha1.Environment, now time.Time) (problems []Problem, changes time.Time) {
	policy, invalid := window.Parse(environment.Spec.Windows)
	if len(invalid) > 0 {
		return nil, time.Time{}
	}
	if verdict := policy.At(now); verdict.Open || !verdict.Opens.IsZero() {
		return nil, lastEnd(environment.Spec.Windows.Allow)
	}
	return []Problem{{
		Field:   "spec.windows",
		Message: "the windows let no rollout start any more, ever: add an `allow` window that is still to come, or take away the `freeze` that covers it",
	}}, time.Time{}
}

// lastEnd is when the last window ends, if none of them recurs. Where one is open or is to come, that is still to come.
func lastEnd(allow []v1alpha1.Window) time.Time {
	var last time.Time
	for _, allowed := range allow {
		if allowed.Schedule != "" {
			return time.Time{}
		}
		if allowed.EndTime.After(last) {
			last = allowed.EndTime.Time
		}
	}
	return last
}
