// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"io"
	"math/big"
	"testing"
	"testing/iotest"

	. "github.com/onsi/gomega"
)

func TestAKeyOnP384VerifiesItsOwnSignaturesByEitherHashAndNoOthers(t *testing.T) {
	g := NewWithT(t)
	own, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	verifier, err := keyVerifier(own.Public())
	g.Expect(err).NotTo(HaveOccurred())
	public, err := verifier.PublicKey()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(own.PublicKey.Equal(public)).To(BeTrue())

	message := []byte("the artifact")
	long, short, longest := sha512.Sum384(message), sha256.Sum256(message), sha512.Sum512(message)
	for name, test := range map[string]struct {
		by     *ecdsa.PrivateKey
		digest []byte
		holds  bool
	}{
		"SHA-384":              {by: own, digest: long[:], holds: true},
		"SHA-256":              {by: own, digest: short[:], holds: true},
		"another hash":         {by: own, digest: longest[:40]},
		"another key":          {by: other, digest: long[:]},
		"another key, SHA-256": {by: other, digest: short[:]},
	} {
		signed, err := ecdsa.SignASN1(rand.Reader, test.by, test.digest)
		g.Expect(err).NotTo(HaveOccurred())
		err = verifier.VerifySignature(bytes.NewReader(signed), bytes.NewReader(message))
		g.Expect(err == nil).To(Equal(test.holds), name)
		g.Expect(verifier.VerifySignature(bytes.NewReader(signed), bytes.NewReader([]byte("another artifact")))).NotTo(Succeed(), name)
	}
	broken := errors.New("the connection broke")
	for name, pair := range map[string][2]io.Reader{
		"a signature": {iotest.ErrReader(broken), bytes.NewReader(message)}, "a message": {bytes.NewReader(long[:]), iotest.ErrReader(broken)},
	} {
		g.Expect(verifier.VerifySignature(pair[0], pair[1])).To(MatchError(broken), name)
	}
}

func TestAnRSAKeyHasBetween2048And8192Bits(t *testing.T) {
	for bits, fits := range map[uint]bool{2047: false, 2048: true, 8192: true, 8193: false} {
		key := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), int(bits)-1, 1), E: 65537}
		_, err := keyVerifier(crypto.PublicKey(key))
		NewWithT(t).Expect(err == nil).To(Equal(fits), "%d bits: %v", bits, err)
	}
}
