// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/rules"
)

// signer is one of a policy's signers, ready to verify.
type signer struct {
	name     string
	verifier *verify.Verifier
	// identity that a signature must have: the key, or who the certificate was given to.
	identity verify.PolicyOption
	keyless  bool
	// statementOnly is a key that signs the whole of a message. A signature of a bare digest cannot be verified with it, since the message is not in the bundle.
	statementOnly bool
}

// Problems are what is wrong with an Environment's rules about signatures, in the order of its spec. They change with the policy alone.
func Problems(policy v1alpha1.SignaturePolicy) []rules.Problem {
	_, problems := readSigners(policy.Signers)
	return problems
}

func readSigners(declared []v1alpha1.Signer) ([]signer, []rules.Problem) {
	var signers []signer
	var problems []rules.Problem
	for i, one := range declared {
		read, field, err := readSigner(one)
		if err != nil {
			problems = append(problems, rules.Problem{
				Field:   fmt.Sprintf("spec.signatures.signers[%d].%s", i, field),
				Message: fmt.Sprintf("of signer %q %v", one.Name, err),
			})
			continue
		}
		signers = append(signers, read)
	}
	return signers, problems
}

// readSigner returns the field that is wrong with the error.
func readSigner(declared v1alpha1.Signer) (read signer, field string, err error) {
	if declared.Key == "" {
		return readKeyless(declared)
	}
	key, err := parseKey(declared.Key)
	if err != nil {
		return signer{}, "key", err
	}
	// A key has no moment at which it was valid, and needs no proof of time.
	verifier, err := verify.NewVerifier(trustKey(key), verify.WithNoObserverTimestamps(), verify.WithoutStatementPredicate())
	if err != nil {
		return signer{}, "key", err
	}
	_, statementOnly := key.(*signature.ED25519Verifier)
	return signer{name: declared.Name, verifier: verifier, identity: verify.WithKey(), statementOnly: statementOnly}, "", nil
}

func readKeyless(declared v1alpha1.Signer) (read signer, field string, err error) {
	keyless := declared.Keyless
	if keyless.Issuer == "" {
		return signer{}, "keyless.issuer", errors.New("must name who vouches for the identity, such as \"https://token.actions.githubusercontent.com\"")
	}
	pattern, err := wholeSubject(keyless)
	if err != nil {
		return signer{}, "keyless.subjectPattern", err
	}
	identity, err := verify.NewShortCertificateIdentity(keyless.Issuer, "", keyless.Subject, pattern)
	if err != nil {
		return signer{}, "keyless.subject", errors.New("must name who signs: set `subject` or `subjectPattern`")
	}
	trusted, err := parseRoot(keyless.TrustedRoot)
	if err != nil {
		return signer{}, "keyless.trustedRoot", err
	}
	verifier, err := verify.NewVerifier(trusted, demands(trusted)...)
	if err != nil {
		return signer{}, "keyless.trustedRoot", err
	}
	return signer{name: declared.Name, verifier: verifier, identity: verify.WithCertificateIdentity(identity), keyless: true}, "", nil
}

// wholeSubject is the subject's pattern as an expression that matches all of the subject or nothing.
func wholeSubject(keyless v1alpha1.KeylessSigner) (string, error) {
	if keyless.SubjectPattern == "" {
		return "", nil
	}
	// It has to be an expression by itself, too. Else "a)|(b" would leave the anchors.
	if _, err := regexp.Compile(keyless.SubjectPattern); err != nil {
		return "", fmt.Errorf("is no regular expression (%s): mend it, or give the `subject` exactly", foreign(err.Error()))
	}
	whole := `\A(?:` + keyless.SubjectPattern + `)\z`
	if _, err := regexp.Compile(whole); err != nil {
		return "", fmt.Errorf("does not end as a regular expression should (%s): close what it opens, such as \"\\Q\" with \"\\E\"", foreign(err.Error()))
	}
	return whole, nil
}

func parseRoot(text string) (*root.TrustedRoot, error) {
	const remedy = "write it anew with `cosign trusted-root create`, or take trusted_root.json of the Sigstore root-signing repository"
	trusted, err := root.NewTrustedRootFromJSON([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("is no trusted root (%s): %s", foreign(err.Error()), remedy)
	}
	if len(trusted.FulcioCertificateAuthorities()) == 0 {
		return nil, errors.New("names no certificate authority, so that nobody could sign: " + remedy)
	}
	if len(trusted.TimestampingAuthorities()) == 0 && len(trusted.RekorLogs()) == 0 {
		return nil, errors.New("names neither a transparency log nor a timestamp authority, so that nothing could prove when something was signed: " + remedy)
	}
	return trusted, nil
}

// demands of a keyless signature. Certificates live for minutes: without a proof of time a stolen key of a certificate from long ago would still sign. Beyond
// that, what a trusted root lists is demanded: a log is believed in so that a signature cannot be made in secret, and would be worth nothing if it could be left out.
func demands(trusted *root.TrustedRoot) []verify.VerifierOption {
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1), verify.WithoutStatementPredicate()}
	if len(trusted.RekorLogs()) > 0 {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if len(trusted.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	return options
}
