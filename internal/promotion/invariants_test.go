// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// settled follows MakePlan and Prove with the same observation, and calls check for each decision on the way.
func settled(t *testing.T, seen Observation, planned func(v1alpha1.PlanInputs) *Planned, check func(Observation, Decision)) (Observation, Decision) {
	t.Helper()
	live := func(seen Observation) Observation {
		seen.Live, seen.Planned = true, nil
		return seen
	}
	return followed(t, seen, planned, live, check)
}

// followed goes where the decisions lead, as an operator would: it makes a plan, and looks again by live reads.
func followed(t *testing.T, seen Observation, planned func(v1alpha1.PlanInputs) *Planned, live func(Observation) Observation, check func(Observation, Decision)) (Observation, Decision) {
	t.Helper()
	for range 6 {
		next := Decide(seen)
		check(seen, next)
		if plan, is := next.(MakePlan); is {
			seen.Planned = planned(plan.Inputs)
		} else if _, is := next.(Prove); is {
			seen = live(seen)
		} else {
			return seen, next
		}
	}
	t.Fatalf("it is decided in circles: %+v", seen)
	return seen, nil
}

func TestWhateverIsObservedTheRulesHold(t *testing.T) {
	const cases = 8000
	seen := map[string]int{}
	for seed := range uint64(cases) {
		r := random{rand.New(rand.NewPCG(seed, 4711))}
		first := r.observation()
		planned := r.planner(first)
		last, next := settled(t, first, planned, func(observed Observation, next Decision) { checkDecision(t, observed, next) })
		seen[reflect.TypeOf(next).Name()]++
		checkNaively(t, last, next)
		checkStatus(t, last, next, planned)
		if t.Failed() {
			t.Fatalf("seed %d, decided %T", seed, next)
		}
	}
	for _, kind := range []Decision{Rest{}, Wait{}, Start{}, Apply{}, Watch{}, Prune{}, Verify{}, RollBack{}, Finish{}, Conclude{}, End{}, Acknowledge{}} {
		if name := reflect.TypeOf(kind).Name(); seen[name] < cases/400 {
			t.Errorf("%s was decided only %d times: the observations are too much alike", name, seen[name])
		}
	}
}

// checkDecision says what must be true of any decision.
func checkDecision(t *testing.T, seen Observation, next Decision) {
	t.Helper()
	copied := seen
	copied.Promotion, copied.Release, copied.Environment = seen.Promotion.DeepCopy(), seen.Release.DeepCopy(), seen.Environment.DeepCopy()
	if again := Decide(copied); !reflect.DeepEqual(again, next) {
		t.Errorf("decided %+v, and of the same observation %+v", next, again)
	}
	if !reflect.DeepEqual(copied.Promotion, seen.Promotion) {
		t.Error("deciding has changed the promotion")
	}
	_, acknowledges := next.(Acknowledge)
	_, rests := next.(Rest)
	rests = rests || acknowledges
	if rests != !seen.Promotion.Status.CompletionTime.IsZero() {
		t.Errorf("it has ended: %v, decided %T", !rests, next)
	}
	recorded := seen.Rollout != nil && seen.Rollout.Outcome != nil
	if _, concludes := next.(Conclude); !rests && concludes != recorded {
		t.Errorf("an outcome is on record: %v, decided %T", recorded, next)
	}
	intent := seen.Rollout != nil && seen.Rollout.Intent != nil
	switch next := next.(type) {
	case Start:
		checkStart(t, seen, next)
	case End:
		if !seen.Live || !seen.Promotion.Status.StartTime.IsZero() {
			t.Error("it was ended by what caches say, or after its start")
		}
	case Apply, Prune:
		if !intent || seen.Promotion.Spec.Cancel.Reason != "" || !seen.Promotion.DeletionTimestamp.IsZero() || seen.Rollout.Failure != "" {
			t.Errorf("decided %T", next)
		}
		if _, applies := next.(Apply); applies && seen.Rollout.Wave > 0 && !seen.Rollout.Healthy {
			t.Error("a wave begins while the one before it is not healthy")
		}
		if _, prunes := next.(Prune); prunes != (seen.Rollout.Applied && seen.Rollout.Healthy) {
			t.Errorf("applied: %v, healthy: %v, decided %T", seen.Rollout.Applied, seen.Rollout.Healthy, next)
		}
	case Watch:
		if seen.Promotion.Status.StartTime.IsZero() || next.Deadline <= 0 || (!intent && seen.Running == "") {
			t.Errorf("decided to watch for %s", next.Deadline)
		}
	case Verify:
		if !intent || !seen.Rollout.Applied || !seen.Rollout.Healthy || seen.Rollout.Prunes || GoesBack(seen.Promotion) || next.Deadline <= 0 {
			t.Errorf("decided to verify for %s what is not all there", next.Deadline)
		}
	case RollBack:
		if !intent || seen.Rollout.Intent.Spec.Fallback.Release.Name == "" || GoesBack(seen.Promotion) {
			t.Error("it goes back to nothing, or a second time")
		}
	case Finish:
		for _, check := range checksOf(seen.Environment, v1alpha1.CheckAfter) {
			answer := answerOf(seen, check.Name)
			if next.Type == v1alpha1.AuditSucceeded && (answer == nil || answer.Result != v1alpha1.CheckPassed || runs(seen, check.Name)) {
				t.Errorf("it succeeded, and check %q has not passed", check.Name)
			}
		}
		if back := next.Type == v1alpha1.AuditRolledBack; GoesBack(seen.Promotion) && next.Type == v1alpha1.AuditSucceeded || back && (!GoesBack(seen.Promotion) ||
			!seen.Rollout.Applied || !seen.Rollout.Healthy || seen.Rollout.Prunes) {
			t.Errorf("going back: %v, ended as %s", GoesBack(seen.Promotion), next.Type)
		}
		if succeeded := next.Type == v1alpha1.AuditSucceeded; succeeded && !(intent && seen.Rollout.Applied && seen.Rollout.Healthy && !seen.Rollout.Prunes) {
			t.Error("it succeeded before everything was applied, healthy and pruned")
		}
		if !intent && !seen.Live {
			t.Error("it was ended before its intent by what caches say")
		}
		checkReason(t, next.Message)
	case Wait:
		if len(next.Blockers) == 0 {
			t.Error("it waits for nothing")
		}
	case Acknowledge:
		by, overridden := seen.Promotion.Spec.Acknowledgement.Username, conditionOf(seen.Promotion, v1alpha1.ConditionOverridden)
		if by == "" || by == seen.Promotion.Spec.Override.UsedBy.Username || overridden == nil || overridden.Status != metav1.ConditionTrue {
			t.Errorf("%q has acknowledged what is %v", by, overridden)
		}
	case Rest, MakePlan, Prove, Conclude:
	}
}

