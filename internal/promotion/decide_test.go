// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

func TestTheTimeOfADecisionIsWhenItWasFirstSeen(t *testing.T) {
	now := monday.Add(time.Hour + 300*time.Millisecond)
	plan, other := digestOf("plan"), digestOf("other plan")
	counted := func(user string, plan v1alpha1.Digest) []v1alpha1.CountedApproval {
		return []v1alpha1.CountedApproval{{User: user, PlanDigest: plan, Time: metav1.NewTime(monday)}}
	}
	entry := v1alpha1.Approval{User: "alice", Decision: v1alpha1.DecisionApproved, PlanDigest: plan}
	rejection := entry
	rejection.Decision = v1alpha1.DecisionRejected
	for _, test := range []struct {
		name    string
		entry   v1alpha1.Approval
		counted []v1alpha1.CountedApproval
		want    time.Time
	}{
		{"never seen: now, in whole seconds, as the API keeps it", entry, nil, monday.Add(time.Hour)},
		{"seen before: then", entry, counted("alice", plan), monday},
		{"seen before on another plan: now", entry, counted("alice", other), monday.Add(time.Hour)},
		{"somebody else's was seen before: now", entry, counted("carol", plan), monday.Add(time.Hour)},
		{"an approval that has become a rejection: now", rejection, counted("alice", plan), monday.Add(time.Hour)},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := newWorld(t).observe(false)
			seen.Now = now
			seen.Promotion.Status.Approvals.Counted = test.counted
			if got := firstSeen(seen, test.entry); !got.Equal(test.want) {
				t.Errorf("first seen %s, want %s", got, test.want)
			}
		})
	}
}

func TestItIsLookedAgainAtWhatIsNotWatched(t *testing.T) {
	missing := approval.Result{Missing: []approval.Missing{{Count: 1}}}
	lost := map[string]approval.Authority{"alice": approval.AuthorityLost}
	for _, test := range []struct {
		name      string
		planned   *Planned
		authority map[string]approval.Authority
		approvals approval.Result
		want      time.Duration
	}{
		{"people's decisions are watched", nil, nil, missing, 0},
		{"the deployer's rights are not", &Planned{Unable: "forbidden"}, nil, approval.Result{}, recheck},
		{"a plan that could not be made for no known reason", &Planned{}, nil, approval.Result{}, recheck},
		{"a plan that was made", &Planned{Plan: v1alpha1.Plan{Digest: digestOf("plan")}}, nil, missing, 0},
		{"the rights of somebody whose approval is missing are not", nil, lost, missing, recheck},
		{"the rights of somebody whose approval is not needed do not matter", nil, lost, approval.Result{}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := newWorld(t).observe(false)
			seen.Promotion.Spec.Approvals = []v1alpha1.Approval{{User: "alice"}, {User: "bob"}}
			seen.Planned, seen.Authority = test.planned, test.authority
			if got := nextLook(seen, test.approvals, judgement{}); got != test.want {
				t.Errorf("looked again in %s, want %s", got, test.want)
			}
		})
	}
}

func TestTheStatusSpeaksOfTheSpecThatWasSeen(t *testing.T) {
	w := newWorld(t)
	w.promotion.Generation = 7
	w.requested()
	if got := w.promotion.Status.ObservedGeneration; got != 7 {
		t.Errorf("the status speaks of generation %d, want 7", got)
	}
	for _, condition := range w.promotion.Status.Conditions {
		if condition.ObservedGeneration != 7 {
			t.Errorf("condition %q speaks of generation %d, want 7", condition.Type, condition.ObservedGeneration)
		}
	}
	w.approves("alice")
	w.happens("bob edits the reason", func() { w.promotion.Generation = 20 })
	w.healthy(3)
	if got := meta.FindStatusCondition(w.promotion.Status.Conditions, v1alpha1.ConditionSucceeded).ObservedGeneration; got != 20 {
		t.Errorf("the state speaks of generation %d, want 20", got)
	}
}

func TestTheStateIsPlanningUntilThereIsAnother(t *testing.T) {
	w := newWorld(t)
	if got := State(w.promotion); got != v1alpha1.ReasonPlanning || Started(w.promotion) || Ended(w.promotion) {
		t.Errorf("the state is %s, started %v, ended %v", got, Started(w.promotion), Ended(w.promotion))
	}
	w.requested()
	w.approves("alice")
	if got := State(w.promotion); got != v1alpha1.ReasonRollingOut || !Started(w.promotion) || Ended(w.promotion) {
		t.Errorf("the state is %s, started %v, ended %v", got, Started(w.promotion), Ended(w.promotion))
	}
	w.healthy(3)
	if got := State(w.promotion); got != v1alpha1.ReasonSucceeded || Started(w.promotion) || !Ended(w.promotion) {
		t.Errorf("the state is %s, started %v, ended %v", got, Started(w.promotion), Ended(w.promotion))
	}
}

