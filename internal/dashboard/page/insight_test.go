// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/assent-dev/assent/internal/dashboard/insight"
)

func insightSeen(scope insight.Scope) InsightSeen {
	environments, releases, history, requests := delivered()
	return InsightSeen{Scope: scope, Environments: environments, Releases: releases, Projects: []string{"payments", "shop"}, Requests: requests, Records: history.records}
}

func insightOf(t *testing.T, seen InsightSeen) View {
	t.Helper()
	view, err := Insight(viewer(), seen)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

func TestInsightShowsEachFigureWithWhatItRestsOn(t *testing.T) {
	goldenView(t, "insight", insightOf(t, insightSeen(insight.Scope{Project: "payments", Application: "ledger", Days: 90})))
}

func TestEachPictureHasANameAndATable(t *testing.T) {
	for name, seen := range map[string]InsightSeen{"much": insightSeen(insight.Scope{Days: 90}), "little": insightSeen(insight.Scope{Project: "payments", Days: 7}), "nothing": {Scope: insight.Scope{Days: 7}}} {
		t.Run(name, func(t *testing.T) {
			order, html := partsOf(t, insightOf(t, seen), "insight-figures")
			if len(order) != len(insight.Kinds) {
				t.Fatalf("there are %v", order)
			}
			for _, id := range order {
				pictures, described := strings.Count(html[id], `role="img"`), strings.Count(html[id], `<title id="chart-`)
				if pictures != described || (name == "much") != (pictures == 1) && name != "little" {
					t.Errorf("%s has %d pictures and %d names", id, pictures, described)
				}
				tables, rows := strings.Count(html[id], "<table"), strings.Count(html[id], "<tbody><tr")
				if !strings.Contains(html[id], "<summary>As a table") || tables != pictures || rows != pictures {
					t.Errorf("%s has %d pictures, and %d tables of which %d are filled", id, pictures, tables, rows)
				}
			}
		})
	}
}

func TestTooLittleIsNoFigure(t *testing.T) {
	_, html := partsOf(t, insightOf(t, insightSeen(insight.Scope{Project: "payments", Days: 7})), "insight-figures")
	for _, kind := range insight.Kinds {
		said := !strings.Contains(html["figure-"+string(kind)], "not enough to say")
		if said != (kind == insight.Frequency) {
			t.Errorf("%s: %s", kind, html["figure-"+string(kind)])
		}
	}
}

func TestHistoriesThatWereReadInPartAreLeftOutOfFigures(t *testing.T) {
	seen := insightSeen(insight.Scope{Days: 90})
	all := len(insightRowsOf(t, seen))
	seen.Cut = true
	seen.Records = seen.Records[:len(seen.Records)-10] // in the order of the fixture, whose last name is the greatest
	_, note := partsOf(t, insightOf(t, seen), "insight-note")
	if !strings.Contains(note["insight-note-text"], "environments are left out") && !strings.Contains(note["insight-note-text"], "environment is left out") {
		t.Errorf("it says %s", note["insight-note-text"])
	}
	if left := len(insightRowsOf(t, seen)); left >= all {
		t.Errorf("%d of %d rows are left", left, all)
	}
}

func insightRowsOf(t *testing.T, seen InsightSeen) []string {
	t.Helper()
	order, _ := partsOf(t, insightOf(t, seen), "insight-rows")
	return order
}

func TestAScopeStandsInTheAddress(t *testing.T) {
	for query, want := range map[string]insight.Scope{
		"": {Days: 30},
		"project=shop&application=cart&stage=dev": {Project: "shop", Application: "cart", Stage: "dev", Days: 30},
		"days=90":                 {Days: 90},
		"days=99999999":           {Days: 30},
		"days=7&stage=production": {Stage: "production", Days: 7},
		"days=-1&project=%3Cscript%3E&application=+": {Project: "<script>", Days: 30},
	} {
		parsed, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := InsightScopeOf(parsed); got != want || InsightScopeOf(insightQuery(got)) != got {
			t.Errorf("%q asks for %+v", query, got)
		}
	}
}

func TestSpansAreSaidInTwoUnitsAtMost(t *testing.T) {
	for span, want := range map[time.Duration]string{
		0: "0 s", -time.Hour: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min 1 s", time.Hour: "1 h", 25*time.Hour + 30*time.Minute: "1 d 1 h",
		24*time.Hour + 5*time.Minute: "1 d", 400 * 24 * time.Hour: "400 d",
	} {
		if got := spanText(span); got != want {
			t.Errorf("%s is %q", span, got)
		}
	}
}

func TestRowsOfInsightStandInTheOrderOfStages(t *testing.T) {
	order := insightRowsOf(t, insightSeen(insight.Scope{Project: "shop", Days: 30}))
	want := "insight-shop.cart.dev insight-shop.cart.staging insight-shop.cart.production insight-shop.search.dev insight-shop.search.staging insight-shop.search.production"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("it is %s", got)
	}
}

func TestNumbersHaveNoMoreDigitsThanTheyDeserve(t *testing.T) {
	for number, want := range map[float64]string{0: "0", 0.078: "0.1", 1: "1", 1.02: "1", 1.25: "1.2", 9.94: "9.9", 9.96: "10", 33.333: "33", 100: "100"} {
		if got := decimal(number); got != want {
			t.Errorf("%v is %q", number, got)
		}
	}
}

func TestOfManyRowsTheFirstAreListedAndTheOthersCounted(t *testing.T) {
	var seen InsightSeen
	seen.Scope.Days = 7
	for i := range mostInsightRows + 3 {
		seen.Environments = append(seen.Environments, environmentOf("shop", fmt.Sprintf("e%03d", i), fmt.Sprintf("app%03d", i)))
	}
	order, html := partsOf(t, insightOf(t, seen), "insight-rows")
	if len(order) != mostInsightRows+1 || !strings.Contains(html["insight-more"], "3 more are not listed") {
		t.Errorf("there are %d rows, and it says %s", len(order), html["insight-more"])
	}
}
