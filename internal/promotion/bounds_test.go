// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"cmp"
	"slices"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// checkBounds holds a status against what the API server lets in: a status that it refuses is a promotion that is stuck.
func checkBounds(t *testing.T, status v1alpha1.PromotionStatus) {
	t.Helper()
	text := func(what, text string, least, most int) {
		if length := utf8.RuneCountInString(text); length < least || length > most || !utf8.ValidString(text) {
			t.Errorf("%s must be %d to %d characters of UTF-8, and has %d: %.100q", what, least, most, length, text)
		}
	}
	var gates []v1alpha1.Gate
	for _, blocker := range status.Blockers {
		text("the message of a blocker", blocker.Message, 1, 2048)
		text("what clears a blocker", blocker.Clears, 1, 2048)
		if slices.Contains(gates, blocker.Gate) {
			t.Errorf("two blockers for gate %q", blocker.Gate)
		}
		gates = append(gates, blocker.Gate)
		for _, names := range [][]string{blocker.Users, blocker.Groups} {
			unique(t, "the names of a blocker", names, 16)
			for _, name := range names {
				text("a name in a blocker", name, 1, 253)
			}
		}
	}
	if !slices.IsSortedFunc(gates, func(a, b v1alpha1.Gate) int { return slices.Index(importance, a) - slices.Index(importance, b) }) {
		t.Errorf("the blockers must be sorted by importance: %v", gates)
	}
	var checks, rules []string
	for _, check := range status.Checks {
		checks = append(checks, check.Name)
		text("the message of a check", check.Message, 1, 2048)
		if check.Time.IsZero() || check.PlanDigest == "" || check.Result == "" {
			t.Errorf("check %q has no time, no plan or no result", check.Name)
		}
	}
	unique(t, "the checks", checks, 8)
	for _, rule := range status.Plan.Rules {
		rules = append(rules, rule.Name)
		if rule.Message != "" || rule.Applicability == v1alpha1.RuleUnknown {
			text("why nobody knows whether a rule applies", rule.Message, 1, 1024)
		}
	}
	unique(t, "the rules of a plan", rules, 16)
	unique(t, "the gates that are overridden", status.Overridden, 8)
	for _, condition := range status.Conditions {
		text("the message of condition "+condition.Type, condition.Message, 1, 2048) // the API lets in 32768, an audit record 2048
		text("the reason of condition "+condition.Type, condition.Reason, 1, 64)
		if condition.LastTransitionTime.IsZero() {
			t.Errorf("condition %q has no time", condition.Type)
		}
	}
	for _, ignored := range status.Approvals.Ignored {
		text("why an approval does not count", ignored.Reason, 1, 1024)
	}
	if status.Approvals.Summary != "" {
		text("the summary of approvals", status.Approvals.Summary, 1, 16)
	}
	checkKstatus(t, status)
}

// unique holds a set against its bound.
func unique[T cmp.Ordered](t *testing.T, what string, set []T, most int) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(set))
	if len(set) > most || len(slices.Compact(sorted)) != len(set) {
		t.Errorf("%s must be at most %d, each once: %v", what, most, set)
	}
}

// checkKstatus holds a status against what GitOps tools make of it: a promotion that waits for people is healthy.
func checkKstatus(t *testing.T, status v1alpha1.PromotionStatus) {
	t.Helper()
	is := map[string]metav1.Condition{}
	for _, condition := range status.Conditions {
		is[condition.Type] = condition
	}
	state := is[v1alpha1.ConditionSucceeded]
	ended, started := !status.CompletionTime.IsZero(), !status.StartTime.IsZero()
	if ended != (state.Status == metav1.ConditionTrue || state.Status == metav1.ConditionFalse) {
		t.Errorf("it has ended: %v, and Succeeded is %q", ended, state.Status)
	}
	_, reconciling := is[v1alpha1.ConditionReconciling]
	if reconciling != (started && !ended) {
		t.Errorf("Reconciling is there: %v, started: %v, ended: %v", reconciling, started, ended)
	}
	_, stalled := is[v1alpha1.ConditionStalled]
	if want := state.Reason == v1alpha1.ReasonInvalid || state.Reason == v1alpha1.ReasonFailed; stalled != want {
		t.Errorf("Stalled is there: %v, and the state is %q", stalled, state.Reason)
	}
	if ended && (len(status.Blockers) > 0 || status.Plan.Diff != "") {
		t.Error("it has ended, and there are blockers or a diff left")
	}
}

func TestAMessageShowsWhatAnybodyWroteWithoutObeyingIt(t *testing.T) {
	if got, want := Clip("blocked: \x1b[2J\u202ebad", 100), `blocked: \u001b[2J\u202ebad`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
