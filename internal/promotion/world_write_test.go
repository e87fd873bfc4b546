// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// write down the status that came out, and what was recorded.
func (w *world) write(before v1alpha1.PromotionStatus, records []v1alpha1.AuditRecord) {
	after := w.promotion.Status
	if equality.Semantic.DeepEqual(before, after) {
		fmt.Fprintln(&w.log, "    nothing changes")
	} else {
		w.writeStatus(before, after)
	}
	for _, record := range records {
		fmt.Fprintf(&w.log, "    on record: %d %s\n", record.Spec.Sequence, record.Spec.Type)
	}
}

func (w *world) writeStatus(before, after v1alpha1.PromotionStatus) {
	line := func(what, text string) { fmt.Fprintf(&w.log, "    %s: %s\n", what, text) }
	for _, condition := range after.Conditions {
		earlier := meta.FindStatusCondition(before.Conditions, condition.Type)
		if earlier == nil || !equality.Semantic.DeepEqual(*earlier, condition) {
			line(condition.Type, fmt.Sprintf("%s, %s: %s", condition.Status, condition.Reason, condition.Message))
		}
	}
	for _, condition := range before.Conditions {
		if meta.FindStatusCondition(after.Conditions, condition.Type) == nil {
			line(condition.Type, "gone")
		}
	}
	if after.Plan.Digest != before.Plan.Digest {
		line("plan", approval.Short(after.Plan.Digest))
	} else if !equality.Semantic.DeepEqual(before.Plan, after.Plan) && after.CompletionTime.IsZero() {
		line("plan", "made anew, the same digest")
	}
	if !equality.Semantic.DeepEqual(before.Approvals, after.Approvals) {
		line("approvals", summary(after.Approvals))
	}
	for _, answer := range after.Checks {
		if !slices.ContainsFunc(before.Checks, func(a v1alpha1.CheckStatus) bool { return equality.Semantic.DeepEqual(a, answer) }) {
			line("check "+answer.Name, fmt.Sprintf("%s: %s", answer.Result, answer.Message))
		}
	}
	for _, rule := range after.Plan.Rules {
		if !slices.Contains(before.Plan.Rules, rule) {
			line("rule "+rule.Name, string(rule.Applicability))
		}
	}
	if !slices.Equal(before.Overridden, after.Overridden) {
		line("opened by the override", gateWords(after.Overridden))
	}
	if !equality.Semantic.DeepEqual(before.Blockers, after.Blockers) {
		for _, blocker := range after.Blockers {
			line("blocked by "+string(blocker.Gate), blocker.Message)
			line("  cleared by", blocker.Clears)
			if !blocker.UntilTime.IsZero() {
				line("  until", moment(blocker.UntilTime.Time))
			}
		}
		if len(after.Blockers) == 0 {
			line("blocked by", "nothing")
		}
	}
}

func summary(approvals v1alpha1.ApprovalStatus) string {
	parts := []string{approvals.Summary}
	for _, rule := range approvals.Rules {
		if len(rule.ApprovedBy) > 0 {
			parts = append(parts, fmt.Sprintf("rule %s by %s", rule.Name, strings.Join(rule.ApprovedBy, " and ")))
		}
	}
	for _, counted := range approvals.Counted {
		parts = append(parts, fmt.Sprintf("%s counts since %s", counted.User, counted.Time.UTC().Format("15:04")))
	}
	for _, ignored := range approvals.Ignored {
		parts = append(parts, ignored.User+" does not count")
	}
	return strings.Join(parts, ", ")
}

// compare text with a file, or write the file with -update.
func compare(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(text, "\n"), strings.Split(string(raw), "\n")
	if slices.Equal(got, want) {
		return
	}
	same := 0
	for same < len(got) && same < len(want) && got[same] == want[same] {
		same++
	}
	t.Errorf("%s, line %d: write it anew with `go test ./internal/promotion -update`, and look at what has changed\ngot\n%s\nwant\n%s",
		file, same+1, strings.Join(got[same:min(same+6, len(got))], "\n"), strings.Join(want[same:min(same+6, len(want))], "\n"))
}
