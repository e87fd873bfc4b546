// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReleaseSpec says what the version consists of. It never changes, but for `blocked`: a new version is a new Release.
//
// +kubebuilder:validation:XValidation:rule="has(self.images) == has(oldSelf.images) && has(self.notes) == has(oldSelf.notes) && has(self.build) == has(oldSelf.build)",message="a Release's spec must not change, but for `blocked`: create a new Release for a new version"
type ReleaseSpec struct {
	// application is what is released as one unit. Only Environments of the same application accept the Release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Release's spec must not change, but for `blocked`: create a new Release for a new version"
	Application string `json:"application,omitempty"`
	// version of the application; compared as a semantic version where it is one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Release's spec must not change, but for `blocked`: create a new Release for a new version"
	Version string `json:"version,omitempty"`
	// source holds the manifests. Exactly one kind of source must be set.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Release's spec must not change, but for `blocked`: create a new Release for a new version"
	Source ReleaseSource `json:"source,omitzero"`
	// images pins container images in the rendered objects to digests. Each must match at least one image by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Release's spec must not change, but for `blocked`: create a new Release for a new version"
	Images []ReleaseImage `json:"images,omitempty"`
	// notes are shown to the people who decide, as Markdown.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Release's spec must not change, but for `blocked`: create a new Release for a new version"
	Notes string `json:"notes,omitempty"`
	// build links back to the CI run that made the artifact.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Release's spec must not change, but for `blocked`: create a new Release for a new version"
	Build ReleaseBuild `json:"build,omitempty,omitzero"`
	// blocked marks a Release that is known to be bad: it cannot be promoted anywhere any more. Whoever may change the Release may set it; it is cleared
	// with the verb `unblock` alone.
	// +optional
	Blocked ReleaseBlock `json:"blocked,omitempty,omitzero"`
}

// ReleaseBlock says why a Release must not be promoted.
type ReleaseBlock struct {
	// reason why, as people read it.
	// +required
	// +kubebuilder:validation:Pattern=`\S`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// ReleaseImage pins one image, found by the name it has in the manifests.
type ReleaseImage struct {
	// name of the image as the manifests have it, without tag or digest.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Name string `json:"name,omitempty"`
	// newName replaces the name. Default: the name stays.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	NewName string `json:"newName,omitempty"`
	// digest that the image is pinned to.
	// +required
	Digest Digest `json:"digest,omitempty"`
}

// ReleaseBuild links a Release back to CI. It informs people and decides nothing.
//
// +kubebuilder:validation:MinProperties=1
type ReleaseBuild struct {
	// commit that was built.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Commit string `json:"commit,omitempty"`
	// url of the CI run; must begin with https:// or http://.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s]+$`
	URL string `json:"url,omitempty"`
	// author of the change.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Author string `json:"author,omitempty"`
	// branch that was built.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Branch string `json:"branch,omitempty"`
}

// ReleaseStatus is what the operator found.
//
// +kubebuilder:validation:MinProperties=1
type ReleaseStatus struct {
	// conditions of the Release. Ready: its content has been fetched, is what its digest says, and it is not blocked.
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
	// digest of the content: of the artifact's manifest, or of the inline text. A tag is resolved to it once; it never changes after.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the digest of a Release must not change once it is known"
	Digest Digest `json:"digest,omitempty"`
	// environments that a blocked Release runs in now. It is kept for blocked Releases alone.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=64
	Environments []ReleaseEnvironment `json:"environments,omitempty"`
}

// ReleaseEnvironment is an Environment that a Release runs in.
type ReleaseEnvironment struct {
	// name of the Environment.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// promotion that rolled it out.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Promotion string `json:"promotion,omitempty"`
	// sinceTime is since when it has run there.
	// +required
	SinceTime metav1.Time `json:"sinceTime,omitempty,omitzero"`
}

// Release is one immutable version of an application: a source of manifests, pinned by digest, and the images in it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=rel,categories=assent
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Application",type=string,JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,priority=1
// +kubebuilder:printcolumn:name="Digest",type=string,JSONPath=`.status.digest`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.application`
type Release struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec says what the version consists of. It never changes, but for `blocked`.
	// +required
	Spec ReleaseSpec `json:"spec,omitzero"`
	// status is what the operator found. Only the operator writes it.
	// +optional
	Status ReleaseStatus `json:"status,omitempty,omitzero"`
}

// ReleaseList is a list of Releases.
//
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Release `json:"items"`
}
