// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/rules"
	"github.com/assent-dev/assent/internal/source"
)

// someKey of which nobody has kept the private half.
const someKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQI3DTfxQb/wwVZeyoocdBs9iNRIP
X/XxxIouZnQnAj1esWeAOtj/Py3pr/GWoeUEZEmoC57R5vdVU/30mGM6vg==
-----END PUBLIC KEY-----
`

func asError(err error, into **Error) bool { return errors.As(err, into) }

func TestARuleAboutSignaturesThatCannotBeCarriedOutIsNamed(t *testing.T) {
	sigstore := newAuthority(t)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	must(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	must(t, err)
	some := newKey(t).pem(t)
	keyless := func(change func(*v1alpha1.KeylessSigner)) v1alpha1.Signer {
		signer := sigstore.signer(t, "ci")
		change(&signer.Keyless)
		return signer
	}
	rootWithout := func(lists trusts, replace ...string) string {
		return strings.NewReplacer(replace...).Replace(sigstore.trustedRoot(t, lists))
	}
	const supported = "which is not supported: use ECDSA P-256 or P-384, Ed25519, or RSA with 2048 to 8192 bits"
	tests := map[string]struct {
		signer  v1alpha1.Signer
		field   string
		message string
	}{
		"a good key":      {signer: v1alpha1.Signer{Name: "ci", Key: some}},
		"a good identity": {signer: keyless(func(*v1alpha1.KeylessSigner) {})},
		"a good pattern": {signer: keyless(func(k *v1alpha1.KeylessSigner) {
			k.Subject, k.SubjectPattern = "", "https://github[.]com/shop/(a|b)/.*"
		})},
		"no PEM": {signer: v1alpha1.Signer{Name: "ci", Key: "ssh-ed25519 AAAA"}, field: "key",
			message: "of signer \"ci\" must be a public key as PEM, which begins with \"-----BEGIN PUBLIC KEY-----\": `cosign public-key` writes one"},
		"a private key": {signer: v1alpha1.Signer{Name: "ci", Key: "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"}, field: "key",
			message: "of signer \"ci\" is a private key, which must be kept secret: make a new pair, and put the public key here"},
		"a certificate": {signer: v1alpha1.Signer{Name: "ci", Key: strings.ReplaceAll(some, "PUBLIC KEY", "CERTIFICATE")}, field: "key",
			message: "of signer \"ci\" is a PEM block of type \"CERTIFICATE\" and must be one of type \"PUBLIC KEY\" (PKIX): convert it with `openssl pkey -pubin -pubout`"},
		"two keys": {signer: v1alpha1.Signer{Name: "ci", Key: some + some}, field: "key",
			message: "of signer \"ci\" must be one key and nothing else: give each key a signer of its own"},
		"garbage in PEM": {signer: v1alpha1.Signer{Name: "ci", Key: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}, field: "key",
			message: "of signer \"ci\" cannot be read as a public key: write it anew with `cosign public-key`"},
		"another curve": {signer: v1alpha1.Signer{Name: "ci", Key: key{private: p521}.pem(t)}, field: "key",
			message: "of signer \"ci\" is an ECDSA key on the curve P-521, " + supported},
		"a weak curve": {signer: v1alpha1.Signer{Name: "ci", Key: key{private: p224}.pem(t)}, field: "key",
			message: "of signer \"ci\" is an ECDSA key on the curve P-224, " + supported},
		"a short RSA key": {signer: v1alpha1.Signer{Name: "ci", Key: keyOfRSA(t, 1024).pem(t)}, field: "key",
			message: "of signer \"ci\" is an RSA key of 1024 bits, " + supported},
		"no issuer": {signer: keyless(func(k *v1alpha1.KeylessSigner) { k.Issuer = "" }), field: "keyless.issuer",
			message: "of signer \"ci\" must name who vouches for the identity, such as \"https://token.actions.githubusercontent.com\""},
		"nobody": {signer: keyless(func(k *v1alpha1.KeylessSigner) { k.Subject = "" }), field: "keyless.subject",
			message: "of signer \"ci\" must name who signs: set `subject` or `subjectPattern`"},
		"a pattern that does not compile": {signer: keyless(func(k *v1alpha1.KeylessSigner) { k.Subject, k.SubjectPattern = "", "ci@(" }), field: "keyless.subjectPattern",
			message: "of signer \"ci\" is no regular expression (error parsing regexp: missing closing ): `ci@(`): mend it, or give the `subject` exactly"},
		"a pattern that leaves its anchors": {signer: keyless(func(k *v1alpha1.KeylessSigner) { k.Subject, k.SubjectPattern = "", "a)|(?:.*" }), field: "keyless.subjectPattern",
			message: "of signer \"ci\" is no regular expression (error parsing regexp: unexpected ): `a)|(?:.*`): mend it, or give the `subject` exactly"},
		"a pattern that quotes its anchors": {signer: keyless(func(k *v1alpha1.KeylessSigner) { k.Subject, k.SubjectPattern = "", "\\Qa" }), field: "keyless.subjectPattern",
			message: "of signer \"ci\" does not end as a regular expression should (error parsing regexp: missing closing ): `\\A(?:\\Qa)\\z`): close what it opens, such as \"\\Q\" with \"\\E\""},
		"no trusted root": {signer: keyless(func(k *v1alpha1.KeylessSigner) { k.TrustedRoot = "{}" }), field: "keyless.trustedRoot",
			message: "of signer \"ci\" is no trusted root (unsupported TrustedRoot media type:): write it anew with `cosign trusted-root create`, or take trusted_root.json of the Sigstore root-signing repository"},
		"a trusted root that proves no time": {signer: keyless(func(k *v1alpha1.KeylessSigner) { k.TrustedRoot = rootWithout(trusts{}) }), field: "keyless.trustedRoot",
			message: "of signer \"ci\" names neither a transparency log nor a timestamp authority, so that nothing could prove when something was signed: write it anew with `cosign trusted-root create`, or take trusted_root.json of the Sigstore root-signing repository"},
		"a trusted root without authorities": {signer: keyless(func(k *v1alpha1.KeylessSigner) {
			k.TrustedRoot = rootWithout(trusts{log: true}, "certificateAuthorities", "timestampAuthorities")
		}), field: "keyless.trustedRoot",
			message: "of signer \"ci\" names no certificate authority, so that nobody could sign: write it anew with `cosign trusted-root create`, or take trusted_root.json of the Sigstore root-signing repository"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Problems(policyOf(v1alpha1.Signer{Name: "good", Key: some}, test.signer))
			if test.field == "" {
				if len(got) != 0 {
					t.Errorf("got %v, want none", got)
				}
				return
			}
			want := rules.Problem{Field: "spec.signatures.signers[1]." + test.field, Message: test.message}
			if len(got) != 1 || got[0] != want {
				t.Errorf("got\n%v\nwant\n%v", got, want)
			}
		})
	}
}

func TestNothingIsVerifiedWhileARuleCannotBeCarriedOut(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	artifact.attach(t, release.bundle(t, statement(artifact.digest())))
	policy := policyOf(release.signer(t, "release"), v1alpha1.Signer{Name: "broken", Key: "x"})
	err := New().Verify(t.Context(), policy, artifact.artifact(), source.Credentials{})
	expectError(t, err, InvalidPolicy, "no signature can be verified before the Environment is mended: `spec.signatures.signers[1].key`: of signer \"broken\" "+
		"must be a public key as PEM, which begins with \"-----BEGIN PUBLIC KEY-----\": `cosign public-key` writes one")
	err = New().Verify(t.Context(), policyOf(), artifact.artifact(), source.Credentials{})
	expectError(t, err, InvalidPolicy, "no signature can be verified before the Environment is mended: `spec.signatures.signers`: must name a signer")
}

func TestAPatternMatchesAllOfTheSubject(t *testing.T) {
	tests := map[string]struct {
		pattern, subject string
		want             bool
	}{
		"all of it":           {"ci@.*", "ci@example.com", true},
		"its beginning":       {"ci@example", "ci@example.com", false},
		"its end":             {"example[.]com", "ci@example.com", false},
		"one of two, whole":   {"a@b|c@d", "c@d", true},
		"one of two, in part": {"a@b|c@d", "c@d.evil.org", false},
		"another line":        {"(?m)^ci@example.com$", "x\nci@example.com", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			sigstore := newAuthority(t)
			signer := sigstore.signer(t, "ci")
			signer.Keyless.Subject, signer.Keyless.SubjectPattern = "", test.pattern
			signers, problems := readSigners([]v1alpha1.Signer{signer})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			wanted := digest.FromString(name)
			found := judge(sigstore.bundle(t, test.subject, issuer, statement(wanted), proofs{log: true, timestamp: true}), signers, wanted)
			if got := found.standing == good; got != test.want {
				t.Errorf("got %v, want %v: %+v", got, test.want, found)
			}
		})
	}
}
