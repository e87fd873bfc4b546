// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/plan"
)

// Status is what the promotion's status says after a decision. It changes nothing that does not follow from the
// observation and the decision, so that writing it twice is writing it once.
func Status(seen Observation, next Decision) v1alpha1.PromotionStatus {
	status := *seen.Promotion.Status.DeepCopy()
	switch next := next.(type) {
	case Rest, MakePlan, Prove:
		return status
	case Wait:
		waitFor(&status, seen, next)
	case Start:
		start(&status, seen, next)
	case Acknowledge:
		by := seen.Promotion.Spec.Acknowledgement.Username
		setCondition(&status, seen, v1alpha1.ConditionOverridden, metav1.ConditionFalse, v1alpha1.ReasonAcknowledged, fmt.Sprintf("acknowledged by %q", by))
	case Apply, Watch, Prune:
		rollOut(&status, seen)
	case Verify:
		rollOut(&status, seen)
		verifySince(&status, seen)
	case RollBack:
		goBack(&status, seen, next)
	case Finish:
		finish(&status, seen, reasonOf(next.Type), next.Message)
	case Conclude:
		finish(&status, seen, reasonOf(next.Outcome.Spec.Type), next.Outcome.Spec.Reason)
	case End:
		if next.Approvals.Status.Summary != "" {
			status.Approvals = next.Approvals.Status
		}
		finish(&status, seen, next.Reason, next.Message)
	}
	status.ObservedGeneration = seen.Promotion.Generation
	return status
}

// waitFor says what keeps the promotion from starting.
func waitFor(status *v1alpha1.PromotionStatus, seen Observation, wait Wait) {
	if current := currentPlan(seen); !samePlan(current, status.Plan) {
		status.Plan = current
	}
	status.Approvals = wait.Approvals.Status
	status.Checks = answers(seen)
	status.Blockers = wait.Blockers
	reason := waiting(status.Plan.Digest != "", wait)
	message := wait.Blockers[0].Message
	for _, blocker := range wait.Blockers {
		if reason == v1alpha1.ReasonAwaitingApproval && blocker.Gate == v1alpha1.GateApproval {
			message = blocker.Message
		}
	}
	setCondition(status, seen, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, reason, message)
	setApproved(status, seen, wait.Approvals)
}

// samePlan says whether two plans differ in nothing but the time at which they were made. A plan that is made anew and comes
// out the same is not written again.
func samePlan(a, b v1alpha1.Plan) bool {
	a.PlannedTime = b.PlannedTime
	return equality.Semantic.DeepEqual(a, b)
}

// waiting is the state of a promotion with these blockers.
func waiting(planned bool, wait Wait) string {
	closed := func(gate v1alpha1.Gate) bool {
		return slices.ContainsFunc(wait.Blockers, func(b v1alpha1.Blocker) bool { return b.Gate == gate })
	}
	switch {
	case !planned:
		return v1alpha1.ReasonPlanning
	case closed(v1alpha1.GateApproval):
		return v1alpha1.ReasonAwaitingApproval
	case len(wait.Blockers) == 1 && closed(v1alpha1.GateQueue):
		return v1alpha1.ReasonQueued
	default:
		return v1alpha1.ReasonBlocked
	}
}

// start closes the decisions. The plan stays as the approvers saw it, if it is still that plan.
func start(status *v1alpha1.PromotionStatus, seen Observation, next Start) {
	if current := currentPlan(seen); current.Digest != status.Plan.Digest || current.Inputs != status.Plan.Inputs {
		status.Plan = current
	}
	status.Approvals = next.Approvals.Status
	status.Checks = answers(seen)
	status.Blockers = nil
	if status.StartTime.IsZero() {
		status.StartTime = metav1.NewTime(seen.Now)
		// The look began before the last plan was made, and that may have taken long: nothing starts before its plan is there.
		if status.StartTime.Before(&status.Plan.PlannedTime) {
			status.StartTime = status.Plan.PlannedTime
		}
	}
	setApproved(status, seen, next.Approvals)
	if len(next.Overridden) > 0 {
		status.Overridden = next.Overridden
		setCondition(status, seen, v1alpha1.ConditionOverridden, metav1.ConditionTrue, v1alpha1.ReasonUnacknowledged, Overridden(seen.Promotion, next.Overridden))
	}
	setCondition(status, seen, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonRollingOut, "the rollout has started; decisions are closed")
	setCondition(status, seen, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonRollingOut, "the rollout is running")
}

