// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Plan is exactly what a Promotion would apply. An approval names its digest.
type Plan struct {
	// digest of everything that was decided on: the Promotion, the Release and its content, the Environment and its rules, the rendered objects and the guard.
	// +required
	Digest Digest `json:"digest,omitempty"`
	// renderedDigest is the digest of the rendered objects alone.
	// +required
	RenderedDigest Digest `json:"renderedDigest,omitempty"`
	// objects is how many objects the plan holds.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Objects *int32 `json:"objects,omitempty"`
	// changes that the plan makes to what runs now, at most 256; unchanged objects are not listed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=256
	Changes []Change `json:"changes,omitempty"`
	// rules of the Environment with a `when`, and whether each applies to this plan. Rules without one always do.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Rules []PlanRule `json:"rules,omitempty"`
	// diff against what runs now, at most 128 KiB, then cut and said so. Values of Secrets are masked. It is dropped when the Promotion ends.
	// +optional
	// +kubebuilder:validation:MaxLength=131072
	Diff string `json:"diff,omitempty"`
	// fallback is what would be applied if the rollout fails and the Environment says `onFailure: Rollback`. It is part of the digest.
	// +optional
	Fallback Fallback `json:"fallback,omitempty,omitzero"`
	// inputs that the plan was made from; the plan is made anew when one of them changes.
	// +required
	Inputs PlanInputs `json:"inputs,omitzero"`
	// plannedTime is when the plan was made.
	// +required
	PlannedTime metav1.Time `json:"plannedTime,omitempty,omitzero"`
}

// Fallback is what a failed rollout goes back to: the Release that runs now, as it is rendered now.
type Fallback struct {
	// release that runs now.
	// +required
	Release ObjectIdentity `json:"release,omitzero"`
	// version of the Release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`
	// releaseDigest is the digest of its content.
	// +required
	ReleaseDigest Digest `json:"releaseDigest,omitempty"`
	// renderedDigest is the digest of its rendered objects.
	// +required
	RenderedDigest Digest `json:"renderedDigest,omitempty"`
}

// Applicability says whether a rule applies to a plan.
// +kubebuilder:validation:Enum=Applies;DoesNotApply;Unknown
type Applicability string

const (
	// RuleApplies means that the rule has to be met.
	RuleApplies Applicability = "Applies"
	// RuleDoesNotApply means that the plan does not need the rule.
	RuleDoesNotApply Applicability = "DoesNotApply"
	// RuleUnknown means that the rule's `when` could not be evaluated: nothing starts until it can.
	RuleUnknown Applicability = "Unknown"
)

// PlanRule is what came of a rule's `when` for a plan.
type PlanRule struct {
	// name of the rule.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// applicability is Applies, DoesNotApply or Unknown.
	// +required
	Applicability Applicability `json:"applicability,omitempty"`
	// message says why it is unknown.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// PlanInputs is the fingerprint of what went into a plan.
type PlanInputs struct {
	// release that is rolled out.
	// +required
	Release ObjectIdentity `json:"release,omitzero"`
	// releaseDigest is the digest of the Release's content.
	// +required
	ReleaseDigest Digest `json:"releaseDigest,omitempty"`
	// environment that it is rolled out to.
	// +required
	Environment ObjectIdentity `json:"environment,omitzero"`
	// environmentDigest is the digest of the Environment's rules: its spec without `hold` and `autoPromotion`.
	// +required
	EnvironmentDigest Digest `json:"environmentDigest,omitempty"`
	// guardDigest is the digest of the identity of the admission policies and bindings: their UIDs and generations.
	// +required
	GuardDigest Digest `json:"guardDigest,omitempty"`
	// valuesDigest is the digest of the ConfigMaps and Secrets that the Environment takes Helm values from; empty if there are none.
	// +optional
	ValuesDigest Digest `json:"valuesDigest,omitempty"`
	// clusterDigest is the digest of where and how the target cluster is reached, without the credentials; empty for this cluster.
	// +optional
	ClusterDigest Digest `json:"clusterDigest,omitempty"`
	// deployed is the head of the history of the Environment when the diff was made; empty when it had none.
	// It is no part of the plan's digest: the diff is made anew when it changes, approvals stand.
	// +optional
	Deployed Digest `json:"deployed,omitempty"`
	// driftDigest is that of the Environment's status when the diff was made; empty where nothing had drifted.
	// It is no part of the plan's digest: the diff is made anew when it changes, approvals stand.
	// +optional
	DriftDigest Digest `json:"driftDigest,omitempty"`
}

// ChangeAction is what a rollout does to an object.
// +kubebuilder:validation:Enum=Create;Update;Recreate;Prune
type ChangeAction string

const (
	// ChangeCreate means that the object is not there yet.
	ChangeCreate ChangeAction = "Create"
	// ChangeUpdate means that the object is there and differs.
	ChangeUpdate ChangeAction = "Update"
	// ChangeRecreate means that the object is there and differs in fields that cannot be changed: it is deleted and created again.
	ChangeRecreate ChangeAction = "Recreate"
	// ChangePrune means that the object is deleted after the rollout has become healthy.
	ChangePrune ChangeAction = "Prune"
)

// Change is one object that a plan changes.
type Change struct {
	ObjectReference `json:",inline"`
	// action that the rollout takes: Create, Update, Recreate or Prune.
	// +required
	Action ChangeAction `json:"action,omitempty"`
}
