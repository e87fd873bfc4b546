// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// friday is now.
var friday = time.Date(2031, 3, 7, 10, 0, 0, 0, time.UTC)

const digest = v1alpha1.Digest("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is\n%s\nand not\n%s", name, got, want)
	}
}

func ago(length time.Duration) metav1.Time { return metav1.NewTime(friday.Add(-length)) }

func promotion(name, state string, status metav1.ConditionStatus, message string) *v1alpha1.Promotion {
	return &v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", CreationTimestamp: ago(time.Hour)},
		Spec: v1alpha1.PromotionSpec{
			Release: "shop-1.1.0", Environment: "production", Type: v1alpha1.PromotionTypePromote, Reason: "vouchers",
			RequestedBy: v1alpha1.Person{Username: "bob"},
		},
		Status: v1alpha1.PromotionStatus{
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: status, Reason: state, Message: message}},
		},
	}
}

func blocked() *v1alpha1.Promotion {
	p := promotion("shop-1.1.0-production", v1alpha1.ReasonAwaitingApproval, metav1.ConditionUnknown, "needs 1 more approval")
	p.Status.Plan = v1alpha1.Plan{
		Digest: digest, Objects: ptr.To[int32](4),
		Changes: []v1alpha1.Change{
			{Action: v1alpha1.ChangeCreate, ObjectReference: v1alpha1.ObjectReference{Kind: "CronJob", Name: "vouchers"}},
			{Action: v1alpha1.ChangeUpdate, ObjectReference: v1alpha1.ObjectReference{Kind: "Deployment", Name: "shop"}},
			{Action: v1alpha1.ChangeRecreate, ObjectReference: v1alpha1.ObjectReference{Kind: "Job", Name: "migrate"}},
			{Action: v1alpha1.ChangePrune, ObjectReference: v1alpha1.ObjectReference{Kind: "ConfigMap", Name: "banner"}},
		},
		Diff: "--- live/Deployment/shop\n+++ plan/Deployment/shop\n@@ -1,2 +1,2 @@\n kind: Deployment\n-  replicas: 1\n+  replicas: \x1b[2J2\n",
	}
	p.Status.Approvals = v1alpha1.ApprovalStatus{
		Summary: "0/1", Rules: []v1alpha1.RuleStatus{{Name: "owners", Required: ptr.To[int32](1)}},
		Ignored: []v1alpha1.IgnoredApproval{{User: "bob", Reason: "asked for this promotion; somebody else has to approve"}},
	}
	p.Status.Blockers = []v1alpha1.Blocker{
		{Gate: v1alpha1.GateHold, Message: "environment \"production\" is on hold: incident 4711\nsecond line", Clears: "whoever holds the verb `resume`"},
		{Gate: v1alpha1.GateApproval, Message: "needs 1 more approval", Clears: "anyone", UntilTime: ago(-48 * time.Hour)},
		{Gate: v1alpha1.GateWindow, Message: "outside the allow windows", Clears: "time", UntilTime: ago(-3 * time.Hour)},
	}
	p.Status.Checks = []v1alpha1.CheckStatus{{Name: "ticket", Result: v1alpha1.CheckFailed, Message: "answered 404"}, {Name: "database", Result: v1alpha1.CheckPassed}}
	return p
}

func rollingOut() *v1alpha1.Promotion {
	p := promotion("shop-1.1.0-production", v1alpha1.ReasonRollingOut, metav1.ConditionUnknown, "started")
	p.Status.StartTime = ago(time.Minute)
	p.Status.Progress = v1alpha1.RolloutProgress{
		Applied: ptr.To[int32](3), Healthy: ptr.To[int32](2), Total: ptr.To[int32](4), Wave: 1, Waves: 2,
		Failing: []v1alpha1.FailingObject{{ObjectReference: v1alpha1.ObjectReference{Kind: "Deployment", Name: "shop"}, Message: "pod shop-1: ImagePullBackOff"}},
	}
	return p
}

