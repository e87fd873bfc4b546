// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// FuzzVerify tampers with one record of a sound history, or leaves it out, and expects that to be found: with the head
// that the status names, nothing short of what was written there passes.
func FuzzVerify(f *testing.F) {
	f.Add(uint8(0), false, "first", "Succeeded", "a reason", "alice", int64(0), false)
	f.Add(uint8(1), false, "", "Failed", "", "", int64(1), true)
	f.Add(uint8(2), true, "second", "Intent", "\xff", "\u2028<&>", int64(-1), false)
	f.Add(uint8(3), false, "second", "Failed", "\x00", "🎉", int64(1)<<53, true)
	f.Fuzz(func(t *testing.T, which uint8, leaveOut bool, promotion, kind, reason, user string, number int64, cover bool) {
		records := fourRecords(t)
		expect := HeadOf(&records[3])
		if problems := Verify(records, expect); len(problems) > 0 {
			t.Fatalf("a sound history has problems: %v", problems)
		}
		at := int(which) % len(records)
		if leaveOut {
			if problems := Verify(slices.Delete(records, at, at+1), expect); len(problems) == 0 {
				t.Fatalf("record %d was left out, and that was not found", at+1)
			}
			return
		}
		before := encoded(t, records[at])
		record := &records[at]
		record.Spec.Promotion.Name, record.Spec.Type, record.Spec.Reason = promotion, v1alpha1.AuditType(kind), reason
		record.Spec.Sequence += number
		if user != "" {
			record.Spec.Decisions = []v1alpha1.AuditedDecision{{User: user, Decision: v1alpha1.DecisionApproved, Time: metav1.NewTime(noon)}}
		}
		if cover {
			reseal(t, record)
		}
		problems := Verify(records, expect)
		if unchanged := encoded(t, *record) == before; unchanged != (len(problems) == 0) {
			t.Fatalf("unchanged: %v, found %v", unchanged, problems)
		}
	})
}

// FuzzHash expects the API's encoding to leave the hash alone, whatever the record says.
func FuzzHash(f *testing.F) {
	f.Add("production", "shop-1.4.0", "a reason", "alice", int64(1), int64(0), 0)
	f.Add("", "\xff\xfe", "\u2028\u0000<&>", "🎉", int64(9999999999), int64(1772452800), 3600)
	f.Fuzz(func(t *testing.T, environment, promotion, reason, user string, sequence, seconds int64, zone int) {
		const year9999 = 253402300799
		moment := metav1.NewTime(time.Unix(seconds%year9999, 0).In(time.FixedZone("somewhere", zone%50000)))
		if moment.UTC().Year() < 0 || sequence < 1 || sequence > 9999999999 {
			return // outside of what the API lets in
		}
		record := v1alpha1.AuditRecord{Spec: v1alpha1.AuditRecordSpec{
			Environment: environment, Sequence: sequence, Time: moment, Reason: reason,
			Promotion: v1alpha1.ObjectIdentity{Name: promotion},
			Decisions: []v1alpha1.AuditedDecision{{User: user, Groups: []string{reason, user}, Time: moment}},
		}}
		want, err := Hash(record.Spec)
		if err != nil {
			t.Fatal(err)
		}
		var back v1alpha1.AuditRecord
		if err := json.Unmarshal([]byte(encoded(t, record)), &back); err != nil {
			t.Fatal(err)
		}
		if got, err := Hash(back.Spec); err != nil || got != want {
			t.Fatalf("the hash is %s before and %s (%v) after the round trip", want, got, err)
		}
		if reflect.DeepEqual(back.Spec, v1alpha1.AuditRecordSpec{}) {
			t.Fatal("nothing came back")
		}
	})
}

func encoded(t testing.TB, record v1alpha1.AuditRecord) string {
	t.Helper()
	raw, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
