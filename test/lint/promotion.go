// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"slices"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// during are the states of a rollout, from start to end.
var during = []string{v1alpha1.ReasonRollingOut, v1alpha1.ReasonVerifying, v1alpha1.ReasonRollingBack}

// stalled are the states that need somebody to mend something.
var stalled = []string{v1alpha1.ReasonInvalid, v1alpha1.ReasonFailed}

// promotion across its fields.
func (l *linter) promotion(p *v1alpha1.Promotion) {
	succeeded := find(p.Status.Conditions, v1alpha1.ConditionSucceeded)
	if succeeded == nil {
		l.add(RuleState, "it has no condition Succeeded")
		return
	}
	ended, runs := succeeded.Status != metav1.ConditionUnknown, slices.Contains(during, succeeded.Reason)
	l.state(p, succeeded.Reason, ended, runs)
	l.times(p)
	l.kstatus(p, succeeded.Reason, runs)
	l.approvals(p)
	l.progress(p)
}

// state compares what says whether it waits, rolls out or has ended (section 4 of the design).
func (l *linter) state(p *v1alpha1.Promotion, state string, ended, runs bool) {
	s := &p.Status
	started := !s.StartTime.IsZero()
	l.check((find(s.Conditions, v1alpha1.ConditionReconciling) != nil) == runs, RuleState, "it is %s, and Reconciling is to be there from start to end alone", state)
	l.check((find(s.Conditions, v1alpha1.ConditionStalled) != nil) == slices.Contains(stalled, state), RuleState, "it is %s, and Stalled is to be there for Invalid and Failed alone", state)
	l.check(ended == !s.CompletionTime.IsZero(), RuleState, "it is %s, and `completionTime` is %s", state, s.CompletionTime)
	l.check(!runs || started, RuleState, "it is %s, and has no `startTime`", state)
	l.check(started || !slices.Contains([]string{v1alpha1.ReasonSucceeded, v1alpha1.ReasonRolledBack}, state), RuleState, "it is %s, and has never started", state)
	l.check(!started || ended || runs, RuleState, "it is %s, and has started", state)
	l.check(ended || runs || len(s.Blockers) > 0, RuleState, "it is %s, and nothing says what for: `blockers` is empty", state)
	l.check(!ended && !runs || len(s.Blockers) == 0, RuleState, "it is %s, and has blockers: %v", state, s.Blockers)
	l.check(!ended || s.Plan.Diff == "", RuleState, "it is %s, and still has its diff", state)
	l.check(!runs || s.Plan.Digest != "", RuleState, "it is %s, and has no plan", state)
	l.check((state == v1alpha1.ReasonPlanning) == (!ended && s.Plan.Digest == ""), RuleState, "it is %s with plan %q", state, s.Plan.Digest)
	l.check((len(s.Overridden) > 0) == (find(s.Conditions, v1alpha1.ConditionOverridden) != nil), RuleState, "`overridden` is %v, and the condition Overridden does not agree", s.Overridden)
	l.check(slices.Contains([]string{v1alpha1.ReasonRollingBack, v1alpha1.ReasonRolledBack}, state) == !s.Rollback.StartTime.IsZero() || ended && state != v1alpha1.ReasonSucceeded && state != v1alpha1.ReasonRolledBack,
		RuleState, "it is %s, and `rollback.startTime` is %s", state, s.Rollback.StartTime)
	for _, blocker := range s.Blockers {
		l.check(blocker.Message != "" && blocker.Clears != "", RuleState, "blocker %s does not say what is missing, or who clears it", blocker.Gate)
	}
	if approved := find(s.Conditions, v1alpha1.ConditionApproved); approved != nil && !ended && !runs {
		waits := slices.ContainsFunc(s.Blockers, func(b v1alpha1.Blocker) bool { return b.Gate == v1alpha1.GateApproval })
		l.check(s.Plan.Digest == "" || waits == (approved.Status == metav1.ConditionFalse), RuleState, "Approved is %s, and among the blockers is Approval: %t", approved.Status, waits)
	}
}

