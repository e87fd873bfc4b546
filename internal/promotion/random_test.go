// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/plan"
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
	made := planOf(inputs)
	made.PlannedTime = metav1.NewTime(monday)
	if r.oneIn(15) {
		return &Planned{Plan: made, Unable: r.text(), Remedy: r.text(), Gate: pick(r, "", "", v1alpha1.GateRelease)}
	}
	return &Planned{Plan: made}
}

// planner makes one plan of the inputs, or one problem, whenever it is asked.
func (r random) planner(seen Observation) func(v1alpha1.PlanInputs) *Planned {
	planned := r.planned(v1alpha1.PlanInputs{})
	var rules []v1alpha1.PlanRule
	if seen.Environment != nil {
		rules = r.planRules(seen.Environment)
	}
	return func(inputs v1alpha1.PlanInputs) *Planned {
		if planned.Plan.Digest == "" {
			return planned
		}
		made := planOf(inputs)
		made.PlannedTime, made.Rules = metav1.NewTime(monday), rules
		return &Planned{Plan: made, Unable: planned.Unable, Remedy: planned.Remedy, Gate: planned.Gate}
	}
}

func planOf(inputs v1alpha1.PlanInputs) v1alpha1.Plan {
	return v1alpha1.Plan{Digest: digestOf(plan.Decisive(inputs)), RenderedDigest: digestOf("rendered"), Objects: ptr.To[int32](3), Inputs: inputs, Diff: "+ image"}
}

// observation of a promotion; its parts fit together more often than not.
func (r random) observation() Observation {
	w := newWorld(nil)
	seen := Observation{
		Now: monday.Add(time.Duration(r.IntN(pick(r, 1200, 200000))) * time.Second), Live: r.oneIn(2), Promotion: w.promotion, Release: w.release, Environment: w.environment,
		EnvironmentDigest: digestOf("rules"), Guard: w.guard,
	}
	r.surroundings(&seen, w)
	r.policy(&seen.Environment.Spec.Approval)
	inputs := inputsOf(seen)
	current := planOf(inputs)
	status := &seen.Promotion.Status
	if r.oneIn(2) {
		status.Plan = current
		status.Plan.PlannedTime = metav1.NewTime(monday)
	}
	for range r.IntN(5) {
		r.ballot(&seen, current.Digest)
	}
	r.request(&seen.Promotion.Spec)
	r.gates(&seen)
	r.override(&seen, current.Digest)
	r.checks(&seen, current.Digest)
	status.Plan.Rules = r.planRules(seen.Environment)
	if r.oneIn(3) {
		status.StartTime = metav1.NewTime(monday)
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRollingOut, Message: "runs"})
		seen.Rollout = r.rollout()
		r.after(&seen)
	} else if r.oneIn(20) {
		seen.Rollout = &Rollout{Outcome: r.outcome()}
	}
	if r.oneIn(2) && !status.StartTime.IsZero() {
		r.overridden(seen.Promotion)
	}
	if r.oneIn(12) {
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
		w.environment.Status.Audit.Head, w.environment.Status.DriftDigest = digestOf("head"), digestOf("drift")
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
		rule := v1alpha1.ApprovalRule{Name: fmt.Sprintf("rule-%d", i), Required: ptr.To(int32(r.IntN(3))), Groups: r.groups()}
		if r.oneIn(4) {
			rule.When = "evaluated when the plan is made"
		}
		policy.Rules = append(policy.Rules, rule)
	}
	policy.Comment = pick(r, "", "", v1alpha1.CommentNever, v1alpha1.CommentOnRejection, v1alpha1.CommentAlways)
	if r.oneIn(3) {
		policy.RequestTTLSeconds = int32(60 + r.IntN(200000))
	}
	if r.oneIn(3) {
		policy.ValidSeconds = int32(60 + r.IntN(200000))
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

func (r random) ballot(seen *Observation, current v1alpha1.Digest) {
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
	entry := v1alpha1.Approval{User: user, Decision: decision, PlanDigest: pick(r, current, current, current, digestOf("old"), ""), Comment: pick(r, "", r.bounded()), Groups: r.groups()}
	seen.Promotion.Spec.Approvals = append(seen.Promotion.Spec.Approvals, entry)
	if seen.Authority == nil {
		seen.Authority = map[string]approval.Authority{}
	}
	if r.oneIn(2) {
		seen.Promotion.Status.Approvals.Counted = append(seen.Promotion.Status.Approvals.Counted, v1alpha1.CountedApproval{
			User: user, PlanDigest: current, Time: metav1.NewTime(monday.Add(time.Duration(r.IntN(600)) * time.Second)),
		})
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
		spec.RequestedBy = v1alpha1.Person{}
	}
}

func (r random) outcome() *v1alpha1.AuditRecord {
	return &v1alpha1.AuditRecord{Spec: v1alpha1.AuditRecordSpec{Reason: r.bounded(), Type: pick(r,
		v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditRolledBack, v1alpha1.AuditCancelled, v1alpha1.AuditRejected, v1alpha1.AuditSuperseded)}}
}

// after the start, some checks verify, and some rollouts have failed and go back.
func (r random) after(seen *Observation) {
	if seen.Environment != nil {
		for i := range seen.Environment.Spec.Checks {
			seen.Environment.Spec.Checks[i].Phase = pick(r, v1alpha1.CheckBefore, v1alpha1.CheckAfter)
		}
	}
	if seen.Rollout == nil || seen.Rollout.Intent == nil {
		return
	}
	status := &seen.Promotion.Status
	if r.oneIn(3) && seen.Environment != nil {
		seen.Rollout.Applied, seen.Rollout.Healthy, seen.Rollout.Prunes, seen.Rollout.Hopeless, seen.Rollout.Failure = true, true, false, false, ""
		seen.Environment.Spec.Checks = append(seen.Environment.Spec.Checks, v1alpha1.Check{Name: "smoke", Phase: v1alpha1.CheckAfter, TimeoutSeconds: 60})
	}
	if r.oneIn(4) {
		status.Progress = v1alpha1.RolloutProgress{
			Applied: ptr.To[int32](3), Healthy: ptr.To[int32](3), Total: ptr.To[int32](3), VerifyingSinceTime: metav1.NewTime(monday.Add(time.Minute)),
		}
	}
	if seen.Rollout.Intent.Spec.Fallback.Release.Name != "" && r.oneIn(3) {
		status.Rollback = v1alpha1.RollbackStatus{Reason: r.bounded(), Release: "shop-1.3.0", StartTime: metav1.NewTime(monday.Add(time.Minute))}
	}
}

func (r random) rollout() *Rollout {
	if r.oneIn(10) {
		return nil
	}
	rollout := &Rollout{Wave: r.IntN(2), Waves: 2, Applied: r.oneIn(2), Healthy: r.oneIn(2), Hopeless: r.oneIn(6), Prunes: r.oneIn(3)}
	if !r.oneIn(3) {
		rollout.Intent = &v1alpha1.AuditRecord{Spec: v1alpha1.AuditRecordSpec{Type: v1alpha1.AuditIntent}}
		if r.oneIn(2) {
			rollout.Intent.Spec.Fallback.Release = v1alpha1.ObjectIdentity{Name: "shop-1.3.0", UID: "earlier"}
		}
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
