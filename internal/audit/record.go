// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package audit makes and verifies the records of an Environment's history. It is pure.
//
// The history is a chain: each record holds the hash of the one before it, and its own hash over the canonical JSON
// (RFC 8785) of its spec. Records are named by Environment and sequence number, so creating record N+1 is a
// compare-and-swap: the API server lets one writer do it. An Intent without an outcome after it means that a rollout
// runs; so the chain is the Environment's lock as well.
package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/gowebpki/jcs"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Name of the record of an Environment with a sequence number.
func Name(environment string, sequence int64) string {
	return fmt.Sprintf("%s-%010d", environment, sequence)
}

// Seal makes the record that follows head in an Environment's history. Entry says what has happened; its sequence,
// previous and hash are set here.
func Seal(project string, head v1alpha1.AuditHead, entry v1alpha1.AuditRecordSpec) (*v1alpha1.AuditRecord, error) {
	entry.Sequence = head.Sequence + 1
	entry.Previous = head.Head
	hash, err := Hash(entry)
	if err != nil {
		return nil, err
	}
	entry.Hash = hash
	return &v1alpha1.AuditRecord{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "AuditRecord"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: project, Name: Name(entry.Environment, entry.Sequence),
			// By which the history is found; the guard lets nobody change them. They say nothing that the spec does not.
			Labels: map[string]string{v1alpha1.LabelEnvironment: entry.Environment, v1alpha1.LabelPromotionUID: entry.Promotion.UID},
		},
		Spec: entry,
	}, nil
}

// Hash of a record: SHA-256 over the canonical JSON of its spec without the hash itself.
func Hash(spec v1alpha1.AuditRecordSpec) (v1alpha1.Digest, error) {
	spec.Hash = ""
	spec.Time = metav1.NewTime(spec.Time.UTC())
	raw, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("encode audit record: %w", err)
	}
	canonical, err := jcs.Transform(raw)
	if err != nil {
		return "", fmt.Errorf("canonicalise audit record: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return v1alpha1.Digest("sha256:" + hex.EncodeToString(sum[:])), nil
}

// HeadOf is the head that a record makes.
func HeadOf(record *v1alpha1.AuditRecord) v1alpha1.AuditHead {
	return v1alpha1.AuditHead{Sequence: record.Spec.Sequence, Head: record.Spec.Hash}
}

// IsOutcome says whether a record of this type ends the rollout of an Intent of the same promotion.
func IsOutcome(kind v1alpha1.AuditType) bool {
	switch kind {
	case v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditRolledBack, v1alpha1.AuditCancelled:
		return true
	case v1alpha1.AuditIntent, v1alpha1.AuditCorrected, v1alpha1.AuditRejected, v1alpha1.AuditExpired, v1alpha1.AuditSuperseded, v1alpha1.AuditOverridden, v1alpha1.AuditAcknowledged:
		return false
	}
	return false
}

// Ends says whether a promotion has ended with a record of this type, be it before its start.
func Ends(kind v1alpha1.AuditType) bool {
	switch kind {
	case v1alpha1.AuditRejected, v1alpha1.AuditExpired, v1alpha1.AuditSuperseded,
		v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditRolledBack, v1alpha1.AuditCancelled:
		return true
	case v1alpha1.AuditIntent, v1alpha1.AuditCorrected, v1alpha1.AuditOverridden, v1alpha1.AuditAcknowledged:
		return false
	}
	return false
}
