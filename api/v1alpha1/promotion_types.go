// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PromotionType says what a Promotion asks for.
// +kubebuilder:validation:Enum=Promote;Rollback
type PromotionType string

const (
	// PromotionTypePromote is the default: run a Release in an Environment.
	PromotionTypePromote PromotionType = "Promote"
	// PromotionTypeRollback asks to go back to a Release that succeeded there before.
	PromotionTypeRollback PromotionType = "Rollback"
)

// Gate is one condition that must hold before a rollout starts.
// +kubebuilder:validation:Enum=Release;Upstream;Soak;Approval;Window;Hold;Schedule;Check;Queue;Guard;Target
type Gate string

const (
	// GateRelease holds when the Release is ready, fetched, what its digest says, and not blocked. An override opens it for a blocked Release.
	GateRelease Gate = "Release"
	// GateUpstream holds when the Release has succeeded in each Environment of `after`, and is healthy where it still runs.
	GateUpstream Gate = "Upstream"
	// GateSoak holds when the Release has been healthy in each of them for `soakSeconds`.
	GateSoak Gate = "Soak"
	// GateWindow holds inside of an allow window and outside of every freeze.
	GateWindow Gate = "Window"
	// GateHold holds when neither the Environment nor its project is on hold.
	GateHold Gate = "Hold"
	// GateSchedule holds from `notBeforeTime` on.
	GateSchedule Gate = "Schedule"
	// GateCheck holds when every check has passed for the current plan.
	GateCheck Gate = "Check"
	// GateApproval holds when every approval rule is met for the current plan.
	GateApproval Gate = "Approval"
	// GateQueue holds when no other rollout runs in the Environment. It cannot be overridden.
	GateQueue Gate = "Queue"
	// GateGuard holds when the admission policies that enforce the rules are in place. It cannot be overridden.
	GateGuard Gate = "Guard"
	// GateTarget holds when the deployer exists and may apply the plan. It cannot be overridden.
	GateTarget Gate = "Target"
)

// OverridableGate is a gate that break-glass can open.
// +kubebuilder:validation:Enum=Release;Upstream;Soak;Approval;Window;Hold;Schedule;Check
type OverridableGate string

// Decision is what an approver decided.
// +kubebuilder:validation:Enum=Approved;Rejected
type Decision string

const (
	// DecisionApproved agrees to the plan.
	DecisionApproved Decision = "Approved"
	// DecisionRejected ends the Promotion.
	DecisionRejected Decision = "Rejected"
)

// PromotionSpec is the request and the decisions on it.
//
// +kubebuilder:validation:XValidation:rule="self.release == oldSelf.release",fieldPath=".release",message="release must not change: create a new Promotion"
// +kubebuilder:validation:XValidation:rule="self.environment == oldSelf.environment",fieldPath=".environment",message="environment must not change: create a new Promotion"
// +kubebuilder:validation:XValidation:rule="self.type == oldSelf.type",fieldPath=".type",message="type must not change: create a new Promotion"
// +kubebuilder:validation:XValidation:rule="has(self.requestedBy) == has(oldSelf.requestedBy) && (!has(self.requestedBy) || self.requestedBy == oldSelf.requestedBy)",fieldPath=".requestedBy",message="requestedBy must not change: it is who created the Promotion"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.cancel) || (has(self.cancel) && self.cancel == oldSelf.cancel)",fieldPath=".cancel",message="cancel must not change once it is set: create a new Promotion"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.notBeforeTime) || (has(self.notBeforeTime) && self.notBeforeTime >= oldSelf.notBeforeTime)",fieldPath=".notBeforeTime",message="notBeforeTime must not become earlier once it is set: create a new Promotion"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.acknowledgement) || (has(self.acknowledgement) && self.acknowledgement == oldSelf.acknowledgement)",fieldPath=".acknowledgement",message="acknowledgement must not change once it is set"
type PromotionSpec struct {
	// release to run, of the same project and the Environment's application. It never changes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Release string `json:"release,omitempty"`
	// environment to run it in, of the same project. It never changes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Environment string `json:"environment,omitempty"`
	// type of the request: Promote or Rollback. It never changes. Default: Promote.
	// A Rollback goes back to a Release that has succeeded in the Environment before; it skips `after`, `soakSeconds` and `windows`.
	// +optional
	// +default="Promote"
	Type PromotionType `json:"type,omitempty"`
	// reason for the request, shown to the people who decide.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// notBeforeTime is the earliest start. It can be set and moved to a later time, and never to an earlier one. Default: at once.
	// +optional
	NotBeforeTime metav1.Time `json:"notBeforeTime,omitempty,omitzero"`
	// override opens named gates without what they ask for (break-glass). It needs the verb `override` on the Environment, is recorded for good, and
	// is shown on the Environment until somebody else has acknowledged it.
	// +optional
	Override PromotionOverride `json:"override,omitempty,omitzero"`
	// acknowledgement of the override, once it was used, by somebody else who holds the verb `override`.
	// +optional
	Acknowledgement Acknowledgement `json:"acknowledgement,omitempty,omitzero"`
	// cancel ends the Promotion: before its start nothing is applied; during its rollout the rollout stops where it is.
	// +optional
	Cancel PromotionCancel `json:"cancel,omitempty,omitzero"`
	// requestedBy is the user who created the Promotion. It is stamped on creation and never changes.
	// +optional
	RequestedBy Person `json:"requestedBy,omitempty,omitzero"`
	// approvals are people's decisions on the plan, one entry each. You add, change or remove your own and nobody else's.
	// +optional
	// +default=[]
	// +listType=map
	// +listMapKey=user
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Approvals []Approval `json:"approvals,omitempty"`
}

