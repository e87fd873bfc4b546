// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AuditType is what an audit record says has happened.
// +kubebuilder:validation:Enum=Intent;Succeeded;Failed;RolledBack;Corrected;Rejected;Expired;Superseded;Cancelled;Overridden;Acknowledged
type AuditType string

const (
	// AuditIntent is written before a rollout applies anything. Without an outcome after it, the Environment is busy.
	AuditIntent AuditType = "Intent"
	// AuditSucceeded is the outcome of a rollout that became healthy.
	AuditSucceeded AuditType = "Succeeded"
	// AuditFailed is the outcome of a rollout that did not.
	AuditFailed AuditType = "Failed"
	// AuditRolledBack is the outcome of a rollout that failed, after which what ran before was applied again and became healthy.
	AuditRolledBack AuditType = "RolledBack"
	// AuditCorrected is written before objects that somebody else has changed are applied again as they were approved.
	AuditCorrected AuditType = "Corrected"
	// AuditRejected says that an authorised person refused the plan.
	AuditRejected AuditType = "Rejected"
	// AuditExpired says that the Promotion was not answered, or not started after its approval, in time.
	AuditExpired AuditType = "Expired"
	// AuditOverridden says that a rollout starts through gates that an override has opened. It is written before the Intent.
	AuditOverridden AuditType = "Overridden"
	// AuditAcknowledged says that somebody else has taken note of an override.
	AuditAcknowledged AuditType = "Acknowledged"
	// AuditSuperseded says that a newer Promotion started first.
	AuditSuperseded AuditType = "Superseded"
	// AuditCancelled says that the Promotion was cancelled or deleted; after an Intent it is the rollout's outcome.
	AuditCancelled AuditType = "Cancelled"
)

// AuditRecordSpec is what has happened. It never changes.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an audit record must not change"
type AuditRecordSpec struct {
	// environment whose history the record belongs to.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Environment string `json:"environment,omitempty"`
	// sequence number in the Environment's history; counts from 1 without gaps.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9999999999
	Sequence int64 `json:"sequence,omitempty"`
	// previous is the hash of the record before this one; absent in the first.
	// +optional
	Previous Digest `json:"previous,omitempty"`
	// hash over the canonical JSON (RFC 8785) of this spec without this field.
	// +required
	Hash Digest `json:"hash,omitempty"`
	// type of what has happened.
	// +required
	Type AuditType `json:"type,omitempty"`
	// time by the operator's clock, in whole seconds.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`
	// promotion that the record speaks of.
	// +required
	Promotion ObjectIdentity `json:"promotion,omitzero"`
	// promotionType is Rollback where the promotion was one.
	// +optional
	PromotionType PromotionType `json:"promotionType,omitempty"`
	// gates that an override has opened.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Gates []OverridableGate `json:"gates,omitempty"`
	// by whom an override was used or acknowledged.
	// +optional
	By Person `json:"by,omitempty,omitzero"`
	// release that was promoted.
	// +optional
	Release AuditedRelease `json:"release,omitempty,omitzero"`
	// planDigest is the plan that was decided on.
	// +optional
	PlanDigest Digest `json:"planDigest,omitempty"`
	// renderedDigest is the digest of the rendered objects alone.
	// +optional
	RenderedDigest Digest `json:"renderedDigest,omitempty"`
	// valuesDigest is the digest of the ConfigMaps and Secrets that Helm values were taken from; in an Intent, if there were any.
	// +optional
	ValuesDigest Digest `json:"valuesDigest,omitempty"`
	// requestedBy is who asked.
	// +optional
	RequestedBy Person `json:"requestedBy,omitempty,omitzero"`
	// reason that the requester gave, or that was given for the end.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Reason string `json:"reason,omitempty"`
	// decisions that counted, with the rule each filled.
	// +optional
	// +listType=map
	// +listMapKey=user
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Decisions []AuditedDecision `json:"decisions,omitempty"`
	// decidedBy names the people whose decisions counted, separated by commas, for whoever reads lists.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	DecidedBy string `json:"decidedBy,omitempty"`
	// target that the rollout goes to, and the deployer that it is performed as.
	// +optional
	Target Target `json:"target,omitempty,omitzero"`
	// fallback is what the rollout goes back to if it fails; in an Intent.
	// +optional
	Fallback Fallback `json:"fallback,omitempty,omitzero"`
	// checks that have verified the rollout, and what they found; in an outcome.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Checks []AuditedCheck `json:"checks,omitempty"`
	// objects that the rollout applies, in an Intent; that run again, in a RolledBack; that are applied again, in a Corrected.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1000
	Objects []ObjectReference `json:"objects,omitempty"`
}

// AuditedCheck is what a check has found.
type AuditedCheck struct {
	// name of the check.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// result is Passed or Failed.
	// +required
	Result CheckResult `json:"result,omitempty"`
	// message says what was found.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
	// time at which the check ended.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`
}

// AuditedRelease is the Release of an audit record.
type AuditedRelease struct {
	ObjectIdentity `json:",inline"`
	// version of the Release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`
	// digest of its content.
	// +required
	Digest Digest `json:"digest,omitempty"`
}

// AuditedDecision is a person's decision, as it counted.
type AuditedDecision struct {
	// user who decided.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user,omitempty"`
	// uid of the user; empty where the authenticator gives none.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	UID string `json:"uid,omitempty"`
	// groups that the user was in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// decision is Approved or Rejected.
	// +required
	Decision Decision `json:"decision,omitempty"`
	// rules that the decision counted for.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Rules []string `json:"rules,omitempty"`
	// comment that was given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Comment string `json:"comment,omitempty"`
	// time at which the operator first saw the decision.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`
}

// AuditRecord is one entry of an Environment's append-only, hash-chained history. Only the operator creates it and nobody changes it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=audit,categories=assent
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.spec.environment`
// +kubebuilder:printcolumn:name="Sequence",type=integer,JSONPath=`.spec.sequence`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Promotion",type=string,JSONPath=`.spec.promotion.name`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.release.version`
// +kubebuilder:printcolumn:name="Requested by",type=string,JSONPath=`.spec.requestedBy.username`
// +kubebuilder:printcolumn:name="Decided by",type=string,JSONPath=`.spec.decidedBy`
// +kubebuilder:printcolumn:name="Time",type=date,JSONPath=`.spec.time`
// +kubebuilder:selectablefield:JSONPath=`.spec.environment`
// +kubebuilder:selectablefield:JSONPath=`.spec.promotion.uid`
// +kubebuilder:selectablefield:JSONPath=`.spec.type`
type AuditRecord struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata. The name is the Environment's and the sequence number with ten digits.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec is what has happened. It never changes.
	// +required
	Spec AuditRecordSpec `json:"spec,omitzero"`
}

// AuditRecordList is a list of AuditRecords.
//
// +kubebuilder:object:root=true
type AuditRecordList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AuditRecord `json:"items"`
}
