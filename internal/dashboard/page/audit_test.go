// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// audited is a short history of two Environments: a success, a break-glass, a rollback, and somebody's refusal.
func audited() AuditSeen {
	var history told
	production, staging := environmentOf("shop", "cart-production", "cart"), environmentOf("shop", "cart-staging", "cart")
	first, second := releaseOf("shop", "cart", "1.4.0", 100*time.Hour), releaseOf("shop", "cart", "1.5.0", 50*time.Hour)
	first.UID, second.UID = "uid-1", "uid-2"
	at := func(hours int) time.Time { return friday.Add(-time.Duration(hours) * time.Hour) }
	history.rolledOut(staging, first, at(99), v1alpha1.AuditSucceeded)
	history.rolledOut(production, first, at(90), v1alpha1.AuditSucceeded)
	history.add("shop", "cart-production", at(30), v1alpha1.AuditRecordSpec{
		Type: v1alpha1.AuditRejected, Promotion: v1alpha1.ObjectIdentity{Name: "cart-1.5.0-production", UID: "uid-r"}, RequestedBy: v1alpha1.Person{Username: "bob"},
		Reason: "carol has rejected it", Decisions: []v1alpha1.AuditedDecision{{User: "carol", Decision: v1alpha1.DecisionRejected, Comment: "not before the <audit>", Time: before(30 * time.Hour)}},
	})
	history.rolledOut(production, second, at(20), v1alpha1.AuditFailed, byBreakGlass)
	history.rolledOut(production, first, at(19), v1alpha1.AuditSucceeded, asRollback)
	for _, environment := range []*v1alpha1.Environment{production, staging} {
		environment.Status.Audit = history.heads[Place{"shop", environment.Name}]
	}
	slices.SortFunc(history.records, func(a, b v1alpha1.AuditRecord) int { return strings.Compare(a.Name, b.Name) })
	return AuditSeen{Filter: AuditFilter{Page: 1}, Environments: []*v1alpha1.Environment{production, staging}, Projects: []string{"payments", "shop"}, Records: history.records}
}

