// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// judgeHistories looks at the history of each Environment.
func (s *story) judgeHistories(verdict *verdict) {
	for _, environment := range sorted(s.histories) {
		history := s.histories[environment]
		s.judgeCreators(verdict, history)
		s.judgeChain(verdict, environment, history)
		judgeOverlap(verdict, history)
		s.judgeHead(verdict, environment, history)
	}
}

// judgeCreators looks for records that nobody has created, as far as the log knows.
func (s *story) judgeCreators(verdict *verdict, history []*record) {
	for _, each := range history {
		if each.by == nil && !s.Scene.Lossy {
			verdict.add(RuleWriters, "who has created %s is not in the log", each)
		}
	}
}

// judgeChain recomputes the hashes as docs/auditrecord.md says: over the canonical JSON of the spec without its hash.
func (s *story) judgeChain(verdict *verdict, environment string, history []*record) {
	var sequence int64
	var previous v1alpha1.Digest
	for _, each := range history {
		hash, err := hashOf(each.raw)
		switch {
		case err != nil:
			verdict.add(RuleChain, "%s cannot be hashed: %v", each, err)
		case hash != each.Spec.Hash:
			verdict.add(RuleChain, "%s has hash %q, and its content has %q", each, each.Spec.Hash, hash)
		}
		if each.Spec.Sequence != sequence+1 {
			verdict.add(RuleChain, "%s follows number %d", each, sequence)
		}
		if each.Spec.Previous != previous {
			verdict.add(RuleChain, "%s names %q as the one before it, which is %q", each, each.Spec.Previous, previous)
		}
		if want := fmt.Sprintf("%s-%010d", environment, each.Spec.Sequence); each.Name != want {
			verdict.add(RuleChain, "%s should be called %q", each, want)
		}
		switch {
		case each.last == nil && s.AsOf > 0 && each.version > s.AsOf: // it was written after the look
		case each.last == nil:
			verdict.add(RuleChain, "%s is not there any more", each)
		case !reflect.DeepEqual(plain(each.raw), plain(each.last)):
			verdict.add(RuleChain, "%s is not what was stored first", each)
		}
		sequence, previous = each.Spec.Sequence, each.Spec.Hash
	}
}

// hashOf a record's spec as it is stored: no Go type stands in between.
func hashOf(spec map[string]any) (v1alpha1.Digest, error) {
	without := maps.Clone(spec)
	delete(without, "hash")
	raw, err := json.Marshal(without)
	if err != nil {
		return "", err
	}
	canonical, err := jcs.Transform(raw)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return v1alpha1.Digest("sha256:" + hex.EncodeToString(sum[:])), nil
}

// plain is a value as JSON has it, whichever Go types its numbers have.
func plain(spec map[string]any) (value any) {
	if raw, err := json.Marshal(spec); err == nil {
		_ = json.Unmarshal(raw, &value) // it was written by the line before
	}
	return value
}

// judgeOverlap looks whether an intent follows another that has no outcome yet.
func judgeOverlap(verdict *verdict, history []*record) {
	var open *record
	for _, each := range history {
		switch {
		case each.Spec.Type == v1alpha1.AuditIntent && open != nil:
			verdict.add(RuleOverlap, "%s was written while %s was open", each, open)
			open = each
		case each.Spec.Type == v1alpha1.AuditIntent:
			open = each
		case open != nil && each.outcome() && each.Spec.Promotion.UID == open.Spec.Promotion.UID:
			open = nil
		}
	}
}

// judgeHead compares what the Environment's status names with the history.
func (s *story) judgeHead(verdict *verdict, environment string, history []*record) {
	known := s.environments[environment]
	if known == nil {
		return
	}
	for _, each := range known.states {
		head := each.object.Status.Audit
		if head.Sequence == 0 {
			continue
		}
		i := slices.IndexFunc(history, func(r *record) bool { return r.Spec.Sequence == head.Sequence })
		switch {
		case i < 0:
			verdict.add(RuleChain, "the status of environment %q names number %d, which is not in its history", environment, head.Sequence)
		case history[i].Spec.Hash != head.Head:
			verdict.add(RuleChain, "the status of environment %q names number %d with hash %q, and that one has %q", environment, head.Sequence, head.Head, history[i].Spec.Hash)
		default:
			continue
		}
		return // once is enough
	}
}

// judgeWriters looks at everything that was written as itself by whoever: what is the operator's, and what is not.
func (s *story) judgeWriters(verdict *verdict) {
	for i := range s.Requests {
		request := &s.Requests[i]
		ref, actor := request.ObjectRef, request.Actor().Username
		ours := ref.APIGroup == v1alpha1.GroupName
		operators := ours && (ref.Subresource != "" || ref.Resource == "auditrecords" && !strings.HasPrefix(request.Verb, "delete"))
		switch {
		case operators && request.Granted() && actor != v1alpha1.ControllerUsername:
			verdict.add(RuleWriters, "%s: status and records are the operator's alone", request)
		case !request.ByOperator() || request.ImpersonatedUser.Username != "" || operators:
		case strings.HasPrefix(ref.Resource, "events"):
		case ref.Resource == "leases" && ref.APIGroup == "coordination.k8s.io":
		default:
			verdict.add(RuleAuthority, "%s: as itself the operator writes nothing but status, records, events and its lease", request)
		}
	}
}

// judgeRest looks whether what was begun has ended.
func (s *story) judgeRest(verdict *verdict) {
	for _, environment := range sorted(s.histories) {
		for _, each := range s.histories[environment] {
			if each.Spec.Type == v1alpha1.AuditIntent && !slices.ContainsFunc(s.recordsOf(each.Spec.Promotion.UID), (*record).outcome) {
				verdict.add(RuleRest, "%s has no outcome", each)
			}
			if each.outcome() {
				s.judgeKnown(verdict, each)
			}
		}
	}
}

// judgeKnown looks whether Promotion and Environment say of an outcome what the record says.
func (s *story) judgeKnown(verdict *verdict, outcome *record) {
	if known := s.promotions[outcome.Spec.Promotion.UID]; known != nil && !known.gone {
		last := known.states[len(known.states)-1].object
		if succeeded := conditionOf(&last, v1alpha1.ConditionSucceeded); succeeded == nil || succeeded.Reason != string(outcome.Spec.Type) {
			verdict.add(RuleRest, "%s, and the promotion says %s", outcome, ending(&last))
		}
	}
	begun := slices.ContainsFunc(s.recordsOf(outcome.Spec.Promotion.UID), func(r *record) bool { return r.Spec.Type == v1alpha1.AuditIntent })
	known := s.environments[outcome.Spec.Environment]
	if known == nil || !begun {
		return
	}
	last := known.states[len(known.states)-1].object
	if !last.CreationTimestamp.After(outcome.Spec.Time.Time) && last.Status.Audit.Sequence < outcome.Spec.Sequence {
		verdict.add(RuleRest, "%s, and the status of environment %q stands at number %d", outcome, last.Name, last.Status.Audit.Sequence)
	}
}
