// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package signature proves that what an Environment runs has been signed by somebody whom it trusts.
//
//	digest ──> bundles attached to it ──> judged one by one ──> the first good one, or why there is none
//	           (referrers, bounded)       (offline: key, or certificate and trusted root of the policy)
//
// A bundle is good when one of the policy's signers has made it, for exactly this digest, as a signature: a message signature, or a statement of the kind
// that `cosign sign` writes. One that is good is enough, and no other of the [Limits].Bundles that are looked at hides it. Nothing is believed because a
// registry says so, and no server but the registry is asked.
package signature

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
	"k8s.io/utils/lru"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/rules"
	"github.com/assent-dev/assent/internal/source"
)

// Artifact is what must be signed: one digest in one repository.
type Artifact struct {
	// URL of the repository, oci://HOST[:PORT]/REPOSITORY, or oci+http:// for a registry on plain HTTP.
	URL string
	// Digest of the manifest.
	Digest v1alpha1.Digest
}

// reference as people and cosign write it.
func (a Artifact) reference() string {
	_, repository, _ := strings.Cut(a.URL, "://")
	return foreign(repository) + "@" + foreign(string(a.Digest))
}

// Verifier verifies signatures. It is safe for concurrent use.
type Verifier struct {
	limits    Limits
	http      *http.Client
	plainHTTP map[string]bool
	// proven are the verifications that have succeeded. It is sound to remember them: the digest says what was verified, the policy with its keys and roots is a
	// part of the key, and a certificate is judged at the time of its signing, so that no time that passes makes the same verification end in another way. A
	// signature that is removed from the registry was still given; who no longer trusts it changes the policy. Refusals are not remembered: signing ends them.
	// Credentials are no part of the key, since nothing that they protect is handed out.
	proven *lru.Cache
}

// proof is the key of a verification that has succeeded.
type proof struct {
	policy [sha256.Size]byte
	Artifact
}

// Option changes how a Verifier is set up.
type Option func(*options)

type options struct {
	roots     *x509.CertPool
	plainHTTP []string
	limits    Limits
}

// WithRootCAs sets the certificate authorities that registries are verified with. Default: the machine's.
func WithRootCAs(roots *x509.CertPool) Option {
	return func(o *options) { o.roots = roots }
}

// WithPlainHTTP names the registries, as HOST:PORT, whose images are read over plain HTTP. Default: none. For artifacts their URL says it.
func WithPlainHTTP(hosts ...string) Option {
	return func(o *options) { o.plainHTTP = append(o.plainHTTP, hosts...) }
}

// WithLimits sets the limits. Those that are zero have their defaults.
func WithLimits(limits Limits) Option {
	return func(o *options) { o.limits = limits }
}

// New returns a Verifier.
func New(opts ...Option) *Verifier {
	var o options
	for _, apply := range opts {
		apply(&o)
	}
	limits := o.limits.withDefaults()
	v := &Verifier{
		limits:    limits,
		http:      source.NewRegistryHTTP(o.roots),
		plainHTTP: map[string]bool{},
		proven:    lru.New(limits.Remembered),
	}
	for _, host := range o.plainHTTP {
		v.plainHTTP[host] = true
	}
	return v
}

// Verify that one of the policy's signers has signed the artifact. The credentials are for its registry. Every error is an [*Error]; one that is not Retryable is
// a refusal.
func (v *Verifier) Verify(ctx context.Context, policy v1alpha1.SignaturePolicy, artifact Artifact, credentials source.Credentials) error {
	signers, hash, err := prepare(policy)
	if err != nil {
		return err
	}
	return v.verify(ctx, signers, hash, artifact, credentials)
}

// prepare reads the signers of a policy, and makes a hash of them to remember what they have signed.
func prepare(policy v1alpha1.SignaturePolicy) (signers []signer, hash [sha256.Size]byte, err error) {
	signers, problems := readSigners(policy.Signers)
	if len(problems) > 0 {
		return nil, hash, refusal(InvalidPolicy, "no signature can be verified before the Environment is mended: %s", rules.Text(problems))
	}
	if len(signers) == 0 {
		return nil, hash, refusal(InvalidPolicy, "no signature can be verified before the Environment is mended: `spec.signatures.signers`: must name a signer")
	}
	encoded, err := json.Marshal(policy.Signers)
	if err != nil {
		return nil, hash, refusal(InvalidPolicy, "the signers cannot be written as JSON: %s", foreign(err.Error()))
	}
	return signers, sha256.Sum256(encoded), nil
}

func (v *Verifier) verify(
	ctx context.Context, signers []signer, policy [sha256.Size]byte, artifact Artifact, credentials source.Credentials,
) error {
	wanted := digest.Digest(artifact.Digest)
	if wanted.Validate() != nil || wanted.Algorithm() != digest.SHA256 {
		return refusal(NotSignable, "%q is not a SHA-256 digest, and no signature can speak of it", foreign(string(artifact.Digest)))
	}
	key := proof{policy: policy, Artifact: artifact}
	if _, found := v.proven.Get(key); found {
		return nil
	}
	repository, err := source.OpenRepository(v.http, artifact.URL, credentials, metadataBytes)
	if err != nil {
		return unopened(err, artifact)
	}
	ctx, cancel := context.WithTimeout(ctx, v.limits.Timeout)
	defer cancel()
	seen := evidence{artifact: artifact, signers: signers, attached: attached{repository: repository, subject: wanted, limits: v.limits}}
	if err := seen.gather(ctx); err != nil {
		return err
	}
	v.proven.Add(key, nil)
	return nil
}

func unopened(err error, artifact Artifact) *Error {
	var typed *source.Error
	if errors.As(err, &typed) && typed.Retryable() {
		return &Error{Reason: Unreachable, Err: err, Message: "the Secret with the credentials to read the signatures of " + artifact.reference() +
			" is not for registries: name one of type \"kubernetes.io/dockerconfigjson\"; it is tried again"}
	}
	return &Error{Reason: NotSignable, Err: err, Message: "only what lies in an OCI registry can carry a signature, and \"" + foreign(artifact.URL) +
		"\" is not there: push it as an OCI artifact, and create a new Release with its `oci` URL and digest"}
}
