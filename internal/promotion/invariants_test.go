// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// random makes observations of all kinds, many of them odd.
type random struct{ *rand.Rand }

// oneIn says yes once in n times.
func (r random) oneIn(n int) bool { return r.IntN(n) == 0 }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

// text that others wrote: short, long, in Unicode, or broken.
func (r random) text() string {
	return pick(r, "because", strings.Repeat("long ", 800), strings.Repeat("ü", 1999), strings.Repeat("🎉", 900), "\xff\xfe broken", strings.Repeat("\u200b", 2048), "line\nbreak")
}

// bounded text, as the API server lets it in.
func (r random) bounded() string {
	return pick(r, "because", strings.Repeat("🎉", 1024), "\u2028", "<&>")
}

func (r random) user() string {
	return pick(r, "alice", "bob", "carol", "dave", "system:serviceaccount:ci:robot", strings.Repeat("\U000e0001", 253))
}

func (r random) groups() []string {
	return pick(r, nil, []string{"owners"}, []string{"security"}, []string{"owners", "security"})
}

// plan that would come out of these inputs.
func (r random) planned(inputs v1alpha1.PlanInputs) *Planned {
	switch {
	case r.oneIn(20):
		return &Planned{Refused: r.text()}
	case r.oneIn(15):
		return &Planned{Unable: r.text(), Remedy: pick(r, "", r.text())}
	case r.oneIn(40):
		return &Planned{}
	}
	plan := planOf(inputs)
	plan.PlannedTime = metav1.NewTime(monday)
	if r.oneIn(15) {
		return &Planned{Plan: plan, Unable: r.text(), Remedy: r.text()}
	}
	return &Planned{Plan: plan}
}

func planOf(inputs v1alpha1.PlanInputs) v1alpha1.Plan {
	decisive := inputs
	decisive.Deployed = ""
	return v1alpha1.Plan{Digest: digestOf(decisive), RenderedDigest: digestOf("rendered"), Objects: ptr.To[int32](3), Inputs: inputs, Diff: "+ image"}
}

// observation of a promotion; its parts fit together more often than not.
func (r random) observation() Observation {
	w := newWorld(nil)
	seen := Observation{
		Now: monday.Add(time.Duration(r.IntN(1200)) * time.Second), Live: r.oneIn(2), Promotion: w.promotion, Release: w.release, Environment: w.environment,
		EnvironmentDigest: digestOf("rules"), Guard: w.guard,
	}
	r.surroundings(&seen, w)
	r.policy(&seen.Environment.Spec.Approval)
	inputs := inputsOf(seen)
	plan := planOf(inputs)
	status := &seen.Promotion.Status
	if r.oneIn(2) {
		status.Plan = plan
		status.Plan.PlannedTime = metav1.NewTime(monday)
	}
	for range r.IntN(5) {
		r.ballot(&seen, plan.Digest)
	}
	r.request(&seen.Promotion.Spec)
	if r.oneIn(3) {
		status.StartTime = metav1.NewTime(monday)
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRollingOut, Message: "runs"})
		seen.Rollout = r.rollout()
	} else if r.oneIn(20) {
		seen.Rollout = &Rollout{Outcome: r.outcome()}
	}
	if r.oneIn(20) {
		status.CompletionTime = metav1.NewTime(monday)
	}
	if r.oneIn(25) {
		seen.Promotion.DeletionTimestamp = ptr.To(metav1.NewTime(monday))
	}
	if r.oneIn(15) {
		seen.Release = nil
	}
	if r.oneIn(15) {
		seen.Environment = nil
	}
	return seen
}

// surroundings of the promotion: what may change without it.
func (r random) surroundings(seen *Observation, w *world) {
	if r.oneIn(10) {
		w.releaseIs(pick(r, metav1.ConditionFalse, metav1.ConditionUnknown), v1alpha1.ReasonFetchFailed, r.text())
	}
	if r.oneIn(20) {
		w.release.Status.Digest = ""
	}
	if r.oneIn(20) {
		w.release.Status.Conditions = nil
	}
	if r.oneIn(20) {
		w.release.Spec.Application = "billing"
	}
	if r.oneIn(10) {
		seen.Guard = Guard{Problems: []string{r.text(), r.text()}}
	}
	if r.oneIn(10) {
		seen.Running = "another"
	}
	if r.oneIn(15) {
		seen.Newer = strings.Repeat("n", 253)
	}
	if r.oneIn(3) {
		w.environment.Status.Audit.Head = digestOf("head")
	}
	if r.oneIn(10) {
		w.environment.Spec.Rollout.TimeoutSeconds = 0
	}
}

