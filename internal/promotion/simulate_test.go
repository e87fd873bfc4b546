// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// simulate what has happened in a world, with other rules.
func (w *world) simulate(change func(rules *v1alpha1.EnvironmentSpec)) Simulated {
	rules := w.environment.DeepCopy().Spec
	if change != nil {
		change(&rules)
	}
	var project []*v1alpha1.Environment
	for _, environment := range w.project() {
		project = append(project, environment)
	}
	history := slices.Concat(w.elsewhere, w.records)
	return Simulate(rules, w.environment, project, history, []Past{{Promotion: w.promotion, Release: w.release}}, w.now)[0]
}

// unsimulated are the transcripts that a simulation with the same rules does not reproduce, and why: what it would have to know is nowhere on record.
var unsimulated = map[string]string{
	"guard-never-there":                                                   "nobody knows when the guard was not in place",
	"override-does-not-open-the-guard":                                    "nobody knows when the guard was not in place",
	"deployer-missing-and-approval-withdrawn":                             "nobody knows when the deployer was not there",
	"rejection-without-the-right":                                         "nobody knows who had lost the right to approve",
	"rejection-unexplained-and-the-right-lost":                            "nobody knows who had lost the right to approve",
	"override-of-the-hold-of-a-project":                                   "nobody knows when the project was on hold",
	"process-dies-and-the-overridden-gate-opens-by-itself":                "the hold is gone",
	"process-dies-before-intent-and-a-gate-closes-that-an-override-names": "nobody knows since when there is a hold",
	"process-dies-before-intent-and-another-starts":                       "the other one started in the same second",
	"process-dies-before-intent-and-another-takes-too-long":               "the other one started in the same second",
	"process-dies-before-intent-and-a-newer-starts":                       "the newer one started in the same second",
}

func TestTheSameRulesWouldHaveDecidedTheSame(t *testing.T) {
	for name, story := range allTranscripts() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			story(w)
			before := w.promotion.DeepCopy()
			found := w.simulate(nil)
			if !reflect.DeepEqual(before, w.promotion) {
				t.Error("the simulation has changed the promotion")
			}
			problem := unlike(w, found)
			why, known := unsimulated[name]
			switch {
			case problem != "" && !known:
				t.Errorf("%s: %+v", problem, found)
			case problem == "" && known:
				t.Errorf("it is reproduced, although %s", why)
			}
		})
	}
}

// unlike says in what a simulation differs from what has happened; empty if in nothing.
func unlike(w *world, found Simulated) string {
	p := w.promotion
	started := !p.Status.StartTime.IsZero()
	switch {
	case found.Differs:
		return "it says itself that it differs"
	case found.Starts != started:
		return "it was started, or was not"
	case started && !slices.Equal(found.Overridden, p.Status.Overridden):
		return "other gates are overridden"
	case started:
		return ""
	case Ended(p) && (found.Ends != State(p) || found.Message != conditionOf(p, v1alpha1.ConditionSucceeded).Message):
		return "it has ended otherwise"
	case Ended(p):
		return ""
	}
	for i, blocker := range p.Status.Blockers {
		if i >= len(found.Blockers) || !reflect.DeepEqual(found.Blockers[i], blocker) {
			return "it waits for something else than " + blocker.Message
		}
	}
	if len(found.Blockers) > len(p.Status.Blockers) {
		return "it waits for more"
	}
	return ""
}