// checkReason holds a message against the bounds of an audit record's reason.
func checkReason(t *testing.T, message string) {
	t.Helper()
	if message == "" || len([]rune(message)) > 2048 {
		t.Errorf("an audit record's reason must not have %d characters", len([]rune(message)))
	}
}

// checkStart proves a start from the observation alone, by rules written down a second time.
func checkStart(t *testing.T, seen Observation, next Start) {
	t.Helper()
	spec := seen.Promotion.Spec
	must := func(what string, holds bool) {
		if !holds {
			t.Errorf("it was started, and %s", what)
		}
	}
	must("the observation is not live", seen.Live)
	must("the guard has problems", len(seen.Guard.Problems) == 0 && seen.Guard.Digest != "")
	must("there is no release or environment", seen.Release != nil && seen.Environment != nil)
	if seen.Release == nil || seen.Environment == nil {
		return
	}
	must("the release is of another application", seen.Release.Spec.Application == seen.Environment.Spec.Application)
	must("another rollout runs", seen.Running == "")
	must("a newer one has started", seen.Newer == "")
	must("it is cancelled or deleted", spec.Cancel.Reason == "" && seen.Promotion.DeletionTimestamp.IsZero())
	must("it has ended", seen.Promotion.Status.CompletionTime.IsZero())
	must("an intent or an outcome is on record", seen.Rollout == nil || (seen.Rollout.Intent == nil && seen.Rollout.Outcome == nil))
	must("nobody knows who asked for it", spec.RequestedBy.Username != "")
	must("no plan was made just now", seen.Planned != nil && seen.Planned.Plan.Digest != "" && seen.Planned.Refused == "" && seen.Planned.Unable == "")
	for _, entry := range spec.Approvals {
		held, explained := seen.Authority[entry.User] == approval.AuthorityHeld, entry.Comment != "" || seen.Environment.Spec.Approval.Comment == v1alpha1.CommentNever
		must("somebody who may has rejected it", entry.Decision != v1alpha1.DecisionRejected || !held || !explained)
	}
	if spec.Type == v1alpha1.PromotionTypeRollback {
		must("there is nothing to go back to", slices.ContainsFunc(seen.Environment.Status.Releases, func(r v1alpha1.SucceededRelease) bool { return r.UID == string(seen.Release.UID) }))
	}
	n := naive{Observation: seen, plan: seen.Planned.Plan}
	blocking, overridden := n.closed()
	must(fmt.Sprintf("%v are closed", blocking), len(blocking) == 0)
	must(fmt.Sprintf("%v are overridden, and it says %v", overridden, next.Overridden), len(overridden) == len(next.Overridden))
	if seen.Promotion.Status.StartTime.IsZero() {
		must("it has expired", !n.expired())
		return
	}
	for _, gate := range overridden {
		must(fmt.Sprintf("nobody was told that %s is overridden", gate), slices.Contains(seen.Promotion.Status.Overridden, v1alpha1.OverridableGate(gate)))
	}
}

