// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/source"
)

// TestWhatDoesNotCountAsSignedIsRefusedWithAMessageOfItsOwn names the artifact in each message by REF.
func TestWhatDoesNotCountAsSignedIsRefusedWithAMessageOfItsOwn(t *testing.T) {
	const sign = "have \"release\" or \"ci\" sign it with `cosign sign REF` (cosign 3 or later)"
	sigstore, elsewhere, release, other := newAuthority(t), newAuthority(t), newKey(t), newKey(t)
	policy := policyOf(release.signer(t, "release"), sigstore.signer(t, "ci"))
	all := proofs{log: true, timestamp: true}
	another := digest.FromString("something else")
	const stranger = ", or have an owner of the Environment add who signed to `spec.signatures.signers`"
	tests := map[string]struct {
		attach  func(*testing.T, pushed)
		reason  Reason
		message string
	}{
		"nobody has signed": {
			attach: func(*testing.T, pushed) {}, reason: Unsigned,
			message: "REF is not signed, and must be signed by \"release\" or \"ci\": " + sign,
		},
		"something else is attached": {
			attach: func(t *testing.T, p pushed) { p.attachAs(t, "application/spdx+json", []byte("{}")) }, reason: Unsigned,
			message: "REF is not signed, and must be signed by \"release\" or \"ci\": " + sign,
		},
		"it is signed in the old form": {
			attach: func(t *testing.T, p pushed) {
				_, err := oras.TagBytes(t.Context(), p.repository, ocispec.MediaTypeImageManifest, []byte("{}"), "sha256-"+p.digest().Encoded()+".sig")
				must(t, err)
			}, reason: Unsigned,
			message: "REF has a signature in the old form of cosign only (tag \"sha256-HEX.sig\"), which is not supported: " +
				"have \"release\" or \"ci\" sign it anew with `cosign sign REF` (cosign 3 or later)",
		},
		"a key has signed that is none of the signers'": {
			attach: func(t *testing.T, p pushed) { p.attach(t, other.bundle(t, statement(p.digest()))) }, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but with a key that is none of theirs: " + sign + stranger,
		},
		"a key has signed as a message that is none of the signers'": {
			attach: func(t *testing.T, p pushed) { p.attach(t, other.messageBundle(t, p.manifest)) }, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but with a key that is none of theirs: " + sign + stranger,
		},
		"a key has signed twice that is none of the signers', and something else is attached": {
			attach: func(t *testing.T, p pushed) {
				p.attach(t, []byte("[]"), other.bundle(t, statement(p.digest())), newKey(t).bundle(t, statement(p.digest())))
			}, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but with a key that is none of theirs: " + sign + stranger,
		},
		"the certificate names nobody": {
			attach: func(t *testing.T, p pushed) { p.attach(t, other.bundleWith(t, other.certificate(t), p.digest())) }, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but with a certificate that names nobody: " + sign + stranger,
		},
		"the certificate cannot be read": {
			attach: func(t *testing.T, p pushed) { p.attach(t, other.bundleWith(t, []byte("x"), p.digest())) }, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but with a certificate that cannot be read: " + sign + stranger,
		},
		"somebody else has signed": {
			attach: func(t *testing.T, p pushed) {
				p.attach(t, sigstore.bundle(t, "mallory@example.com", issuer, statement(p.digest()), all))
			}, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but by \"mallory@example.com\" of issuer \"" + issuer + "\": " + sign + stranger,
		},
		"somebody has signed whose identity begins as the signer's": {
			attach: func(t *testing.T, p pushed) {
				p.attach(t, sigstore.bundle(t, subject+".evil.org", issuer, statement(p.digest()), all))
			}, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but by \"" + subject + ".evil.org\" of issuer \"" + issuer + "\": " + sign + stranger,
		},
		"somebody has signed whom another issuer vouches for": {
			attach: func(t *testing.T, p pushed) {
				p.attach(t, sigstore.bundle(t, subject, "https://elsewhere.example.com", statement(p.digest()), all))
			}, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but by \"" + subject + "\" of issuer \"https://elsewhere.example.com\": " + sign + stranger,
		},
		"the certificate is of an authority that is not trusted": {
			attach: func(t *testing.T, p pushed) {
				p.attach(t, elsewhere.bundle(t, subject, issuer, statement(p.digest()), all))
			}, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but by somebody who claims to be \"" + subject + "\" of issuer \"" + issuer +
				"\", which is not believed: no transparency log that the trusted root names has it: " + sign + stranger,
		},
		"nothing proves when it was signed": {
			attach: func(t *testing.T, p pushed) {
				p.attach(t, sigstore.bundle(t, subject, issuer, statement(p.digest()), proofs{log: true}))
			}, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but by somebody who claims to be \"" + subject + "\" of issuer \"" + issuer +
				"\", which is not believed: nothing that the trusted root names proves when it was signed: " + sign + stranger,
		},
		"it is in no log, though the trusted root names one": {
			attach: func(t *testing.T, p pushed) {
				p.attach(t, sigstore.bundle(t, subject, issuer, statement(p.digest()), proofs{timestamp: true}))
			}, reason: WrongSigner,
			message: "REF is signed, and not by \"release\" or \"ci\" but by somebody who claims to be \"" + subject + "\" of issuer \"" + issuer +
				"\", which is not believed: no transparency log that the trusted root names has it: " + sign + stranger,
		},
		"a signer's key has signed another digest": {
			attach: func(t *testing.T, p pushed) { p.attach(t, release.bundle(t, statement(another))) }, reason: OtherDigest,
			message: "REF carries a signature of \"release\" that was made for another digest, \"" + another.String() + "\": promote what was signed, or " + sign,
		},
		"a signer's key has signed another message": {
			attach: func(t *testing.T, p pushed) { p.attach(t, release.messageBundle(t, []byte("something else"))) }, reason: OtherDigest,
			message: "REF carries a signature of \"release\" that was made for another digest, \"" + another.String() + "\": promote what was signed, or " + sign,
		},
		"a signer has signed another digest": {
			attach: func(t *testing.T, p pushed) {
				p.attach(t, other.bundle(t, statement(p.digest())), sigstore.bundle(t, subject, issuer, statement(another), all))
			}, reason: OtherDigest,
			message: "REF carries a signature of \"ci\" that was made for another digest, \"" + another.String() + "\": promote what was signed, or " + sign,
		},
		"a signer has said something else about it": {
			attach: func(t *testing.T, p pushed) {
				p.attach(t, release.bundle(t, statementOf("https://slsa.dev/provenance/v1", p.digest())))
			}, reason: Unsigned,
			message: "REF carries a statement of \"release\" of the type \"https://slsa.dev/provenance/v1\", which is no signature: " + sign,
		},
		"what is attached is no bundle": {
			attach: func(t *testing.T, p pushed) { p.attach(t, []byte("[]")) }, reason: Unsigned,
			message: "REF has nothing attached that can be read as a signature (it is no Sigstore bundle of the versions 0.1 to 0.3): " + sign,
		},
		"the bundle is too large": {
			attach: func(t *testing.T, p pushed) { p.attach(t, make([]byte, 1<<20+1)) }, reason: Unsigned,
			message: "REF has nothing attached that can be read as a signature (it has 1048577 bytes, of at most 1048576): " + sign,
		},
		"the message is signed by a digest of another kind": {
			attach: func(t *testing.T, p pushed) {
				p.attach(t, []byte(strings.Replace(string(release.messageBundle(t, p.manifest)), "SHA2_256", "SHA2_512", 1)))
			}, reason: Unsigned,
			message: "REF has nothing attached that can be read as a signature (it is about a digest of the kind \"SHA2_512\" and must be about one of SHA-256): " + sign,
		},
		"what is signed is no statement": {
			attach: func(t *testing.T, p pushed) { p.attach(t, release.bundle(t, []byte(p.digest()))) }, reason: Unsigned,
			message: "REF has nothing attached that can be read as a signature (its payload is no in-toto statement): " + sign,
		},
		"the statement names no digest": {
			attach: func(t *testing.T, p pushed) { p.attach(t, release.bundle(t, statementOf(signPredicate))) }, reason: Unsigned,
			message: "REF has nothing attached that can be read as a signature (its statement names no SHA-256 digest): " + sign,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			artifact := startRegistry(t).push(t, "shop", name)
			test.attach(t, artifact)
			err := New().Verify(t.Context(), policy, artifact.artifact(), source.Credentials{})
			message := strings.NewReplacer("REF", artifact.image(), "HEX", artifact.digest().Encoded()).Replace(test.message)
			expectError(t, err, test.reason, message)
		})
	}
}

