// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PromotionStatus is where the Promotion stands.
//
// +kubebuilder:validation:MinProperties=1
type PromotionStatus struct {
	// conditions of the Promotion. Succeeded carries the state as its reason; Approved; Reconciling is True from start to end; Stalled when it is Invalid or has Failed; Overridden while an override that was used is not acknowledged.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation of the spec that the status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// plan is exactly what would be applied, and what it changes.
	// +optional
	Plan Plan `json:"plan,omitempty,omitzero"`
	// approvals is how far the approval rules are met.
	// +optional
	Approvals ApprovalStatus `json:"approvals,omitempty,omitzero"`
	// checks of the Environment, and what they found for the current plan.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Checks []CheckStatus `json:"checks,omitempty"`
	// overridden are the gates that were closed when the rollout started, and that the override had opened.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=8
	Overridden []OverridableGate `json:"overridden,omitempty"`
	// blockers are the gates that do not hold now, the most important first, with who or what clears each.
	// +optional
	// +listType=map
	// +listMapKey=gate
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Blockers []Blocker `json:"blockers,omitempty"`
	// startTime is when the rollout started; decisions are closed from then on.
	// +optional
	StartTime metav1.Time `json:"startTime,omitempty,omitzero"`
	// completionTime is when the Promotion ended.
	// +optional
	CompletionTime metav1.Time `json:"completionTime,omitempty,omitzero"`
	// rollback is how a failed rollout goes back to what ran before; absent if it does not.
	// +optional
	Rollback RollbackStatus `json:"rollback,omitempty,omitzero"`
	// progress of the rollout; of the way back, once that has begun.
	// +optional
	Progress RolloutProgress `json:"progress,omitempty,omitzero"`
}

// ApprovalStatus is how far the approval rules are met.
//
// +kubebuilder:validation:MinProperties=1
type ApprovalStatus struct {
	// summary of required and granted approvals, such as "1/2".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Summary string `json:"summary,omitempty"`
	// required is how many approvals all rules need together.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Required *int32 `json:"required,omitempty"`
	// granted is how many of them are given.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Granted *int32 `json:"granted,omitempty"`
	// rules and who has filled them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Rules []RuleStatus `json:"rules,omitempty"`
	// counted are the decisions that count, with the time at which the operator first saw them.
	// +optional
	// +listType=map
	// +listMapKey=user
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Counted []CountedApproval `json:"counted,omitempty"`
	// ignored are the decisions that do not count, and why.
	// +optional
	// +listType=map
	// +listMapKey=user
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Ignored []IgnoredApproval `json:"ignored,omitempty"`
}

// RuleStatus is how far one rule is met.
type RuleStatus struct {
	// name of the rule.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// required is how many people have to approve.
	// +required
	// +kubebuilder:validation:Minimum=0
	Required *int32 `json:"required,omitempty"`
	// approvedBy are the people who count for this rule.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	ApprovedBy []string `json:"approvedBy,omitempty"`
}

// CountedApproval is a decision that counts.
type CountedApproval struct {
	// user who decided.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user,omitempty"`
	// planDigest that was decided on; a decision on another plan has a time of its own.
	// +required
	PlanDigest Digest `json:"planDigest,omitempty"`
	// time at which the operator first saw the decision.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`
}

// IgnoredApproval is a decision that does not count.
type IgnoredApproval struct {
	// user who decided.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user,omitempty"`
	// reason why it does not count.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// Blocker is a gate that does not hold now.
type Blocker struct {
	// gate that does not hold.
	// +required
	Gate Gate `json:"gate,omitempty"`
	// message says what is missing.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
	// clears says who or what opens the gate, and how.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Clears string `json:"clears,omitempty"`
	// users who can open it, as far as they are named, at most 16.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users,omitempty"`
	// groups whose members can open it, as far as they are named, at most 16.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// untilTime is when the blocker ends by itself: the window opens, the freeze or the soak is over, the scheduled time has come; for Approval,
	// when the Promotion expires unanswered. Absent if it does not end by itself.
	// +optional
	UntilTime metav1.Time `json:"untilTime,omitempty,omitzero"`
}

// RolloutProgress is how far a rollout is. It is written when it starts, at most every ten seconds while it lasts, and when it ends.
type RolloutProgress struct {
	// applied objects.
	// +required
	// +kubebuilder:validation:Minimum=0
	Applied *int32 `json:"applied,omitempty"`
	// healthy objects.
	// +required
	// +kubebuilder:validation:Minimum=0
	Healthy *int32 `json:"healthy,omitempty"`
	// total number of objects.
	// +required
	// +kubebuilder:validation:Minimum=0
	Total *int32 `json:"total,omitempty"`
	// wave that is being applied, of `waves`, counted from 1; absent where a Release has one wave alone.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Wave int32 `json:"wave,omitempty"`
	// waves of the Release.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Waves int32 `json:"waves,omitempty"`
	// verifyingSinceTime is when everything was first healthy, and the checks after the rollout began.
	// +optional
	VerifyingSinceTime metav1.Time `json:"verifyingSinceTime,omitempty,omitzero"`
	// failing are the objects that are not healthy and why, at most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Failing []FailingObject `json:"failing,omitempty"`
}

// RollbackStatus is the way back of a rollout that has failed.
type RollbackStatus struct {
	// reason why the rollout has failed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Reason string `json:"reason,omitempty"`
	// release that it goes back to.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Release string `json:"release,omitempty"`
	// startTime is when it began.
	// +required
	StartTime metav1.Time `json:"startTime,omitempty,omitzero"`
}

// FailingObject is an object that is not healthy.
type FailingObject struct {
	ObjectReference `json:",inline"`
	// message says what it waits for or why it fails, down to the pod's reason.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
}
