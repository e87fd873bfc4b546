// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SelfApproval says whether the requester's own approval counts.
// +kubebuilder:validation:Enum=Denied;Allowed
type SelfApproval string

// ServiceAccountApproval says whether a service account's approval counts.
// +kubebuilder:validation:Enum=Denied;Allowed
type ServiceAccountApproval string

// OneRulePerPerson says whether one person can fill two rules.
// +kubebuilder:validation:Enum=Required;NotRequired
type OneRulePerPerson string

// Prune says whether objects that a rollout no longer has are deleted.
// +kubebuilder:validation:Enum=Enabled;Disabled
type Prune string

const (
	// SelfApprovalDenied is the default: nobody approves what they asked for.
	SelfApprovalDenied SelfApproval = "Denied"
	// SelfApprovalAllowed lets the requester's approval count.
	SelfApprovalAllowed SelfApproval = "Allowed"

	// ServiceAccountApprovalDenied is the default: people decide.
	ServiceAccountApprovalDenied ServiceAccountApproval = "Denied"
	// ServiceAccountApprovalAllowed lets a service account's approval count.
	ServiceAccountApprovalAllowed ServiceAccountApproval = "Allowed"

	// OneRulePerPersonRequired is the default: a person counts for one rule.
	OneRulePerPersonRequired OneRulePerPerson = "Required"
	// OneRulePerPersonNotRequired lets a person count for each rule that they fit.
	OneRulePerPersonNotRequired OneRulePerPerson = "NotRequired"

	// PruneEnabled is the default: what the last rollout had and this one has not is deleted once this one is healthy.
	PruneEnabled Prune = "Enabled"
	// PruneDisabled leaves such objects alone, and forgets them.
	PruneDisabled Prune = "Disabled"
)

// EnvironmentSpec is where one application runs and the rules of the place.
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
	// approval says who has to approve. Default: one approval by anyone who holds the verb `approve` on this Environment.
	// +optional
	Approval ApprovalPolicy `json:"approval,omitempty,omitzero"`
	// rollout says how a plan is applied.
	// +optional
	Rollout RolloutPolicy `json:"rollout,omitempty,omitzero"`
}

// ApprovalPolicy is the approval gate's rules.
//
// +kubebuilder:validation:MinProperties=1
type ApprovalPolicy struct {
	// rules must all be met. Default: one rule that anyone who holds the verb `approve` fills once.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Rules []ApprovalRule `json:"rules,omitempty"`
	// selfApproval says whether the requester's own approval counts: Denied or Allowed. Default: Denied.
	// +optional
	// +default="Denied"
	SelfApproval SelfApproval `json:"selfApproval,omitempty"`
	// serviceAccounts says whether a service account's approval counts: Denied or Allowed. Default: Denied.
	// +optional
	// +default="Denied"
	ServiceAccounts ServiceAccountApproval `json:"serviceAccounts,omitempty"`
	// oneRulePerPerson says whether a person counts for one rule only: Required or NotRequired. Default: Required.
	// +optional
	// +default="Required"
	OneRulePerPerson OneRulePerPerson `json:"oneRulePerPerson,omitempty"`
}

// ApprovalRule is met by enough approvals of people who fit it.
type ApprovalRule struct {
	// name of the rule, as messages show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`
	// required is how many people have to approve. 0: none. Default: 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=16
	Required *int32 `json:"required,omitempty"`
	// users who fit the rule. With neither users nor groups, anyone who holds the verb `approve` fits it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users,omitempty"`
	// groups whose members fit the rule. Everyone who approves must hold the verb `approve` as well.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
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

// EnvironmentStatus is what runs in the Environment and what waits for it.
//
// +kubebuilder:validation:MinProperties=1
type EnvironmentStatus struct {
	// conditions of the Environment. Ready: promotions can be carried out here. Healthy: the last rollout ended healthy. InSync: what was applied is what was approved.
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
	// stage that the Environment stands in: `spec.stage`, or the Environment's name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Stage string `json:"stage,omitempty"`
	// current is the last promotion that succeeded here.
	// +optional
	Current Deployment `json:"current,omitempty,omitzero"`
	// previous is the one before it.
	// +optional
	Previous Deployment `json:"previous,omitempty,omitzero"`
	// inventory is every object that rollouts have applied here and not deleted again. It drives pruning.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=2000
	Inventory []ObjectReference `json:"inventory,omitempty"`
	// audit is where the Environment's history stood when this status was written.
	// +optional
	Audit AuditHead `json:"audit,omitempty,omitzero"`
	// waitingCount is how many Promotions wait, beyond the sixteen that are listed too.
	// +optional
	// +kubebuilder:validation:Minimum=0
	WaitingCount *int32 `json:"waitingCount,omitempty"`
	// waiting lists the Promotions that wait for people or for something else, oldest first, at most 16. It is updated once a Promotion has waited for ten seconds.
	// +optional
	// +listType=map
	// +listMapKey=promotion
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Waiting []WaitingPromotion `json:"waiting,omitempty"`
}

// Deployment is one Release that runs, or ran, in an Environment.
type Deployment struct {
	// release that was rolled out.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Release string `json:"release,omitempty"`
	// version of the Release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`
	// promotion that rolled it out.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Promotion string `json:"promotion,omitempty"`
	// digest of the plan that was approved and applied.
	// +required
	Digest Digest `json:"digest,omitempty"`
	// startedTime is when the rollout started.
	// +required
	StartedTime metav1.Time `json:"startedTime,omitempty,omitzero"`
	// sinceTime is when it was found healthy.
	// +required
	SinceTime metav1.Time `json:"sinceTime,omitempty,omitzero"`
}

// AuditHead is the newest record of an Environment's history.
type AuditHead struct {
	// sequence number of the newest record; they count from 1.
	// +required
	// +kubebuilder:validation:Minimum=1
	Sequence int64 `json:"sequence,omitempty"`
	// head is the hash of the newest record.
	// +required
	Head Digest `json:"head,omitempty"`
}

// WaitingPromotion is one Promotion that has not started, and why.
type WaitingPromotion struct {
	// promotion that waits.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Promotion string `json:"promotion,omitempty"`
	// since is when it was created.
	// +required
	Since metav1.Time `json:"since,omitempty,omitzero"`
	// blockers are the gates that do not hold.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Blockers []Gate `json:"blockers,omitempty"`
}

// Environment is a place that one application runs: a target namespace, the identity that deploys there, and its rules.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=env,categories=assent
// +kubebuilder:subresource:status
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')",message="an Environment's name must have at most 63 characters and no dots: it becomes a label of what is deployed"
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.stage`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.current.version`
// +kubebuilder:printcolumn:name="Healthy",type=string,JSONPath=`.status.conditions[?(@.type=="Healthy")].status`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waitingCount`
// +kubebuilder:printcolumn:name="Application",type=string,JSONPath=`.spec.application`,priority=1
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.status.current.release`,priority=1
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.target.namespace`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.application`
// +kubebuilder:selectablefield:JSONPath=`.spec.stage`
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