// PromotionOverride names the gates to open, and why.
type PromotionOverride struct {
	// gates to open.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Gates []OverridableGate `json:"gates,omitempty"`
	// reason is recorded for good.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// planDigest is the plan that was looked at. An override of Approval needs it, and counts for that plan alone. Default: the current one.
	// +optional
	PlanDigest Digest `json:"planDigest,omitempty"`
	// usedBy is the user who has set or changed the override; stamped.
	// +optional
	UsedBy Person `json:"usedBy,omitempty,omitzero"`
}

// Acknowledgement says that somebody has taken note of an override.
type Acknowledgement struct {
	// username of whoever acknowledges: your own name, as `kubectl auth whoami` shows it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Username string `json:"username,omitempty"`
	// uid of the user; stamped.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	UID string `json:"uid,omitempty"`
	// groups that the user was in; stamped.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// comment on the override.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Comment string `json:"comment,omitempty"`
}

// PromotionCancel ends a Promotion.
type PromotionCancel struct {
	// reason is recorded for good.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// Approval is one person's decision on one plan.
type Approval struct {
	// user who decides: your own name, as `kubectl auth whoami` shows it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user,omitempty"`
	// decision is Approved or Rejected. An authorised rejection ends the Promotion.
	// +required
	Decision Decision `json:"decision,omitempty"`
	// comment on the decision.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Comment string `json:"comment,omitempty"`
	// planDigest is the plan that was looked at: `status.plan.digest`. Default: the current one.
	// +optional
	PlanDigest Digest `json:"planDigest,omitempty"`
	// uid of the user; stamped.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	UID string `json:"uid,omitempty"`
	// groups that the user was in when they decided; stamped.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
}

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
	// +kubebuilder:validation:MaxItems=8
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
	// progress of the rollout.
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
	// failing are the objects that are not healthy and why, at most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Failing []FailingObject `json:"failing,omitempty"`
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

// Promotion is the request to run one Release in one Environment, the decisions on it, and its outcome.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=promo,categories=assent
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.spec.release`
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.spec.environment`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.conditions[?(@.type=="Succeeded")].reason`
// +kubebuilder:printcolumn:name="Approvals",type=string,JSONPath=`.status.approvals.summary`
// +kubebuilder:printcolumn:name="Requested by",type=string,JSONPath=`.spec.requestedBy.username`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Succeeded")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.environment`
// +kubebuilder:selectablefield:JSONPath=`.spec.release`
type Promotion struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec is the request and the decisions on it.
	// +required
	Spec PromotionSpec `json:"spec,omitzero"`
	// status is where the Promotion stands. Only the operator writes it.
	// +optional
	Status PromotionStatus `json:"status,omitempty,omitzero"`
}

// PromotionList is a list of Promotions.
//
// +kubebuilder:object:root=true
type PromotionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Promotion `json:"items"`
}
