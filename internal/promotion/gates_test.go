// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

func TestWhomNobodyHasAskedAboutDoesNotCountWhenItMatters(t *testing.T) {
	for _, test := range []struct {
		name  string
		live  bool
		knows map[string]approval.Authority
		want  approval.Authority
	}{
		{"nobody asked, and nothing starts by this look", false, nil, approval.AuthorityUnproven},
		{"nobody asked, and it could start", true, nil, approval.AuthorityLost},
		{"asked, and it could start", true, map[string]approval.Authority{"alice": approval.AuthorityHeld}, approval.AuthorityHeld},
		{"asked about somebody else", true, map[string]approval.Authority{"bob": approval.AuthorityHeld}, approval.AuthorityLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := newWorld(t).observe(false)
			seen.Live, seen.Authority = test.live, test.knows
			seen.Promotion.Spec.Approvals = []v1alpha1.Approval{{User: "alice", Decision: v1alpha1.DecisionApproved}}
			if got := questionOf(seen).Ballots[0].Authority; got != test.want {
				t.Errorf("her authority is %s, want %s", got, test.want)
			}
		})
	}
}

func TestAReleaseThatCanNeverBecomeReadyIsUnusable(t *testing.T) {
	for reason, unusableFor := range map[string]bool{
		v1alpha1.ReasonInvalidSource: true, v1alpha1.ReasonDigestMismatch: true, v1alpha1.ReasonFetchFailed: false, v1alpha1.ReasonResolved: false,
	} {
		release := &v1alpha1.Release{}
		release.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: reason, Message: "it is so"}}
		if got := unusable(release); (got == "it is so") != unusableFor {
			t.Errorf("for %s it says %q", reason, got)
		}
	}
	if unusable(nil) != "" || unusable(&v1alpha1.Release{}) != "" {
		t.Error("what is not known yet is called unusable")
	}
}

func TestAPlanStandsOnlyIfItSaysOfEveryRuleWhetherItApplies(t *testing.T) {
	seen := newWorld(t).observe(false)
	inputs := inputsOf(seen)
	seen.Promotion.Status.Plan.Inputs = inputs
	seen.Environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "always"}, {Name: "a", When: "true"}, {Name: "b", When: "true"}}
	for said, stands := range map[string]bool{"": false, "a": false, "b": false, "a b": true} {
		seen.Promotion.Status.Plan.Rules = nil
		for _, name := range strings.Fields(said) {
			seen.Promotion.Status.Plan.Rules = append(seen.Promotion.Status.Plan.Rules, v1alpha1.PlanRule{Name: name})
		}
		if got := planStands(seen, inputs); got != stands {
			t.Errorf("a plan that speaks of %q stands: %v", said, got)
		}
	}
}

func TestThePlanInStatusIsCurrentWhileThereIsNothingToMakeAnotherFrom(t *testing.T) {
	for name, change := range map[string]func(*Observation){
		"no release":     func(seen *Observation) { seen.Release = nil },
		"no environment": func(seen *Observation) { seen.Environment = nil },
		"no attempt":     func(seen *Observation) { seen.Planned = nil },
	} {
		t.Run(name, func(t *testing.T) {
			seen := newWorld(t).observe(false)
			seen.Planned, seen.Promotion.Status.Plan.Digest = &Planned{}, digestOf("plan")
			change(&seen)
			if got := currentPlan(seen).Digest; got != digestOf("plan") {
				t.Errorf("the current plan is %q", got)
			}
		})
	}
}

func TestThePlanInStatusIsCurrentWhileOnlyItsDiffWouldDiffer(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Observation)
		stands bool
	}{
		"another rollout":     {func(seen *Observation) { seen.Environment.Status.Audit.Head = digestOf("head") }, true},
		"drift":               {func(seen *Observation) { seen.Environment.Status.DriftDigest = digestOf("drift") }, true},
		"other rules":         {func(seen *Observation) { seen.EnvironmentDigest = digestOf("rules") }, false},
		"another environment": {func(seen *Observation) { seen.Environment.UID = "another" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			seen := newWorld(t).observe(false)
			seen.Promotion.Status.Plan = v1alpha1.Plan{Digest: digestOf("plan"), Inputs: inputsOf(seen)}
			seen.Planned = &Planned{Unable: "the deployer is not there"}
			test.change(&seen)
			if planStands(seen, inputsOf(seen)) {
				t.Error("no other plan is made")
			}
			if got := currentPlan(seen).Digest; (got != "") != test.stands {
				t.Errorf("the current plan is %q", got)
			}
		})
	}
}

