// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// ReleaseSource is one of the ways manifests are handed over.
//
// +kubebuilder:validation:ExactlyOneOf=oci;git;helm;inline;bundle
type ReleaseSource struct {
	// oci takes the manifests from an artifact in an OCI registry.
	// +optional
	OCI OCISource `json:"oci,omitempty,omitzero"`
	// git takes the manifests from a commit of a Git repository.
	// +optional
	Git GitSource `json:"git,omitempty,omitzero"`
	// helm renders a chart from an OCI registry or from an HTTPS chart repository.
	// +optional
	Helm HelmSource `json:"helm,omitempty,omitzero"`
	// bundle names other Releases of the project that are planned, approved, rolled out and rolled back together, with one digest. None of them may be a bundle itself.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Bundle []BundledRelease `json:"bundle,omitempty"`
	// inline holds the manifests themselves, as YAML text of at most 256 KiB.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=262144
	Inline string `json:"inline,omitempty"`
}

// OCISource is an artifact in an OCI registry, as oras, flux and crane push them: plain YAML, or a tree with a kustomization.yaml.
//
// +kubebuilder:validation:AtLeastOneOf=tag;digest
type OCISource struct {
	// url of the repository, without tag or digest: oci://HOST[:PORT]/REPOSITORY.
	// A registry is spoken to over TLS; oci+http://HOST[:PORT]/REPOSITORY asks for plain HTTP, for registries inside the cluster or on a test machine.
	// The content is verified against its digest either way; plain HTTP shows the credentials and the content to the network.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^oci(\+http)?://[a-zA-Z0-9.\-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`
	URL string `json:"url,omitempty"`
	// tag is resolved to a digest once, when the Release is first seen, and never again.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9_][a-zA-Z0-9._-]*$`
	Tag string `json:"tag,omitempty"`
	// digest of the artifact's manifest. With a tag too, the tag must point to it when the Release is first seen.
	// +optional
	Digest Digest `json:"digest,omitempty"`
	// path inside the artifact: a YAML file, a folder with a kustomization.yaml, or a folder of YAML files. Default: the whole artifact.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.split('/').exists(p, p == '..')",message="path must stay inside the artifact: it must not begin with / or contain .."
	Path string `json:"path,omitempty"`
	// secretRef names a Secret of type kubernetes.io/dockerconfigjson in the project with the registry's credentials.
	// The operator must be allowed to read it: bind the ClusterRole assent-secret-reader in the project, with the Secret's name in `resourceNames`.
	// +optional
	SecretRef LocalReference `json:"secretRef,omitempty,omitzero"`
}

// SubmodulePolicy says whether a commit may have submodules.
// +kubebuilder:validation:Enum=Denied;Allowed
type SubmodulePolicy string

// LFSPolicy says whether a commit may keep files in Git LFS.
// +kubebuilder:validation:Enum=Denied;Allowed
type LFSPolicy string

const (
	// SubmodulesDenied is the default: a commit whose path holds a submodule is refused.
	SubmodulesDenied SubmodulePolicy = "Denied"
	// SubmodulesAllowed fetches submodules from the same host, at the commits that are pinned.
	SubmodulesAllowed SubmodulePolicy = "Allowed"

	// LFSDenied is the default: a commit whose path holds a Git LFS pointer is refused.
	LFSDenied LFSPolicy = "Denied"
	// LFSAllowed fetches the files that pointers name from the same host, and verifies their digests.
	LFSAllowed LFSPolicy = "Allowed"
)

// GitSource is a commit of a Git repository.
type GitSource struct {
	// url of the repository: https://HOST/PATH. http://HOST/PATH asks for plain HTTP, for servers inside the cluster or on a test machine; it shows the
	// credentials and the content to the network.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https?://[a-zA-Z0-9.\-]+(:[0-9]{1,5})?(/[a-zA-Z0-9._~+\-]+)+/?$`
	URL string `json:"url,omitempty"`
	// commit is the full hash, 40 hexadecimal digits. Branches and tags move, and are not accepted.
	// +required
	// +kubebuilder:validation:MinLength=40
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-f0-9]{40}$`
	Commit string `json:"commit,omitempty"`
	// path inside the repository: a YAML file, a folder with a kustomization.yaml, or a folder of YAML files. Default: the whole repository.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.split('/').exists(p, p == '..')",message="path must stay inside the repository: it must not begin with / or contain .."
	Path string `json:"path,omitempty"`
	// submodules says whether the commit may have submodules: Denied or Allowed. Allowed ones come from the same host. Default: Denied.
	// +optional
	// +default="Denied"
	Submodules SubmodulePolicy `json:"submodules,omitempty"`
	// lfs says whether files may be kept in Git LFS: Denied or Allowed. Default: Denied.
	// +optional
	// +default="Denied"
	LFS LFSPolicy `json:"lfs,omitempty"`
	// secretRef names a Secret of type kubernetes.io/basic-auth in the project, with `username` and `password` (or an access token as the password), and with
	// the repository's host in its annotation assent.dev/source-hosts.
	// The operator must be allowed to read it: bind the ClusterRole assent-secret-reader in the project, with the Secret's name in `resourceNames`.
	// +optional
	SecretRef LocalReference `json:"secretRef,omitempty,omitzero"`
}

// HelmSource is a chart. It is rendered by the operator and applied like any other source: Helm keeps no release of its own.
//
// +kubebuilder:validation:XValidation:rule="self.url.startsWith('oci') != has(self.chart)",fieldPath=".chart",message="chart is for repositories with https://; with oci:// the url itself names the chart"
type HelmSource struct {
	// url of the chart, oci://HOST[:PORT]/REPOSITORY, or of a chart repository, https://HOST/PATH, which needs `chart`. oci+http:// and http:// ask for
	// plain HTTP, for servers inside the cluster or on a test machine.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^(oci(\+http)?|https?)://[a-zA-Z0-9.\-]+(:[0-9]{1,5})?(/[a-zA-Z0-9._~+\-]+)*/?$`
	URL string `json:"url,omitempty"`
	// chart is its name in the repository; only with https:// or http://.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9._-]+$`
	Chart string `json:"chart,omitempty"`
	// version of the chart, exactly: ranges are not accepted.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9._+-]+$`
	Version string `json:"version,omitempty"`
	// digest of the chart: of its manifest with oci://, of its archive with https://. Without it, the digest that the version has when the Release is first seen counts.
	// +optional
	Digest Digest `json:"digest,omitempty"`
	// releaseName is what the chart's templates see as `.Release.Name`. Default: the application.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	ReleaseName string `json:"releaseName,omitempty"`
	// secretRef names a Secret in the project with the credentials: of type kubernetes.io/dockerconfigjson with oci://, kubernetes.io/basic-auth with https://, with the
	// repository's host in its annotation assent.dev/source-hosts.
	// The operator must be allowed to read it: bind the ClusterRole assent-secret-reader in the project, with the Secret's name in `resourceNames`.
	// +optional
	SecretRef LocalReference `json:"secretRef,omitempty,omitzero"`
}

// BundledRelease is one Release of a bundle.
type BundledRelease struct {
	// name of the Release, in the same project.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}