// checkStatus says what must be true of the status that is written after a decision.
func checkStatus(t *testing.T, seen Observation, next Decision, planned func(v1alpha1.PlanInputs) *Planned) {
	t.Helper()
	before := seen.Promotion.DeepCopy()
	status := Status(seen, next)
	if !reflect.DeepEqual(before, seen.Promotion) {
		t.Error("making the status has changed the promotion")
	}
	if _, rests := next.(Rest); rests {
		if !reflect.DeepEqual(status, before.Status) {
			t.Error("it has ended, and its status has changed")
		}
		return
	}
	ends := false
	switch next := next.(type) {
	case Finish, Conclude:
		ends = true
	case End:
		ends = true
		checkReason(t, next.Message)
	case Acknowledge:
		ends = true // long ago
	case Rest, MakePlan, Prove, Wait, Start, Apply, Watch, Prune, Verify, RollBack:
	}
	if ends == status.CompletionTime.IsZero() {
		t.Errorf("after %T, the completion time is %v", next, status.CompletionTime)
	}
	if _, starts := next.(Start); starts == status.StartTime.IsZero() && before.Status.StartTime.IsZero() {
		t.Errorf("after %T, the start time is %v", next, status.StartTime)
	}
	if _, acknowledges := next.(Acknowledge); !acknowledges && len(status.Conditions) > 1 { // a watch for its turn says nothing yet; the ends here are made up
		checkBounds(t, withState(status))
	}
	if _, back := next.(RollBack); back {
		return // what is seen of the rollout from then on is of the way back
	}
	seen.Promotion = seen.Promotion.DeepCopy()
	seen.Promotion.Status = *status.DeepCopy()
	seen.Now = seen.Now.Add(time.Millisecond)
	again, following := settled(t, seen, planned, func(Observation, Decision) {})
	if _, acknowledges := next.(Acknowledge); !acknowledges && acknowledged(again.Promotion) && Ended(again.Promotion) {
		return // the one thing that is left to do for what has ended
	}
	if got := Status(again, following); !equality.Semantic.DeepEqual(got, status) {
		t.Errorf("after %T the status was written, and after %T it is another:\n%+v\n%+v", next, following, status, got)
	}
}

// withState adds the state that a promotion has from its start, where an observation was made up without it.
func withState(status v1alpha1.PromotionStatus) v1alpha1.PromotionStatus {
	status = *status.DeepCopy()
	if meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSucceeded) == nil {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRollingOut, Message: "made up", LastTransitionTime: metav1.NewTime(monday),
		})
	}
	for i := range status.Conditions {
		if status.Conditions[i].LastTransitionTime.IsZero() {
			status.Conditions[i].LastTransitionTime = metav1.NewTime(monday)
		}
	}
	return status
}

// checkStands says that what a status says of a promotion that waits still stands by a later one, without anybody having looked in between. An open
// window may have closed: nobody wakes for that. And a freeze may have begun while it was closed anyway: then it is told in other words.
func checkStands(t *testing.T, earlier, later v1alpha1.PromotionStatus) {
	t.Helper()
	for _, blocker := range earlier.Blockers {
		i := slices.IndexFunc(later.Blockers, func(b v1alpha1.Blocker) bool { return b.Gate == blocker.Gate })
		if i < 0 {
			t.Errorf("gate %s has opened by itself, and nobody has looked", blocker.Gate)
			continue
		}
		now := later.Blockers[i]
		if blocker.Gate == v1alpha1.GateWindow {
			now.Message = blocker.Message
		}
		if !equality.Semantic.DeepEqual(now, blocker) {
			t.Errorf("gate %s says something else by itself, and nobody has looked:\n%+v\n%+v", blocker.Gate, blocker, now)
		}
	}
	for _, blocker := range later.Blockers {
		if blocker.Gate != v1alpha1.GateWindow && !slices.ContainsFunc(earlier.Blockers, func(b v1alpha1.Blocker) bool { return b.Gate == blocker.Gate }) {
			t.Errorf("gate %s has closed by itself: %s", blocker.Gate, blocker.Message)
		}
	}
	if !equality.Semantic.DeepEqual(earlier.Approvals, later.Approvals) || !equality.Semantic.DeepEqual(earlier.Checks, later.Checks) || !samePlan(earlier.Plan, later.Plan) {
		t.Error("approvals, checks or the plan have changed by themselves")
	}
}