// times in their order.
func (l *linter) times(p *v1alpha1.Promotion) {
	s := &p.Status
	named := []struct {
		name string
		at   metav1.Time
	}{
		{"`plan.plannedTime`", s.Plan.PlannedTime}, {"`startTime`", s.StartTime}, {"`progress.verifyingSinceTime`", s.Progress.VerifyingSinceTime},
		{"`rollback.startTime`", s.Rollback.StartTime}, {"`completionTime`", s.CompletionTime},
	}
	for i, later := range named {
		l.past(later.name, later.at)
		for _, earlier := range named[:i] {
			l.check(earlier.at.IsZero() || later.at.IsZero() || !earlier.at.After(later.at.Time), RuleTime, "%s (%s) is after %s (%s)", earlier.name, earlier.at, later.name, later.at)
		}
	}
}

// kstatus is what Flux and Helm see.
func (l *linter) kstatus(p *v1alpha1.Promotion, state string, runs bool) {
	want := status.CurrentStatus
	switch {
	case runs:
		want = status.InProgressStatus
	case slices.Contains(stalled, state):
		want = status.FailedStatus
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(p)
	if err != nil {
		l.add(RuleKstatus, "it cannot be converted: %v", err)
		return
	}
	if p.Status.ObservedGeneration != p.Generation {
		return // kstatus waits for it, and another rule says so
	}
	seen, err := status.Compute(&unstructured.Unstructured{Object: content})
	if err != nil {
		l.add(RuleKstatus, "kstatus cannot judge it: %v", err)
		return
	}
	l.check(seen.Status == want, RuleKstatus, "it is %s, and kstatus sees %s (%s) where it should see %s", state, seen.Status, seen.Message, want)
}

// approvals as they were counted. Decisions are closed by the start; a status that has not seen the newest ones says so by its generation.
func (l *linter) approvals(p *v1alpha1.Promotion) {
	given := p.Status.Approvals
	if given.Summary == "" || p.Status.ObservedGeneration != p.Generation {
		return
	}
	required, granted := ptr.Deref(given.Required, -1), ptr.Deref(given.Granted, -1)
	l.check(given.Summary == fmt.Sprintf("%d/%d", granted, required), RuleApprovals, "the summary is %q of %d of %d", given.Summary, granted, required)
	l.check(granted >= 0 && granted <= required, RuleApprovals, "%d of %d are granted", granted, required)
	var needed, filled int32
	for _, rule := range given.Rules {
		most := ptr.Deref(rule.Required, 1)
		needed, filled = needed+most, filled+min(most, int32(len(rule.ApprovedBy)))
		for _, user := range rule.ApprovedBy {
			counted := slices.ContainsFunc(given.Counted, func(c v1alpha1.CountedApproval) bool { return c.User == user })
			l.check(counted, RuleApprovals, "%q fills rule %q, and is not counted", user, rule.Name)
		}
	}
	l.check(needed == required && filled == granted, RuleApprovals, "the rules need %d and have %d, and the sums are %d and %d", needed, filled, required, granted)
	for _, counted := range given.Counted {
		has := slices.ContainsFunc(p.Spec.Approvals, func(a v1alpha1.Approval) bool { return a.User == counted.User && a.PlanDigest == counted.PlanDigest })
		l.check(has, RuleApprovals, "the decision of %q is counted, and `spec.approvals` has none for that plan", counted.User)
		l.past("the decision of "+counted.User, counted.Time)
		l.check(!slices.ContainsFunc(given.Ignored, func(i v1alpha1.IgnoredApproval) bool { return i.User == counted.User }), RuleApprovals, "the decision of %q is both counted and ignored", counted.User)
	}
	for _, ignored := range given.Ignored {
		has := slices.ContainsFunc(p.Spec.Approvals, func(a v1alpha1.Approval) bool { return a.User == ignored.User })
		l.check(has && ignored.Reason != "", RuleApprovals, "the decision of %q is ignored, and is not there, or nothing says why", ignored.User)
	}
}

// progress of what was begun.
func (l *linter) progress(p *v1alpha1.Promotion) {
	s := p.Status.Progress
	total := ptr.Deref(s.Total, 0)
	l.check(ptr.Deref(s.Applied, 0) <= total && ptr.Deref(s.Healthy, 0) <= total, RuleProgress, "%d are applied and %d healthy, of %d", ptr.Deref(s.Applied, 0), ptr.Deref(s.Healthy, 0), total)
	l.check(s.Wave >= 0 && s.Wave <= s.Waves, RuleProgress, "wave %d of %d", s.Wave, s.Waves)
	l.check(s.Total == nil || !p.Status.StartTime.IsZero(), RuleProgress, "it has progress, and has never started")
}
