// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Prune says whether objects that a rollout no longer has are deleted.
// +kubebuilder:validation:Enum=Enabled;Disabled
type Prune string

// RollbackApproval says whether a rollback needs the approvals that a promotion needs.
// +kubebuilder:validation:Enum=Required;NotRequired
type RollbackApproval string

const (
	// PruneEnabled is the default: what the last rollout had and this one has not is deleted once this one is healthy.
	PruneEnabled Prune = "Enabled"
	// PruneDisabled leaves such objects alone, and forgets them.
	PruneDisabled Prune = "Disabled"

	// RollbackApprovalRequired is the default: a rollback needs the same approvals as a promotion.
	RollbackApprovalRequired RollbackApproval = "Required"
	// RollbackApprovalNotRequired lets whoever holds the verb `rollback` go back without anybody's approval.
	RollbackApprovalNotRequired RollbackApproval = "NotRequired"
)

// OnFailure says what happens when a rollout fails.
// +kubebuilder:validation:Enum=Halt;Rollback
type OnFailure string

// Drift says what happens when objects that a rollout has applied are changed by somebody else.
// +kubebuilder:validation:Enum=Report;Correct;Ignore
type Drift string

// Lock says whether what a rollout has applied can be changed by others.
// +kubebuilder:validation:Enum=Disabled;Enabled
type Lock string

const (
	// OnFailureHalt is the default: what was applied stays, and people decide.
	OnFailureHalt OnFailure = "Halt"
	// OnFailureRollback applies what ran before, if it still can be rendered as it was when the plan was made.
	OnFailureRollback OnFailure = "Rollback"

	// DriftReport is the default: the condition InSync says which objects differ, and in which fields.
	DriftReport Drift = "Report"
	// DriftCorrect applies them again as they were approved.
	DriftCorrect Drift = "Correct"
	// DriftIgnore does not look.
	DriftIgnore Drift = "Ignore"

	// LockDisabled is the default.
	LockDisabled Lock = "Disabled"
	// LockEnabled lets nobody change what a rollout has applied but the next rollout, Kubernetes' own controllers, and holders of the verb `override`.
	LockEnabled Lock = "Enabled"
)

// EnvironmentSpec is where one application runs and the rules of the place.
//
// +kubebuilder:validation:XValidation:rule="!has(self.soakSeconds) || has(self.after)",fieldPath=".soakSeconds",message="soakSeconds needs `after`: it is how long a Release must have been healthy in the Environments that `after` names"
type EnvironmentSpec struct {
	// application that runs here. Releases of another application are refused.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Application string `json:"application,omitempty"`
	// stage is the column that the Environment stands in, such as staging. Default: the Environment's name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Stage string `json:"stage,omitempty"`
	// target is where rollouts go and as whom. It may be set only by a user who may impersonate that service account.
	// +required
	Target Target `json:"target,omitzero"`
	// after names the Environments of the same project and application that a Release must have succeeded in, and be healthy in where it still
	// runs, before it may start here. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	After []string `json:"after,omitempty"`
	// soakSeconds is for how long a Release must have been healthy in each Environment of `after`. Time in which it was unhealthy does not count;
	// a Release that was replaced there counts with the time that it had. Default: no time.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	SoakSeconds int32 `json:"soakSeconds,omitempty"`
	// windows say when a rollout may start. Default: at any time.
	// +optional
	Windows WindowPolicy `json:"windows,omitempty,omitzero"`
	// hold is the emergency stop: while it is set, no rollout starts here. Whoever may change the Environment may set it; it is cleared
	// with the verb `resume` alone. It is no part of a plan: approvals stand. The annotation `assent.dev/hold` does the same.
	// +optional
	Hold Hold `json:"hold,omitempty,omitzero"`
	// approval says who has to approve. Default: one approval by anyone who holds the verb `approve` on this Environment.
	// +optional
	Approval ApprovalPolicy `json:"approval,omitempty,omitzero"`
	// rollout says how a plan is applied.
	// +optional
	Rollout RolloutPolicy `json:"rollout,omitempty,omitzero"`
	// rollback says what a Promotion of type Rollback needs. It skips `after`, `soakSeconds` and `windows`.
	// +optional
	Rollback RollbackPolicy `json:"rollback,omitempty,omitzero"`
	// signatures that a Release's artifact must carry. Without them no plan is made. Default: none.
	// +optional
	Signatures SignaturePolicy `json:"signatures,omitempty,omitzero"`
	// overlay is what this Environment changes in the Releases that it runs: patches, replicas, labels and Helm values. Default: nothing.
	// +optional
	Overlay Overlay `json:"overlay,omitempty,omitzero"`
	// lock says whether others can change what a rollout has applied: Disabled or Enabled. Default: Disabled. Enabled needs the label
	// `assent.dev/lock: PROJECT` on the target namespace, set by whoever administers it.
	// +optional
	// +default="Disabled"
	Lock Lock `json:"lock,omitempty"`
	// checks that must have passed before a rollout starts, and checks that verify it. Default: none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Checks []Check `json:"checks,omitempty"`
	// autoPromotion creates a Promotion when a Release becomes eligible here. It may be set only by a user who may promote here. Default: people do.
	// +optional
	AutoPromotion AutoPromotion `json:"autoPromotion,omitempty,omitzero"`
}