func TestTheDiffAndTheStartStayAsTheApproversSawThem(t *testing.T) {
	w := newWorld(t)
	w.requested()
	planned := w.promotion.Status.Plan
	w.approves("alice")
	if got := w.promotion.Status.Plan; !got.PlannedTime.Equal(&planned.PlannedTime) || got.Diff != planned.Diff {
		t.Errorf("the plan was made at %s, and after the start it says %s", planned.PlannedTime, got.PlannedTime)
	}
	started := w.promotion.Status.StartTime
	w.dying("record", func() { w.healthy(3) })
	w.newProcess()
	if got := w.promotion.Status.StartTime; !got.Equal(&started) {
		t.Errorf("it started at %s, and later says %s", started, got)
	}
	if got := w.promotion.Status; got.Plan.Digest != planned.Digest || *got.Progress.Healthy != 3 {
		t.Errorf("at its end the status says %+v", got)
	}
}

// Fetching and rendering can take long, and the look at everything begins before it.
func TestNothingStartsBeforeItsPlanWasMade(t *testing.T) {
	w := newWorld(t)
	w.requested()
	for _, took := range []time.Duration{0, 20 * time.Second} {
		planned := metav1.NewTime(w.promotion.Status.Plan.PlannedTime.Add(took))
		status := v1alpha1.PromotionStatus{Plan: v1alpha1.Plan{PlannedTime: planned}}
		seen := Observation{Now: w.promotion.Status.Plan.PlannedTime.Time, Promotion: &v1alpha1.Promotion{Status: status}}
		if got := Status(seen, Start{}).StartTime; !got.Equal(&planned) {
			t.Errorf("it started at %s, and its plan was made at %s", got, planned)
		}
	}
}

func TestARolloutHasTenMinutesWhereNobodySaysOtherwise(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rollout.TimeoutSeconds = 0
	w.requested()
	w.approves("alice")
	w.passes("nine minutes pass", 8*time.Minute)
	if got := State(w.promotion); got != v1alpha1.ReasonRollingOut {
		t.Errorf("after nine minutes the state is %s", got)
	}
	w.environment = nil
	w.nothing()
	if got := State(w.promotion); got != v1alpha1.ReasonFailed {
		t.Errorf("after ten minutes the state is %s", got)
	}
}

func TestARolloutOfWhichNothingIsKnownSaysSo(t *testing.T) {
	seen := newWorld(t).observe(false)
	seen.Promotion.Status.StartTime = metav1.NewTime(monday.Add(-time.Hour))
	seen.Rollout = &Rollout{Intent: &v1alpha1.AuditRecord{}}
	if got := Decide(seen).(Finish).Message; !strings.Contains(got, "nothing was applied yet") {
		t.Errorf("late: %s", got)
	}
	seen.Promotion.Spec.Cancel.Reason = "enough"
	if got, want := Decide(seen).(Finish).Message, "cancelled during its rollout, which may have applied some of its objects: enough"; got != want {
		t.Errorf("cancelled: %s, want %s", got, want)
	}
}

func TestManyNamesAreCutShortAndNamedOnce(t *testing.T) {
	w := newWorld(t)
	users := []string{"u1", "u2", "u3", "u4", "u5", "u6", "u7"}
	for i := range 3 {
		w.environment.Spec.Approval.Rules = append(w.environment.Spec.Approval.Rules,
			v1alpha1.ApprovalRule{Name: fmt.Sprintf("rule-%d", i), Required: ptr.To[int32](1), Users: users})
	}
	w.requested()
	blocker := w.promotion.Status.Blockers[0]
	if want := `user "u1" or "u2" or "u3" or "u4" or "u5" or 2 more, with the verb`; !strings.HasPrefix(blocker.Clears, want) {
		t.Errorf("cleared by %s", blocker.Clears)
	}
	if strings.Count(blocker.Message, "(rule ") != 3 {
		t.Errorf("the message is %s", blocker.Message)
	}
}

func TestTheRequesterIsNotExceptedWhereTheyMayApprove(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Approval.SelfApproval = v1alpha1.SelfApprovalAllowed
	w.requested()
	if got, want := w.promotion.Status.Blockers[0].Clears, "anyone, with the verb `approve` on environment \"production\""; got != want {
		t.Errorf("cleared by %s, want %s", got, want)
	}
	w.approves("bob")
	if got := State(w.promotion); got != v1alpha1.ReasonRollingOut {
		t.Errorf("the state is %s", got)
	}
}

func TestMessagesAreCutBetweenCharacters(t *testing.T) {
	for _, letter := range []string{"a", "ü", "€", "🎉"} {
		for offset := range 4 {
			got := clip(strings.Repeat("a", offset) + strings.Repeat(letter, 2500))
			if !utf8.ValidString(got) || len(got) > 1910 || len(got) < 1890 || !strings.HasSuffix(got, " …") {
				t.Errorf("%q after %d letters was cut to %d bytes, ending in %q", letter, offset, len(got), got[len(got)-8:])
			}
			if strings.ContainsRune(got, utf8.RuneError) {
				t.Errorf("%q after %d letters was cut in the middle", letter, offset)
			}
		}
	}
	for message, want := range map[string]string{"short": "short", "broken \xff\xfe bytes": "broken \uFFFD bytes"} {
		if got := clip(message); got != want {
			t.Errorf("%q became %q, want %q", message, got, want)
		}
	}
}
