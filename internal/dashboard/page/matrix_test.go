// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func matrixOf(t *testing.T, c Context, world *World, filter MatrixFilter) View {
	t.Helper()
	view, err := Matrix(c, world, filter)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// partsOf a slot, by their IDs, and in their order.
func partsOf(t *testing.T, view View, slot string) (order []string, html map[string]string) {
	t.Helper()
	html = map[string]string{}
	for _, each := range view.Slots {
		if each.ID != slot {
			continue
		}
		for _, part := range each.Parts {
			order = append(order, part.ID)
			html[part.ID] = string(part.HTML)
		}
		return order, html
	}
	t.Fatalf("there is no slot %q", slot)
	return nil, nil
}

func document(t *testing.T, c Context, view View, here string) string {
	t.Helper()
	made, err := c.Document(view, here, "/assets/0")
	if err != nil {
		t.Fatal(err)
	}
	return string(made)
}

func TestRowsStandBelowTheirProjects(t *testing.T) {
	order, html := partsOf(t, matrixOf(t, viewer(), everything(), MatrixFilter{}), slotRows)
	want := "heading/payments row/payments/gateway row/payments/ledger heading/shop row/shop/cart row/shop/search row/shop/web row/shop/worker"
	if strings.Join(order, " ") != want {
		t.Errorf("%v", order)
	}
	for id, part := range html {
		if !strings.HasPrefix(part, `<tr id="`+id+`"`) {
			t.Errorf("the part %s begins with %.60s", id, part)
		}
		if cells := strings.Count(part, "<td "); strings.HasPrefix(id, "row/") && cells != 3 {
			t.Errorf("%s has %d cells for 3 stages", id, cells)
		}
	}
	worker := html["row/shop/worker"]
	if at, also := strings.Index(worker, `data-at="worker-production"`), strings.Index(worker, `data-at="worker-production-us"`); at < 0 || also < at || strings.Contains(worker[at:also], "</td>") {
		t.Errorf("the Environments of one stage do not stand in one cell: %s", worker)
	}
}

func TestStagesStandInTheOrderOfAfter(t *testing.T) {
	_, html := partsOf(t, matrixOf(t, viewer(), everything(), MatrixFilter{}), slotStages)
	dev, staging, production := strings.Index(html["stages"], ">dev<"), strings.Index(html["stages"], ">staging<"), strings.Index(html["stages"], ">production<")
	if dev < 0 || staging < dev || production < staging {
		t.Error(html["stages"])
	}
}

func TestFiltersStandInTheAddress(t *testing.T) {
	for query, want := range map[string]string{
		"":                               "cart gateway ledger search web worker",
		"project=shop":                   "cart search web worker",
		"q=LEDG":                         "ledger",
		"q=7.3.0":                        "gateway",
		"q=2.2.0-rc":                     "ledger",
		"q=worker-production-us":         "worker",
		"state=waiting":                  "ledger",
		"state=hold":                     "gateway",
		"state=empty":                    "web",
		"state=override&project=shop":    "search",
		"state=override&stage=dev":       "",
		"stage=production&state=trouble": "search worker",
		"stage=nowhere":                  "",
		"state=' or 1":                   "cart gateway ledger search web worker",
		"project=other":                  "",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		filter := MatrixFilterOf(values)
		var got []string
		for _, row := range arrange(viewer(), everything(), filter).Rows {
			got = append(got, row.row.Application)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q shows %v", query, got)
		}
		again, _ := url.ParseQuery(strings.TrimPrefix(filter.Query(), "?"))
		if MatrixFilterOf(again) != filter {
			t.Errorf("%q is not the same in an address: %q", query, filter.Query())
		}
	}
}

func TestAStageAloneIsOneColumn(t *testing.T) {
	view := matrixOf(t, viewer(), everything(), MatrixFilter{Stage: "staging"})
	_, html := partsOf(t, view, slotRows)
	if got := html["row/shop/cart"]; strings.Count(got, "<td ") != 1 || !strings.Contains(got, `data-stage="staging"`) {
		t.Error(got)
	}
	if all := document(t, viewer(), view, "/matrix?stage=staging"); !strings.Contains(all, "<option selected>staging</option>") || !strings.Contains(all, "<option>production</option>") {
		t.Error("the stage is not chosen in the form, or the others cannot be chosen any more")
	}
}

func TestFiguresLeadToWhatTheyCount(t *testing.T) {
	_, html := partsOf(t, matrixOf(t, viewer(), everything(), MatrixFilter{Project: "payments"}), slotFigures)
	if !strings.Contains(html["figures"], `href="/matrix?project=payments&amp;state=waiting"`) || !strings.Contains(html["figures"], "<b>1</b> waits for approval") {
		t.Error(html["figures"])
	}
	_, html = partsOf(t, matrixOf(t, viewer(), everything(), MatrixFilter{State: KindWaiting}), slotFigures)
	if !strings.Contains(html["figures"], `href="/matrix" aria-current="true"`) {
		t.Errorf("it does not lead back to everything: %s", html["figures"])
	}
}

