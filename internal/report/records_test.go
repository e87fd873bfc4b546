// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/report"
)

func TestRecordsAreWrittenForSpreadsheetsAndForVerifying(t *testing.T) {
	record, err := audit.Seal("shop", v1alpha1.AuditHead{}, v1alpha1.AuditRecordSpec{
		Environment: "production", Type: v1alpha1.AuditIntent, Time: metav1.NewTime(time.Date(2031, 3, 7, 10, 0, 0, 0, time.UTC)),
		Promotion: v1alpha1.ObjectIdentity{Name: "shop-1.4.0-production", UID: "1"}, Reason: "=HYPERLINK(\"<x>\",\"a, b\")",
		RequestedBy: v1alpha1.Person{Username: "@bob"}, Decisions: []v1alpha1.AuditedDecision{{User: "alice"}, {User: "carol"}},
		Gates: []v1alpha1.OverridableGate{"Window", "Soak"}, By: v1alpha1.Person{Username: "dave"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	table, err := report.NewRecordTable(&out)
	if err != nil || table.Record(record) != nil || table.Flush() != nil {
		t.Fatal("it was not written", err)
	}
	want := "time,project,environment,sequence,type,promotion,promotionType,release,version,requestedBy,decidedBy,by,gates,reason,planDigest,hash,previous\n" +
		"2031-03-07T10:00:00Z,shop,production,1,Intent,shop-1.4.0-production,,,,'@bob,alice carol,dave,Window Soak,\"'=HYPERLINK(\"\"<x>\"\",\"\"a, b\"\")\",," + string(record.Spec.Hash) + ",\n"
	if out.String() != want {
		t.Errorf("it is %s", out.String())
	}

	out.Reset()
	environment := &v1alpha1.Environment{}
	environment.Namespace, environment.Name = "shop", "production"
	lines := report.NewRecordLines(&out)
	if lines.Head(environment) != nil || out.Len() > 0 {
		t.Error("an Environment without a history has a head")
	}
	environment.Status.Audit = audit.HeadOf(record)
	record.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "assent"}}
	if lines.Head(environment) != nil || lines.Record(record) != nil {
		t.Fatal("it was not written")
	}
	written := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(written) != 2 || !strings.Contains(written[0], `"kind":"AuditHead"`) || !strings.Contains(written[1], `"kind":"AuditRecord"`) ||
		!strings.Contains(written[1], `(\"<x>\"`) || strings.Contains(written[1], "managedFields") {
		t.Errorf("it is %s", out.String())
	}
	if len(record.ManagedFields) != 1 {
		t.Error("what was written was changed")
	}
}