func auditOf(t *testing.T, seen AuditSeen) View {
	t.Helper()
	view, err := Audit(viewer(), seen)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

func TestTheAuditTellsTheNewestFirst(t *testing.T) {
	goldenView(t, "audit", auditOf(t, audited()))
}

func TestTheAuditIsFilteredByItsAddress(t *testing.T) {
	for query, want := range map[string]string{
		"":                                   "p8 p7 p6 p5 p4 p3 p2 p1 s2 s1",
		"person=DAVE":                        "p4",
		"person=carol":                       "p3",
		"type=Failed":                        "p6",
		"environment=cart-staging":           "s2 s1",
		"application=cart&type=Succeeded":    "p8 p2 s2",
		"application=search":                 "",
		"project=payments":                   "",
		"q=1.5.0":                            "p6 p5 p4 p3",
		"q=not+before":                       "p3",
		"from=2031-03-06":                    "p8 p7 p6 p5 p4 p3",
		"to=2031-03-05&from=2031-03-03":      "p2 p1 s2 s1",
		"to=2031-03-02":                      "",
		"from=yesterday&type=Nonsense&page=": "p8 p7 p6 p5 p4 p3 p2 p1 s2 s1",
	} {
		t.Run(query, func(t *testing.T) {
			parsed, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			seen := audited()
			seen.Filter = AuditFilterOf(parsed)
			order, _ := partsOf(t, auditOf(t, seen), "audit-rows")
			for i, id := range order {
				id = strings.TrimPrefix(strings.TrimPrefix(id, "record-shop.cart-"), "record-")
				order[i] = strings.NewReplacer("production-000000000", "p", "staging-000000000", "s").Replace(id)
			}
			if got := strings.Join(order, " "); got != want {
				t.Errorf("it shows %s", got)
			}
			if again := AuditFilterOf(seen.Filter.Query(1)); len(seen.Filter.Problems) == 0 && fmt.Sprint(again) != fmt.Sprint(seen.Filter) {
				t.Errorf("its own address asks for %+v", again)
			}
			if strings.Contains(query, "yesterday") && len(seen.Filter.Problems) != 2 {
				t.Errorf("what was not understood is %q", seen.Filter.Problems)
			}
		})
	}
}

func TestTheAuditSaysOfEachHistoryWhatWasVerifiedAndNoMore(t *testing.T) {
	without := func(seen *AuditSeen, names ...string) {
		seen.Records = slices.DeleteFunc(seen.Records, func(r v1alpha1.AuditRecord) bool { return slices.Contains(names, r.Name) })
	}
	for name, test := range map[string]struct {
		change func(*AuditSeen)
		sum    string
		want   []string
		not    []string
	}{
		"nothing was done to it": {func(*AuditSeen) {}, "2 histories sound", []string{"numbers 1 to 8 follow each other, and reach as far as the environment’s status says (number 8)"}, []string{"badge-bad"}},
		"an edit": {func(seen *AuditSeen) { seen.Records[3].Spec.Reason = "all is well" }, "1 history not what was written",
			[]string{"record &#34;cart-production-0000000004&#34; was edited", "Not what was written", "by an export as JSON lines", "card-bad"}, nil},
		"a gap": {func(seen *AuditSeen) { without(seen, "cart-production-0000000005") }, "1 history not what was written",
			[]string{"a gap before record", "number 5 is missing"}, nil},
		"a beginning that is not here": {func(seen *AuditSeen) { without(seen, "cart-production-0000000001", "cart-production-0000000002") }, "1 history without a beginning",
			[]string{"Sound from number 3 to 8", "archived or deleted, which nobody can tell from here"}, []string{"Not what was written"}},
		"a beginning that is not here, and an edit": {func(seen *AuditSeen) {
			without(seen, "cart-production-0000000001")
			seen.Records[3].Spec.Reason = "all is well"
		}, "1 history not what was written", []string{"was edited"}, []string{"Sound from number"}},
		"an end that is missing": {func(seen *AuditSeen) { without(seen, "cart-production-0000000008") }, "1 history not what was written",
			[]string{"the history was truncated"}, nil},
		"all of it is missing": {func(seen *AuditSeen) { without(seen, "cart-staging-0000000001", "cart-staging-0000000002") }, "1 history not what was written",
			[]string{"the history was truncated"}, nil},
		"an Environment that is gone": {func(seen *AuditSeen) { seen.Environments = seen.Environments[:1] }, "2 histories sound",
			[]string{"Sound as far as it goes", "its end could be missing without a trace"}, nil},
		"a part that was read": {func(seen *AuditSeen) { seen.Cut = true }, "Verified in part",
			[]string{"numbers 1 to 8 follow", "Only a part of it was read, which says nothing of the whole"}, []string{"truncated", "numbers 1 to 2"}},
		"a part that was read, with an edit in the other": {func(seen *AuditSeen) { seen.Cut, seen.Records[3].Spec.Reason = true, "all is well" }, "1 history not what was written",
			[]string{"Only a part of it was read", "Histories that were not read are not listed"}, nil},
		"one Environment alone": {func(seen *AuditSeen) {
			seen.Filter.Environment = "cart-staging"
			seen.Records = slices.DeleteFunc(seen.Records, func(r v1alpha1.AuditRecord) bool { return r.Spec.Environment != "cart-staging" })
		}, "1 history sound", []string{"numbers 1 to 2"}, []string{"truncated", "cart-production"}},
		"what the filter hides is verified all the same": {func(seen *AuditSeen) {
			seen.Filter.Type = v1alpha1.AuditFailed
			seen.Records[0].Spec.Reason = "all is well"
		}, "1 history not what was written", []string{"was edited"}, nil},
		"nothing at all": {func(seen *AuditSeen) { seen.Records, seen.Environments = nil, nil }, "Nothing to verify", nil, []string{"Sound"}},
	} {
		t.Run(name, func(t *testing.T) {
			seen := audited()
			test.change(&seen)
			_, html := partsOf(t, auditOf(t, seen), "audit-chain")
			card := html["audit-chain-card"]
			for _, want := range append(test.want, test.sum) {
				if !strings.Contains(card, want) {
					t.Errorf("%q is missing: %s", want, card)
				}
			}
			for _, not := range test.not {
				if strings.Contains(card, not) {
					t.Errorf("it says %q: %s", not, card)
				}
			}
		})
	}
}

func TestOfACutReadingOnlyHistoriesBeforeItsEndAreWhole(t *testing.T) {
	record := func(project, environment string, sequence int) v1alpha1.AuditRecord {
		return v1alpha1.AuditRecord{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: fmt.Sprintf("%s-%010d", environment, sequence)}, Spec: v1alpha1.AuditRecordSpec{Environment: environment}}
	}
	whole := wholeHistories([]v1alpha1.AuditRecord{record("shop", "cart", 7), record("shop", "cart-eu", 1), record("shop", "cart-eu", 2)}, true)
	for of, want := range map[Place]bool{
		{"payments", "zoo"}: true, {"shop", "cart"}: true, {"shop", "cart-eu"}: false, {"shop", "search"}: false, {"shop-eu", "cart"}: true, {"zoo", "a"}: false,
	} {
		if whole(of) != want {
			t.Errorf("%v is whole: %t", of, !want)
		}
	}
}