func (r random) policy(policy *v1alpha1.ApprovalPolicy) {
	if r.oneIn(4) {
		policy.SelfApproval = v1alpha1.SelfApprovalAllowed
	}
	if r.oneIn(4) {
		policy.ServiceAccounts = v1alpha1.ServiceAccountApprovalAllowed
	}
	if r.oneIn(4) {
		policy.OneRulePerPerson = v1alpha1.OneRulePerPersonNotRequired
	}
	for i := range r.IntN(4) {
		policy.Rules = append(policy.Rules, v1alpha1.ApprovalRule{Name: fmt.Sprintf("rule-%d", i), Required: ptr.To(int32(r.IntN(3))), Groups: r.groups()})
	}
	if r.oneIn(50) {
		policy.Rules = nil
		for i := range 16 {
			rule := v1alpha1.ApprovalRule{Name: strings.Repeat("r", 60) + fmt.Sprint(i), Required: ptr.To[int32](16)}
			for range 64 {
				rule.Users = append(rule.Users, strings.Repeat("ü", 253))
			}
			policy.Rules = append(policy.Rules, rule)
		}
	}
}

func (r random) ballot(seen *Observation, plan v1alpha1.Digest) {
	user := r.user()
	for _, entry := range seen.Promotion.Spec.Approvals {
		if entry.User == user {
			return
		}
	}
	decision := v1alpha1.DecisionApproved
	if r.oneIn(15) {
		decision = v1alpha1.DecisionRejected
	}
	entry := v1alpha1.Approval{User: user, Decision: decision, PlanDigest: pick(r, plan, plan, plan, digestOf("old"), ""), Comment: pick(r, "", r.bounded()), Groups: r.groups()}
	seen.Promotion.Spec.Approvals = append(seen.Promotion.Spec.Approvals, entry)
	if seen.Authority == nil {
		seen.Authority = map[string]approval.Authority{}
	}
	seen.Authority[user] = pick(r, approval.AuthorityHeld, approval.AuthorityHeld, approval.AuthorityHeld, approval.AuthorityLost)
}

func (r random) request(spec *v1alpha1.PromotionSpec) {
	if r.oneIn(15) {
		spec.Cancel.Reason = r.bounded()
	}
	if r.oneIn(25) {
		spec.Type = v1alpha1.PromotionTypeRollback
	}
	if r.oneIn(25) {
		spec.Override = v1alpha1.PromotionOverride{Gates: []v1alpha1.OverridableGate{"Approval"}, Reason: "now"}
	}
	if r.oneIn(25) {
		spec.RequestedBy = v1alpha1.Person{}
	}
}

func (r random) outcome() *v1alpha1.AuditRecord {
	return &v1alpha1.AuditRecord{Spec: v1alpha1.AuditRecordSpec{Reason: r.bounded(), Type: pick(r,
		v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditCancelled, v1alpha1.AuditRejected, v1alpha1.AuditSuperseded)}}
}