func TestACertificateIsBelievedByNobodyWhereNoSignerIsKeyless(t *testing.T) {
	artifact, release := startRegistry(t).push(t, "shop", "content"), newKey(t)
	artifact.attach(t, newAuthority(t).bundle(t, subject, issuer, statement(artifact.digest()), proofs{log: true, timestamp: true}))
	err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
	if err == nil || !strings.Contains(err.Error(), "by somebody who claims to be \""+subject+"\" of issuer \""+issuer+"\", which is not believed: no signer is `keyless`") {
		t.Errorf("got %v", err)
	}
}

func TestACertificateMustBeInALogWhereTheTrustedRootNamesOne(t *testing.T) {
	sigstore := newAuthority(t)
	signer := sigstore.signer(t, "ci")
	signer.Keyless.TrustedRoot = sigstore.trustedRoot(t, trusts{log: true, timestamps: true, certificateLog: true})
	artifact := startRegistry(t).push(t, "shop", "content")
	artifact.attach(t, sigstore.bundle(t, subject, issuer, statement(artifact.digest()), proofs{log: true, timestamp: true}))
	err := New().Verify(t.Context(), policyOf(signer), artifact.artifact(), source.Credentials{})
	expectError(t, err, WrongSigner, artifact.image()+" is signed, and not by \"ci\" but by somebody who claims to be \""+subject+"\" of issuer \""+issuer+
		"\", which is not believed: no log that the trusted root names has the certificate: have \"ci\" sign it with `cosign sign "+artifact.image()+
		"` (cosign 3 or later), or have an owner of the Environment add who signed to `spec.signatures.signers`")
}