func TestOtherRulesWouldHaveDecidedOtherwise(t *testing.T) {
	kind := func(s Simulated) string {
		switch {
		case s.Starts:
			return "starts"
		case s.Ends != "":
			return s.Ends
		}
		var gates []string
		for _, blocker := range s.Blockers {
			gates = append(gates, string(blocker.Gate))
		}
		return strings.Join(gates, " ")
	}
	two := []v1alpha1.ApprovalRule{{Name: "two", Required: ptr.To[int32](2)}}
	none := []v1alpha1.ApprovalRule{{Name: "none", Required: ptr.To[int32](0)}}
	for _, test := range []struct {
		name, story string
		change      func(rules *v1alpha1.EnvironmentSpec)
		want        string
		at          time.Duration
	}{
		{"one approval was enough, and two are asked for", "happy-path", func(r *v1alpha1.EnvironmentSpec) { r.Approval.Rules = two }, "Approval", 2 * time.Minute},
		{"nobody approved, and nobody would have had to", "release-not-ready", func(r *v1alpha1.EnvironmentSpec) { r.Approval.Rules = none }, "starts", 3 * time.Minute},
		{"it was rejected, and more approvals would not have helped", "rejected", func(r *v1alpha1.EnvironmentSpec) { r.Approval.Rules = none }, "Rejected", 3 * time.Minute},
		{"the requester approved, and that would have counted", "requester-approves", func(r *v1alpha1.EnvironmentSpec) {
			r.Approval.SelfApproval = v1alpha1.SelfApprovalAllowed
			r.Approval.Rules = two
		}, "starts", 4 * time.Minute},
		{"it started in the time that is frozen", "happy-path", func(r *v1alpha1.EnvironmentSpec) {
			r.Windows.Freeze = []v1alpha1.Window{{StartTime: metav1.NewTime(monday), EndTime: metav1.NewTime(monday.Add(2 * time.Hour))}}
		}, "Window", 2 * time.Minute},
		{"it started before the time that is frozen", "happy-path", func(r *v1alpha1.EnvironmentSpec) {
			r.Windows.Freeze = []v1alpha1.Window{{StartTime: metav1.NewTime(monday.Add(3 * time.Minute)), EndTime: metav1.NewTime(monday.Add(2 * time.Hour))}}
		}, "starts", 2 * time.Minute},
		{"the freeze that outlasted the approval would not have been there", "freeze-outlasts-the-approval", func(r *v1alpha1.EnvironmentSpec) { r.Windows = v1alpha1.WindowPolicy{} }, "Expired", 24*time.Hour + 2*time.Minute},
		{"nothing expires", "freeze-outlasts-the-approval", func(r *v1alpha1.EnvironmentSpec) { r.Approval.ValidSeconds = 0 }, "Window", 24*time.Hour + 2*time.Minute},
		{"the approval would have been too old", "approval-outlasts-the-freeze", func(r *v1alpha1.EnvironmentSpec) { r.Approval.ValidSeconds = 3600 }, "Expired", 20 * time.Hour},
		{"an hour of soak was enough, and two are asked for", "soak-interrupted", func(r *v1alpha1.EnvironmentSpec) { r.SoakSeconds = 7200 }, "Soak", 73 * time.Minute},
		{"it was replaced after an hour, and two are asked for", "soak-and-replaced-after", func(r *v1alpha1.EnvironmentSpec) { r.SoakSeconds = 7200 }, "Soak", 66 * time.Minute},
		{"it comes after itself", "soak-interrupted", func(r *v1alpha1.EnvironmentSpec) { r.After = []string{"production"} }, "Upstream", 73 * time.Minute},
		{"it comes after an Environment that there is not", "happy-path", func(r *v1alpha1.EnvironmentSpec) { r.After = []string{"staging"} }, "Upstream", 2 * time.Minute},
		{"it waits now for a rule that would not apply", "approval-when-no-rule-applies", func(r *v1alpha1.EnvironmentSpec) { r.Approval.Rules[0].When = "plan.changes.size() == 0" }, "Approval", 2 * time.Minute},
		{"a check is asked for that did not exist", "happy-path", func(r *v1alpha1.EnvironmentSpec) { r.Checks = []v1alpha1.Check{{Name: "load", ValidSeconds: 600}} }, "Check", 2 * time.Minute},
		{"the check that had passed would have been too old", "check-fresh-when-the-approval-comes", func(r *v1alpha1.EnvironmentSpec) { r.Checks[0].ValidSeconds = 30 }, "Check", 3 * time.Minute},
		{"a hold is part of the rules", "happy-path", func(r *v1alpha1.EnvironmentSpec) { r.Hold.Reason = "for ever" }, "Hold", 2 * time.Minute},
		{"the hold that was overridden is not part of the rules", "override", func(r *v1alpha1.EnvironmentSpec) { r.Hold.Reason = "" }, "starts", 4 * time.Minute},
		{"it waits behind another rollout, and approvals are needed", "environment-busy", func(r *v1alpha1.EnvironmentSpec) { r.Approval.Rules = two }, "Approval", 4 * time.Minute},
		{"rollbacks need approval", "rollback-without-approval", func(r *v1alpha1.EnvironmentSpec) { r.Rollback = v1alpha1.RollbackPolicy{} }, "Approval", time.Minute},
		{"a rollback does not ask for windows", "rollback-without-approval", func(r *v1alpha1.EnvironmentSpec) {
			r.Windows.Freeze = []v1alpha1.Window{{StartTime: metav1.NewTime(monday), EndTime: metav1.NewTime(monday.Add(2 * time.Hour))}}
		}, "starts", time.Minute},
		{"it was cancelled", "cancelled-before-start", func(r *v1alpha1.EnvironmentSpec) { r.Approval.Rules = none }, "Cancelled", 2 * time.Minute},
		{"a newer one had started", "superseded", func(r *v1alpha1.EnvironmentSpec) { r.Approval.Rules = none }, "Superseded", 2 * time.Minute},
		{"the Environment is of another application", "happy-path", func(r *v1alpha1.EnvironmentSpec) { r.Application = "billing" }, "Invalid", 2 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			transcript := allTranscripts()[test.story]
			transcript(w)
			found := w.simulate(test.change)
			if kind(found) != test.want || !found.At.Equal(monday.Add(test.at)) {
				t.Errorf("it decides %q at %s, want %q at %s: %+v", kind(found), found.At, test.want, monday.Add(test.at), found)
			}
			if differs := unlikeKind(w.promotion, found); found.Differs != differs {
				t.Errorf("it says that it differs: %v", found.Differs)
			}
		})
	}
}

// unlikeKind says whether a promotion has started, ended or waited otherwise.
func unlikeKind(p *v1alpha1.Promotion, found Simulated) bool {
	switch {
	case !p.Status.StartTime.IsZero():
		return !found.Starts
	case !p.Status.CompletionTime.IsZero():
		return found.Ends != conditionOf(p, v1alpha1.ConditionSucceeded).Reason
	}
	return len(found.Blockers) == 0
}
