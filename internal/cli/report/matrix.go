// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Matrix is which version runs where: `kubectl assent matrix`.
type Matrix struct {
	metav1.TypeMeta `json:",inline"`
	// Stages in the order in which Releases go through them.
	Stages []string `json:"stages"`
	Items  []Cell   `json:"items"`
}

// Cell is one Environment of the matrix.
type Cell struct {
	Project     string `json:"project"`
	Application string `json:"application"`
	Stage       string `json:"stage"`
	Environment string `json:"environment"`
	Release     string `json:"release,omitempty"`
	Version     string `json:"version,omitempty"`
	// Healthy and InSync are the statuses of the conditions: True, False or Unknown; absent before the first rollout.
	Healthy   metav1.ConditionStatus `json:"healthy,omitempty"`
	InSync    metav1.ConditionStatus `json:"inSync,omitempty"`
	SinceTime metav1.Time            `json:"sinceTime,omitempty,omitzero"`
	// Waiting is how many Promotions wait, as far as the operator has counted: it does so once one has waited for ten seconds.
	Waiting int32  `json:"waiting"`
	Hold    string `json:"hold,omitempty"`
}

// Arrange Environments into a matrix.
func Arrange(environments []v1alpha1.Environment) Matrix {
	matrix := Matrix{TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: "Matrix"}, Stages: stages(environments), Items: []Cell{}}
	for i := range environments {
		environment := &environments[i]
		current := environment.Status.Current
		matrix.Items = append(matrix.Items, Cell{
			Project: environment.Namespace, Application: environment.Spec.Application, Stage: stage(environment), Environment: environment.Name,
			Release: current.Release, Version: current.Version, SinceTime: current.SinceTime,
			Healthy: statusOf(environment, v1alpha1.ConditionHealthy), InSync: statusOf(environment, v1alpha1.ConditionInSync),
			Waiting: number(environment.Status.WaitingCount), Hold: held(environment),
		})
	}
	slices.SortFunc(matrix.Items, func(a, b Cell) int {
		return cmp.Or(strings.Compare(a.Project, b.Project), strings.Compare(a.Application, b.Application),
			cmp.Compare(slices.Index(matrix.Stages, a.Stage), slices.Index(matrix.Stages, b.Stage)), strings.Compare(a.Environment, b.Environment))
	})
	return matrix
}

func statusOf(environment *v1alpha1.Environment, condition string) metav1.ConditionStatus {
	found := meta.FindStatusCondition(environment.Status.Conditions, condition)
	if found == nil {
		return ""
	}
	return found.Status
}

// stages in the order of `after`: by the longest way to one of their Environments, then by name.
func stages(environments []v1alpha1.Environment) []string {
	type name struct{ project, environment string }
	after := map[name][]string{}
	for i := range environments {
		after[name{environments[i].Namespace, environments[i].Name}] = environments[i].Spec.After
	}
	var depth func(of name, seen []name) int
	depth = func(of name, seen []name) int {
		if slices.Contains(seen, of) { // they wait for each other, which the operator says of them
			return 0
		}
		deepest := 0
		for _, before := range after[of] {
			deepest = max(deepest, 1+depth(name{of.project, before}, append(seen, of)))
		}
		return deepest
	}
	depths := map[string]int{}
	for i := range environments {
		at := stage(&environments[i])
		depths[at] = max(depths[at], depth(name{environments[i].Namespace, environments[i].Name}, nil))
	}
	ordered := make([]string, 0, len(depths))
	for at := range depths {
		ordered = append(ordered, at)
	}
	slices.SortFunc(ordered, func(a, b string) int { return cmp.Or(cmp.Compare(depths[a], depths[b]), strings.Compare(a, b)) })
	return ordered
}

// Names are those of the Environments.
func (m Matrix) Names() []string {
	named := make([]string, 0, len(m.Items))
	for _, item := range m.Items {
		named = append(named, "environment."+v1alpha1.GroupName+"/"+item.Environment)
	}
	return named
}

// Table has a row for each application of each project, and a column for each stage.
func (m Matrix) Table(projects bool, now time.Time) *Table {
	headings := []string{"APPLICATION"}
	if projects {
		headings = []string{"PROJECT", "APPLICATION"}
	}
	first := len(headings)
	for _, at := range m.Stages {
		headings = append(headings, strings.ToUpper(at))
	}
	table := NewTable(headings...)
	var row []string
	for i, cell := range m.Items {
		if i == 0 || cell.Project != m.Items[i-1].Project || cell.Application != m.Items[i-1].Application {
			if row != nil {
				table.Add(row...)
			}
			row = make([]string, len(headings))
			copy(row[:first], []string{cell.Project, cell.Application}[2-first:])
		}
		at := first + slices.Index(m.Stages, cell.Stage)
		if row[at] != "" {
			row[at] += "; "
		}
		row[at] += cell.text(now)
	}
	if row != nil {
		table.Add(row...)
	}
	return table
}

// text of a cell: the version, and what is out of the ordinary.
func (c Cell) text(now time.Time) string {
	parts := []string{cmp.Or(c.Version, "nothing")}
	if !c.SinceTime.IsZero() {
		parts[0] += " " + age(c.SinceTime.Time, now)
	}
	if c.Healthy == metav1.ConditionFalse && c.Version != "" {
		parts = append(parts, "not healthy")
	}
	if c.InSync == metav1.ConditionFalse && c.Version != "" {
		parts = append(parts, "drifted")
	}
	if c.Hold != "" {
		parts = append(parts, "on hold")
	}
	if c.Waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d waiting", c.Waiting))
	}
	text := strings.Join(parts, ", ")
	if c.Environment != c.Stage {
		return c.Environment + ": " + text
	}
	return text
}
