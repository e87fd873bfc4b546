// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

func environment(name, stage string, after ...string) v1alpha1.Environment {
	return v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"},
		Spec:       v1alpha1.EnvironmentSpec{Application: "shop", Stage: stage, After: after},
	}
}

func production() v1alpha1.Environment {
	e := environment("production", "", "staging")
	e.Spec.Hold.Reason = "incident\n4711"
	e.Status = v1alpha1.EnvironmentStatus{
		Stage: "production", WaitingCount: ptr.To[int32](2),
		Current: v1alpha1.Deployment{Release: "shop-1.0.0", Version: "1.0.0", Promotion: "shop-1.0.0-production", SinceTime: ago(72 * time.Hour)},
		Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Message: "the deployer does not exist"},
			{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse, Message: "Deployment shop: 1 of 2 pods"},
			{Type: v1alpha1.ConditionInSync, Status: metav1.ConditionFalse, Message: "1 object differs"},
		},
		Drifted: []v1alpha1.DriftedObject{{
			ObjectReference: v1alpha1.ObjectReference{Kind: "Deployment", Name: "shop"}, Fields: []string{"spec.replicas"}, Message: "changed by kubectl-edit"}},
		Overrides: []v1alpha1.UsedOverride{{Promotion: "shop-1.0.0-production", User: "dave", Gates: []v1alpha1.OverridableGate{"Window", "Hold"}, Reason: "incident"}},
	}
	return e
}

func TestAStandingIsATreeDownToWhatFails(t *testing.T) {
	e, running := production(), rollingOut()
	running.Name, running.CreationTimestamp = "shop-1.0.5-production", ago(2*time.Hour)
	ended := promotion("old", v1alpha1.ReasonSucceeded, metav1.ConditionTrue, "")
	first := environment("dev", "")
	all := report.Standings{Items: []report.Standing{
		report.Stand(&e, []v1alpha1.Promotion{*blocked(), *running, *ended}), report.Stand(&first, nil),
	}}
	golden(t, "status", all.Text(report.Style{}, friday))
}

func TestTheMatrixHasAColumnForEachStageInTheirOrder(t *testing.T) {
	elsewhere := environment("eu", "production", "staging")
	other := environment("blog", "dev")
	other.Spec.Application = "blog"
	matrix := report.Arrange([]v1alpha1.Environment{production(), elsewhere, environment("staging", "", "dev"), environment("dev", ""), other})
	if want := []string{"dev", "staging", "production"}; !slices.Equal(matrix.Stages, want) {
		t.Errorf("%v", matrix.Stages)
	}
	golden(t, "matrix", matrix.Text(report.Style{}, false, 0, friday))
	golden(t, "matrix-projects", matrix.Text(report.Style{}, true, 200, friday))
	golden(t, "matrix-colours", matrix.Text(report.Style{Colours: true}, false, 200, friday))
	golden(t, "matrix-narrow", matrix.Text(report.Style{}, false, 80, friday))
	golden(t, "matrix-narrow-projects", matrix.Text(report.Style{Colours: true}, true, 80, friday))
}

func TestATableTakesAsManyColumnsAsItSays(t *testing.T) {
	table := report.NewTable("NAME", "STATE")
	table.Add("prodüktion", "ok")
	lines := strings.Split(table.Text(report.Style{}), "\n")
	if table.Width() != utf8.RuneCountInString(lines[0]) || table.Width() != 18 {
		t.Errorf("it says %d: %q", table.Width(), lines)
	}
}

func TestEnvironmentsThatWaitForEachOtherAreArrangedAllTheSame(t *testing.T) {
	matrix := report.Arrange([]v1alpha1.Environment{environment("a", "", "b"), environment("b", "", "a")})
	if len(matrix.Stages) != 2 {
		t.Errorf("%v", matrix.Stages)
	}
}
