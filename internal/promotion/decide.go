// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/plan"
)

// Decide what happens next.
func Decide(seen Observation) Decision {
	switch {
	case Ended(seen.Promotion) && acknowledged(seen.Promotion):
		return Acknowledge{}
	case Ended(seen.Promotion):
		return Rest{}
	case seen.Rollout != nil && seen.Rollout.Outcome != nil:
		return Conclude{Outcome: seen.Rollout.Outcome}
	case !seen.Promotion.Status.StartTime.IsZero():
		return decideRollout(seen)
	default:
		return decideStart(seen)
	}
}

// Ended says whether a promotion has ended.
func Ended(p *v1alpha1.Promotion) bool { return !p.Status.CompletionTime.IsZero() }

// Started says whether a promotion's rollout has started and not ended.
func Started(p *v1alpha1.Promotion) bool { return !p.Status.StartTime.IsZero() && !Ended(p) }

// State of a promotion: the reason of its Succeeded condition.
func State(p *v1alpha1.Promotion) string {
	if condition := conditionOf(p, v1alpha1.ConditionSucceeded); condition != nil {
		return condition.Reason
	}
	return v1alpha1.ReasonPlanning
}

func conditionOf(p *v1alpha1.Promotion, kind string) *metav1.Condition {
	return meta.FindStatusCondition(p.Status.Conditions, kind)
}

// decideStart decides on a promotion whose rollout has not started.
func decideStart(seen Observation) Decision {
	if end := endOf(seen); end != nil {
		return proved(seen, *end)
	}
	approvals := countApprovals(seen)
	if len(approvals.Rejections) > 0 {
		return proved(seen, rejected(approvals))
	}
	if len(approvals.Unexplained) > 0 && !seen.Live {
		return Prove{} // whoever rejected it may have lost the right, and then it is not in the way
	}
	if plannable(seen) {
		inputs := inputsOf(seen)
		if seen.Planned == nil && (seen.Live || !planStands(seen, inputs)) {
			return MakePlan{Inputs: inputs}
		}
		if seen.Planned != nil && seen.Planned.Refused != "" {
			return proved(seen, End{Reason: v1alpha1.ReasonInvalid, Message: clip(seen.Planned.Refused)})
		}
	}
	found := judge(seen, approvals)
	if end := expired(seen, approvals, found); end != nil {
		return proved(seen, *end)
	}
	switch {
	case len(found.blockers) > 0:
		return Wait{Blockers: found.blockers, Approvals: approvals, Again: nextLook(seen, approvals, found), Run: found.run}
	case !seen.Live:
		return Prove{Inputs: inputsOf(seen)}
	default:
		return Start{Approvals: approvals, Overridden: found.overridden}
	}
}

// proved lets a promotion end only by what was read live: an end is as final as a start, and it may be on record already.
func proved(seen Observation, end End) Decision {
	if !seen.Live {
		return Prove{}
	}
	return end
}

// endOf is how a promotion that has not started ends without anybody's approval being looked at; nil if it does not.
func endOf(seen Observation) *End {
	p := seen.Promotion
	switch {
	case !p.DeletionTimestamp.IsZero():
		return &End{Reason: v1alpha1.ReasonCancelled, Type: v1alpha1.AuditCancelled, Message: "deleted before its start; nothing was applied"}
	case p.Spec.Cancel.Reason != "":
		return &End{Reason: v1alpha1.ReasonCancelled, Type: v1alpha1.AuditCancelled,
			Message: "cancelled before its start: " + p.Spec.Cancel.Reason + "; nothing was applied"}
	case seen.Newer != "":
		return &End{Reason: v1alpha1.ReasonSuperseded, Type: v1alpha1.AuditSuperseded,
			Message: fmt.Sprintf("the newer promotion %q to environment %q has started; nothing was applied", seen.Newer, p.Spec.Environment)}
	}
	if message := invalid(seen); message != "" {
		return &End{Reason: v1alpha1.ReasonInvalid, Message: clip(message)}
	}
	return nil
}

