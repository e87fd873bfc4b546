// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// State of an Environment's history.
type State struct {
	// Head is the newest record; zero if there is none.
	Head v1alpha1.AuditHead
	// Open is the Intent of the rollout that runs; nil if none does.
	Open *v1alpha1.AuditRecord
	// Ended is the newest rollout that was seen to end.
	Ended Rollout
}

// Rollout is what the history says of one that has ended; zero for none.
type Rollout struct {
	Intent, Outcome *v1alpha1.AuditRecord
}

// Owed is the rollout that has ended and that the Environment's status does not know of yet; zero if there is none. What ended
// before the Environment was created is another one's, of the same name.
func (s State) Owed(environment *v1alpha1.Environment) Rollout {
	if s.Ended.Outcome == nil || environment == nil ||
		s.Ended.Outcome.Spec.Sequence <= environment.Status.Audit.Sequence ||
		environment.CreationTimestamp.After(s.Ended.Outcome.Spec.Time.Time) {
		return Rollout{}
	}
	return s.Ended
}

// Follow is the state after one more record.
func (s State) Follow(record *v1alpha1.AuditRecord) State {
	next := State{Head: HeadOf(record), Open: s.Open, Ended: s.Ended}
	switch {
	case record.Spec.Type == v1alpha1.AuditIntent:
		next.Open = record
	case s.Open != nil && IsOutcome(record.Spec.Type) && s.Open.Spec.Promotion.UID == record.Spec.Promotion.UID:
		next.Open, next.Ended = nil, Rollout{Intent: s.Open, Outcome: record}
	}
	return next
}

// Verify finds an edit, a gap and a fork in the records of one Environment, each as a sentence that names the record. With
// expect, the head that the Environment's status names, it finds a truncation too. The records may come in any order.
func Verify(records []v1alpha1.AuditRecord, expect v1alpha1.AuditHead) []string {
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b v1alpha1.AuditRecord) int { return cmp.Compare(a.Spec.Sequence, b.Spec.Sequence) })
	var problems []string
	var last v1alpha1.AuditHead
	for i := range records {
		record := &records[i]
		problems = append(problems, inItself(record)...)
		problems = append(problems, inItsPlace(record, last, records[0].Spec.Environment)...)
		last = HeadOf(record)
		if expect.Sequence == last.Sequence && expect.Head != last.Head {
			problems = append(problems, fmt.Sprintf("record %q is not the one that the environment's status names: it has the hash %q, and the status names %q", record.Name, last.Head, expect.Head))
		}
	}
	if last.Sequence < expect.Sequence {
		problems = append(problems, fmt.Sprintf("the history was truncated: it ends with number %d, and the environment's status names number %d", last.Sequence, expect.Sequence))
	}
	return problems
}

// inItself says what is wrong with a record without a look at the others.
func inItself(record *v1alpha1.AuditRecord) []string {
	var problems []string
	hash, err := Hash(record.Spec)
	switch {
	case err != nil:
		problems = append(problems, fmt.Sprintf("record %q cannot be hashed: %v", record.Name, err))
	case hash != record.Spec.Hash:
		problems = append(problems, fmt.Sprintf("record %q was edited: its content has the hash %q, and it names %q", record.Name, hash, record.Spec.Hash))
	}
	if record.Name != Name(record.Spec.Environment, record.Spec.Sequence) {
		problems = append(problems, fmt.Sprintf("record %q is misnamed: it is number %d of environment %q, and %q is expected",
			record.Name, record.Spec.Sequence, record.Spec.Environment, Name(record.Spec.Environment, record.Spec.Sequence)))
	}
	return problems
}

// inItsPlace says what is wrong with a record after last in the history of an Environment.
func inItsPlace(record *v1alpha1.AuditRecord, last v1alpha1.AuditHead, environment string) []string {
	var problems []string
	if record.Spec.Environment != environment {
		problems = append(problems, fmt.Sprintf("record %q is of environment %q: this is the history of environment %q", record.Name, record.Spec.Environment, environment))
	}
	next := last.Sequence + 1
	switch {
	case record.Spec.Sequence < 1:
		problems = append(problems, fmt.Sprintf("record %q has the number %d: they count from 1", record.Name, record.Spec.Sequence))
	case record.Spec.Sequence == last.Sequence:
		problems = append(problems, fmt.Sprintf("record %q is a fork: there are two with number %d", record.Name, last.Sequence))
	case record.Spec.Sequence == next+1:
		problems = append(problems, fmt.Sprintf("a gap before record %q: number %d is missing", record.Name, next))
	case record.Spec.Sequence > next:
		problems = append(problems, fmt.Sprintf("a gap before record %q: numbers %d to %d are missing", record.Name, next, record.Spec.Sequence-1))
	case record.Spec.Previous != last.Head:
		problems = append(problems, fmt.Sprintf("record %q does not follow the one before it, which was replaced: that has the hash %q, and %q is expected", record.Name, last.Head, record.Spec.Previous))
	}
	return problems
}
