// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/insight"
	"github.com/assent-dev/assent/internal/report"
)

// InsightSeen is what was read for the page of delivery figures, as the viewer.
type InsightSeen struct {
	Scope        insight.Scope
	Environments []*v1alpha1.Environment
	Releases     []*v1alpha1.Release
	Projects     []string
	// Requests are when Promotions were created, by their UIDs, as far as they are there.
	Requests map[string]time.Time
	// Records of the project that the scope names, of all where it names none, in the order of the API server.
	Records []v1alpha1.AuditRecord
	// Cut says that there are more than were read.
	Cut bool
}

// mostInsightRows is how many stages of applications are listed.
const mostInsightRows = 100

// insightDays are the periods that are offered.
var insightDays = []int{7, 30, 90}

// InsightScopeOf the query of an address.
func InsightScopeOf(query url.Values) insight.Scope {
	value := func(name string) string { return strings.TrimSpace(query.Get(name)) }
	scope := insight.Scope{Project: value("project"), Application: value("application"), Stage: value("stage"), Days: 30}
	if days, err := strconv.Atoi(value("days")); err == nil && slices.Contains(insightDays, days) {
		scope.Days = days
	}
	return scope
}

// insightQuery is the query of the address of a scope.
func insightQuery(scope insight.Scope) url.Values {
	query := url.Values{}
	for name, value := range map[string]string{"project": scope.Project, "application": scope.Application, "stage": scope.Stage, "days": strconv.Itoa(scope.Days)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// insightForm is what stands around the figures.
type insightForm struct {
	Scope                  insight.Scope
	Projects, Apps, Stages []string
	Days                   []int
	Enough, Soon           string
}

// Insight is the page of how delivery goes.
func Insight(c Context, seen InsightSeen) (View, error) {
	past, left := insightPast(seen)
	found := insight.Of(past, seen.Scope, c.Now)
	stages := report.Stages(seen.Environments)
	view := View{Title: "Insight", Template: "insight", Data: insightAround(seen, stages)}
	for _, slot := range []struct {
		id    string
		parts func() ([]Part, error)
	}{
		{"insight-note", func() ([]Part, error) { return c.insightNote(seen, found, left) }},
		{"insight-figures", func() ([]Part, error) { return c.insightFigures(seen, found) }},
		{"insight-rows", func() ([]Part, error) { return c.insightRows(seen, found, stages) }},
	} {
		parts, err := slot.parts()
		if err != nil {
			return View{}, err
		}
		view.Slots = append(view.Slots, Slot{ID: slot.id, Parts: parts})
	}
	return view, nil
}

// insightPast is what figures are made of, without the histories that were read in part, and which these are.
func insightPast(seen InsightSeen) (insight.Past, []Place) {
	past := insight.Past{Environments: seen.Environments, Releases: seen.Releases, Requests: seen.Requests, Records: seen.Records}
	if !seen.Cut {
		return past, nil
	}
	whole := wholeHistories(seen.Records, true)
	var left []Place
	past.Records, past.Environments = nil, nil
	for i := range seen.Records {
		if whole(Place{seen.Records[i].Namespace, seen.Records[i].Spec.Environment}) {
			past.Records = append(past.Records, seen.Records[i])
		}
	}
	for _, environment := range seen.Environments {
		if of := (Place{environment.Namespace, environment.Name}); whole(of) {
			past.Environments = append(past.Environments, environment)
		} else {
			left = append(left, of)
		}
	}
	return past, left
}

func insightAround(seen InsightSeen, stages []string) insightForm {
	apps := map[string]bool{}
	for _, environment := range seen.Environments {
		if seen.Scope.Project == "" || seen.Scope.Project == environment.Namespace {
			apps[environment.Spec.Application] = true
		}
	}
	return insightForm{Scope: seen.Scope, Projects: legible(seen.Projects), Apps: offered(apps), Stages: legible(stages), Days: insightDays, Enough: strconv.Itoa(insight.Enough), Soon: spanText(insight.Soon)}
}

// insightNote is what has to be known of all figures.
type insightNote struct {
	From, To time.Time
	// Since is when the history begins, where that is within the period.
	Since    time.Time
	Nothing  bool
	Unplaced int
	Left     int
}

func (c Context) insightNote(seen InsightSeen, found insight.Found, left []Place) ([]Part, error) {
	note := insightNote{From: found.From, To: found.To, Nothing: found.Known.IsZero(), Unplaced: found.Unplaced}
	if found.Known.After(found.From) {
		note.Since = found.Known
	}
	for _, place := range left {
		if seen.Scope.Project == "" || place.Project == seen.Scope.Project {
			note.Left++
		}
	}
	return c.one("insight-note-text", "insight-note", note)
}

func (c Context) insightFigures(seen InsightSeen, found insight.Found) ([]Part, error) {
	var parts []Part
	for _, figure := range found.Figures {
		part, err := c.part("figure-"+string(figure.Kind), "insight-figure", c.figureShown(figure, found, seen.Scope.Days))
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// insightRow is a stage of an application, with all figures.
type insightRow struct {
	Project, Application, Stage, To string
	Chosen                          bool
	Figures                         []insightCell
}

// insightCell is a figure in few words.
type insightCell struct {
	Value, Change, Events string
	Enough                bool
}

func (c Context) insightRows(seen InsightSeen, found insight.Found, stages []string) ([]Part, error) {
	rows := slices.Clone(found.Rows)
	slices.SortStableFunc(rows, func(a, b insight.Row) int {
		place := func(stage string) int {
			if at := slices.Index(stages, stage); at >= 0 {
				return at
			}
			return len(stages)
		}
		return cmp.Or(strings.Compare(a.Project, b.Project), strings.Compare(a.Application, b.Application), cmp.Compare(place(a.Stage), place(b.Stage)))
	})
	more := max(0, len(rows)-mostInsightRows)
	rows = rows[:len(rows)-more]
	parts := make([]Part, 0, len(rows)+1)
	for _, row := range rows {
		scope := insight.Scope{Project: row.Project, Application: row.Application, Stage: row.Stage, Days: seen.Scope.Days}
		shown := insightRow{Project: row.Project, Application: row.Application, Stage: row.Stage, To: withQuery(c.Path("insight"), insightQuery(scope)), Chosen: scope == seen.Scope}
		for _, figure := range row.Figures {
			cell := insightCell{Events: eventsOf(figure.Kind, figure.Now.Events), Enough: figure.Now.Enough, Value: figureValue(figure.Kind, figure.Now)}
			if figure.Now.Enough && figure.Before.Enough {
				cell.Change = cmp.Or(changed(figure.Kind, figure.Now, figure.Before), "As before")
			}
			shown.Figures = append(shown.Figures, cell)
		}
		part, err := c.part("insight-"+row.Project+"."+row.Application+"."+row.Stage, "insight-row", shown)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if more > 0 {
		part, err := c.part("insight-more", "insight-more", more)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}
