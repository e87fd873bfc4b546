// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	bundleV03 = "application/vnd.dev.sigstore.bundle.v0.3+json"
	bundleV01 = "application/vnd.dev.sigstore.bundle+json;version=0.1"
	issuer    = "https://token.actions.example.com"
	subject   = "ci@shop.example.com"
)

// statement that `cosign sign` makes of a digest.
func statement(signed digest.Digest) []byte { return statementOf(signPredicate, signed) }

func statementOf(predicateType string, signed ...digest.Digest) []byte {
	var subjects []map[string]any
	for _, one := range signed {
		subjects = append(subjects, map[string]any{"digest": map[string]string{one.Algorithm().String(): one.Encoded()}})
	}
	encoded, err := json.Marshal(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "subject": subjects, "predicateType": predicateType, "predicate": map[string]any{},
	})
	if err != nil {
		panic(err)
	}
	return encoded
}

// key is a pair of which the policy has the public half.
type key struct {
	private crypto.Signer
	hash    crypto.Hash
}

func newKey(t *testing.T) key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key{private: private, hash: crypto.SHA256}
}

func keyOnP384(t *testing.T, hash crypto.Hash) key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	return key{private: private, hash: hash}
}

func keyOfRSA(t *testing.T, bits int) key {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	must(t, err)
	return key{private: private, hash: crypto.SHA256}
}

func keyOfEd25519(t *testing.T) key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return key{private: private}
}

func (k key) pem(t *testing.T) string {
	t.Helper()
	encoded, err := x509.MarshalPKIXPublicKey(k.private.Public())
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded}))
}

func (k key) signer(t *testing.T, name string) v1alpha1.Signer {
	t.Helper()
	return v1alpha1.Signer{Name: name, Key: k.pem(t)}
}

func (k key) sign(t *testing.T, message []byte) []byte {
	t.Helper()
	signer, err := signature.LoadSigner(k.private, k.hash)
	must(t, err)
	signed, err := signer.SignMessage(bytes.NewReader(message))
	must(t, err)
	return signed
}

// bundle of a statement, as cosign 3 makes it with a key.
func (k key) bundle(t *testing.T, statement []byte) []byte {
	t.Helper()
	return encode(t, &protobundle.Bundle{
		MediaType: bundleV03, VerificationMaterial: publicKeyHint(),
		Content: envelope(statement, k.sign(t, dsse.PAE("application/vnd.in-toto+json", statement))),
	})
}

// messageBundle signs an artifact without a statement.
func (k key) messageBundle(t *testing.T, artifact []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(artifact)
	return encode(t, &protobundle.Bundle{
		MediaType: bundleV03, VerificationMaterial: publicKeyHint(), Content: messageSignature(sum[:], k.sign(t, artifact)),
	})
}

// bundleWith a certificate, of whatever the key is for.
func (k key) bundleWith(t *testing.T, certificate []byte, signed digest.Digest) []byte {
	t.Helper()
	payload := statement(signed)
	return encode(t, &protobundle.Bundle{
		MediaType: bundleV03, VerificationMaterial: &protobundle.VerificationMaterial{
			Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: certificate}},
		},
		Content: envelope(payload, k.sign(t, dsse.PAE("application/vnd.in-toto+json", payload))),
	})
}

// certificate that the key has given to itself, and that names nobody.
func (k key) certificate(t *testing.T) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	made, err := x509.CreateCertificate(rand.Reader, template, template, k.private.Public(), k.private)
	must(t, err)
	return made
}

func publicKeyHint() *protobundle.VerificationMaterial {
	return &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: "any"}}}
}

func envelope(payload, signed []byte) *protobundle.Bundle_DsseEnvelope {
	return &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
		Payload: payload, PayloadType: "application/vnd.in-toto+json", Signatures: []*protodsse.Signature{{Sig: signed}},
	}}
}

func messageSignature(sum, signed []byte) *protobundle.Bundle_MessageSignature {
	return &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum}, Signature: signed,
	}}
}

func encode(t *testing.T, b *protobundle.Bundle) []byte {
	t.Helper()
	encoded, err := protojson.Marshal(b)
	must(t, err)
	return encoded
}

// authority is a whole Sigstore of the test's own: certificate authority, transparency log and timestamp authority.
type authority struct{ virtual *ca.VirtualSigstore }

func newAuthority(t *testing.T) authority {
	t.Helper()
	virtual, err := ca.NewVirtualSigstore()
	must(t, err)
	return authority{virtual: virtual}
}

// trusts is what a trusted root lists beside the certificate authority.
type trusts struct{ log, timestamps, certificateLog bool }