func TestAnAuthorityThatIsNotTrustedVouchesForNobody(t *testing.T) {
	sigstore, elsewhere := newAuthority(t), newAuthority(t)
	signer := sigstore.signer(t, "ci")
	signer.Keyless.TrustedRoot = mixedRoot(t, sigstore, elsewhere)
	artifact := startRegistry(t).push(t, "shop", "content")
	artifact.attach(t, elsewhere.bundle(t, subject, issuer, statement(artifact.digest()), proofs{log: true, timestamp: true}))
	err := New().Verify(t.Context(), policyOf(signer), artifact.artifact(), source.Credentials{})
	if err == nil || !strings.Contains(err.Error(), "no authority that the trusted root names has given out the certificate") {
		t.Errorf("got %v", err)
	}
}

func TestAMessageSignatureByAnEd25519KeyCannotBeVerified(t *testing.T) {
	release := keyOfEd25519(t)
	artifact := startRegistry(t).push(t, "shop", "content")
	artifact.attach(t, release.messageBundle(t, artifact.manifest))
	err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
	expectError(t, err, WrongSigner, artifact.image()+" is signed, and not by \"release\" but with a key that is none of theirs, or with an Ed25519 key and no statement, "+
		"which cannot be verified: have \"release\" sign it with `cosign sign "+artifact.image()+
		"` (cosign 3 or later), or have an owner of the Environment add who signed to `spec.signatures.signers`")

	// A statement can: another key has signed it.
	another := startRegistry(t).push(t, "shop", "content")
	another.attach(t, newKey(t).bundle(t, statement(another.digest())))
	err = New().Verify(t.Context(), policyOf(release.signer(t, "release")), another.artifact(), source.Credentials{})
	if err == nil || !strings.Contains(err.Error(), "but with a key that is none of theirs: have ") {
		t.Errorf("got %v", err)
	}
}