func (r random) rollout() *Rollout {
	if r.oneIn(10) {
		return nil
	}
	rollout := &Rollout{Applied: r.oneIn(2), Healthy: r.oneIn(2), Hopeless: r.oneIn(6), Prunes: r.oneIn(3)}
	if !r.oneIn(3) {
		rollout.Intent = &v1alpha1.AuditRecord{Spec: v1alpha1.AuditRecordSpec{Type: v1alpha1.AuditIntent}}
	}
	if r.oneIn(8) {
		rollout.Outcome = r.outcome()
	}
	if r.oneIn(8) {
		rollout.Failure = r.text()
	}
	if r.oneIn(2) {
		rollout.Progress = v1alpha1.RolloutProgress{Applied: ptr.To[int32](1), Healthy: ptr.To[int32](0), Total: ptr.To[int32](3)}
		for range r.IntN(4) {
			rollout.Progress.Failing = append(rollout.Progress.Failing, v1alpha1.FailingObject{
				ObjectReference: v1alpha1.ObjectReference{Kind: "Deployment", Name: "shop"}, Message: strings.ToValidUTF8(r.text(), "?"),
			})
		}
	}
	return rollout
}

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
	const cases = 5000
	seen := map[string]int{}
	for seed := range uint64(cases) {
		r := random{rand.New(rand.NewPCG(seed, 4711))}
		first := r.observation()
		plan := r.planned(v1alpha1.PlanInputs{})
		planned := func(inputs v1alpha1.PlanInputs) *Planned {
			if plan.Plan.Digest != "" {
				made := planOf(inputs)
				made.PlannedTime = metav1.NewTime(first.Now)
				return &Planned{Plan: made, Unable: plan.Unable, Remedy: plan.Remedy}
			}
			return plan
		}
		last, next := settled(t, first, planned, func(observed Observation, next Decision) { checkDecision(t, observed, next) })
		seen[reflect.TypeOf(next).Name()]++
		checkStatus(t, last, next, planned)
		if t.Failed() {
			t.Fatalf("seed %d, decided %T", seed, next)
		}
	}
	for _, kind := range []Decision{Rest{}, Wait{}, Start{}, Apply{}, Watch{}, Prune{}, Finish{}, Conclude{}, End{}} {
		if name := reflect.TypeOf(kind).Name(); seen[name] < cases/200 {
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
	_, rests := next.(Rest)
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
		checkStart(t, seen)
	case End:
		if !seen.Live || !seen.Promotion.Status.StartTime.IsZero() {
			t.Error("it was ended by what caches say, or after its start")
		}
	case Apply, Prune:
		if !intent || seen.Promotion.Spec.Cancel.Reason != "" || !seen.Promotion.DeletionTimestamp.IsZero() || seen.Rollout.Failure != "" {
			t.Errorf("decided %T", next)
		}
		if _, prunes := next.(Prune); prunes != (seen.Rollout.Applied && seen.Rollout.Healthy) {
			t.Errorf("applied: %v, healthy: %v, decided %T", seen.Rollout.Applied, seen.Rollout.Healthy, next)
		}
	case Watch:
		if seen.Promotion.Status.StartTime.IsZero() || next.Deadline <= 0 || (!intent && seen.Running == "") {
			t.Errorf("decided to watch for %s", next.Deadline)
		}
	case Finish:
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
	case Rest, MakePlan, Prove, Conclude, Acknowledge:
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
func checkStart(t *testing.T, seen Observation) {
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
	must("the release is not ready", meta.IsStatusConditionTrue(seen.Release.Status.Conditions, v1alpha1.ConditionReady) && seen.Release.Status.Digest != "")
	must("the release is of another application", seen.Release.Spec.Application == seen.Environment.Spec.Application)
	must("another rollout runs", seen.Running == "")
	must("a newer one has started", seen.Newer == "")
	must("it is cancelled or deleted", spec.Cancel.Reason == "" && seen.Promotion.DeletionTimestamp.IsZero())
	must("it has ended", seen.Promotion.Status.CompletionTime.IsZero())
	must("an intent or an outcome is on record", seen.Rollout == nil || (seen.Rollout.Intent == nil && seen.Rollout.Outcome == nil))
	must("nobody knows who asked for it", spec.RequestedBy.Username != "")
	must("no plan was made just now", seen.Planned != nil && seen.Planned.Plan.Digest != "" && seen.Planned.Refused == "" && seen.Planned.Unable == "")
	question := approval.Question{Plan: "any", Policy: v1alpha1.ApprovalPolicy{
		Rules: seen.Environment.Spec.Approval.Rules, OneRulePerPerson: seen.Environment.Spec.Approval.OneRulePerPerson,
		SelfApproval: v1alpha1.SelfApprovalAllowed, ServiceAccounts: v1alpha1.ServiceAccountApprovalAllowed,
	}}
	for _, entry := range spec.Approvals {
		held := seen.Authority[entry.User] == approval.AuthorityHeld
		must("somebody who may has rejected it", entry.Decision != v1alpha1.DecisionRejected || !held)
		self := entry.User == spec.RequestedBy.Username && seen.Environment.Spec.Approval.SelfApproval != v1alpha1.SelfApprovalAllowed
		robot := strings.HasPrefix(entry.User, "system:serviceaccount:") && seen.Environment.Spec.Approval.ServiceAccounts != v1alpha1.ServiceAccountApprovalAllowed
		if held && entry.PlanDigest == seen.Planned.Plan.Digest && !self && !robot {
			entry.PlanDigest = "any"
			question.Ballots = append(question.Ballots, approval.Ballot{Approval: entry, Authority: approval.AuthorityHeld})
		}
	}
	must("the approvals that count do not meet every rule", approval.Count(question).Met())
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
	case Rest, MakePlan, Prove, Wait, Start, Apply, Watch, Prune, Acknowledge:
	}
	if ends == status.CompletionTime.IsZero() {
		t.Errorf("after %T, the completion time is %v", next, status.CompletionTime)
	}
	if _, starts := next.(Start); starts == status.StartTime.IsZero() && before.Status.StartTime.IsZero() {
		t.Errorf("after %T, the start time is %v", next, status.StartTime)
	}
	if len(status.Conditions) > 1 { // a watch for its turn says nothing yet
		checkBounds(t, withState(status))
	}
	seen.Promotion = seen.Promotion.DeepCopy()
	seen.Promotion.Status = *status.DeepCopy()
	seen.Now = seen.Now.Add(time.Millisecond)
	again, following := settled(t, seen, planned, func(Observation, Decision) {})
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
