// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// entry says that something has happened to a promotion.
func entry(kind v1alpha1.AuditType, promotion string) v1alpha1.AuditRecordSpec {
	return v1alpha1.AuditRecordSpec{
		Environment: "production", Type: kind, Time: metav1.NewTime(noon),
		Promotion: v1alpha1.ObjectIdentity{Name: promotion, UID: promotion + "-uid"},
	}
}

// history seals entries, one after the other.
func history(t testing.TB, entries ...v1alpha1.AuditRecordSpec) []v1alpha1.AuditRecord {
	t.Helper()
	var records []v1alpha1.AuditRecord
	var head v1alpha1.AuditHead
	for _, entry := range entries {
		record, err := Seal("shop", head, entry)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, *record)
		head = HeadOf(record)
	}
	return records
}

// fourRecords are two promotions, each with an intent and an outcome.
func fourRecords(t testing.TB) []v1alpha1.AuditRecord {
	t.Helper()
	return history(t, entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditSucceeded, "first"),
		entry(v1alpha1.AuditIntent, "second"), entry(v1alpha1.AuditFailed, "second"))
}

// reseal gives a record the hash of what it says now, as somebody would who covers up an edit.
func reseal(t testing.TB, record *v1alpha1.AuditRecord) {
	t.Helper()
	hash, err := Hash(record.Spec)
	if err != nil {
		t.Fatal(err)
	}
	record.Spec.Hash = hash
}

func TestSealingContinuesTheHistory(t *testing.T) {
	records := fourRecords(t)
	for i, record := range records {
		if want := fmt.Sprintf("production-%010d", i+1); record.Name != want || record.Namespace != "shop" {
			t.Errorf("record %d is %s/%s, want shop/%s", i+1, record.Namespace, record.Name, want)
		}
		if record.Kind != "AuditRecord" || record.APIVersion != "assent.dev/v1alpha1" {
			t.Errorf("record %d is a %s of %s", i+1, record.Kind, record.APIVersion)
		}
		var previous v1alpha1.Digest
		if i > 0 {
			previous = records[i-1].Spec.Hash
		}
		if record.Spec.Previous != previous || record.Spec.Sequence != int64(i+1) {
			t.Errorf("record %d is number %d and follows %q, want %q", i+1, record.Spec.Sequence, record.Spec.Previous, previous)
		}
	}
}

var anyHash = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

