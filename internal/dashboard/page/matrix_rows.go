// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"slices"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// arranged is the matrix as it is shown.
type arranged struct {
	// Stages are the columns, of all AllStages.
	Stages, AllStages []string
	Rows              []*keptRow
	Figures           []figure
	// Filtered says that not everything is shown.
	Filtered     bool
	Applications int
}

// row is one application of one project.
type row struct {
	Project, Application string
	// Newest is a Release that is nowhere yet; empty if there is none.
	Newest, NewestVersion, NewestURL string
	Columns                          []column

	kinds map[Kind]int
}

// column of a row: the Environments of one stage.
type column struct {
	Stage string
	Cells []cell
}

// application of a project.
type application struct{ project, name string }

// index of a world.
type index struct {
	environments map[Place]*v1alpha1.Environment
	open         map[Place][]*v1alpha1.Promotion
	ended        map[Place]*v1alpha1.Promotion
	releases     map[application][]*v1alpha1.Release
	applications []application
	of           map[application][]*v1alpha1.Environment
}

func indexOf(world *World) *index {
	made := &index{
		environments: make(map[Place]*v1alpha1.Environment, len(world.Environments)), open: map[Place][]*v1alpha1.Promotion{},
		ended: make(map[Place]*v1alpha1.Promotion, len(world.Environments)), releases: map[application][]*v1alpha1.Release{},
		of: map[application][]*v1alpha1.Environment{},
	}
	for _, environment := range world.Environments {
		made.environments[Place{environment.Namespace, environment.Name}] = environment
		of := application{environment.Namespace, environment.Spec.Application}
		if made.of[of] == nil {
			made.applications = append(made.applications, of)
		}
		made.of[of] = append(made.of[of], environment)
	}
	slices.SortFunc(made.applications, func(a, b application) int {
		return cmp.Or(strings.Compare(a.project, b.project), strings.Compare(a.name, b.name))
	})
	for _, release := range world.Releases {
		of := application{release.Namespace, release.Spec.Application}
		made.releases[of] = append(made.releases[of], release)
	}
	for _, promotion := range world.Promotions {
		at := Place{promotion.Namespace, promotion.Spec.Environment}
		if !report.Ended(promotion) {
			made.open[at] = append(made.open[at], promotion)
		} else if last := made.ended[at]; last == nil || last.Status.CompletionTime.Before(&promotion.Status.CompletionTime) {
			made.ended[at] = promotion
		}
	}
	return made
}

// arrange the world as a filter asks for it.
func arrange(c Context, world *World, filter MatrixFilter) arranged {
	known := indexOf(world)
	made := arranged{AllStages: report.Stages(world.Environments), Filtered: filter != MatrixFilter{}}
	for _, stage := range made.AllStages {
		if filter.Stage == "" || filter.Stage == stage {
			made.Stages = append(made.Stages, stage)
		}
	}
	counts := map[Kind]int{}
	for _, of := range known.applications {
		if filter.Project != "" && filter.Project != of.project {
			continue
		}
		kept := known.rowOf(c, of, made.Stages)
		one := kept.row
		if !one.has(filter.Text) || (filter.Stage != "" && !one.stands()) {
			continue
		}
		for kind, number := range one.kinds {
			counts[kind] += number
		}
		if filter.State == "" || one.kinds[filter.State] > 0 {
			made.Rows = append(made.Rows, kept)
		}
	}
	made.Applications = len(made.Rows)
	made.figures(c, filter, counts)
	return made
}

func (a *arranged) figures(c Context, filter MatrixFilter, counts map[Kind]int) {
	for _, each := range kinds {
		if each.Figure && (counts[each.Kind] > 0 || filter.State == each.Kind) {
			a.Figures = append(a.Figures, figure{each, counts[each.Kind], c.Path("matrix") + filter.with(each.Kind).Query(), filter.State == each.Kind})
		}
	}
}

// row of an application, with a column for each of the stages.
func (x *index) row(c Context, of application, stages []string) *row {
	made := &row{Project: of.project, Application: of.name, Columns: make([]column, len(stages))}
	for i, stage := range stages {
		made.Columns[i].Stage = stage
	}
	releases, taken := newLineage(x.releases[of]), map[string]bool{}
	for _, environment := range x.of[of] {
		at := Place{of.project, environment.Name}
		taken[environment.Status.Current.Release] = true
		for _, open := range x.open[at] {
			taken[open.Spec.Release] = true
		}
		stage := report.StageOf(environment)
		column := slices.Index(stages, stage)
		if column < 0 {
			continue
		}
		knows := known{stage: stage, open: x.open[at], ended: x.ended[at], releases: releases, before: x.before(environment)}
		made.Columns[column].Cells = append(made.Columns[column].Cells, newCell(c, environment, knows))
	}
	if newest := releases.newest(taken); newest != nil {
		made.Newest, made.NewestVersion, made.NewestURL = newest.Name, newest.Spec.Version, c.Release(of.project, newest.Name)
	}
	made.kinds = made.count()
	return made
}

// before are the Environments of `after`, as far as they are seen.
func (x *index) before(environment *v1alpha1.Environment) []*v1alpha1.Environment {
	var found []*v1alpha1.Environment
	for _, name := range environment.Spec.After {
		if before := x.environments[Place{environment.Namespace, name}]; before != nil {
			found = append(found, before)
		}
	}
	return found
}

// stands says whether it has an Environment in one of the columns.
func (r *row) stands() bool {
	return slices.ContainsFunc(r.Columns, func(c column) bool { return len(c.Cells) > 0 })
}

// count the kinds of its Environments.
func (r *row) count() map[Kind]int {
	found := map[Kind]int{}
	for i := range r.Columns {
		for j := range r.Columns[i].Cells {
			seen := map[Kind]bool{}
			for _, kind := range r.Columns[i].Cells[j].kinds {
				if !seen[kind] {
					seen[kind] = true
					found[kind]++
				}
			}
		}
	}
	return found
}

// has says whether a text stands in one of its names or versions, in whatever case.
func (r *row) has(text string) bool {
	if text == "" {
		return true
	}
	text = strings.ToLower(text)
	in := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(each string) bool { return strings.Contains(strings.ToLower(each), text) })
	}
	if in(r.Project, r.Application, r.NewestVersion) {
		return true
	}
	for i := range r.Columns {
		for j := range r.Columns[i].Cells {
			one := &r.Columns[i].Cells[j]
			if in(one.Environment, one.Version) || (one.Way != nil && in(one.Way.Version)) {
				return true
			}
		}
	}
	return false
}