func TestATrustedRootWithHalfATimestampAuthorityEndsNothing(t *testing.T) {
	sigstore := newAuthority(t)
	whole := sigstore.trustedRoot(t, trusts{timestamps: true})
	var fields map[string]any
	must(t, json.Unmarshal([]byte(whole), &fields))
	chain := fields["timestampAuthorities"].([]any)[0].(map[string]any)["certChain"].(map[string]any)
	chain["certificates"] = chain["certificates"].([]any)[:1]
	half, err := json.Marshal(fields)
	must(t, err)
	signer := sigstore.signer(t, "ci")
	signer.Keyless.TrustedRoot = string(half)
	artifact := startRegistry(t).push(t, "shop", "content")
	artifact.attach(t, sigstore.bundle(t, subject, issuer, statement(artifact.digest()), proofs{timestamp: true}))
	err = New().Verify(t.Context(), policyOf(signer), artifact.artifact(), source.Credentials{})
	if typed := new(Error); !asError(err, &typed) || typed.Retryable() {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestManyStrangersAndSignersAreNotAllNamed(t *testing.T) {
	sigstore := newAuthority(t)
	artifact := startRegistry(t).push(t, strings.Repeat("repository/", 16)+"shop", "content")
	for _, who := range []string{"a", "b", "c", "d", "e"} {
		who = strings.Repeat(who, 500) + "@example.com"
		artifact.attach(t, sigstore.bundle(t, who, "https://"+strings.Repeat("issuer.", 60), statement(artifact.digest()), proofs{log: true, timestamp: true}))
	}
	var signers []v1alpha1.Signer
	for _, name := range []string{"v", "w", "x", "y", "z"} {
		signers = append(signers, newKey(t).signer(t, strings.Repeat(name, 63)))
	}
	err := New().Verify(t.Context(), policyOf(signers...), artifact.artifact(), source.Credentials{})
	if err == nil || strings.Count(err.Error(), "claims to be") != 2 || !strings.Contains(err.Error(), " and 3 more: ") || !strings.Contains(err.Error(), " or 2 more sign it ") {
		t.Errorf("got %v, want two strangers and \"3 more\", and three signers and \"2 more\"", err)
	}
	if err != nil && len(err.Error()) > 2048 {
		t.Errorf("got %d bytes, more than a status takes", len(err.Error()))
	}
}

func TestARegistryThatCannotBeAskedIsAFaultThatPasses(t *testing.T) {
	release := newKey(t)
	policy := policyOf(release.signer(t, "release"))
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(code)
			return true
		}
	}
	only := func(part string, code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, req *http.Request) bool {
			if !strings.Contains(req.URL.Path, part) {
				return false
			}
			w.WriteHeader(code)
			return true
		}
	}
	tests := map[string]struct {
		intercept func(http.ResponseWriter, *http.Request) bool
		message   string
	}{
		"it fails": {intercept: status(http.StatusNotImplemented),
			message: "registry \"HOST\" could not deliver the list of signatures of REF (status 501 Not Implemented): check that it is up and reachable; it is tried again"},
		"it denies": {intercept: status(http.StatusForbidden),
			message: "registry \"HOST\" refused to let the list of signatures of REF be read (status 403 Forbidden): give the Secret with its credentials the right to pull; it is tried again"},
		"it fails for the signature": {intercept: only("/blobs/", http.StatusNotImplemented),
			message: "registry \"HOST\" could not deliver a signature of REF (status 501 Not Implemented): check that it is up and reachable; it is tried again"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			registry := startRegistry(t)
			artifact := registry.push(t, "shop", name)
			artifact.attach(t, release.bundle(t, statement(artifact.digest())))
			registry.answer(test.intercept)
			verifier := New()
			err := verifier.Verify(t.Context(), policy, artifact.artifact(), source.Credentials{})
			expectError(t, err, Unreachable, strings.NewReplacer("REF", artifact.image(), "HOST", registry.host()).Replace(test.message))
			registry.answer(nil)
			if err := verifier.Verify(t.Context(), policy, artifact.artifact(), source.Credentials{}); err != nil {
				t.Errorf("the fault has passed, and still: %v", err)
			}
		})
	}
}

// What nobody could read may be there: it must not be said to be unsigned, or missing.
func TestARegistryThatFailsBeforeItIsSeenWhyNothingIsAttachedIsAFaultThatPasses(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	oldTag := "sha256-" + artifact.digest().Encoded() + ".sig"
	for reference, what := range map[string]string{artifact.digest().String(): artifact.image(), oldTag: "tag " + oldTag} {
		registry.answer(func(w http.ResponseWriter, req *http.Request) bool {
			if !strings.HasSuffix(req.URL.Path, "/manifests/"+reference) {
				return false
			}
			w.WriteHeader(http.StatusNotImplemented)
			return true
		})
		err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
		expectError(t, err, Unreachable, "registry \""+registry.host()+"\" could not deliver "+what+
			" (status 501 Not Implemented): check that it is up and reachable; it is tried again")
	}
}

