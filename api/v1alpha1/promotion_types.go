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
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('2000-01-01T00:00:00Z') && self < timestamp('9999-01-01T00:00:00Z')",message="must be a time from the year 2000 to the year 9998, such as 2026-03-01T09:00:00Z"
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
// +kubebuilder:selectablefield:JSONPath=`.status.completionTime`
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
