// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// signPredicate is what a statement says that is a signature and nothing else. Any other statement, such as the result of a scan, is about the artifact too,
// and may say the worst of it.
const signPredicate = "https://sigstore.dev/cosign/sign/v1"

// standing of one bundle, from the worst to the best, which is the order in which they explain a refusal.
type standing int

const (
	unreadable standing = iota
	byStranger
	ofOtherKind
	forOtherDigest
	good
)

// finding is what one bundle says.
type finding struct {
	standing standing
	// signer of the policy who has made it, for all but the first two.
	signer string
	// detail is, in the order of the standings: why it cannot be read, who has signed, the kind of statement, and the other digest.
	detail string
}

// judge one bundle that is attached to a digest. It never panics: what a stranger attaches must not end the operator.
func judge(content []byte, signers []signer, wanted digest.Digest) (found finding) {
	defer func() {
		if recover() != nil {
			found = finding{standing: unreadable, detail: "it cannot be parsed"}
		}
	}()
	var attached bundle.Bundle
	if attached.UnmarshalJSON(content) != nil {
		return finding{standing: unreadable, detail: "it is no Sigstore bundle of the versions 0.1 to 0.3"}
	}
	signed, err := signedDigest(&attached)
	if err != nil {
		return finding{standing: unreadable, detail: foreign(err.Error())}
	}
	for _, one := range signers {
		if result, err := one.verify(&attached, wanted); err == nil {
			return judgeStatement(result, one)
		}
	}
	if signed != wanted {
		for _, one := range signers {
			if _, err := one.verify(&attached, signed); err == nil {
				return finding{standing: forOtherDigest, signer: one.name, detail: signed.String()}
			}
		}
	}
	return finding{standing: byStranger, detail: stranger(&attached, signers, signed)}
}

func judgeStatement(result *verify.VerificationResult, by signer) finding {
	if statement := result.Statement; statement != nil && statement.GetPredicateType() != signPredicate {
		return finding{standing: ofOtherKind, signer: by.name, detail: foreign(statement.GetPredicateType())}
	}
	return finding{standing: good, signer: by.name}
}

// verify that the signer has signed the digest.
func (s signer) verify(attached *bundle.Bundle, signed digest.Digest) (*verify.VerificationResult, error) {
	return s.verifyAs(attached, signed, s.identity)
}

func (s signer) verifyAs(attached *bundle.Bundle, signed digest.Digest, identity verify.PolicyOption) (*verify.VerificationResult, error) {
	sum, err := hex.DecodeString(signed.Encoded())
	if err != nil {
		return nil, err
	}
	return s.verifier.Verify(attached, verify.NewPolicy(verify.WithArtifactDigest(signed.Algorithm().String(), sum), identity))
}

// signedDigest is the digest that a bundle claims to be about. It proves nothing.
func signedDigest(attached *bundle.Bundle) (digest.Digest, error) {
	if message := attached.GetMessageSignature(); message != nil {
		signed := message.GetMessageDigest()
		if signed.GetAlgorithm() != protocommon.HashAlgorithm_SHA2_256 {
			return "", fmt.Errorf("it is about a digest of the kind %q and must be about one of SHA-256", signed.GetAlgorithm())
		}
		return digest.NewDigestFromBytes(digest.SHA256, signed.GetDigest()), nil
	}
	var statement struct {
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if err := json.Unmarshal(attached.GetDsseEnvelope().GetPayload(), &statement); err != nil {
		return "", errors.New("its payload is no in-toto statement")
	}
	for _, subject := range statement.Subject {
		if sum := subject.Digest["sha256"]; sum != "" {
			claimed := digest.NewDigestFromEncoded(digest.SHA256, sum)
			return claimed, claimed.Validate()
		}
	}
	return "", errors.New("its statement names no SHA-256 digest")
}

// stranger says who has signed, as far as it is known. A certificate that none of the trusted roots vouches for is a claim.
func stranger(attached *bundle.Bundle, signers []signer, signed digest.Digest) string {
	content, err := attached.VerificationContent()
	if err != nil {
		return "with a certificate that cannot be read"
	}
	if content.Certificate() == nil {
		if attached.GetMessageSignature() != nil && slices.ContainsFunc(signers, func(s signer) bool { return s.statementOnly }) {
			return "with a key that is none of theirs, or with an Ed25519 key and no statement, which cannot be verified"
		}
		return "with a key that is none of theirs"
	}
	summary, err := certificate.SummarizeCertificate(content.Certificate())
	if err != nil {
		return "with a certificate that names nobody"
	}
	who := fmt.Sprintf("%q of issuer %q", cut(summary.SubjectAlternativeName, maxIdentity), cut(summary.Issuer, maxIdentity))
	why := "no signer is `keyless`"
	for _, one := range signers {
		if !one.keyless {
			continue
		}
		_, err := one.verifyAs(attached, signed, verify.WithoutIdentitiesUnsafe())
		if err == nil {
			return "by " + who
		}
		why = disbelief(err)
	}
	return fmt.Sprintf("by somebody who claims to be %s, which is not believed: %s", who, why)
}

// disbelief says in the design's words which step of the verification has failed; the library tells its steps by the beginning of the text alone.
func disbelief(err error) string {
	for step, words := range map[string]string{
		"failed to verify log inclusion":                "no transparency log that the trusted root names has it",
		"failed to verify timestamps":                   "nothing that the trusted root names proves when it was signed",
		"failed to verify leaf certificate":             "no authority that the trusted root names has given out the certificate, or it was not valid when it signed",
		"failed to verify signed certificate timestamp": "no log that the trusted root names has the certificate",
		"failed to verify signature":                    "the signature does not fit the certificate",
	} {
		if strings.HasPrefix(err.Error(), step) {
			return words
		}
	}
	return foreign(err.Error())
}
