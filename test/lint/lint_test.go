// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package lint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/lint"
)

var now = time.Date(2031, 3, 7, 10, 0, 0, 0, time.UTC)

func ago(minutes int) metav1.Time {
	return metav1.NewTime(now.Add(-time.Duration(minutes) * time.Minute))
}

const (
	digest = v1alpha1.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")
	other  = v1alpha1.Digest("sha256:2222222222222222222222222222222222222222222222222222222222222222")
)

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: 3, LastTransitionTime: ago(5)}
}

// good objects: an Environment where a release runs, a Promotion that waits for it, one that rolls out elsewhere, one that has succeeded and one that has failed.
func good() lint.Objects {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "shop", Name: name, Generation: 3}
	}
	counted := v1alpha1.ApprovalStatus{
		Summary: "1/1", Required: ptr.To[int32](1), Granted: ptr.To[int32](1),
		Rules:   []v1alpha1.RuleStatus{{Name: "owners", Required: ptr.To[int32](1), ApprovedBy: []string{"alice"}}},
		Counted: []v1alpha1.CountedApproval{{User: "alice", PlanDigest: digest, Time: ago(8)}},
	}
	given := v1alpha1.PromotionSpec{Environment: "production", Approvals: []v1alpha1.Approval{{User: "alice", PlanDigest: digest, Decision: v1alpha1.DecisionApproved}}}
	plan := v1alpha1.Plan{Digest: digest, PlannedTime: ago(9)}
	approved := condition("Approved", metav1.ConditionTrue, "RulesMet", "every approval rule is met")
	progress := v1alpha1.RolloutProgress{Applied: ptr.To[int32](2), Healthy: ptr.To[int32](1), Total: ptr.To[int32](2)}
	return lint.Objects{
		Releases: []v1alpha1.Release{{ObjectMeta: meta("shop-1"), Status: v1alpha1.ReleaseStatus{
			ObservedGeneration: 3, Conditions: []metav1.Condition{condition("Ready", metav1.ConditionTrue, "Resolved", "its content is fetched")},
		}}},
		Environments: []v1alpha1.Environment{{ObjectMeta: meta("production"), Status: v1alpha1.EnvironmentStatus{
			ObservedGeneration: 3, Stage: "production",
			Conditions: []metav1.Condition{
				condition("Ready", metav1.ConditionTrue, "Accepted", "rollouts go to a namespace"),
				condition("Healthy", metav1.ConditionTrue, "RolledOut", "release shop-1 runs"),
				condition("InSync", metav1.ConditionTrue, "RolledOut", "release shop-1 runs"),
			},
			Current:      v1alpha1.Deployment{Release: "shop-1", StartedTime: ago(60), SinceTime: ago(59)},
			Inventory:    []v1alpha1.ObjectReference{{Kind: "ConfigMap", Name: "a"}, {Kind: "ConfigMap", Name: "b"}},
			Audit:        v1alpha1.AuditHead{Sequence: 2, Head: digest},
			Releases:     []v1alpha1.SucceededRelease{{Name: "shop-1", SucceededTime: ago(59), HealthySeconds: ptr.To[int64](60)}},
			WaitingCount: ptr.To[int32](1),
			Waiting:      []v1alpha1.WaitingPromotion{{Promotion: "waits", Since: ago(9), Blockers: []v1alpha1.WaitingBlocker{{Gate: v1alpha1.GateApproval}}}},
		}}},
		Promotions: []v1alpha1.Promotion{
			{ObjectMeta: meta("waits"), Spec: v1alpha1.PromotionSpec{Environment: "production"}, Status: v1alpha1.PromotionStatus{
				ObservedGeneration: 3, Plan: v1alpha1.Plan{Digest: digest, Diff: "+ a", PlannedTime: ago(9)},
				Conditions: []metav1.Condition{
					condition("Succeeded", metav1.ConditionUnknown, "AwaitingApproval", "needs 1 more approval"),
					condition("Approved", metav1.ConditionFalse, "RulesNotMet", "0 of 1 given"),
				},
				Approvals: v1alpha1.ApprovalStatus{Summary: "0/1", Required: ptr.To[int32](1), Granted: ptr.To[int32](0), Rules: []v1alpha1.RuleStatus{{Name: "owners", Required: ptr.To[int32](1)}}},
				Blockers:  []v1alpha1.Blocker{{Gate: v1alpha1.GateApproval, Message: "needs 1 more approval", Clears: "anyone"}},
			}},
			{ObjectMeta: meta("runs"), Spec: given, Status: v1alpha1.PromotionStatus{
				ObservedGeneration: 3, Plan: plan, Approvals: counted, StartTime: ago(7), Progress: progress,
				Conditions: []metav1.Condition{
					condition("Succeeded", metav1.ConditionUnknown, "RollingOut", "1 of 2 healthy"), approved,
					condition("Reconciling", metav1.ConditionTrue, "RollingOut", "the rollout is running"),
				},
			}},
			{ObjectMeta: meta("succeeded"), Spec: given, Status: v1alpha1.PromotionStatus{
				ObservedGeneration: 3, Plan: plan, Approvals: counted, StartTime: ago(7), CompletionTime: ago(6), Progress: progress,
				Conditions: []metav1.Condition{condition("Succeeded", metav1.ConditionTrue, "Succeeded", "every object is healthy"), approved},
			}},
			{ObjectMeta: meta("failed"), Spec: given, Status: v1alpha1.PromotionStatus{
				ObservedGeneration: 3, Plan: plan, Approvals: counted, StartTime: ago(7), CompletionTime: ago(6), Progress: progress,
				Conditions: []metav1.Condition{
					condition("Succeeded", metav1.ConditionFalse, "Failed", "not healthy in time"), approved,
					condition("Stalled", metav1.ConditionTrue, "Failed", "not healthy in time"),
				},
			}},
		},
	}
}