func TestTheAuditHasPages(t *testing.T) {
	seen := audited()
	for i := range 120 {
		record := seen.Records[0]
		record.Name, record.Spec.Sequence, record.Spec.Time = fmt.Sprintf("cart-production-%010d", 100+i), int64(100+i), before(-time.Duration(i)*time.Minute)
		seen.Records = append(seen.Records, record)
	}
	seen.Filter.Text, seen.Filter.Page = "cart", 2
	view := auditOf(t, seen)
	order, _ := partsOf(t, view, "audit-rows")
	_, html := partsOf(t, view, "audit-pages")
	if len(order) != 30 || !strings.Contains(html["audit-paging"], `href="/audit?q=cart" rel="prev"`) || strings.Contains(html["audit-paging"], "Older") {
		t.Errorf("%d are on the second page: %s", len(order), html["audit-paging"])
	}
	seen.Filter.Page = 1
	if _, html = partsOf(t, auditOf(t, seen), "audit-pages"); !strings.Contains(html["audit-paging"], `href="/audit?page=2&amp;q=cart" rel="next"`) {
		t.Errorf("the first page leads nowhere: %s", html["audit-paging"])
	}
	seen.Filter.Page = 900
	if order, _ = partsOf(t, auditOf(t, seen), "audit-rows"); len(order) != 0 {
		t.Errorf("%d are on a page that does not exist", len(order))
	}
}

func TestAnExportHoldsWhatTheFilterLeavesAndHeadsOnlyOfWholeHistories(t *testing.T) {
	for name, test := range map[string]struct {
		change         func(*AuditSeen)
		records, heads int
	}{
		"everything":      {func(*AuditSeen) {}, 10, 2},
		"one Environment": {func(seen *AuditSeen) { seen.Filter.Environment = "cart-staging" }, 2, 1},
		"a person":        {func(seen *AuditSeen) { seen.Filter.Person = "dave" }, 1, 0},
		"a cut reading":   {func(seen *AuditSeen) { seen.Cut = true }, 10, 1},
	} {
		t.Run(name, func(t *testing.T) {
			seen := audited()
			test.change(&seen)
			var table, lines bytes.Buffer
			if err := seen.CSV(&table); err != nil {
				t.Fatal(err)
			}
			if err := seen.Lines(&lines); err != nil {
				t.Fatal(err)
			}
			heads, records := strings.Count(lines.String(), `"kind":"AuditHead"`), strings.Count(lines.String(), `"kind":"AuditRecord"`)
			if rows := strings.Count(table.String(), "\n") - 1; rows != test.records || records != test.records || heads != test.heads {
				t.Errorf("there are %d rows, %d records and %d heads", rows, records, heads)
			}
		})
	}
}

func TestLongHistoriesAreVerifiedWhenThatIsAskedFor(t *testing.T) {
	seen := audited()
	for len(seen.Records) <= verifiedAtOnce {
		seen.Records = append(seen.Records, seen.Records[0])
	}
	seen.Records[3].Spec.Reason = "all is well"
	seen.Filter.Person = "bob"
	card := func() string {
		_, html := partsOf(t, auditOf(t, seen), "audit-chain")
		return html["audit-chain-card"]
	}
	if made := card(); !strings.Contains(made, "Not verified") || !strings.Contains(made, `href="/audit?person=bob&amp;verify=all"`) || strings.Contains(made, "badge-good") {
		t.Errorf("it says %s", made)
	}
	seen.Filter = AuditFilterOf(url.Values{"verify": {"all"}})
	if made := card(); !strings.Contains(made, "was edited") {
		t.Errorf("when asked, it says %s", made)
	}
}

func TestOfManyHistoriesThoseThatAreWrongAreListedFirst(t *testing.T) {
	var history told
	var seen AuditSeen
	seen.Filter.Page = 1
	for i := range mostHistories + 5 {
		environment := environmentOf("shop", fmt.Sprintf("e%03d", i), "cart")
		history.rolledOut(environment, releaseOf("shop", "cart", "1.4.0", time.Hour), friday, v1alpha1.AuditSucceeded)
		environment.Status.Audit = history.heads[Place{"shop", environment.Name}]
		seen.Environments = append(seen.Environments, environment)
	}
	seen.Records = history.records
	seen.Records[len(seen.Records)-1].Spec.Reason = "all is well"
	_, html := partsOf(t, auditOf(t, seen), "audit-chain")
	card := html["audit-chain-card"]
	if first := strings.Index(card, "/e064"); first < 0 || first > strings.Index(card, "/e000") || !strings.Contains(card, "5 more are not listed; all of these are sound") {
		t.Errorf("it says %s", card)
	}
}
