// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// SelfApproval says whether the requester's own approval counts.
// +kubebuilder:validation:Enum=Denied;Allowed
type SelfApproval string

// ServiceAccountApproval says whether a service account's approval counts.
// +kubebuilder:validation:Enum=Denied;Allowed
type ServiceAccountApproval string

// OneRulePerPerson says whether one person can fill two rules.
// +kubebuilder:validation:Enum=Required;NotRequired
type OneRulePerPerson string

// CommentPolicy says which decisions need a comment.
// +kubebuilder:validation:Enum=Never;OnRejection;Always
type CommentPolicy string

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

	// CommentNever asks for no comment.
	CommentNever CommentPolicy = "Never"
	// CommentOnRejection is the default: whoever refuses says why.
	CommentOnRejection CommentPolicy = "OnRejection"
	// CommentAlways asks whoever decides to say why.
	CommentAlways CommentPolicy = "Always"
)

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