// rollOut shows the progress.
func rollOut(status *v1alpha1.PromotionStatus, seen Observation) {
	if seen.Rollout == nil || seen.Rollout.Progress.Total == nil {
		return
	}
	since := status.Progress.VerifyingSinceTime
	status.Progress = seen.Rollout.Progress
	status.Progress.VerifyingSinceTime = since
	reason, message := v1alpha1.ReasonRollingOut, unhealthy(status.Progress)
	if GoesBack(seen.Promotion) {
		reason, message = v1alpha1.ReasonRollingBack, fmt.Sprintf("going back to release %q: %s", status.Rollback.Release, message)
	}
	setCondition(status, seen, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, reason, clip(message))
}

// verifySince shows how far the checks are. A new process finds out by the time at which they began how long they may take.
func verifySince(status *v1alpha1.PromotionStatus, seen Observation) {
	status.Checks = answers(seen)
	if status.Progress.VerifyingSinceTime.IsZero() {
		status.Progress.VerifyingSinceTime = metav1.NewTime(seen.Now)
	}
	setCondition(status, seen, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonVerifying, clip(verifying(seen)))
}

// goBack says why the rollout has failed, and begins its way back.
func goBack(status *v1alpha1.PromotionStatus, seen Observation, next RollBack) {
	fallback := seen.Rollout.Intent.Spec.Fallback
	status.Checks = answers(seen)
	status.Rollback = v1alpha1.RollbackStatus{Reason: next.Reason, Release: fallback.Release.Name, StartTime: metav1.NewTime(seen.Now)}
	status.Progress = v1alpha1.RolloutProgress{Applied: ptr.To[int32](0), Healthy: ptr.To[int32](0), Total: ptr.To[int32](0)}
	setCondition(status, seen, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonRollingBack,
		clip(fmt.Sprintf("the rollout has failed, going back to release %q: %s", fallback.Release.Name, next.Reason)))
}

// finish ends the promotion for good.
func finish(status *v1alpha1.PromotionStatus, seen Observation, reason, message string) {
	if seen.Rollout != nil && seen.Rollout.Progress.Total != nil {
		since := status.Progress.VerifyingSinceTime
		status.Progress = seen.Rollout.Progress
		status.Progress.VerifyingSinceTime = since
	}
	if Started(seen.Promotion) && seen.Environment != nil {
		status.Checks = answers(seen)
	}
	status.Blockers = nil
	status.Plan.Diff = ""
	status.CompletionTime = metav1.NewTime(seen.Now)
	if reason == v1alpha1.ReasonRejected {
		setCondition(status, seen, v1alpha1.ConditionApproved, metav1.ConditionFalse, reason, message)
	}
	succeeded := metav1.ConditionFalse
	if reason == v1alpha1.ReasonSucceeded {
		succeeded = metav1.ConditionTrue
	}
	setCondition(status, seen, v1alpha1.ConditionSucceeded, succeeded, reason, message)
	meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionReconciling)
	if reason == v1alpha1.ReasonFailed || reason == v1alpha1.ReasonInvalid {
		setCondition(status, seen, v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, message)
	}
}

func setApproved(status *v1alpha1.PromotionStatus, seen Observation, approvals approval.Result) {
	switch {
	case status.Plan.Digest == "":
		setCondition(status, seen, v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonPlanning, "there is no plan to approve yet")
	case approvals.Met():
		setCondition(status, seen, v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonRulesMet,
			"every approval rule is met; "+given(approvals))
	default:
		setCondition(status, seen, v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonRulesNotMet,
			given(approvals))
	}
}

func setCondition(status *v1alpha1.PromotionStatus, seen Observation, kind string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: kind, Status: value, Reason: reason, Message: plan.Visible(message),
		ObservedGeneration: seen.Promotion.Generation, LastTransitionTime: metav1.NewTime(seen.Now),
	})
}

// reasonOf maps the type of an outcome to the reason that the promotion ends with.
func reasonOf(outcome v1alpha1.AuditType) string {
	switch outcome {
	case v1alpha1.AuditSucceeded:
		return v1alpha1.ReasonSucceeded
	case v1alpha1.AuditCancelled:
		return v1alpha1.ReasonCancelled
	case v1alpha1.AuditRejected:
		return v1alpha1.ReasonRejected
	case v1alpha1.AuditSuperseded:
		return v1alpha1.ReasonSuperseded
	case v1alpha1.AuditExpired:
		return v1alpha1.ReasonExpired
	case v1alpha1.AuditRolledBack:
		return v1alpha1.ReasonRolledBack
	case v1alpha1.AuditFailed, v1alpha1.AuditIntent, v1alpha1.AuditCorrected, v1alpha1.AuditOverridden, v1alpha1.AuditAcknowledged:
		return v1alpha1.ReasonFailed
	}
	return v1alpha1.ReasonFailed
}
