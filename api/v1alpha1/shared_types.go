// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// LocalReference names an object of the same project.
type LocalReference struct {
	// name of the object, in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// ObjectReference names one object that a rollout applies. It carries no version: an object is the same in each version of its API.
type ObjectReference struct {
	// group of the object's API; empty for the core group.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// kind of the object, such as Deployment.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// namespace of the object; empty for a cluster-scoped one.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// Target is where a rollout goes and as whom it is performed.
type Target struct {
	// namespace that the application runs in. A rollout applies nothing outside of it, but for `clusterScopedKinds`.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`
	// serviceAccountName is the deployer: the service account in the target namespace that the rollout is performed as.
	// What its Role allows is what a Release can do there.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// cluster is another cluster that the namespace and the deployer are in. Default: this one.
	// +optional
	Cluster TargetCluster `json:"cluster,omitempty,omitzero"`
}

// TLSVerification says whether a cluster has to prove who it is.
// +kubebuilder:validation:Enum=Required;NotRequired
type TLSVerification string

const (
	// TLSVerificationRequired is the default.
	TLSVerificationRequired TLSVerification = "Required"
	// TLSVerificationNotRequired accepts a kubeconfig that says `insecure-skip-tls-verify`.
	TLSVerificationNotRequired TLSVerification = "NotRequired"
)

// TargetCluster is a cluster that is reached by a kubeconfig.
type TargetCluster struct {
	// kubeconfig names the Secret of the project, and its key, that hold the kubeconfig. It must hold everything itself: no programs, no plugins, no files. Its user must be
	// allowed to impersonate the deployer there. The operator must be allowed to read it: bind the ClusterRole assent-secret-reader in the project, with the Secret's
	// name in `resourceNames`.
	// +required
	Kubeconfig SecretKeyReference `json:"kubeconfig,omitempty,omitzero"`
	// tlsVerification says whether the kubeconfig must verify the API server's certificate: Required or NotRequired. Default: Required.
	// +optional
	// +default="Required"
	TLSVerification TLSVerification `json:"tlsVerification,omitempty"`
}

// Digest is a SHA-256 digest in the form "sha256:" and 64 hexadecimal digits.
// +kubebuilder:validation:MinLength=71
// +kubebuilder:validation:MaxLength=71
// +kubebuilder:validation:Pattern=`^sha256:[a-f0-9]{64}$`
type Digest string

// ObjectIdentity tells one object from another of the same name that came before or after it.
type ObjectIdentity struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// uid of the object, given by the API server.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`
}

// Person is a user or service account as the API server has authenticated it.
type Person struct {
	// username as the API server authenticated it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Username string `json:"username,omitempty"`
	// uid of the user; empty where the authenticator gives none.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	UID string `json:"uid,omitempty"`
	// groups that the API server found the user in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=0
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
}
