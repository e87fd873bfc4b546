// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

// Overlay is what an Environment changes in the Releases that it runs. It is part of the rules of the Environment, and so of every plan's digest.
//
// +kubebuilder:validation:MinProperties=1
type Overlay struct {
	// patches to the rendered objects, in this order: kustomize's strategic merge patches and JSON patches. A patch that matches nothing is refused.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Patches []OverlayPatch `json:"patches,omitempty"`
	// replicas of workloads by name. A name that matches nothing is refused.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Replicas []OverlayReplicas `json:"replicas,omitempty"`
	// labels that every object gets, in its metadata alone: neither selectors nor pod templates change.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	Labels map[string]string `json:"labels,omitempty"`
	// values for Helm charts, over those of `valuesFrom`. Where a bundle is rolled out, the values of each application stand below its name.
	// A Release without a chart is refused while there are values.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:XPreserveUnknownFields
	Values *apiextensionsv1.JSON `json:"values,omitempty"`
	// valuesFrom are ConfigMaps and Secrets of the project that hold values for Helm charts; later ones go over earlier ones. A plan is made anew when one
	// of them changes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	ValuesFrom []ValuesReference `json:"valuesFrom,omitempty"`
}

// OverlayPatch is one patch and what it is for.
type OverlayPatch struct {
	// target of the patch. It may be left out for a strategic merge patch that names its object itself.
	// +optional
	Target OverlayTarget `json:"target,omitempty,omitzero"`
	// patch as YAML text: a strategic merge patch, or a list of JSON patch operations (RFC 6902).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	Patch string `json:"patch,omitempty"`
}

// OverlayTarget selects objects. What is left out matches anything.
//
// +kubebuilder:validation:MinProperties=1
type OverlayTarget struct {
	// group of the objects' API; empty for any.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// version of the objects' API; empty for any.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version,omitempty"`
	// kind of the objects; empty for any.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// name of the objects, as a regular expression that has to match all of it; empty for any.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// labelSelector that the objects' labels match, such as "tier=web"; empty for any.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	LabelSelector string `json:"labelSelector,omitempty"`
}

// OverlayReplicas sets the replicas of one workload.
type OverlayReplicas struct {
	// name of the Deployment, StatefulSet or ReplicaSet.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// count of replicas.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	Count *int32 `json:"count,omitempty"`
}

// ValuesKind is the kind of object that holds values.
// +kubebuilder:validation:Enum=ConfigMap;Secret
type ValuesKind string

const (
	// ValuesConfigMap holds values that are no secret.
	ValuesConfigMap ValuesKind = "ConfigMap"
	// ValuesSecret holds values that are. Its type must be assent.dev/values.
	ValuesSecret ValuesKind = "Secret"
)

// ValuesReference names values for Helm charts in the project. The operator must be allowed to `get`, `list` and `watch` the object: bind the ClusterRole
// assent-values-reader in the project, with its name in `resourceNames`.
type ValuesReference struct {
	// kind is ConfigMap or Secret.
	// +required
	Kind ValuesKind `json:"kind,omitempty"`
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// key that holds the values as YAML. Default: values.yaml.
	// +optional
	// +default="values.yaml"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}