// The objects by their places in good.
const (
	waits = iota
	runs
	succeeded
	failed
)

var broken = []struct {
	rule lint.Rule
	what string
	edit func(o *lint.Objects)
}{
	{lint.RuleType, "a condition that the kind has not", func(o *lint.Objects) {
		s := &o.Releases[0].Status
		s.Conditions = append(s.Conditions, condition("Healthy", metav1.ConditionTrue, "RolledOut", "release shop-1 runs"))
	}},
	{lint.RuleType, "a condition twice", func(o *lint.Objects) {
		s := &o.Promotions[waits].Status
		s.Conditions = append(s.Conditions, s.Conditions[0])
	}},
	{lint.RuleReason, "a reason that is not documented", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].Reason = "Fetched" }},
	{lint.RuleReason, "a reason of another status", func(o *lint.Objects) { o.Environments[0].Status.Conditions[1].Reason = "Unhealthy" }},
	{lint.RuleReason, "a status that there is not", func(o *lint.Objects) { o.Environments[0].Status.Conditions[0].Status = "true" }},
	{lint.RuleMessage, "no message", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].Message = "" }},
	{lint.RuleMessage, "one word", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].Message = "error" }},
	{lint.RuleMessage, "a message that is too long", func(o *lint.Objects) {
		o.Releases[0].Status.Conditions[0].Message = strings.Repeat("so long ", 400) + "."
	}},
	{lint.RuleMessage, "a message with a line break", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].Message = "it is\nbroken" }},
	{lint.RuleMessage, "a message with space around it", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].Message = "it is broken " }},
	{lint.RuleMessage, "a message with a nil in it", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].Message = "it is <nil>" }},
	{lint.RuleMessage, "a message with a verb that has no value", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].Message = "it is %!s(MISSING)" }},
	{lint.RuleTime, "a condition without a time", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].LastTransitionTime = metav1.Time{} }},
	{lint.RuleTime, "a condition from the future", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].LastTransitionTime = ago(-1) }},
	{lint.RuleTime, "an end before the start", func(o *lint.Objects) { o.Promotions[succeeded].Status.CompletionTime = ago(8) }},
	{lint.RuleTime, "an end in the future", func(o *lint.Objects) { o.Promotions[succeeded].Status.CompletionTime = ago(-8) }},
	{lint.RuleTime, "health before the start", func(o *lint.Objects) { o.Environments[0].Status.Current.SinceTime = ago(70) }},
	{lint.RuleGeneration, "a status that has not seen the newest", func(o *lint.Objects) {
		o.Promotions[runs].Generation = 4
	}},
	{lint.RuleGeneration, "a status that has seen more than there is", func(o *lint.Objects) { o.Environments[0].Status.ObservedGeneration = 4 }},
	{lint.RuleGeneration, "a condition that has seen more than there is", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].ObservedGeneration = 4 }},
	{lint.RuleGeneration, "a condition that has seen nothing", func(o *lint.Objects) { o.Releases[0].Status.Conditions[0].ObservedGeneration = 0 }},
	{lint.RuleState, "a Promotion without its state", func(o *lint.Objects) {
		s := &o.Promotions[succeeded].Status
		s.Conditions = s.Conditions[1:]
	}},
	{lint.RuleState, "a release that nobody has looked at", func(o *lint.Objects) { o.Releases[0].Status.Conditions = nil }},
	{lint.RuleState, "one that waits and has started", func(o *lint.Objects) {
		o.Environments[0].Status.Waiting, o.Promotions[waits].Status.StartTime = nil, ago(5)
	}},
	{lint.RuleState, "one that waits for nothing", func(o *lint.Objects) { o.Promotions[waits].Status.Blockers = nil }},
	{lint.RuleState, "a blocker that nobody clears", func(o *lint.Objects) { o.Promotions[waits].Status.Blockers[0].Clears = "" }},
	{lint.RuleState, "one that waits for approvals and is approved", func(o *lint.Objects) {
		o.Promotions[waits].Status.Conditions[1] = condition("Approved", metav1.ConditionTrue, "RulesMet", "every approval rule is met")
	}},
	{lint.RuleState, "one that waits without a plan, and does not say that it plans", func(o *lint.Objects) { o.Promotions[waits].Status.Plan.Digest = "" }},
	{lint.RuleState, "a rollout that has no start", func(o *lint.Objects) {
		o.Promotions[runs].Status.StartTime, o.Promotions[runs].Status.Progress = metav1.Time{}, v1alpha1.RolloutProgress{}
	}},
	{lint.RuleState, "a rollout that has ended", func(o *lint.Objects) { o.Promotions[runs].Status.CompletionTime = ago(5) }},
	{lint.RuleState, "a success without its end", func(o *lint.Objects) { o.Promotions[succeeded].Status.CompletionTime = metav1.Time{} }},
	{lint.RuleState, "a success without a start", func(o *lint.Objects) {
		o.Promotions[succeeded].Status.StartTime, o.Promotions[succeeded].Status.Progress = metav1.Time{}, v1alpha1.RolloutProgress{}
	}},
	{lint.RuleState, "an end with a diff", func(o *lint.Objects) { o.Promotions[succeeded].Status.Plan.Diff = "+ a" }},
	{lint.RuleState, "an end with blockers", func(o *lint.Objects) {
		o.Promotions[succeeded].Status.Blockers = o.Promotions[waits].Status.Blockers
	}},
	{lint.RuleState, "gates that were opened, and nobody is told", func(o *lint.Objects) {
		o.Promotions[succeeded].Status.Overridden = []v1alpha1.OverridableGate{"Window"}
	}},
	{lint.RuleState, "a success that went back", func(o *lint.Objects) { o.Promotions[succeeded].Status.Rollback.StartTime = ago(6) }},
	{lint.RuleState, "an Environment without a condition", func(o *lint.Objects) {
		s := &o.Environments[0].Status
		s.Conditions = append(s.Conditions[:1:1], s.Conditions[2])
	}},
	{lint.RuleApprovals, "a decision that nobody has given", func(o *lint.Objects) { o.Promotions[succeeded].Spec.Approvals = nil }},
	{lint.RuleApprovals, "a decision on another plan", func(o *lint.Objects) { o.Promotions[succeeded].Spec.Approvals[0].PlanDigest = other }},
	{lint.RuleApprovals, "a sum that is wrong", func(o *lint.Objects) { o.Promotions[succeeded].Status.Approvals.Summary = "1/2" }},
	{lint.RuleApprovals, "more than is needed", func(o *lint.Objects) {
		s := &o.Promotions[succeeded].Status.Approvals
		s.Granted, s.Summary = ptr.To[int32](2), "2/1"
	}},
	{lint.RuleApprovals, "a rule that is filled by somebody who does not count", func(o *lint.Objects) {
		o.Promotions[succeeded].Status.Approvals.Rules[0].ApprovedBy = []string{"mallory"}
	}},
	{lint.RuleApprovals, "a decision that counts and does not", func(o *lint.Objects) {
		o.Promotions[succeeded].Status.Approvals.Ignored = []v1alpha1.IgnoredApproval{{User: "alice", Reason: "too late"}}
	}},
	{lint.RuleApprovals, "a decision that is ignored and is not there", func(o *lint.Objects) {
		o.Promotions[succeeded].Status.Approvals.Ignored = []v1alpha1.IgnoredApproval{{User: "carol", Reason: "too late"}}
	}},
	{lint.RuleProgress, "more healthy than there is", func(o *lint.Objects) { o.Promotions[runs].Status.Progress.Healthy = ptr.To[int32](3) }},
	{lint.RuleProgress, "a wave after the last", func(o *lint.Objects) {
		o.Promotions[runs].Status.Progress.Wave, o.Promotions[runs].Status.Progress.Waves = 3, 2
	}},
	{lint.RuleProgress, "progress of what waits", func(o *lint.Objects) { o.Promotions[waits].Status.Progress.Total = ptr.To[int32](1) }},
	{lint.RuleEnvironment, "drift of nothing", func(o *lint.Objects) {
		o.Environments[0].Status.Conditions[2] = condition("InSync", metav1.ConditionFalse, "Drifted", "1 of 2 objects differs")
	}},
	{lint.RuleEnvironment, "something that has drifted, and is in sync", func(o *lint.Objects) {
		o.Environments[0].Status.Drifted = []v1alpha1.DriftedObject{{Message: "is gone"}}
	}},
	{lint.RuleEnvironment, "a history where nothing was deployed", func(o *lint.Objects) {
		o.Environments[0].Status.Conditions[2] = condition("InSync", metav1.ConditionUnknown, "NotDeployed", "nothing was rolled out here yet")
	}},
	{lint.RuleEnvironment, "a history without its hash", func(o *lint.Objects) { o.Environments[0].Status.Audit.Head = "" }},
	{lint.RuleEnvironment, "a release without objects", func(o *lint.Objects) { o.Environments[0].Status.Inventory = nil }},
	{lint.RuleEnvironment, "an object twice", func(o *lint.Objects) {
		o.Environments[0].Status.Inventory[1] = o.Environments[0].Status.Inventory[0]
	}},
	{lint.RuleEnvironment, "a release that has not succeeded", func(o *lint.Objects) { o.Environments[0].Status.Releases[0].Name = "shop-0" }},
	{lint.RuleEnvironment, "no stage", func(o *lint.Objects) { o.Environments[0].Status.Stage = "" }},
	{lint.RuleWaiting, "a Promotion that is gone", func(o *lint.Objects) { o.Environments[0].Status.Waiting[0].Promotion = "gone" }},
	{lint.RuleWaiting, "a Promotion that has ended", func(o *lint.Objects) { o.Environments[0].Status.Waiting[0].Promotion = "succeeded" }},
	{lint.RuleWaiting, "a Promotion that waits for another Environment", func(o *lint.Objects) { o.Promotions[waits].Spec.Environment = "staging" }},
	{lint.RuleWaiting, "a Promotion that waits for another gate", func(o *lint.Objects) { o.Environments[0].Status.Waiting[0].Blockers[0].Gate = v1alpha1.GateHold }},
	{lint.RuleWaiting, "more than are counted", func(o *lint.Objects) { o.Environments[0].Status.WaitingCount = nil }},
}