func TestVerificationFindsWhatWasDoneToAHistory(t *testing.T) {
	for _, test := range []struct {
		name string
		// do something to a history of four records.
		do   func(t *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord
		want []string
	}{
		{"nothing", func(_ *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord { return records }, nil},
		{"another order", func(_ *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			slices.Reverse(records)
			return records
		}, nil},
		{"an edit", func(_ *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			records[1].Spec.Type = v1alpha1.AuditFailed
			return records
		}, []string{`record "production-0000000002" was edited: its content has the hash "SHA256", and it names "SHA256"`}},
		{"an edit of the last record", func(_ *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			records[3].Spec.Reason = "it was the weather"
			return records
		}, []string{`record "production-0000000004" was edited: its content has the hash "SHA256", and it names "SHA256"`}},
		{"an edit with a new hash", func(t *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			records[1].Spec.Type = v1alpha1.AuditFailed
			reseal(t, &records[1])
			return records
		}, []string{`record "production-0000000003" does not follow the one before it, which was replaced: that has the hash "SHA256", and "SHA256" is expected`}},
		{"an edit of the last record, with a new hash", func(t *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			records[3].Spec.Type = v1alpha1.AuditSucceeded
			reseal(t, &records[3])
			return records
		}, []string{`record "production-0000000004" is not the one that the environment's status names: it has the hash "SHA256", and the status names "SHA256"`}},
		{"a rewritten history", func(t *testing.T, _ []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			return history(t, entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditFailed, "first"),
				entry(v1alpha1.AuditIntent, "second"), entry(v1alpha1.AuditFailed, "second"))
		}, []string{`record "production-0000000004" is not the one that the environment's status names: it has the hash "SHA256", and the status names "SHA256"`}},
		{"a gap", func(_ *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			return slices.Delete(records, 1, 2)
		}, []string{`a gap before record "production-0000000003": number 2 is missing`}},
		{"a gap of several", func(_ *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			return slices.Delete(records, 1, 3)
		}, []string{`a gap before record "production-0000000004": numbers 2 to 3 are missing`}},
		{"a missing beginning", func(_ *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord { return records[2:] },
			[]string{`a gap before record "production-0000000003": numbers 1 to 2 are missing`}},
		{"a fork", func(t *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			fork, err := Seal("shop", HeadOf(&records[0]), entry(v1alpha1.AuditCancelled, "first"))
			if err != nil {
				t.Fatal(err)
			}
			return append(records, *fork)
		}, []string{
			`record "production-0000000002" is a fork: there are two with number 2`,
			`record "production-0000000003" does not follow the one before it, which was replaced: that has the hash "SHA256", and "SHA256" is expected`,
		}},
		{"a truncation", func(_ *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord { return records[:3] },
			[]string{`the history was truncated: it ends with number 3, and the environment's status names number 4`}},
		{"everything gone", func(_ *testing.T, _ []v1alpha1.AuditRecord) []v1alpha1.AuditRecord { return nil },
			[]string{`the history was truncated: it ends with number 0, and the environment's status names number 4`}},
		{"a misnamed record", func(_ *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			records[1].Name = "production-0000000007"
			return records
		}, []string{`record "production-0000000007" is misnamed: it is number 2 of environment "production", and "production-0000000002" is expected`}},
		{"a record of another environment in between", func(t *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			foreign := entry(v1alpha1.AuditSucceeded, "first")
			foreign.Environment = "staging"
			record, err := Seal("shop", HeadOf(&records[0]), foreign)
			if err != nil {
				t.Fatal(err)
			}
			return []v1alpha1.AuditRecord{records[0], *record}
		}, []string{
			`record "staging-0000000002" is of environment "staging": this is the history of environment "production"`,
			`the history was truncated: it ends with number 2, and the environment's status names number 4`,
		}},
		{"a record without a number", func(t *testing.T, records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
			unnumbered := records[0]
			unnumbered.Spec.Sequence, unnumbered.Name = 0, "production-0000000000"
			reseal(t, &unnumbered)
			return append(records, unnumbered)
		}, []string{
			`record "production-0000000000" has the number 0: they count from 1`,
			`record "production-0000000001" does not follow the one before it, which was replaced: that has the hash "SHA256", and "" is expected`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			records := fourRecords(t)
			expect := HeadOf(&records[3])
			got := Verify(test.do(t, records), expect)
			for i := range got {
				got[i] = anyHash.ReplaceAllString(got[i], "SHA256")
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestAHistoryMayBeAheadOfTheStatusThatNamesIt(t *testing.T) {
	records := fourRecords(t)
	for i := range records {
		if problems := Verify(records, HeadOf(&records[i])); len(problems) > 0 {
			t.Errorf("with a status that names number %d, found %v", i+1, problems)
		}
	}
	if problems := Verify(records, v1alpha1.AuditHead{}); len(problems) > 0 {
		t.Errorf("without a status, found %v", problems)
	}
	if problems := Verify(nil, v1alpha1.AuditHead{}); len(problems) > 0 {
		t.Errorf("in no history at all, found %v", problems)
	}
}

func TestVerificationLeavesTheRecordsAsTheyAre(t *testing.T) {
	records := fourRecords(t)
	slices.Reverse(records)
	Verify(records, v1alpha1.AuditHead{})
	if records[0].Spec.Sequence != 4 {
		t.Error("the caller's records were sorted")
	}
}

func TestAnIntentWithoutItsOutcomeIsOpen(t *testing.T) {
	for _, test := range []struct {
		name    string
		entries []v1alpha1.AuditRecordSpec
		open    string
	}{
		{"nothing has happened", nil, ""},
		{"an intent", []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first")}, "first"},
		{"success", []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditSucceeded, "first")}, ""},
		{"failure", []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditFailed, "first")}, ""},
		{"cancelled during its rollout", []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditCancelled, "first")}, ""},
		{"another is rejected meanwhile", []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditRejected, "second")}, "first"},
		{"another is superseded meanwhile", []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditSuperseded, "second")}, "first"},
		{"another is cancelled meanwhile", []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditCancelled, "second")}, "first"},
		{"a rejection is no outcome of a rollout", []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditRejected, "first")}, "first"},
		{"an outcome without an intent", []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditCancelled, "first")}, ""},
		{"the next one", []v1alpha1.AuditRecordSpec{
			entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditSucceeded, "first"), entry(v1alpha1.AuditIntent, "second"),
		}, "second"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var state State
			records := history(t, test.entries...)
			for i := range records {
				state = state.Follow(&records[i])
			}
			open := ""
			if state.Open != nil {
				open = state.Open.Spec.Promotion.Name
			}
			if open != test.open {
				t.Errorf("the rollout of %q is open, want %q", open, test.open)
			}
			if len(records) > 0 && state.Head != HeadOf(&records[len(records)-1]) {
				t.Errorf("the head is %v", state.Head)
			}
		})
	}
}
