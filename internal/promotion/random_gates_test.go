// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// moment around the time at which the observations are made.
func (r random) moment() metav1.Time {
	return metav1.NewTime(monday.Add(time.Duration(r.IntN(300000)-50000) * time.Second))
}

// gates that an observation meets, each in some state.
func (r random) gates(seen *Observation) {
	spec := &seen.Environment.Spec
	if r.oneIn(8) {
		spec.Hold.Reason = r.bounded()
	}
	if r.oneIn(10) {
		seen.Environment.Annotations = map[string]string{v1alpha1.AnnotationHold: r.bounded()}
	}
	if r.oneIn(10) {
		seen.ProjectHold = r.bounded()
	}
	if r.oneIn(10) {
		seen.Release.Spec.Blocked.Reason = r.bounded()
		meta.SetStatusCondition(&seen.Release.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: pick(r, v1alpha1.ReasonBlockedRelease, v1alpha1.ReasonFetchFailed), Message: "blocked",
		})
	}
	if r.oneIn(5) {
		seen.Promotion.Spec.NotBeforeTime = r.moment()
	}
	if r.oneIn(3) {
		spec.Windows = r.windows()
	}
	seen.Project = map[string]*v1alpha1.Environment{seen.Environment.Name: seen.Environment}
	if r.oneIn(2) {
		r.upstream(seen)
	}
	if r.oneIn(3) {
		seen.Environment.Status.Releases = []v1alpha1.SucceededRelease{{Name: "shop-1.4.0", UID: "release-uid", Version: "1.4.0", SucceededTime: r.moment()}}
	}
	if r.oneIn(3) {
		spec.Rollback.Approval = v1alpha1.RollbackApprovalNotRequired
	}
}

func (r random) windows() v1alpha1.WindowPolicy {
	var policy v1alpha1.WindowPolicy
	if r.oneIn(2) {
		policy.Allow = append(policy.Allow, v1alpha1.Window{
			Schedule: pick(r, "0 9 * * 1-4", "*/20 * * * *", "0 0 1 1 *", "30 2 * * *"), DurationSeconds: int32(60 + r.IntN(20000)), TimeZone: pick(r, "", "Europe/Zurich", "Asia/Kolkata"),
		})
	}
	for range r.IntN(3) {
		start := r.moment()
		policy.Freeze = append(policy.Freeze, v1alpha1.Window{StartTime: start, EndTime: metav1.NewTime(start.Add(time.Duration(60+r.IntN(100000)) * time.Second)), Reason: "quarter end"})
	}
	if r.oneIn(15) {
		policy.Freeze = append(policy.Freeze, v1alpha1.Window{Schedule: pick(r, "never", "0 9 * * *"), DurationSeconds: 60, TimeZone: pick(r, "Europe/Zuerich", "UTC")})
	}
	if r.oneIn(15) {
		policy.Freeze = append(policy.Freeze, v1alpha1.Window{Schedule: "0 0 * * *", DurationSeconds: 90000})
	}
	return policy
}

// upstream are Environments that come before.
func (r random) upstream(seen *Observation) {
	spec := &seen.Environment.Spec
	spec.SoakSeconds = int32(pick(r, 0, 60, 3600, 100000))
	for i := range 1 + r.IntN(3) {
		name := fmt.Sprintf("before-%d", i)
		spec.After = append(spec.After, name)
		if r.oneIn(20) {
			continue // there is none
		}
		before := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.EnvironmentSpec{Application: "shop"}}
		if r.oneIn(20) {
			before.Spec.Application = "billing"
		}
		if r.oneIn(20) {
			before.Spec.After = []string{pick(r, "production", "before-0", "before-1")}
		}
		seen.Project[name] = before
		known := v1alpha1.SucceededRelease{Name: "shop-1.4.0", UID: pick(r, "release-uid", "release-uid", "release-uid", "release-uid", "another-uid"), Version: "1.4.0", SucceededTime: r.moment()}
		if !r.oneIn(3) {
			known.HealthySeconds = ptr.To(int64(r.IntN(pick(r, 100, 5000, 200000))))
		}
		if !r.oneIn(4) {
			known.HealthySinceTime = r.moment()
		}
		if r.oneIn(10) {
			continue // nothing has succeeded there
		}
		before.Status.Releases = []v1alpha1.SucceededRelease{{Name: "shop-1.3.9", UID: "older-uid", Version: "1.3.9"}, known}
		before.Status.Current.Release = pick(r, "shop-1.4.0", "shop-1.4.0", "shop-1.3.9")
		if !r.oneIn(15) {
			healthy := pick(r, metav1.ConditionTrue, metav1.ConditionTrue, metav1.ConditionTrue, metav1.ConditionTrue, metav1.ConditionFalse)
			isHealthy(before, healthy, v1alpha1.ReasonRolledOut, r.bounded())
		}
	}
}

