// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

func record(sequence int64, kind v1alpha1.AuditType, of string, at time.Duration, reason string) v1alpha1.AuditRecord {
	return v1alpha1.AuditRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop"},
		Spec: v1alpha1.AuditRecordSpec{
			Environment: "production", Sequence: sequence, Type: kind, Time: ago(-at), Reason: reason, PlanDigest: digest,
			Promotion: v1alpha1.ObjectIdentity{Name: of, UID: of}, RequestedBy: v1alpha1.Person{Username: "bob"},
			Release: v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: "shop-1.1.0"}, Version: "1.1.0"},
		},
	}
}

func past() []v1alpha1.AuditRecord {
	intent := record(2, v1alpha1.AuditIntent, "first", 10*time.Second, "=cmd()")
	intent.Spec.Decisions = []v1alpha1.AuditedDecision{{User: "alice"}, {User: "carol"}}
	overridden := record(1, v1alpha1.AuditOverridden, "first", 10*time.Second, "mends incident 4711")
	overridden.Spec.By, overridden.Spec.Gates = v1alpha1.Person{Username: "dave"}, []v1alpha1.OverridableGate{"Window"}
	acknowledged := record(5, v1alpha1.AuditAcknowledged, "first", time.Hour, "seen")
	acknowledged.Spec.By = v1alpha1.Person{Username: "carol"}
	back := record(6, v1alpha1.AuditIntent, "third", 2*time.Hour, "it loses orders")
	back.Spec.PromotionType = v1alpha1.PromotionTypeRollback
	return []v1alpha1.AuditRecord{
		acknowledged, back, record(3, v1alpha1.AuditSucceeded, "first", 70*time.Second, "every object is applied and healthy"), intent, overridden,
		record(4, v1alpha1.AuditRejected, "second", 30*time.Minute, "rejected by alice"),
		record(7, v1alpha1.AuditCorrected, "third", 3*time.Hour, "somebody had changed Deployment shop"),
	}
}

func TestTheHistoryTellsEachPromotionOnceTheNewestFirst(t *testing.T) {
	golden(t, "history", report.Tell(past()).Table(true).Text(report.Style{}))
}

func TestTheHistoryAsValuesHoldsNoFormula(t *testing.T) {
	var out strings.Builder
	if err := report.Tell(past()).CSV(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "history-csv", out.String())
}

func TestARolloutWithoutAnOutcomeGoesOn(t *testing.T) {
	told := report.Tell(past()).Items
	if first := told[1]; first.Promotion != "third" || first.Result != v1alpha1.ReasonRollingOut || first.Seconds != nil || first.Type != v1alpha1.PromotionTypeRollback {
		t.Errorf("%+v", first)
	}
}

func TestTheOrderOfTheRecordsMeansNothing(t *testing.T) {
	forwards, backwards := past(), past()
	for i, j := 0, len(backwards)-1; i < j; i, j = i+1, j-1 {
		backwards[i], backwards[j] = backwards[j], backwards[i]
	}
	if a, b := report.Tell(forwards).Table(true).Text(report.Style{}), report.Tell(backwards).Table(true).Text(report.Style{}); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}