// invalid says why a promotion can never be carried out as it is; empty if it can.
func invalid(seen Observation) string {
	spec := seen.Promotion.Spec
	switch {
	case spec.RequestedBy.Username == "":
		return "`spec.requestedBy` is empty, so nobody can tell whose approval is the requester's own: the guard was not in place when it was created; create a new promotion"
	case unusable(seen.Release) != "":
		return fmt.Sprintf("release %q can never be rolled out, and does not change: %s; create a release that works, and a promotion that names it",
			spec.Release, unusable(seen.Release))
	case seen.Release != nil && seen.Environment != nil && seen.Release.Spec.Application != seen.Environment.Spec.Application:
		return fmt.Sprintf("`spec.release`: release %q is of application %q, and environment %q runs %q: name a release of application %q",
			spec.Release, seen.Release.Spec.Application, spec.Environment, seen.Environment.Spec.Application, seen.Environment.Spec.Application)
	}
	return unprecedented(seen)
}

// unusable says why a release can never become ready; empty if it can, or is.
func unusable(release *v1alpha1.Release) string {
	if release == nil {
		return ""
	}
	ready := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || (ready.Reason != v1alpha1.ReasonInvalidSource && ready.Reason != v1alpha1.ReasonDigestMismatch) {
		return ""
	}
	return ready.Message
}

func rejected(approvals approval.Result) End {
	rejection := approvals.Rejections[0]
	message := fmt.Sprintf("rejected by %q", rejection.User)
	if rejection.Comment != "" {
		message += ": " + rejection.Comment
	}
	return End{Reason: v1alpha1.ReasonRejected, Type: v1alpha1.AuditRejected, Message: clip(message + "; nothing was applied"), Approvals: approvals}
}

// planStands says whether the plan in status is still the one to approve: it was made from the same inputs, the deployer could carry it out, and it
// says of every rule whether it applies.
func planStands(seen Observation, inputs v1alpha1.PlanInputs) bool {
	status := seen.Promotion.Status
	unable := slices.ContainsFunc(status.Blockers, func(b v1alpha1.Blocker) bool { return b.Gate == v1alpha1.GateTarget })
	unasked := slices.ContainsFunc(seen.Environment.Spec.Approval.Rules, func(rule v1alpha1.ApprovalRule) bool {
		return rule.When != "" && !slices.ContainsFunc(status.Plan.Rules, func(asked v1alpha1.PlanRule) bool { return asked.Name == rule.Name })
	})
	return status.Plan.Inputs == inputs && !unable && !unasked
}

// inputsOf is the fingerprint of what a plan would be made from now.
func inputsOf(seen Observation) v1alpha1.PlanInputs {
	return v1alpha1.PlanInputs{
		Release:           identity(seen.Release),
		ReleaseDigest:     seen.Release.Status.Digest,
		Environment:       identity(seen.Environment),
		EnvironmentDigest: seen.EnvironmentDigest,
		GuardDigest:       seen.Guard.Digest,
		ValuesDigest:      seen.ValuesDigest,
		ClusterDigest:     seen.ClusterDigest,
		Deployed:          seen.Environment.Status.Audit.Head,
		DriftDigest:       seen.Environment.Status.DriftDigest,
	}
}

func identity(object metav1.Object) v1alpha1.ObjectIdentity {
	return v1alpha1.ObjectIdentity{Name: object.GetName(), UID: string(object.GetUID())}
}

// currentPlan is the plan that approvals have to name; zero if there is none. If none could be made just now, the one in
// status is still current as long as it was made from the same inputs: what keeps the deployer from carrying it out does not change it.
func currentPlan(seen Observation) v1alpha1.Plan {
	stands := seen.Promotion.Status.Plan
	switch {
	case seen.Planned == nil || seen.Release == nil || seen.Environment == nil:
		return stands
	case seen.Planned.Plan.Digest != "":
		return seen.Planned.Plan
	}
	if plan.Decisive(stands.Inputs) != plan.Decisive(inputsOf(seen)) {
		return v1alpha1.Plan{}
	}
	return stands
}