func TestWhyListsEachBlockerWithWhoClearsIt(t *testing.T) {
	golden(t, "why-blocked", report.Explain(blocked()).Text(report.Style{}, friday))
}

func TestWhyNamesWhatFailsDuringARollout(t *testing.T) {
	golden(t, "why-rolling-out", report.Explain(rollingOut()).Text(report.Style{}, friday))
}

func TestWhySaysWhenTheOperatorHasNotLookedYet(t *testing.T) {
	p := promotion("new", "", "", "")
	p.Status.Conditions = nil
	got := report.Explain(p)
	if text := got.Text(report.Style{}, friday); !strings.Contains(text, "kubectl get pods --namespace assent-system") {
		t.Errorf("it does not say what to look at: %s", text)
	}
	if got.Blockers == nil || got.Ended {
		t.Errorf("programs need an empty list of blockers, and it has not ended: %+v", got)
	}
}

func TestDiffSpellsOutWhatATerminalWouldObey(t *testing.T) {
	golden(t, "diff", report.Differ(blocked()).Text(report.Style{}))
	golden(t, "diff-colours", report.Differ(blocked()).Text(report.Style{Colours: true}))
}

func TestDiffSaysThatNothingChanges(t *testing.T) {
	p := blocked()
	p.Status.Plan.Changes, p.Status.Plan.Diff, p.Status.Plan.Objects = nil, "", ptr.To[int32](1)
	if got := report.Differ(p).Text(report.Style{}); !strings.HasPrefix(got, "shop-1.1.0 to production: nothing changes, of 1 object\n") {
		t.Error(got)
	}
}

func TestProgressIsOneLine(t *testing.T) {
	for want, p := range map[string]*v1alpha1.Promotion{
		"waiting for the operator to look at it":                                                                    {},
		`AwaitingApproval: environment "production" is on hold: incident 4711 second line`:                          blocked(),
		"RollingOut: 3 of 4 objects applied, 2 healthy, wave 1 of 2; Deployment shop: pod shop-1: ImagePullBackOff": rollingOut(),
		"Rejected: by alice":  promotion("p", v1alpha1.ReasonRejected, metav1.ConditionFalse, "by\nalice"),
		"Planning: rendering": promotion("p", v1alpha1.ReasonPlanning, metav1.ConditionUnknown, "rendering"),
	} {
		if got := report.Progress(p); got != want {
			t.Errorf("it is %q and not %q", got, want)
		}
	}
}

func TestAPromotionHasEndedWhenItIsCompleteOrItsStateIsFinal(t *testing.T) {
	complete := promotion("p", v1alpha1.ReasonRollingOut, metav1.ConditionUnknown, "")
	complete.Status.CompletionTime = ago(time.Minute)
	for name, row := range map[string]struct {
		of               *v1alpha1.Promotion
		ended, succeeded bool
	}{
		"nobody has looked": {of: &v1alpha1.Promotion{}},
		"it waits":          {of: blocked()},
		"it is rolled out":  {of: rollingOut()},
		"it is complete":    {of: complete, ended: true},
		"it has failed":     {of: promotion("p", v1alpha1.ReasonFailed, metav1.ConditionFalse, ""), ended: true},
		"it has succeeded":  {of: promotion("p", v1alpha1.ReasonSucceeded, metav1.ConditionTrue, ""), ended: true, succeeded: true},
	} {
		if ended, succeeded := report.Ended(row.of), report.Succeeded(row.of); ended != row.ended || succeeded != row.succeeded {
			t.Errorf("%s: ended=%t succeeded=%t", name, ended, succeeded)
		}
	}
}

func TestATableShowsEmptyCellsAndOneLineEach(t *testing.T) {
	table := report.NewTable("NAME", "WHY")
	table.Add("größer", "")
	table.Add("b", "two\nlines\x1b[31m")
	want := "NAME     WHY\ngrößer   -\nb        two lines\\u001b[31m\n"
	if got := table.Text(report.Style{}); got != want {
		t.Errorf("%q", got)
	}
}
