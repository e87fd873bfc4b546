// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// ImageSignatures says whether the images of a Release must be signed as well.
// +kubebuilder:validation:Enum=NotRequired;Required
type ImageSignatures string

const (
	// ImageSignaturesNotRequired is the default: the artifact's signature is enough.
	ImageSignaturesNotRequired ImageSignatures = "NotRequired"
	// ImageSignaturesRequired means that each image of the rendered objects must be pinned by digest, and that digest signed.
	ImageSignaturesRequired ImageSignatures = "Required"
)

// SignaturePolicy says who must have signed what runs in an Environment. Signatures are Sigstore bundles, attached to the artifact in its registry as an OCI
// referrer (what `cosign sign` writes by default). They are verified without asking any other server.
type SignaturePolicy struct {
	// signers of whom one must have signed the artifact of the Release, by its digest.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Signers []Signer `json:"signers,omitempty"`
	// images says whether the images in the rendered objects must be signed by one of them, too: NotRequired or Required. Default: NotRequired.
	// +optional
	// +default="NotRequired"
	Images ImageSignatures `json:"images,omitempty"`
	// imageSecretRef names a Secret of type kubernetes.io/dockerconfigjson in the project with the credentials for the images' registries.
	// +optional
	ImageSecretRef LocalReference `json:"imageSecretRef,omitempty,omitzero"`
}

// Signer is a key, or an identity that a certificate authority vouches for.
//
// +kubebuilder:validation:ExactlyOneOf=key;keyless
type Signer struct {
	// name of the signer, as messages show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`
	// key is a public key as PEM (PKIX).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	Key string `json:"key,omitempty"`
	// keyless is an identity that signs with short-lived certificates.
	// +optional
	Keyless KeylessSigner `json:"keyless,omitempty,omitzero"`
}

// KeylessSigner is an identity in a certificate, proven to have been valid when it signed.
//
// +kubebuilder:validation:ExactlyOneOf=subject;subjectPattern
type KeylessSigner struct {
	// issuer of the identity, such as https://token.actions.githubusercontent.com.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Issuer string `json:"issuer,omitempty"`
	// subject of the certificate, exactly.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Subject string `json:"subject,omitempty"`
	// subjectPattern is a regular expression that has to match all of the subject.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	SubjectPattern string `json:"subjectPattern,omitempty"`
	// trustedRoot is the Sigstore trusted root as JSON, as `cosign trusted-root create` or the Sigstore root-signing repository give it: the certificate
	// authorities, transparency logs and timestamp authorities that are believed. It is read from here, and never fetched.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	TrustedRoot string `json:"trustedRoot,omitempty"`
}
