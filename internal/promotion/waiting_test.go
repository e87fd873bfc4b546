// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// patient makes an observation of a promotion for which nothing happens but that time passes: no person decides, loses a right or cancels, no object
// changes, and a plan can be made whenever it is asked for.
func (r random) patient() Observation {
	seen := r.observation()
	for seen.Release == nil || seen.Environment == nil {
		seen = r.observation()
	}
	p := seen.Promotion
	p.Status = v1alpha1.PromotionStatus{Plan: p.Status.Plan, Approvals: p.Status.Approvals, Checks: p.Status.Checks}
	p.Spec.Cancel, p.DeletionTimestamp, seen.Newer, seen.Rollout, seen.Live = v1alpha1.PromotionCancel{}, nil, "", nil, false
	seen.Authority = map[string]approval.Authority{}
	for i := range p.Spec.Approvals {
		p.Spec.Approvals[i].Decision = v1alpha1.DecisionApproved
		seen.Authority[p.Spec.Approvals[i].User] = approval.AuthorityHeld
	}
	seen.OverrideAuthority = approval.AuthorityHeld
	return seen
}

func TestNothingThatCouldStartWaitsForEverAndNobodyIsWokenInVain(t *testing.T) {
	const cases = 2500
	ends := map[string]int{}
	for seed := range uint64(cases) {
		r := random{rand.New(rand.NewPCG(seed, 1291))}
		seen := r.patient()
		rules := r.planRules(seen.Environment)
		planned := func(inputs v1alpha1.PlanInputs) *Planned {
			plan := planOf(inputs)
			plan.PlannedTime, plan.Rules = metav1.NewTime(seen.Now), rules
			return &Planned{Plan: plan}
		}
		ends[r.walk(t, seen, planned)]++
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, end := range []string{"Start at once", "Start later", "End at once", "End later", "Wait"} {
		if ends[end] < cases/50 {
			t.Errorf("%q came out only %d times: the observations are too much alike", end, ends[end])
		}
	}
}

// walk through the time as the operator would, from each look to the next that it has asked for, until the promotion starts or ends, or until nothing
// that passes with the time is left to wait for. It says which.
func (r random) walk(t *testing.T, seen Observation, planned func(v1alpha1.PlanInputs) *Planned) string {
	t.Helper()
	var before *v1alpha1.PromotionStatus
	when := "at once"
	for range 200 {
		found, next := r.look(t, seen, planned)
		wait, waits := next.(Wait)
		if !waits {
			return fmt.Sprintf("%T %s", next, when)[len("promotion."):]
		}
		status := asStored(t, Status(found, wait))
		if before != nil && equality.Semantic.DeepEqual(*before, status) {
			t.Errorf("it was looked again in vain: %+v", status.Blockers)
			return ""
		}
		seen.Promotion.Status = status
		if len(wait.Run) > 0 {
			r.answer(&seen, wait, status.Plan.Digest)
			before = nil
			continue
		}
		r.checkBetween(t, seen, planned, wait.Again)
		if wait.Again == 0 {
			if standing := (naive{Observation: found, plan: status.Plan}).standing(); len(standing) == 0 {
				t.Errorf("it waits for ever, and every gate opens by itself: %+v", status.Blockers)
			}
			return "Wait"
		}
		when, before = "later", &status
		seen.Now = seen.Now.Add(wait.Again)
	}
	t.Error("it was looked at two hundred times, and there is no end")
	return ""
}

// look and hold what is decided against the naive rules.
func (r random) look(t *testing.T, seen Observation, planned func(v1alpha1.PlanInputs) *Planned) (Observation, Decision) {
	t.Helper()
	found, next := settled(t, seen, planned, func(Observation, Decision) {})
	checkNaively(t, found, next)
	return found, next
}

// answer the checks that are asked to run.
func (r random) answer(seen *Observation, wait Wait, plan v1alpha1.Digest) {
	for _, name := range wait.Run {
		wish := Rerun(seen.Promotion)
		seen.Checks[name] = CheckProgress{Plan: plan, Rerun: wish, Found: &v1alpha1.CheckStatus{
			Name: name, Result: pick(r, v1alpha1.CheckPassed, v1alpha1.CheckPassed, v1alpha1.CheckPassed, v1alpha1.CheckFailed), Message: "answered",
			Time: metav1.NewTime(seen.Now), PlanDigest: plan, Rerun: wish,
		}}
	}
}

// checkBetween looks at some times before the next look, as if something else had woken the operator: it would not have found anything new.
func (r random) checkBetween(t *testing.T, seen Observation, planned func(v1alpha1.PlanInputs) *Planned, again time.Duration) {
	t.Helper()
	last := again - time.Second
	if again == 0 {
		last = 2 * 365 * 24 * time.Hour
	}
	for _, after := range []time.Duration{last, time.Duration(r.Int64N(int64(last) + 1)), time.Duration(r.Int64N(int64(last)+1)) / 100} {
		early := seen
		early.Now = seen.Now.Add(after.Truncate(time.Second))
		found, next := r.look(t, early, planned)
		wait, waits := next.(Wait)
		if !waits || len(wait.Run) > 0 {
			t.Errorf("%s after the last look, and %s before the next, it would have been decided %T", after, again-after, next)
			return
		}
		checkStands(t, seen.Promotion.Status, asStored(t, Status(found, next)))
	}
}