// trustedRoot as JSON, as a policy has it.
func (a authority) trustedRoot(t *testing.T, lists trusts) string {
	t.Helper()
	var stamps []root.TimestampingAuthority
	logs, certificateLogs := map[string]*root.TransparencyLog{}, map[string]*root.TransparencyLog{}
	if lists.timestamps {
		stamps = a.virtual.TimestampingAuthorities()
	}
	if lists.log {
		logs = withRawID(t, a.virtual.RekorLogs())
	}
	if lists.certificateLog {
		certificateLogs = withRawID(t, a.virtual.CTLogs())
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, a.virtual.FulcioCertificateAuthorities(), certificateLogs, stamps, logs)
	must(t, err)
	encoded, err := trusted.MarshalJSON()
	must(t, err)
	return string(encoded)
}

// mixedRoot has the certificate authority of one Sigstore, and all else of another.
func mixedRoot(t *testing.T, certificates, others authority) string {
	t.Helper()
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, certificates.virtual.FulcioCertificateAuthorities(), nil,
		others.virtual.TimestampingAuthorities(), withRawID(t, others.virtual.RekorLogs()))
	must(t, err)
	encoded, err := trusted.MarshalJSON()
	must(t, err)
	return string(encoded)
}

// withRawID gives the logs their identity in the bytes that a trusted root has.
func withRawID(t *testing.T, logs map[string]*root.TransparencyLog) map[string]*root.TransparencyLog {
	t.Helper()
	for id, log := range logs {
		raw, err := hex.DecodeString(id)
		must(t, err)
		log.ID = raw
	}
	return logs
}

func (a authority) signer(t *testing.T, name string) v1alpha1.Signer {
	t.Helper()
	return v1alpha1.Signer{Name: name, Keyless: v1alpha1.KeylessSigner{
		Issuer: issuer, Subject: subject, TrustedRoot: a.trustedRoot(t, trusts{log: true, timestamps: true}),
	}}
}

// proofs are what a bundle carries of when it was made.
type proofs struct{ log, timestamp bool }

// bundle of a statement, as cosign 3 makes it without a key.
func (a authority) bundle(t *testing.T, who, from string, statement []byte, carries proofs) []byte {
	t.Helper()
	entity, err := a.virtual.AttestHashedRekordV2(who, from, statement)
	must(t, err)
	signed, err := entity.SignatureContent()
	must(t, err)
	return encode(t, &protobundle.Bundle{
		MediaType: bundleV03, VerificationMaterial: a.material(t, entity, carries, false), Content: envelope(statement, signed.Signature()),
	})
}

// oldMessageBundle is of the first version of bundles: a message signature, proven by the log's promise.
func (a authority) oldMessageBundle(t *testing.T, artifact []byte, carries proofs) []byte {
	t.Helper()
	entity, err := a.virtual.SignAtTimeWithVersion(subject, issuer, artifact, time.Now().Add(5*time.Minute), "v0.1")
	must(t, err)
	signed, err := entity.SignatureContent()
	must(t, err)
	sum := sha256.Sum256(artifact)
	return encode(t, &protobundle.Bundle{
		MediaType: bundleV01, VerificationMaterial: a.material(t, entity, carries, true), Content: messageSignature(sum[:], signed.Signature()),
	})
}

func (a authority) material(t *testing.T, entity verify.SignedEntity, carries proofs, promise bool) *protobundle.VerificationMaterial {
	t.Helper()
	content, err := entity.VerificationContent()
	must(t, err)
	material := &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: content.Certificate().Raw}},
	}
	if carries.timestamp {
		stamps, err := entity.Timestamps()
		must(t, err)
		material.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamps[0]}},
		}
	}
	if carries.log {
		entries, err := entity.TlogEntries()
		must(t, err)
		entry := entries[0].TransparencyLogEntry()
		if promise {
			a.promise(t, entry)
		}
		material.TlogEntries = []*protorekor.TransparencyLogEntry{entry}
	}
	return material
}

// promise of the log that it will include an entry, with the time.
func (a authority) promise(t *testing.T, entry *protorekor.TransparencyLogEntry) {
	t.Helper()
	signed, err := a.virtual.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(entry.CanonicalizedBody), IntegratedTime: entry.IntegratedTime,
		LogIndex: entry.LogIndex, LogID: hex.EncodeToString(entry.LogId.KeyId),
	})
	must(t, err)
	entry.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: signed}
	entry.KindVersion = &protorekor.KindVersion{Kind: "hashedrekord", Version: "0.0.1"}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