func TestAnEmptyMatrixSaysWhy(t *testing.T) {
	for _, row := range []struct {
		world  *World
		filter MatrixFilter
		want   string
	}{
		{&World{}, MatrixFilter{}, "There are no environments that you may see."},
		{everything(), MatrixFilter{Text: "no such thing"}, "Show everything"},
	} {
		if _, html := partsOf(t, matrixOf(t, viewer(), row.world, row.filter), slotNone); !strings.Contains(html["none"], row.want) {
			t.Errorf("%+v: %v", row.filter, html)
		}
	}
}

func TestRowsAreTheSameForEverybodyAndAtAnyTime(t *testing.T) {
	mine := matrixOf(t, viewer(), everything(), MatrixFilter{})
	other := viewer()
	other.Me, other.Now = v1alpha1.Person{Username: "mallory"}, friday.Add(time.Hour)
	theirs := matrixOf(t, other, everything(), MatrixFilter{}).MayPromote([]Place{{"shop", "cart-dev"}})
	if mine.Version() != theirs.Version() {
		t.Error("the parts differ by who looks, or when")
	}
	if html := document(t, other, theirs, "/matrix"); !strings.Contains(html, `data-may="shop/cart-dev"`) {
		t.Error("what the person may is not in the document")
	}
	if html := document(t, viewer(), mine, "/matrix"); !strings.Contains(html, `data-may=""`) {
		t.Error("who may promote nowhere is offered something")
	}
}

func TestOneChangeChangesOneRow(t *testing.T) {
	was, is := everything(), everything()
	is.Environments[0].Status.Current.Version = "9.9.9"
	_, before := partsOf(t, matrixOf(t, viewer(), was, MatrixFilter{}), slotRows)
	_, after := partsOf(t, matrixOf(t, viewer(), is, MatrixFilter{}), slotRows)
	var changed []string
	for id := range after {
		if before[id] != after[id] {
			changed = append(changed, id)
		}
	}
	if len(changed) != 1 || changed[0] != "row/payments/ledger" {
		t.Errorf("%v have changed", changed)
	}
}

func TestNothingThatAnybodyWritesBecomesHTML(t *testing.T) {
	world := everything()
	evil := `"><script>alert(1)</script>`
	for _, environment := range world.Environments {
		environment.Status.Current.Version, environment.Status.Stage = evil, evil
	}
	for _, promotion := range world.Promotions {
		promotion.Spec.RequestedBy.Username, promotion.Spec.Reason, promotion.Spec.Release = evil, evil, evil
		promotion.Status.Approvals.Summary = evil
	}
	for _, release := range world.Releases {
		release.Spec.Version = evil
	}
	world.Stale = evil
	c := viewer()
	c.Me = v1alpha1.Person{Username: evil, Groups: []string{evil}}
	matrix := matrixOf(t, c, world, MatrixFilter{Text: evil, Project: evil})
	all := matrixOf(t, c, world, MatrixFilter{})
	inbox, err := Inbox(c, world, world.Promotions)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := Problem(c, 500, evil, evil, evil, evil)
	if err != nil {
		t.Fatal(err)
	}
	for name, view := range map[string]View{"filtered": matrix, "matrix": all, "inbox": inbox, "problem": wrong} {
		view, err := view.InFrame(c, world, 1)
		if err != nil {
			t.Fatal(err)
		}
		html := document(t, c, view, evil)
		if strings.Contains(html, "<script>") || strings.Contains(html, "ZgotmplZ") {
			t.Errorf("%s has a script in it, or an attribute that could not be escaped", name)
		}
		for _, forbidden := range []string{" style=", " onclick=", " onload=", "javascript:"} {
			if strings.Contains(html, forbidden) {
				t.Errorf("%s has %q in it", name, forbidden)
			}
		}
	}
}

func TestLinksStandBelowTheBase(t *testing.T) {
	c := viewer()
	c.Base = "/tools/assent"
	view, err := matrixOf(t, c, everything(), MatrixFilter{}).InFrame(c, everything(), 2)
	if err != nil {
		t.Fatal(err)
	}
	html := document(t, c, view, "/matrix")
	for _, attribute := range []string{` href="/`, ` action="/`} {
		for _, rest := range strings.Split(html, attribute)[1:] {
			if !strings.HasPrefix(rest, "tools/assent/") && !strings.HasPrefix(rest, "assets/") {
				t.Errorf("%s%.40s does not stand below it", attribute, rest)
			}
		}
	}
}