func TestWhatIsNotThereIsWaitedFor(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	registry.push(t, "shop", "content")
	for _, repository := range []string{"shop", "nowhere"} {
		missing := Artifact{URL: registry.url(repository), Digest: v1alpha1.Digest(digest.FromString("missing"))}
		err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), missing, source.Credentials{})
		expectError(t, err, Unreachable, missing.reference()+" does not exist in registry \""+registry.host()+
			"\", or its Secret does not show it: push it, and sign it; it is tried again")
	}
}

func TestASignatureIsReadWithTheCredentialsOfItsRegistry(t *testing.T) {
	registry, release := startLockedRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	artifact.attach(t, release.bundle(t, statement(artifact.digest())))
	policy := policyOf(release.signer(t, "release"))
	credentials, err := source.ParseDockerConfig([]byte(`{"auths": {"` + registry.host() + `": {"username": "` + username + `", "password": "` + password + `"}}}`))
	must(t, err)
	verifier := New(WithRootCAs(registry.roots()))
	err = verifier.Verify(t.Context(), policy, artifact.artifact(), source.Credentials{})
	expectError(t, err, Unreachable, "registry \""+registry.host()+"\" refused to let the list of signatures of "+artifact.image()+
		" be read (it asks for a username and a password): give the Secret with its credentials the right to pull; it is tried again")
	if err := verifier.Verify(t.Context(), policy, artifact.artifact(), credentials); err != nil {
		t.Error(err)
	}
	err = New().Verify(t.Context(), policy, artifact.artifact(), credentials)
	if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("got %v, want a registry that is not trusted to be a fault", err)
	}
}

func TestWhatIsNoArtifactCannotBeSigned(t *testing.T) {
	release := newKey(t)
	policy, some := policyOf(release.signer(t, "release")), v1alpha1.Digest(digest.FromString("some"))
	for _, url := range []string{"https://git.example.com/shop.git", "", "oci://", "oci://host/shop:tag"} {
		err := New().Verify(t.Context(), policy, Artifact{URL: url, Digest: some}, source.Credentials{})
		expectError(t, err, NotSignable, "only what lies in an OCI registry can carry a signature, and \""+url+
			"\" is not there: push it as an OCI artifact, and create a new Release with its `oci` URL and digest")
	}
	err := New().Verify(t.Context(), policy, Artifact{URL: "oci://registry.example.com/shop", Digest: "sha256:abc"}, source.Credentials{})
	expectError(t, err, NotSignable, "\"sha256:abc\" is not a SHA-256 digest, and no signature can speak of it")
	long := digest.SHA512.FromString("some")
	err = New().Verify(t.Context(), policy, Artifact{URL: "oci://registry.example.com/shop", Digest: v1alpha1.Digest(long)}, source.Credentials{})
	expectError(t, err, NotSignable, "\""+long.String()+"\" is not a SHA-256 digest, and no signature can speak of it")
}

func TestAProofIsRememberedAndARefusalIsNot(t *testing.T) {
	registry, release, other := startRegistry(t), newKey(t), newKey(t)
	policy, verifier := policyOf(release.signer(t, "release")), New()
	artifact := registry.push(t, "shop", "content")
	if err := verifier.Verify(t.Context(), policy, artifact.artifact(), source.Credentials{}); err == nil {
		t.Fatal("what is not signed was accepted")
	}
	artifact.attach(t, release.bundle(t, statement(artifact.digest())))
	must(t, verifier.Verify(t.Context(), policy, artifact.artifact(), source.Credentials{}))

	registry.answer(nil)
	must(t, verifier.Verify(t.Context(), policy, artifact.artifact(), source.Credentials{}))
	if registry.seen() != 0 {
		t.Errorf("got %d requests for what is known, want none", registry.seen())
	}
	for name, signers := range map[string]v1alpha1.SignaturePolicy{
		"another key":  policyOf(other.signer(t, "release")),
		"another name": policyOf(release.signer(t, "releases")),
	} {
		registry.answer(nil)
		_ = verifier.Verify(t.Context(), signers, artifact.artifact(), source.Credentials{})
		if registry.seen() == 0 {
			t.Errorf("%s: what was proven under one policy was believed under another", name)
		}
	}
	elsewhere := registry.push(t, "elsewhere", "content")
	if elsewhere.digest() == artifact.digest() {
		if err := verifier.Verify(t.Context(), policy, elsewhere.artifact(), source.Credentials{}); err == nil {
			t.Error("what was proven in one repository was believed in another")
		}
	}
}
