// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EnvironmentStatus is what runs in the Environment and what waits for it.
//
// +kubebuilder:validation:MinProperties=1
type EnvironmentStatus struct {
	// conditions of the Environment. Ready: promotions can be carried out here. Healthy: the last rollout ended healthy, and what runs still is. InSync: what runs is what was approved.
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
	// drifted are the objects that differ from what was approved, at most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	Drifted []DriftedObject `json:"drifted,omitempty"`
	// driftDigest is the digest of every object that differs, not only of those listed, with its fields and the values there; without those of a Secret. The
	// diffs of what waits are made anew when it changes. Empty where nothing differs.
	// +optional
	DriftDigest Digest `json:"driftDigest,omitempty"`
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

// DriftedObject is an object that somebody else has changed since it was applied.
type DriftedObject struct {
	ObjectReference `json:",inline"`
	// fields that differ, as paths such as "spec.replicas", at most 16; empty where the object is gone. Values are not shown: they may be secret.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Fields []string `json:"fields,omitempty"`
	// message says what has happened, such as "is gone", or who has changed it last, as far as that is known.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
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
	// valuesDigest is the digest of the ConfigMaps and Secrets that it took Helm values from; empty if there were none. A rollback with others needs
	// approvals, whatever `rollback.approval` says.
	// +optional
	ValuesDigest Digest `json:"valuesDigest,omitempty"`
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
