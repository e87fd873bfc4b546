// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestApprovalRulesAreToldInWords(t *testing.T) {
	p := awaiting()
	p.Status.Approvals.Rules = []v1alpha1.RuleStatus{
		{Name: "owners", Required: ptr.To[int32](2), ApprovedBy: []string{"alice"}}, {Name: "security", Required: ptr.To[int32](1)},
		{Name: "approval", Required: ptr.To[int32](3), ApprovedBy: []string{"alice", "bob"}}, {Name: "nobody", Required: ptr.To[int32](0)},
		{Name: "done", Required: ptr.To[int32](1), ApprovedBy: []string{"carol"}},
	}
	p.Status.Plan.Rules = []v1alpha1.PlanRule{
		{Name: "done", Applicability: v1alpha1.RuleApplies}, {Name: "network", Applicability: v1alpha1.RuleDoesNotApply},
		{Name: "broken", Applicability: v1alpha1.RuleUnknown, Message: "no such field"},
	}
	_, slot := shown(t, looking("frank"), seen(p, nil))
	html := slot("promotion-approvals")
	for _, want := range []string{
		"1 of 2, by alice; needs 1 more of group shop-owners<", "0 of 1; needs 1 more of group security, or by dave<",
		"2 of 3, by alice and bob; needs 1 more by anyone who may approve here<", "needs nobody’s approval<", "1 of 1, by carol<",
		"does not apply to this plan<", "nobody knows whether it applies: no such field<", ">1 of 3<", "Does not count: approved plan",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

func TestChecksAreToldWithWhatTheyFound(t *testing.T) {
	p := awaiting()
	p.Status.Checks = []v1alpha1.CheckStatus{
		{Name: "change-ticket", Result: v1alpha1.CheckFailed, Message: "status 404", PlanDigest: planDigest, Time: ago(time.Hour)},
		{Name: "gone", Result: v1alpha1.CheckPassed, Message: "fine", PlanDigest: otherDigest, Time: ago(time.Hour)},
	}
	for name, want := range map[string]string{"change-ticket": "Failed", "errors": "Not run yet", "gone": "Of an earlier plan"} {
		_, slot := shown(t, looking("frank"), seen(p, nil))
		_, after, there := strings.Cut(slot("promotion-checks"), "<strong>"+name+"</strong>")
		if line, _, _ := strings.Cut(after, "</div>"); !there || !strings.Contains(line, want) {
			t.Errorf("check %s is not said to be %q: %s", name, want, line)
		}
	}
}

func TestWhereACommentIsAskedForTheFormAsksForIt(t *testing.T) {
	for policy, required := range map[v1alpha1.CommentPolicy]bool{v1alpha1.CommentAlways: true, v1alpha1.CommentOnRejection: false, v1alpha1.CommentNever: false} {
		of := seen(awaiting(), everyRight)
		of.Environment.Spec.Approval.Comment = policy
		_, slot := shown(t, looking("frank", "shop-owners"), of)
		_, field, _ := strings.Cut(slot("promotion-actions"), `id="approve-comment"`)
		if field, _, _ = strings.Cut(field, ">"); strings.Contains(field, "required") != required {
			t.Errorf("with %s it is %q", policy, field)
		}
	}
}

func TestNotesOfWhatHasSucceededAreSinceWhatRanBefore(t *testing.T) {
	p := promotion(v1alpha1.ReasonSucceeded, metav1.ConditionTrue, "all is healthy")
	of := seen(p, nil)
	of.Environment.Status.Previous = of.Environment.Status.Current
	of.Environment.Status.Current = v1alpha1.Deployment{Release: "shop-1.4.0", Version: "1.4.0", Promotion: p.Name}
	_, slot := shown(t, looking("frank"), of)
	html := slot("promotion-notes")
	if !strings.Contains(html, "From 1.2.0") || !strings.Contains(html, ">1.3.0</a>") || strings.Contains(html, "1.5.0") {
		t.Errorf("they are\n%s", html)
	}
	of.Environment.Status.Current.Promotion = "a-later-one"
	_, slot = shown(t, looking("frank"), of)
	if html = slot("promotion-notes"); strings.Contains(html, ">1.3.0</a>") || !strings.Contains(html, ">1.4.0</a>") {
		t.Errorf("of an older one they are\n%s", html)
	}
}

func TestNotesOfManyReleasesAreCut(t *testing.T) {
	of := seen(awaiting(), nil)
	for i := range 40 {
		of.Releases = append(of.Releases, release(fmt.Sprintf("1.3.%d", i+1), time.Hour, ""))
	}
	_, slot := shown(t, looking("frank"), of)
	html := slot("promotion-notes")
	if n := strings.Count(html, "<section"); n != 30 || !strings.Contains(html, "12 older releases are not shown.") {
		t.Errorf("%d releases are shown", n)
	}
}

func TestTheTimelineTellsWhatTheStatusSaysWhereThereAreNoRecords(t *testing.T) {
	p, records := rolledBack()
	of := seen(p, nil)
	_, slot := shown(t, looking("frank"), of)
	without := slot("promotion-timeline")
	of.Records = records
	_, slot = shown(t, looking("frank"), of)
	with := slot("promotion-timeline")
	for _, html := range []string{without, with} {
		at := 0
		for _, want := range []string{"Asked for", "Planned", "Approved", "Rollout started", "Way back to shop-1.2.0", "Rolled back"} {
			if strings.Count(html, "<strong>"+want+"</strong>") != 1 {
				t.Fatalf("%q is not told once:\n%s", want, html)
			}
			if next := strings.Index(html, "<strong>"+want); next < at && want != "Approved" && want != "Rollout started" {
				t.Errorf("%q comes too early", want)
			} else {
				at = next
			}
		}
	}
	if !strings.Contains(with, "audit record 41") || !strings.Contains(with, "audit record 42") || strings.Contains(without, "audit record") {
		t.Error("the numbers of the records are not told")
	}
}
