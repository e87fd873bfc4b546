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

// CommentPolicy says which decisions need a comment.
// +kubebuilder:validation:Enum=Never;OnRejection;Always
type CommentPolicy string

// RollbackApproval says whether a rollback needs the approvals that a promotion needs.
// +kubebuilder:validation:Enum=Required;NotRequired
type RollbackApproval string

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

	// CommentNever asks for no comment.
	CommentNever CommentPolicy = "Never"
	// CommentOnRejection is the default: whoever refuses says why.
	CommentOnRejection CommentPolicy = "OnRejection"
	// CommentAlways asks whoever decides to say why.
	CommentAlways CommentPolicy = "Always"

	// RollbackApprovalRequired is the default: a rollback needs the same approvals as a promotion.
	RollbackApprovalRequired RollbackApproval = "Required"
	// RollbackApprovalNotRequired lets whoever holds the verb `rollback` go back without anybody's approval.
	RollbackApprovalNotRequired RollbackApproval = "NotRequired"
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
	// checks that must have passed before a rollout starts. Default: none.
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
	// approval says whether a rollback needs the approvals that a promotion needs: Required or NotRequired. Default: Required.
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
	// comment says which decisions need a comment: Never, OnRejection or Always. An approval without a comment that it needs does not count;
	// a rejection without one keeps the gate closed, and ends the Promotion once it says why. Default: OnRejection.
	// +optional
	// +default="OnRejection"
	Comment CommentPolicy `json:"comment,omitempty"`
	// requestTTLSeconds is for how long a Promotion may wait for approvals, from its creation on; then it ends as Expired. Default: for ever.
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	RequestTTLSeconds int32 `json:"requestTTLSeconds,omitempty"`
	// validSeconds is for how long an approved Promotion may wait for its start, from the last approval that it needed on, as the operator first
	// saw it; then it ends as Expired. Default: for ever.
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	ValidSeconds int32 `json:"validSeconds,omitempty"`
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
	// when the rule applies, as a CEL expression over `plan`, `release` and `environment`, such as
	// "plan.changes.exists(c, c.kind == 'NetworkPolicy')". Where no rule applies, one approval by anyone who holds the verb `approve` is needed.
	// Default: always.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	When string `json:"when,omitempty"`
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
	// conditions of the Environment. Ready: promotions can be carried out here. Healthy: the last rollout ended healthy and, where others come after this Environment, what runs still is. InSync: what was applied is what was approved.
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
	// releases that have succeeded here, the newest first, at most 64, with the time that each was healthy. Environments after this one ask for it.
	// +optional
	// +listType=map
	// +listMapKey=uid
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=64
	Releases []SucceededRelease `json:"releases,omitempty"`
	// overrides that were used here and that nobody has acknowledged yet. While sixteen are listed, no other is carried out.
	// +optional
	// +listType=map
	// +listMapKey=promotion
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Overrides []UsedOverride `json:"overrides,omitempty"`
	// autoPromoted is the newest Release that a Promotion was created for by itself.
	// +optional
	AutoPromoted AutoPromoted `json:"autoPromoted,omitempty,omitzero"`
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
	// blockers are the gates that do not hold, the most important first, at most four. The Promotion says more.
	// +optional
	// +listType=map
	// +listMapKey=gate
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=4
	Blockers []WaitingBlocker `json:"blockers,omitempty"`
}

// WaitingBlocker is a gate that does not hold, in short.
type WaitingBlocker struct {
	// gate that does not hold.
	// +required
	Gate Gate `json:"gate,omitempty"`
	// message says what is missing, in at most 256 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Message string `json:"message,omitempty"`
	// untilTime is when the blocker ends by itself, if it does.
	// +optional
	UntilTime metav1.Time `json:"untilTime,omitempty,omitzero"`
}

// SucceededRelease is a Release that has succeeded in an Environment, and for how long it was healthy there.
type SucceededRelease struct {
	// name of the Release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// uid of the Release: another of the same name is another Release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`
	// version of the Release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`
	// succeededTime is when it last succeeded here.
	// +required
	SucceededTime metav1.Time `json:"succeededTime,omitempty,omitzero"`
	// healthySeconds is for how long it was healthy here, without the time since healthySinceTime.
	// +optional
	// +kubebuilder:validation:Minimum=0
	HealthySeconds *int64 `json:"healthySeconds,omitempty"`
	// healthySinceTime is since when it has been healthy here without a break; absent while it is not healthy, or does not run here.
	// +optional
	HealthySinceTime metav1.Time `json:"healthySinceTime,omitempty,omitzero"`
}

// UsedOverride is an override that has opened a gate, until somebody else has acknowledged it.
type UsedOverride struct {
	// promotion that was started with it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Promotion string `json:"promotion,omitempty"`
	// user who used it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user,omitempty"`
	// gates that it opened.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Gates []OverridableGate `json:"gates,omitempty"`
	// reason that was given.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// time of the start.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`
}

// AutoPromoted is a Release that a Promotion was created for by itself.
type AutoPromoted struct {
	// release that the Promotion names.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Release string `json:"release,omitempty"`
	// version of the Release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`
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