var overridable = []v1alpha1.OverridableGate{"Release", "Upstream", "Soak", "Approval", "Window", "Hold", "Schedule", "Check"}

func (r random) override(seen *Observation, plan v1alpha1.Digest) {
	if r.oneIn(20) {
		for i := range 15 + r.IntN(2) {
			seen.Environment.Status.Overrides = append(seen.Environment.Status.Overrides, v1alpha1.UsedOverride{Promotion: fmt.Sprintf("p%d", i)})
		}
	}
	if !r.oneIn(3) {
		return
	}
	override := &seen.Promotion.Spec.Override
	for _, gate := range overridable {
		if r.oneIn(2) {
			override.Gates = append(override.Gates, gate)
		}
	}
	override.Reason = pick(r, r.bounded(), r.bounded(), r.bounded(), " ")
	override.PlanDigest = pick(r, plan, plan, plan, "", digestOf("old"))
	override.UsedBy.Username = pick(r, "oscar", "oscar", "oscar", "oscar", "bob", "")
	seen.OverrideAuthority = pick(r, "", approval.AuthorityHeld, approval.AuthorityHeld, approval.AuthorityHeld, approval.AuthorityLost)
	if r.oneIn(3) {
		seen.Promotion.Spec.Acknowledgement.Username = pick(r, "alice", override.UsedBy.Username)
	}
}

// overridden is a promotion after a start through gates that an override has opened.
func (r random) overridden(p *v1alpha1.Promotion) {
	status := &p.Status
	if p.Spec.Override.UsedBy.Username == "" {
		p.Spec.Override.UsedBy.Username = "oscar"
	}
	p.Spec.Acknowledgement.Username = pick(r, "", "alice", "alice", p.Spec.Override.UsedBy.Username)
	for _, gate := range overridable {
		if r.oneIn(2) {
			status.Overridden = append(status.Overridden, gate)
		}
	}
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionOverridden, Message: "opened", LastTransitionTime: metav1.NewTime(monday),
		Status: pick(r, metav1.ConditionTrue, metav1.ConditionTrue, metav1.ConditionTrue, metav1.ConditionFalse), Reason: v1alpha1.ReasonUnacknowledged,
	})
	if condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionOverridden); condition.Status == metav1.ConditionFalse {
		condition.Reason = v1alpha1.ReasonAcknowledged
	}
}

func (r random) checks(seen *Observation, plan v1alpha1.Digest) {
	seen.Checks = map[string]CheckProgress{}
	if r.oneIn(4) {
		seen.Promotion.Annotations = map[string]string{v1alpha1.AnnotationRerunChecks: "again"}
	}
	for i := range max(0, r.IntN(6)-3) {
		check := v1alpha1.Check{Name: fmt.Sprintf("check-%d", i), ValidSeconds: int32(30 + r.IntN(5000))}
		seen.Environment.Spec.Checks = append(seen.Environment.Spec.Checks, check)
		answer := v1alpha1.CheckStatus{
			Name: check.Name, Result: pick(r, v1alpha1.CheckPassed, v1alpha1.CheckPassed, v1alpha1.CheckFailed), Message: r.bounded(),
			Time:       metav1.NewTime(seen.Now.Add(-time.Duration(r.IntN(5000)) * time.Second)),
			PlanDigest: pick(r, plan, plan, plan, digestOf("old")), Rerun: pick(r, Rerun(seen.Promotion), Rerun(seen.Promotion), Rerun(seen.Promotion), ""),
		}
		if r.oneIn(2) {
			seen.Promotion.Status.Checks = append(seen.Promotion.Status.Checks, answer)
		}
		answer.Time = metav1.NewTime(answer.Time.Add(time.Duration(r.IntN(5000)-4000) * time.Second))
		answer.Result = pick(r, v1alpha1.CheckPassed, v1alpha1.CheckFailed)
		switch r.IntN(4) {
		case 0:
			seen.Checks[check.Name] = CheckProgress{Running: true, Plan: answer.PlanDigest, Rerun: answer.Rerun}
		case 1:
			seen.Checks[check.Name] = CheckProgress{Plan: answer.PlanDigest, Rerun: answer.Rerun, Found: &answer}
		}
	}
}

// planRules are what came of the rules with a condition.
func (r random) planRules(environment *v1alpha1.Environment) []v1alpha1.PlanRule {
	var found []v1alpha1.PlanRule
	for _, rule := range environment.Spec.Approval.Rules {
		if rule.When != "" && !r.oneIn(20) {
			evaluated := v1alpha1.PlanRule{Name: rule.Name, Applicability: pick(r, v1alpha1.RuleApplies, v1alpha1.RuleApplies, v1alpha1.RuleDoesNotApply, v1alpha1.RuleDoesNotApply)}
			if r.oneIn(5) {
				evaluated.Applicability, evaluated.Message = v1alpha1.RuleUnknown, r.bounded()
			}
			found = append(found, evaluated)
		}
	}
	return slices.Clip(found)
}