func TestNoCheckIsAskedForAnEnvironmentThatIsGone(t *testing.T) {
	seen := newWorld(t).observe(false)
	seen.Environment, seen.Promotion.Status.Plan.Digest = nil, digestOf("plan")
	if found := judgeChecks(seen, true); found.blocker != nil || len(found.run) > 0 {
		t.Errorf("found %+v", found)
	}
}

func TestNoPlanIsMadeOfWhatCannotBeRead(t *testing.T) {
	seen := newWorld(t).observe(false)
	if !plannable(seen) {
		t.Fatal("there is something else in the way")
	}
	seen.Unreadable = &v1alpha1.Blocker{Gate: v1alpha1.GateTarget, Message: "the values are missing"}
	if plannable(seen) {
		t.Error("a plan can be made")
	}
	if wait, waits := Decide(seen).(Wait); !waits || wait.Blockers[0].Message != "the values are missing" {
		t.Errorf("decided %+v", Decide(seen))
	}
	if got := nextLook(seen, approval.Result{}, judgement{}); got != recheck {
		t.Errorf("looked again in %s", got)
	}
}

func TestAGateIsTheOnlyClosedOneIfNoOtherIs(t *testing.T) {
	hold, window := v1alpha1.Blocker{Gate: v1alpha1.GateHold}, v1alpha1.Blocker{Gate: v1alpha1.GateWindow}
	for _, test := range []struct {
		blockers []v1alpha1.Blocker
		want     bool
	}{
		{nil, false}, {[]v1alpha1.Blocker{hold}, true}, {[]v1alpha1.Blocker{window}, false}, {[]v1alpha1.Blocker{hold, window}, false},
	} {
		if got := (judgement{blockers: test.blockers}).only(v1alpha1.GateHold); got != test.want {
			t.Errorf("%v: %v", test.blockers, got)
		}
	}
}

func TestOnlyTheUnexplainedRejectionIsSaidToCount(t *testing.T) {
	seen := newWorld(t).observe(false)
	seen.Promotion.Status.Plan.Digest = digestOf("plan")
	blocker := approvalGate(seen, approval.Result{
		Missing: []approval.Missing{{Count: 1}}, Unexplained: []approval.Ballot{{Approval: v1alpha1.Approval{User: "carol"}}},
		Status: v1alpha1.ApprovalStatus{Ignored: []v1alpha1.IgnoredApproval{{User: "carol", Reason: "said nothing"}, {User: "mallory", Reason: "must not"}}},
	})
	if !strings.Contains(blocker.Message, `not counted: "mallory" must not`) || strings.Contains(blocker.Message, `not counted: "carol"`) {
		t.Errorf("it says %q", blocker.Message)
	}
}

func TestAnOverrideOpensWhatItNamesAndIsVoidForApprovalsOfAnotherPlan(t *testing.T) {
	plan := digestOf("plan")
	for _, test := range []struct {
		name     string
		gates    []v1alpha1.OverridableGate
		of, seen v1alpha1.Digest
		opens    []v1alpha1.OverridableGate
		void     bool
	}{
		{"nothing named", nil, "", plan, nil, false},
		{"a gate that has nothing to do with the plan", []v1alpha1.OverridableGate{"Window"}, "", plan, []v1alpha1.OverridableGate{"Window"}, false},
		{"such a gate before there is a plan", []v1alpha1.OverridableGate{"Window"}, "", "", []v1alpha1.OverridableGate{"Window"}, false},
		{"approvals of this plan", []v1alpha1.OverridableGate{"Window", "Approval"}, plan, plan, []v1alpha1.OverridableGate{"Window", "Approval"}, false},
		{"approvals of another plan", []v1alpha1.OverridableGate{"Window", "Approval"}, digestOf("other"), plan, []v1alpha1.OverridableGate{"Window"}, true},
		{"approvals before there is a plan", []v1alpha1.OverridableGate{"Window", "Approval"}, "", "", []v1alpha1.OverridableGate{"Window"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := newWorld(t).observe(false)
			seen.Promotion.Status.Plan.Digest = test.seen
			override := &seen.Promotion.Spec.Override
			override.Gates, override.Reason, override.PlanDigest = test.gates, "the shop is down", test.of
			if test.gates != nil {
				override.UsedBy.Username = "dave"
			}
			got := overrides(seen)
			if !reflect.DeepEqual(got.gates, test.opens) || (got.void != "") != test.void || got.refused != "" {
				t.Errorf("it is judged %+v", got)
			}
		})
	}
}

