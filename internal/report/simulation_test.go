// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	decision "github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/report"
)

func TestASimulationSaysWhatWouldHaveGoneAnotherWay(t *testing.T) {
	started, rejected, waiting, overridden := blocked(), blocked(), blocked(), blocked()
	for i, p := range []*v1alpha1.Promotion{started, rejected, waiting, overridden} {
		p.Name, p.UID = []string{"started", "rejected", "waiting", "overridden"}[i], types.UID([]string{"1", "2", "3", "4"}[i])
	}
	started.Status.StartTime, overridden.Status.StartTime = ago(3*time.Hour), ago(4*time.Hour)
	rejected.Status.CompletionTime = ago(2 * time.Hour)
	rejected.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRejected}}
	found := []decision.Simulated{
		{At: friday.Add(-3 * time.Hour), Differs: true, Message: "needs 1 more approval",
			Blockers: []v1alpha1.Blocker{{Gate: v1alpha1.GateApproval, Message: "needs 1 more\napproval"}, {Gate: v1alpha1.GateWindow, Message: "frozen"}}},
		{At: friday.Add(-2 * time.Hour), Differs: true, Ends: v1alpha1.ReasonExpired, Message: "was not approved in time"},
		{At: friday, Differs: true, Starts: true},
		{At: friday.Add(-4 * time.Hour), Starts: true, Overridden: []v1alpha1.OverridableGate{"Hold"}},
	}
	records := []v1alpha1.AuditRecord{
		{Spec: v1alpha1.AuditRecordSpec{Environment: "production", Promotion: v1alpha1.ObjectIdentity{UID: "1"}}},
		{Spec: v1alpha1.AuditRecordSpec{Environment: "production", Promotion: v1alpha1.ObjectIdentity{UID: "0"}}},
		{Spec: v1alpha1.AuditRecordSpec{Environment: "production", Promotion: v1alpha1.ObjectIdentity{UID: "0"}}},
		{Spec: v1alpha1.AuditRecordSpec{Environment: "staging", Promotion: v1alpha1.ObjectIdentity{UID: "9"}}},
	}
	e := production()
	simulation := report.Simulated(&e, []*v1alpha1.Promotion{started, rejected, waiting, overridden}, found, records)
	golden(t, "simulation", simulation.Text(report.Style{}))
	if differing := simulation.Differing(); len(differing.Items) != 3 || differing.Same != 1 || len(simulation.Items) != 4 {
		t.Errorf("%+v", differing)
	}
}
