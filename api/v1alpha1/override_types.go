// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// OverridableGate is a gate that break-glass can open.
// +kubebuilder:validation:Enum=Release;Upstream;Soak;Approval;Window;Hold;Schedule;Check
type OverridableGate string

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