func TestAnOverrideThatOpensAGateIsNotExplainedThere(t *testing.T) {
	seen := newWorld(t).observe(false)
	seen.Promotion.Spec.Override.Gates = []v1alpha1.OverridableGate{"Approval"}
	found := judgement{blockers: []v1alpha1.Blocker{{Gate: v1alpha1.GateApproval, Message: "needs 1 more approval"}}}
	found.explainOverride(seen, opening{})
	if got := found.blockers[0].Message; got != "needs 1 more approval" {
		t.Errorf("it says %q", got)
	}
}

func TestARollbackIsJudgedWhereTheEnvironmentIsGoneOrTheReleaseIsNew(t *testing.T) {
	seen := newWorld(t).observe(false)
	seen.Promotion.Spec.Type = v1alpha1.PromotionTypeRollback
	seen.Environment.Spec.Rollback.Approval = v1alpha1.RollbackApprovalNotRequired
	if unprecedented(seen) == "" {
		t.Error("it goes back to what has never been there")
	}
	if rules := policyOf(seen).Rules; len(rules) != 1 || rules[0].Name != rollbackRule {
		t.Errorf("its rules are %v", rules)
	}
	seen.Environment = nil
	if got := unprecedented(seen); got != "" {
		t.Errorf("of an environment that is gone it says %q", got)
	}
}

func TestWhatWasAppliedIsNotAppliedAgainWhileItIsNotHealthy(t *testing.T) {
	seen := newWorld(t).observe(false)
	seen.Promotion.Status.StartTime = metav1.NewTime(seen.Now)
	for _, wave := range []int{0, 1} {
		if next, failed := proceed(seen, &Rollout{Applied: true, Wave: wave}); failed != nil || reflect.TypeOf(next) != reflect.TypeFor[Watch]() {
			t.Errorf("after wave %d it is decided %T, %v", wave, next, failed)
		}
	}
}

func TestAPromotionThatHasBecomeInvalidIsNotPutOnRecordAsAnIntent(t *testing.T) {
	seen := newWorld(t).observe(false)
	seen.Live, seen.Promotion.Status.StartTime = true, metav1.NewTime(seen.Now)
	seen.Promotion.Spec.RequestedBy.Username = ""
	end, ends := decideUnrecorded(seen).(Finish)
	if !ends || end.Type != v1alpha1.AuditFailed || !strings.Contains(end.Message, "`spec.requestedBy` is empty") {
		t.Errorf("decided %+v", decideUnrecorded(seen))
	}
}

func TestACheckThatRunsAgainIsNotJudgedByWhatItSaidBefore(t *testing.T) {
	for _, said := range []v1alpha1.CheckResult{v1alpha1.CheckPassed, v1alpha1.CheckFailed} {
		seen := newWorld(t).observe(false)
		seen.Environment.Spec.Checks = []v1alpha1.Check{{Name: "smoke", Phase: v1alpha1.CheckAfter}}
		seen.Promotion.Status.StartTime = metav1.NewTime(seen.Now)
		seen.Promotion.Status.Checks = []v1alpha1.CheckStatus{{Name: "smoke", Result: said, PlanDigest: currentPlan(seen).Digest, Time: metav1.NewTime(seen.Now)}}
		if answerOf(seen, "smoke") == nil {
			t.Fatal("there is no answer")
		}
		finish, failed := verify(seen)
		if _, finishes := finish.(Finish); !finishes || failed != nil || (failedCheck(seen) != "") != (said == v1alpha1.CheckFailed) {
			t.Errorf("%s, and nothing runs: decided %T", said, finish)
		}
		seen.Checks = map[string]CheckProgress{"smoke": {Running: true, Plan: currentPlan(seen).Digest, Rerun: Rerun(seen.Promotion)}}
		next, failed := verify(seen)
		if waits, is := next.(Verify); !is || failed != nil || len(waits.Run) > 0 || failedCheck(seen) != "" {
			t.Errorf("%s, and it runs again: decided %+v", said, next)
		}
	}
}