// large is a world of so many applications by ten stages.
func large(applications int) *World {
	world := &World{}
	for i := range applications {
		project, of := fmt.Sprintf("team-%02d", i/10), fmt.Sprintf("application-%03d", i)
		if i%10 == 0 {
			world.Projects = append(world.Projects, project)
		}
		for j := range 12 {
			world.Releases = append(world.Releases, releaseOf(project, of, fmt.Sprintf("1.%d.0", j), time.Duration(12-j)*24*time.Hour))
		}
		for j := range 10 {
			changes := []environmentChange{inStage(fmt.Sprintf("stage-%d", j)), running(fmt.Sprintf("1.%d.0", 11-j), time.Duration(j+1)*time.Hour)}
			if j > 0 {
				changes = append(changes, after(fmt.Sprintf("%s-stage-%d", of, j-1)))
			}
			environment := environmentOf(project, fmt.Sprintf("%s-stage-%d", of, j), of, changes...)
			world.Environments = append(world.Environments, environment)
			world.Promotions = append(world.Promotions, promotionTo(environment, fmt.Sprintf("1.%d.0", 11-j), v1alpha1.ReasonSucceeded, time.Hour))
			if (i+j)%5 == 0 {
				world.Promotions = append(world.Promotions, promotionTo(environment, fmt.Sprintf("1.%d.0", 12-j), v1alpha1.ReasonAwaitingApproval, time.Hour, approvedBy(2, "security", "carol"), blockedBy(v1alpha1.GateWindow, "a freeze lasts", monday)))
			}
		}
	}
	return world
}

func TestALargeMatrixIsASmallDocument(t *testing.T) {
	c := viewer()
	html := document(t, c, matrixOf(t, c, large(200), MatrixFilter{}), "/matrix")
	if each := len(html) / 2000; each > 1200 {
		t.Errorf("a cell takes %d bytes", each)
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write([]byte(html)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if packed.Len() > 150<<10 {
		t.Errorf("it takes %d KiB, packed", packed.Len()>>10)
	}
}

func TestKeptRowsAreThoseThatWouldBeMade(t *testing.T) {
	c, world := viewer(), everything()
	c.Rows = NewRows()
	for range 2 {
		for _, filter := range []MatrixFilter{{}, {Stage: "staging"}, {State: KindTrouble}, {Text: "cart"}} {
			if kept, made := matrixOf(t, c, world, filter), matrixOf(t, viewer(), world, filter); kept.Version() != made.Version() {
				t.Errorf("with %+v they differ", filter)
			}
		}
	}
	for name, change := range map[string]func(*World){
		"another environment": func(w *World) {
			w.Environments[6] = environmentOf("shop", "cart-dev", "cart", inStage("dev"), running("1.6.0", time.Minute))
		},
		"a promotion more": func(w *World) {
			w.Promotions = append(w.Promotions, promotionTo(w.Environments[8], "1.6.0", v1alpha1.ReasonRollingOut, 0))
		},
		"a promotion less":    func(w *World) { w.Promotions = w.Promotions[:len(w.Promotions)-1] },
		"a release more":      func(w *World) { w.Releases = append(w.Releases, releaseOf("shop", "cart", "2.0.0", 0)) },
		"an environment less": func(w *World) { w.Environments = w.Environments[1:] },
	} {
		next := &World{Projects: world.Projects, Environments: slices.Clone(world.Environments), Releases: slices.Clone(world.Releases), Promotions: slices.Clone(world.Promotions)}
		change(next)
		kept, made, last := matrixOf(t, c, next, MatrixFilter{}), matrixOf(t, viewer(), next, MatrixFilter{}), matrixOf(t, viewer(), world, MatrixFilter{})
		if kept.Version() != made.Version() || kept.Version() == last.Version() {
			t.Errorf("%s: it is not the matrix of that world", name)
		}
	}
	c.Base = "/elsewhere"
	if elsewhere := matrixOf(t, c, world, MatrixFilter{}); elsewhere.Version() == matrixOf(t, viewer(), world, MatrixFilter{}).Version() {
		t.Error("another base has the same links")
	}
}

// BenchmarkOneChange is what a change of one of 200 applications by ten stages costs.
func BenchmarkOneChange(b *testing.B) {
	c, world := viewer(), large(200)
	c.Rows = NewRows()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		changed := world.Environments[i%len(world.Environments)].DeepCopy()
		changed.Status.Current.SinceTime.Time = changed.Status.Current.SinceTime.Add(time.Duration(i) * time.Second)
		world.Environments[i%len(world.Environments)] = changed
		if _, err := Matrix(c, world, MatrixFilter{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatrix(b *testing.B) {
	c, world := viewer(), large(200)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Matrix(c, world, MatrixFilter{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkArrange(b *testing.B) {
	c, world := viewer(), large(200)
	b.ReportAllocs()
	for b.Loop() {
		arrange(c, world, MatrixFilter{})
	}
}
