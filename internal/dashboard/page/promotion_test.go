// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page_test

import (
	"flag"
	"html/template"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/internal/person"
)

var update = flag.Bool("update", false, "write the golden files anew")

// slots of a view, each with the HTML of its parts, for people to compare.
func slots(view page.View) string {
	var out strings.Builder
	for _, slot := range view.Slots {
		out.WriteString("=== " + slot.ID + "\n")
		for _, part := range slot.Parts {
			out.WriteString(string(part.HTML) + "\n")
		}
	}
	return out.String()
}

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
		t.Errorf("%s is another one; look at it with: go test ./internal/dashboard/page -update, and git diff", name)
	}
}

// shown is the page of a Promotion, and the HTML of one of its slots.
func shown(t *testing.T, c page.Context, s page.PromotionSeen) (view page.View, slot func(string) string) {
	t.Helper()
	view, err := page.Promotion(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return view, func(id string) string {
		html, err := view.Slot(id)
		if err != nil {
			t.Fatal(err)
		}
		return string(html)
	}
}

var everyRight = page.Rights{page.RightApprove: true, page.RightOverride: true, page.RightChange: true}

func TestAPromotionIsShownAsItStands(t *testing.T) {
	back, records := rolledBack()
	wentBack := seen(back, everyRight)
	wentBack.Records = records
	fresh := promotion("", "", "")
	fresh.Status = v1alpha1.PromotionStatus{}
	for name, each := range map[string]struct {
		by page.Context
		of page.PromotionSeen
	}{
		"promotion-awaiting":    {looking("frank", "shop-owners"), seen(awaiting(), everyRight)},
		"promotion-rolling":     {looking("dave"), seen(rolling(), everyRight)},
		"promotion-rolled-back": {looking("frank"), wentBack},
		"promotion-new":         {looking("bob"), page.PromotionSeen{Promotion: fresh}},
	} {
		t.Run(name, func(t *testing.T) {
			view, _ := shown(t, each.by, each.of)
			golden(t, name, slots(view))
			if _, err := each.by.Document(view, "/", "/assets"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatAPersonMayNotDoIsNotOnThePage(t *testing.T) {
	own := awaiting()
	own.Spec.RequestedBy.Username = "frank"
	decided := awaiting()
	decided.Spec.Approvals = append(decided.Spec.Approvals, v1alpha1.Approval{User: "frank", Decision: v1alpha1.DecisionApproved, PlanDigest: planDigest})
	unplanned := awaiting()
	unplanned.Status.Plan = v1alpha1.Plan{}
	guarded := awaiting()
	guarded.Status.Blockers = []v1alpha1.Blocker{{Gate: v1alpha1.GateQueue, Message: "busy", Clears: "time"}, {Gate: v1alpha1.GateGuard, Message: "gone", Clears: "x"}}
	cancelled := awaiting()
	cancelled.Spec.Cancel.Reason = "not needed"
	ended := promotion(v1alpha1.ReasonSucceeded, metav1.ConditionTrue, "all is healthy")
	used := rolling()
	used.Spec.Override.UsedBy.Username = "frank"
	right := func(names ...string) page.Rights {
		rights := page.Rights{}
		for _, name := range names {
			rights[name] = true
		}
		return rights
	}
	owner, stranger := looking("frank", "shop-owners"), looking("frank")
	for name, each := range map[string]struct {
		by      page.Context
		of      *v1alpha1.Promotion
		rights  page.Rights
		actions string // those that are offered
		words   string
	}{
		"whoever holds nothing":                     {owner, awaiting(), nil, "", "You may not approve here: you do not hold the verb “approve” on environment production."},
		"an owner":                                  {owner, awaiting(), right(page.RightApprove), "approve reject", ""},
		"an owner who may do everything":            {owner, awaiting(), everyRight, "approve reject override cancel", ""},
		"somebody of no rule may still reject":      {stranger, awaiting(), right(page.RightApprove), "reject", "what is still open is for other people (rule owners and security)"},
		"whoever asked":                             {owner, own, right(page.RightApprove), "reject", "you asked for this promotion, and environment production does not count the requester’s own approval"},
		"whoever has approved":                      {owner, decided, right(page.RightApprove), "reject withdraw", "You have approved this plan."},
		"whoever has approved and may no more":      {owner, decided, nil, "", "You have approved this plan."},
		"there is no plan":                          {owner, unplanned, everyRight, "cancel", "There is no plan to decide on yet."},
		"gates that nobody can open":                {owner, guarded, right(page.RightOverride), "", "“approve”"},
		"whoever may override":                      {owner, awaiting(), right(page.RightOverride), "override", "“approve”"},
		"whoever may change it":                     {owner, awaiting(), right(page.RightChange), "cancel", "“approve”"},
		"it is cancelled already":                   {owner, cancelled, right(page.RightChange), "", "“approve”"},
		"the rollout has started":                   {owner, rolling(), everyRight, "acknowledge cancel", ""},
		"the rollout has started, and one has used": {owner, used, everyRight, "cancel", "You have used it"},
		"it has ended":                              {owner, ended, everyRight, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, slot := shown(t, each.by, seen(each.of, each.rights))
			html := slot("promotion-actions")
			var offered []string
			for _, form := range regexp.MustCompile(`action="/assent/projects/shop/promotions/shop-1\.4\.0-production/(\w+)"`).FindAllStringSubmatch(html, -1) {
				offered = append(offered, form[1])
			}
			if got := strings.Join(offered, " "); !sameWords(got, each.actions) {
				t.Errorf("it offers %q, and not %q", got, each.actions)
			}
			if !strings.Contains(html, each.words) {
				t.Errorf("it does not say %q but\n%s", each.words, html)
			}
		})
	}
}

func sameWords(a, b string) bool {
	count := map[string]int{}
	for _, word := range strings.Fields(a) {
		count[word]++
	}
	for _, word := range strings.Fields(b) {
		count[word]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestEachFormCarriesWhatIsOnTheScreen(t *testing.T) {
	for _, p := range []*v1alpha1.Promotion{awaiting(), rolling()} {
		_, slot := shown(t, looking("frank", "shop-owners"), seen(p, everyRight))
		forms := strings.Split(slot("promotion-actions"), "<form")[1:]
		if len(forms) < 2 {
			t.Fatalf("there are %d forms", len(forms))
		}
		for _, form := range forms {
			for _, want := range []string{`method="post"`, `name="uid" value="p-1"`, `name="digest" value="` + string(planDigest) + `"`} {
				if !strings.Contains(form, want) {
					t.Errorf("a form has no %s: %s", want, form)
				}
			}
		}
	}
}

func TestTheGatesOfferedAreThoseThatCanBeOverridden(t *testing.T) {
	p := awaiting()
	p.Status.Blockers = nil
	for _, gate := range []v1alpha1.Gate{
		v1alpha1.GateRelease, v1alpha1.GateUpstream, v1alpha1.GateSoak, v1alpha1.GateWindow, v1alpha1.GateHold, v1alpha1.GateSchedule, v1alpha1.GateCheck,
		v1alpha1.GateApproval, v1alpha1.GateQueue, v1alpha1.GateGuard, v1alpha1.GateTarget,
	} {
		p.Status.Blockers = append(p.Status.Blockers, v1alpha1.Blocker{Gate: gate, Message: "x", Clears: "y"})
	}
	_, slot := shown(t, looking("frank"), seen(p, everyRight))
	html := slot("promotion-actions")
	for _, gate := range person.Overridable() {
		if !strings.Contains(html, `name="gates" id="gate-`+string(gate)+`" value="`+string(gate)+`"`) {
			t.Errorf("gate %s cannot be opened", gate)
		}
	}
	if boxes := strings.Count(html, `name="gates"`); boxes != len(person.Overridable()) {
		t.Errorf("%d gates can be opened, and not %d", boxes, len(person.Overridable()))
	}
}

func TestThePageStaysTheSameAsTimeGoesBy(t *testing.T) {
	early, late := looking("frank", "shop-owners"), looking("frank", "shop-owners")
	late.Now = noon.Add(5 * time.Hour)
	for _, p := range []*v1alpha1.Promotion{awaiting(), rolling()} {
		first, _ := shown(t, early, seen(p, everyRight))
		second, _ := shown(t, late, seen(p, everyRight))
		if slots(first) != slots(second) {
			t.Error("it changes though nothing has happened")
		}
	}
}

func TestEachPartIsOneElementWithItsOwnID(t *testing.T) {
	back, _ := rolledBack()
	long := awaiting()
	long.Status.Plan.Diff = strings.Repeat("--- live/A/a\n+++ plan/A/a\n", 2) + "... cut\n"
	for _, p := range []*v1alpha1.Promotion{awaiting(), rolling(), back, long} {
		view, _ := shown(t, looking("frank", "shop-owners"), seen(p, everyRight))
		known := map[string]bool{}
		for _, slot := range view.Slots {
			for _, part := range slot.Parts {
				head, _, _ := strings.Cut(string(part.HTML), ">")
				if known[part.ID] || !strings.HasPrefix(head, "<") || !strings.Contains(head, ` id="`+template.HTMLEscapeString(part.ID)+`"`) {
					t.Errorf("part %q begins with %q", part.ID, head)
				}
				known[part.ID] = true
			}
		}
	}
}

func TestAPlanIsShownWithAllThatItChanges(t *testing.T) {
	cut := awaiting()
	cut.Status.Plan.Diff = deploymentDiff + "... the diff is longer than 128 KiB and is cut here; `status.plan.changes` lists what changes\n"
	_, slot := shown(t, looking("frank"), seen(cut, nil))
	html := slot("promotion-diff")
	for _, want := range []string{
		"1 created, 2 updated, 1 deleted and created again, 1 deleted, of 7 objects.", "is longer than 128 KiB and is cut here", "The diff is cut before it.",
		"<strong>vouchers</strong>", "<strong>voucher-key</strong>", "<strong>banner</strong>", string(planDigest),
	} {
		if !strings.Contains(html, want) {
			t.Errorf("it has no %q", want)
		}
	}
	whole := awaiting()
	_, slot = shown(t, looking("frank"), seen(whole, nil))
	html = slot("promotion-diff")
	if strings.Contains(html, "is cut") || !strings.Contains(html, "Values of a Secret are masked") || !strings.Contains(html, "*** (<mark>after</mark>)") {
		t.Error("the whole diff, with its Secret masked, is not shown as it is")
	}
}