func TestObjectsThatAreAsTheyShouldBeHaveNoFindings(t *testing.T) {
	if found := good().Findings(now); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

func TestEachRuleFindsWhatIsBrokenAndNoOtherDoes(t *testing.T) {
	for _, each := range broken {
		t.Run(string(each.rule)+": "+each.what, func(t *testing.T) {
			objects := good()
			each.edit(&objects)
			found := objects.Findings(now)
			if len(found) == 0 {
				t.Fatal("nothing is found")
			}
			for _, finding := range found {
				if finding.Rule != each.rule {
					t.Errorf("found beside it: %s", finding)
				}
			}
		})
	}
}

// What Reconciling and Stalled say is what kstatus goes by: they are wrong together.
func TestReconcilingAndStalledAreWrongForPeopleAndForKstatus(t *testing.T) {
	stalled := condition("Stalled", metav1.ConditionTrue, "Failed", "not healthy in time")
	reconciling := condition("Reconciling", metav1.ConditionTrue, "RollingOut", "the rollout is running")
	for what, edit := range map[string]func(o *lint.Objects){
		"one that waits and is stalled": func(o *lint.Objects) {
			o.Promotions[waits].Status.Conditions = append(o.Promotions[waits].Status.Conditions, stalled)
		},
		"one that waits and reconciles": func(o *lint.Objects) {
			o.Promotions[waits].Status.Conditions = append(o.Promotions[waits].Status.Conditions, reconciling)
		},
		"a rollout that does not reconcile": func(o *lint.Objects) {
			o.Promotions[runs].Status.Conditions = o.Promotions[runs].Status.Conditions[:2]
		},
		"a success that reconciles": func(o *lint.Objects) {
			o.Promotions[succeeded].Status.Conditions = append(o.Promotions[succeeded].Status.Conditions, reconciling)
		},
		"a failure that is not stalled": func(o *lint.Objects) {
			o.Promotions[failed].Status.Conditions = o.Promotions[failed].Status.Conditions[:2]
		},
	} {
		objects := good()
		edit(&objects)
		rules := map[lint.Rule]bool{}
		for _, finding := range objects.Findings(now) {
			rules[finding.Rule] = true
		}
		if want := map[lint.Rule]bool{lint.RuleState: true, lint.RuleKstatus: true}; !reflect.DeepEqual(rules, want) {
			t.Errorf("%s: found by %v", what, rules)
		}
	}
}

func TestEveryRuleIsShownToFind(t *testing.T) {
	shown := map[string]bool{string(lint.RuleKstatus): true} // by the test before this one
	for _, each := range broken {
		shown[string(each.rule)] = true
	}
	for _, rule := range constants(t, "lint.go", "Rule") {
		if !shown[rule] {
			t.Errorf("nothing shows that rule %s finds something", rule)
		}
	}
}

// A reason that is added to the API is one that the linter has to know.
func TestEveryDocumentedReasonIsKnown(t *testing.T) {
	for _, reason := range constants(t, "../../api/v1alpha1/conditions.go", "Reason") {
		if !lint.Knows(reason) {
			t.Errorf("reason %q of api/v1alpha1/conditions.go is none that a condition can have here", reason)
		}
	}
}

// constants of a file whose names begin with a prefix.
func constants(t *testing.T, file, prefix string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, is := node.(*ast.ValueSpec)
		if is && strings.HasPrefix(spec.Names[0].Name, prefix) && len(spec.Values) == 1 {
			found = append(found, strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s has no constants that begin with %q", file, prefix)
	}
	return found
}
