// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"html/template"
	"net/url"
	"strings"
)

// MatrixFilter is what of the matrix is shown. It stands in the address.
type MatrixFilter struct {
	// Project and Stage are names; empty for all.
	Project, Stage string
	// Text is looked for in the names of projects, applications and Environments, and in versions.
	Text string
	// State is the Kind that at least one Environment of an application must be of.
	State Kind
}

// MatrixFilterOf the query of an address. What it does not know it leaves out.
func MatrixFilterOf(query url.Values) MatrixFilter {
	filter := MatrixFilter{Project: query.Get("project"), Stage: query.Get("stage"), Text: strings.TrimSpace(query.Get("q"))}
	for _, known := range kinds {
		if query.Get("state") == string(known.Kind) {
			filter.State = known.Kind
		}
	}
	return filter
}

// Query is what stands in the address for it, with the question mark; empty where everything is shown.
func (f MatrixFilter) Query() string {
	query := url.Values{}
	for name, value := range map[string]string{"project": f.Project, "stage": f.Stage, "q": f.Text, "state": string(f.State)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// with another state; with none, where it has that one already.
func (f MatrixFilter) with(state Kind) MatrixFilter {
	if f.State == state {
		state = ""
	}
	f.State = state
	return f
}

// Slots of the matrix. All rows stand in one, so that a project may come and go as its rows do.
const (
	slotFigures = "matrix-figures"
	slotNone    = "matrix-none"
	slotStages  = "matrix-stages"
	slotRows    = "matrix-rows"
)

// matrixBody is what the body of the page is made of.
type matrixBody struct {
	Filter MatrixFilter
	// All projects, stages and states that can be chosen.
	AllProjects, AllStages []string
	AllStates              []describedKind
	// May are the Environments that the person may promote to, as PROJECT/ENVIRONMENT, with spaces in between.
	May string
}

// Matrix shows which version of each application runs in which stage, and what is on its way. It is the same for everybody who may see the same world: what is
// personal comes by MayPromote, and not into the parts.
func Matrix(c Context, world *World, filter MatrixFilter) (View, error) {
	found := arrange(c, world, filter)
	figures, err := c.part("figures", "matrix-figures", found)
	if err != nil {
		return View{}, err
	}
	stages, err := c.part("stages", "matrix-stages", found.Stages)
	if err != nil {
		return View{}, err
	}
	none := Slot{ID: slotNone}
	if len(found.Rows) == 0 {
		part, err := c.part("none", "matrix-none", found)
		if err != nil {
			return View{}, err
		}
		none.Parts = []Part{part}
	}
	rows, err := found.parts(c)
	return View{
		Title: "Matrix", Template: "matrix", Data: matrixBody{Filter: filter, AllProjects: world.Projects, AllStages: found.AllStages, AllStates: kinds},
		Slots: []Slot{{slotFigures, []Part{figures}}, {slotStages, []Part{stages}}, {slotRows, rows}, none},
	}, err
}

// parts of the rows, those of each project below a heading.
func (a *arranged) parts(c Context) ([]Part, error) {
	made := make([]Part, 0, len(a.Rows))
	for i := range a.Rows {
		project := a.Rows[i].row.Project
		if i == 0 || a.Rows[i-1].row.Project != project {
			heading, err := c.part("heading/"+project, "matrix-project", project)
			if err != nil {
				return nil, err
			}
			made = append(made, heading)
		}
		part, err := c.partOf(a.Rows[i], a.Stages)
		if err != nil {
			return nil, err
		}
		made = append(made, part)
	}
	return made, nil
}

// MayPromote says in the document of a matrix to which Environments the person may promote, so that the browser offers nothing else. It protects nothing: the API
// server is asked when they do it.
func (v View) MayPromote(places []Place) View {
	body, is := v.Data.(matrixBody)
	if !is {
		return v
	}
	names := make([]string, 0, len(places))
	for _, place := range places {
		names = append(names, place.Project+"/"+place.Environment)
	}
	body.May = strings.Join(names, " ")
	v.Data = body
	return v
}

// figure is how many Environments are of a kind, with the way to them.
type figure struct {
	describedKind
	Count  int
	URL    string
	Chosen bool
}

// Sign of it.
func (f figure) Sign() template.HTML { return iconOf(f.Icon) }
