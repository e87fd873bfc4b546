// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/insight"
)

func TestAReleaseAnAuditAndAnInsightCanBeLookedAt(t *testing.T) {
	into := *preview
	if into == "" {
		into = t.TempDir()
	} else {
		defer func(at time.Time) { friday = at }(friday)
		friday = time.Now()
	}
	environments, releases, history, requests := delivered()
	projects := []string{"payments", "shop"}
	c := viewer()
	views := map[string]func() (View, error){
		"release":         func() (View, error) { return Release(c, candidate()) },
		"release-bundle":  func() (View, error) { return Release(c, blockedBundle()) },
		"release-blocked": func() (View, error) { return Release(c, takenBack()) },
		"release-back":    func() (View, error) { return Release(c, goneBy()) },
		"audit": func() (View, error) {
			return Audit(c, AuditSeen{Filter: AuditFilter{Page: 1}, Environments: environments, Projects: projects, Records: history.records})
		},
		"audit-edited": func() (View, error) {
			edited := audited()
			edited.Records[3].Spec.Reason = "all is well"
			return Audit(c, edited)
		},
		"insight": func() (View, error) {
			return Insight(c, InsightSeen{Scope: insight.Scope{Days: 30}, Environments: environments, Releases: releases, Projects: projects, Requests: requests, Records: history.records})
		},
		"insight-thin": func() (View, error) {
			return Insight(c, InsightSeen{Scope: insight.Scope{Days: 7, Project: "payments"}, Environments: environments, Releases: releases, Projects: projects, Records: history.records})
		},
	}
	for name, make := range views {
		view, err := make()
		if err != nil {
			t.Fatal(err)
		}
		document, err := c.Document(view, "/"+name, "assets")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(into, name+".html"), document, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func releaseView(t *testing.T, seen ReleaseSeen) View {
	t.Helper()
	view, err := Release(viewer(), seen)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

func TestAReleaseSaysWhereItMayGoAndWhereItHasBeen(t *testing.T) {
	for name, seen := range map[string]ReleaseSeen{"candidate": candidate(), "bundle": blockedBundle(), "blocked": takenBack(), "gone-by": goneBy()} {
		t.Run(name, func(t *testing.T) { goldenView(t, "release-"+name, releaseView(t, seen)) })
	}
}

func TestAReleaseOffersWhatTheViewerMayDoAndWhatCouldComeToSomething(t *testing.T) {
	const promote, back, block, unblock = `name="type" value="Promote"`, `name="type" value="Rollback"`, `/releases/cart-1.5.0/block"`, `/releases/cart-1.5.0/unblock"`
	every := Rights{RightPromote: true, RightRollback: true}
	for name, test := range map[string]struct {
		seen   func() ReleaseSeen
		rights Rights
		own    Rights
		want   map[string]int
	}{
		"nothing without rights":               {candidate, nil, nil, map[string]int{}},
		"no promotion where one is on its way": {candidate, Rights{RightPromote: true}, nil, map[string]int{promote: 2}},
		"no rollback to where it never was":    {candidate, Rights{RightRollback: true}, nil, map[string]int{}},
		"a rollback to where it was":           {goneBy, every, nil, map[string]int{promote: 3, back: 1}},
		"the right to approve is none of them": {goneBy, Rights{RightApprove: true, RightOverride: true, RightResume: true}, nil, map[string]int{}},
		"nothing of what is blocked":           {takenBack, every, nil, map[string]int{}},
		"nothing of a bundle that is":          {blockedBundle, every, nil, map[string]int{}},
		"to block what is not blocked":         {candidate, nil, Rights{RightBlock: true, RightUnblock: true}, map[string]int{block: 1}},
		"to unblock what is":                   {takenBack, nil, Rights{RightBlock: true, RightUnblock: true}, map[string]int{unblock: 1}},
		"not to unblock with the right to set": {takenBack, nil, Rights{RightBlock: true}, map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			seen := test.seen()
			seen.Own, seen.Rights = test.own, map[string]Rights{}
			for _, environment := range seen.Environments {
				seen.Rights[environment.Name] = test.rights
			}
			made := document(t, viewer(), releaseView(t, seen), "/")
			forms := strings.Count(made, `<form method="post"`) - 1 // that to sign out
			for _, form := range []string{promote, back, block, unblock} {
				if got := strings.Count(made, form); got != test.want[form] {
					t.Errorf("%s is there %d times", form, got)
				}
				forms -= test.want[form]
			}
			if forms != 0 {
				t.Errorf("there are %d forms more", forms)
			}
		})
	}
}

func TestASignatureIsVerifiedWhereAPlanWasMadeOfThisRelease(t *testing.T) {
	seen := candidate()
	planned := promotionTo(seen.Environments[0], "1.5.0", v1alpha1.ReasonAwaitingApproval, time.Hour, approvedBy(1, "owners"))
	planned.Status.Plan.PlannedTime, planned.Status.Plan.Inputs.Release.UID = before(time.Hour), "uid-of-another"
	seen.Promotions = append(seen.Promotions, planned)
	content := func() string {
		_, html := partsOf(t, releaseView(t, seen), "release-content")
		return html["release-content-card"]
	}
	if made := content(); strings.Contains(made, "Verified") || !strings.Contains(made, "Not verified yet") {
		t.Errorf("the plan of another Release of that name says: %s", made)
	}
	planned.Status.Plan.Inputs.Release.UID = string(seen.Release.UID)
	if made := content(); !strings.Contains(made, "Verified") || !strings.Contains(made, planned.Name) {
		t.Errorf("its own plan says: %s", made)
	}
}

func TestTheHistoryIsThatOfThisReleaseAndNotOfAnotherOfItsName(t *testing.T) {
	seen := candidate()
	another := *seen.Release
	another.UID = "uid-of-another"
	var history told
	history.rolledOut(seen.Environments[0], &another, friday.Add(-90*time.Hour), v1alpha1.AuditFailed)
	seen.Records = append(seen.Records, history.records...)
	_, html := partsOf(t, releaseView(t, seen), "release-history")
	if made := html["release-history-table"]; strings.Contains(made, "Failed") || strings.Count(made, "<tr>") != 4 {
		t.Errorf("it says %s", made)
	}
}
