// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"crypto"
	"errors"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/source"
)

func policyOf(signers ...v1alpha1.Signer) v1alpha1.SignaturePolicy {
	return v1alpha1.SignaturePolicy{Signers: signers}
}

// expectError is an [*Error] with the reason and the message.
func expectError(t *testing.T, err error, reason Reason, message string) {
	t.Helper()
	var typed *Error
	if !errors.As(err, &typed) {
		t.Fatalf("got %v, want an Error", err)
	}
	if typed.Reason != reason {
		t.Errorf("got the reason %q, want %q", typed.Reason, reason)
	}
	if typed.Message != message {
		t.Errorf("got the message\n%s\nwant\n%s", typed.Message, message)
	}
	if want := reason == Unreachable; typed.Retryable() != want {
		t.Errorf("got retryable %v, want %v", typed.Retryable(), want)
	}
}

func TestASignatureByOneOfTheSignersIsEnough(t *testing.T) {
	sigstore, other := newAuthority(t), newKey(t)
	p256, p384, old384, rsa, ed25519 := newKey(t), keyOnP384(t, crypto.SHA384), keyOnP384(t, crypto.SHA256), keyOfRSA(t, 2048), keyOfEd25519(t)
	all := proofs{log: true, timestamp: true}
	pattern := sigstore.signer(t, "ci")
	pattern.Keyless.Subject, pattern.Keyless.SubjectPattern = "", "ci@.*[.]example[.]com"
	stamped := sigstore.signer(t, "ci")
	stamped.Keyless.TrustedRoot = sigstore.trustedRoot(t, trusts{timestamps: true})
	logged := sigstore.signer(t, "ci")
	logged.Keyless.TrustedRoot = sigstore.trustedRoot(t, trusts{log: true})
	tests := map[string]struct {
		signers []v1alpha1.Signer
		bundles func(pushed) [][]byte
	}{
		"a key on P-256": {signers: []v1alpha1.Signer{p256.signer(t, "release")}, bundles: func(p pushed) [][]byte {
			return [][]byte{p256.bundle(t, statement(p.digest()))}
		}},
		"a key on P-384": {signers: []v1alpha1.Signer{p384.signer(t, "release")}, bundles: func(p pushed) [][]byte {
			return [][]byte{p384.bundle(t, statement(p.digest()))}
		}},
		"a key on P-384 that hashes as older tools do": {signers: []v1alpha1.Signer{old384.signer(t, "release")}, bundles: func(p pushed) [][]byte {
			return [][]byte{old384.bundle(t, statement(p.digest()))}
		}},
		"an RSA key": {signers: []v1alpha1.Signer{rsa.signer(t, "release")}, bundles: func(p pushed) [][]byte {
			return [][]byte{rsa.bundle(t, statement(p.digest()))}
		}},
		"an Ed25519 key": {signers: []v1alpha1.Signer{ed25519.signer(t, "release")}, bundles: func(p pushed) [][]byte {
			return [][]byte{ed25519.bundle(t, statement(p.digest()))}
		}},
		"a statement that names the artifact by another hash before": {signers: []v1alpha1.Signer{p256.signer(t, "release")}, bundles: func(p pushed) [][]byte {
			return [][]byte{p256.bundle(t, statementOf(signPredicate, digest.SHA512.FromBytes(p.manifest), p.digest()))}
		}},
		"a message signature by a key": {signers: []v1alpha1.Signer{p256.signer(t, "release")}, bundles: func(p pushed) [][]byte {
			return [][]byte{p256.messageBundle(t, p.manifest)}
		}},
		"an identity": {signers: []v1alpha1.Signer{sigstore.signer(t, "ci")}, bundles: func(p pushed) [][]byte {
			return [][]byte{sigstore.bundle(t, subject, issuer, statement(p.digest()), all)}
		}},
		"an identity by pattern": {signers: []v1alpha1.Signer{pattern}, bundles: func(p pushed) [][]byte {
			return [][]byte{sigstore.bundle(t, subject, issuer, statement(p.digest()), all)}
		}},
		"an identity, its time proven by a timestamp": {signers: []v1alpha1.Signer{stamped}, bundles: func(p pushed) [][]byte {
			return [][]byte{sigstore.bundle(t, subject, issuer, statement(p.digest()), proofs{timestamp: true})}
		}},
		"an identity, its time proven by a log, in a bundle of the first version": {signers: []v1alpha1.Signer{logged}, bundles: func(p pushed) [][]byte {
			return [][]byte{sigstore.oldMessageBundle(t, p.manifest, proofs{log: true})}
		}},
		"the second of two signers": {signers: []v1alpha1.Signer{other.signer(t, "release"), sigstore.signer(t, "ci")}, bundles: func(p pushed) [][]byte {
			return [][]byte{sigstore.bundle(t, subject, issuer, statement(p.digest()), all)}
		}},
		"a good one among bad ones": {signers: []v1alpha1.Signer{p256.signer(t, "release")}, bundles: func(p pushed) [][]byte {
			return [][]byte{
				[]byte("{"), other.bundle(t, statement(p.digest())), p256.bundle(t, statement(digest.FromString("else"))),
				p256.bundle(t, statement(p.digest())), make([]byte, 2<<20), []byte(`{"mediaType": "x"}`),
			}
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for kind, start := range map[string]func(*testing.T) *testRegistry{"referrers API": startRegistry, "tag": startOldRegistry} {
				artifact := start(t).push(t, "shop", name)
				artifact.attach(t, test.bundles(artifact)...)
				if err := New().Verify(t.Context(), policyOf(test.signers...), artifact.artifact(), source.Credentials{}); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
			}
		})
	}
}

func TestASecretThatIsNotForRegistriesIsAFaultThatCanBeMended(t *testing.T) {
	login, err := source.ParseBasicAuth(map[string][]byte{"username": []byte(username), "password": []byte(password)}, "git.example.com")
	must(t, err)
	artifact := startRegistry(t).push(t, "shop", "content")
	err = New().Verify(t.Context(), policyOf(newKey(t).signer(t, "release")), artifact.artifact(), login)
	expectError(t, err, Unreachable, "the Secret with the credentials to read the signatures of "+artifact.image()+
		" is not for registries: name one of type \"kubernetes.io/dockerconfigjson\"; it is tried again")
}