// Hold stops every rollout before its start.
type Hold struct {
	// reason why nothing may start, as people read it.
	// +required
	// +kubebuilder:validation:Pattern=`\S`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// RollbackPolicy says what a rollback needs.
//
// +kubebuilder:validation:MinProperties=1
type RollbackPolicy struct {
	// approval says whether a rollback needs the approvals that a promotion needs: Required or NotRequired. NotRequired is for what has run here before: where
	// the ConfigMaps and Secrets of `overlay.valuesFrom` are not the same any more, approvals are needed all the same. Default: Required.
	// +optional
	// +default="Required"
	Approval RollbackApproval `json:"approval,omitempty"`
}

// AutoPromotion lets the operator ask for promotions, as the service account assent-promoter of the project.
type AutoPromotion struct {
	// versions that are promoted, as a constraint on semantic versions, such as ">=1.0.0 <2.0.0". Versions that are not semantic are never promoted by themselves.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Versions string `json:"versions,omitempty"`
}

// RolloutPolicy says how a plan is applied.
//
// +kubebuilder:validation:MinProperties=1
type RolloutPolicy struct {
	// timeoutSeconds is how long a rollout may take to become healthy. Default: 600 seconds.
	// +optional
	// +default=600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
	// prune says whether objects that the last rollout had and this one has not are deleted, once this one is healthy: Enabled or Disabled. Default: Enabled.
	// +optional
	// +default="Enabled"
	Prune Prune `json:"prune,omitempty"`
	// onFailure says what happens when a rollout does not become healthy in time, or a check after it fails: Halt or Rollback. Default: Halt.
	// +optional
	// +default="Halt"
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// drift says what happens when what was applied is changed by somebody else: Report, Correct or Ignore. Default: Report.
	// +optional
	// +default="Report"
	Drift Drift `json:"drift,omitempty"`
	// clusterScopedKinds that a Release may hold, beside the objects of the target namespace. The deployer needs the rights as well. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	ClusterScopedKinds []GroupKind `json:"clusterScopedKinds,omitempty"`
}

// GroupKind names a kind of object.
type GroupKind struct {
	// group of the kind's API; empty for the core group.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// kind of object, such as ClusterRole.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
}

// Environment is a place that one application runs: a target namespace, the identity that deploys there, and its rules.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=env,categories=assent
// +kubebuilder:subresource:status
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')",message="an Environment's name must have at most 63 characters and no dots: it becomes a label of what is deployed"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.after) || !(self.metadata.name in self.spec.after)",fieldPath=".spec.after",message="after must not name the Environment itself"
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.stage`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.current.version`
// +kubebuilder:printcolumn:name="Healthy",type=string,JSONPath=`.status.conditions[?(@.type=="Healthy")].status`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waitingCount`
// +kubebuilder:printcolumn:name="Hold",type=string,JSONPath=`.spec.hold.reason`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,priority=1
// +kubebuilder:printcolumn:name="Application",type=string,JSONPath=`.spec.application`,priority=1
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.status.current.release`,priority=1
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.target.namespace`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.application`
// +kubebuilder:selectablefield:JSONPath=`.spec.stage`
// +kubebuilder:selectablefield:JSONPath=`.status.stage`
type Environment struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec is where the application runs and the rules of the place.
	// +required
	Spec EnvironmentSpec `json:"spec,omitzero"`
	// status is what runs there and what waits. Only the operator writes it.
	// +optional
	Status EnvironmentStatus `json:"status,omitempty,omitzero"`
}

// EnvironmentList is a list of Environments.
//
// +kubebuilder:object:root=true
type EnvironmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Environment `json:"items"`
}
