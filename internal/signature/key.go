// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
)

const (
	// Below, RSA is broken in a foreseeable time (NIST SP 800-57).
	minRSABits = 2048
	// Above, a key only costs time.
	maxRSABits = 8192
)

// parseKey reads a public key as PEM (PKIX): ECDSA P-256 or P-384, Ed25519, or RSA. The error says what to do.
func parseKey(text string) (signature.Verifier, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("must be a public key as PEM, which begins with \"-----BEGIN PUBLIC KEY-----\": `cosign public-key` writes one")
	}
	if strings.Contains(block.Type, "PRIVATE KEY") {
		return nil, errors.New("is a private key, which must be kept secret: make a new pair, and put the public key here")
	}
	if block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("is a PEM block of type %q and must be one of type \"PUBLIC KEY\" (PKIX): convert it with `openssl pkey -pubin -pubout`", foreign(block.Type))
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("must be one key and nothing else: give each key a signer of its own")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("cannot be read as a public key: write it anew with `cosign public-key`")
	}
	return keyVerifier(public)
}

func keyVerifier(public crypto.PublicKey) (signature.Verifier, error) {
	const supported = "use ECDSA P-256 or P-384, Ed25519, or RSA with 2048 to 8192 bits"
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return signature.LoadECDSAVerifier(key, crypto.SHA256)
		case elliptic.P384():
			return newEitherHash(key)
		}
		return nil, fmt.Errorf("is an ECDSA key on the curve %s, which is not supported: %s", key.Params().Name, supported)
	case ed25519.PublicKey:
		return signature.LoadED25519Verifier(key)
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("is an RSA key of %d bits, which is not supported: %s", bits, supported)
		}
		return signature.LoadRSAPKCS1v15Verifier(key, crypto.SHA256)
	}
	return nil, fmt.Errorf("is a key of a kind that is not supported (%T): %s", public, supported)
}

// eitherHash verifies signatures of a P-384 key: tools hash with SHA-384, and older ones with SHA-256 whatever the curve.
type eitherHash struct {
	sha384, sha256 *signature.ECDSAVerifier
}

func newEitherHash(key *ecdsa.PublicKey) (*eitherHash, error) {
	long, err := signature.LoadECDSAVerifier(key, crypto.SHA384)
	if err != nil {
		return nil, err
	}
	short, err := signature.LoadECDSAVerifier(key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return &eitherHash{sha384: long, sha256: short}, nil
}

// PublicKey returns the key.
func (e *eitherHash) PublicKey(opts ...signature.PublicKeyOption) (crypto.PublicKey, error) {
	return e.sha384.PublicKey(opts...)
}

// VerifySignature fails when neither hash fits.
func (e *eitherHash) VerifySignature(signed, message io.Reader, opts ...signature.VerifyOption) error {
	signedBytes, err := io.ReadAll(signed)
	if err != nil {
		return err
	}
	messageBytes, err := io.ReadAll(message)
	if err != nil {
		return err
	}
	if e.sha384.VerifySignature(bytes.NewReader(signedBytes), bytes.NewReader(messageBytes), opts...) == nil {
		return nil
	}
	return e.sha256.VerifySignature(bytes.NewReader(signedBytes), bytes.NewReader(messageBytes), opts...)
}

// trustKey is all that is believed of a signer with a key: the key. The hint in a bundle is nobody's word, so that it is not looked at; the key does not expire.
func trustKey(verifier signature.Verifier) root.TrustedMaterial {
	return root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(verifier, time.Time{}, time.Time{}), nil
	})
}
