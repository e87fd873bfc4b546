// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
	all := make([]*v1alpha1.Environment, 0, len(environments))
	for i := range environments {
		all = append(all, &environments[i])
	}
	matrix := Matrix{TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: "Matrix"}, Stages: Stages(all), Items: []Cell{}}
	for i := range environments {
		environment := &environments[i]
		current := environment.Status.Current
		matrix.Items = append(matrix.Items, Cell{
			Project: environment.Namespace, Application: environment.Spec.Application, Stage: StageOf(environment), Environment: environment.Name,
			Release: current.Release, Version: current.Version, SinceTime: current.SinceTime,
			Healthy: statusOf(environment, v1alpha1.ConditionHealthy), InSync: statusOf(environment, v1alpha1.ConditionInSync),
			Waiting: number(environment.Status.WaitingCount), Hold: Held(environment),
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

// Stages of Environments in the order of `after`: by the longest way to one of their Environments, then by name.
func Stages(environments []*v1alpha1.Environment) []string {
	type name struct{ project, environment string }
	after := make(map[name][]string, len(environments))
	for _, environment := range environments {
		after[name{environment.Namespace, environment.Name}] = environment.Spec.After
	}
	known := make(map[name]int, len(environments))
	var depth func(of name, seen []name) int
	depth = func(of name, seen []name) int {
		if found, is := known[of]; is {
			return found
		}
		if slices.Contains(seen, of) { // they wait for each other, which the operator says of them
			return 0
		}
		deepest := 0
		for _, before := range after[of] {
			deepest = max(deepest, 1+depth(name{of.project, before}, append(seen, of)))
		}
		if len(seen) == 0 { // in the midst of a circle it is not the whole way
			known[of] = deepest
		}
		return deepest
	}
	depths := map[string]int{}
	for _, environment := range environments {
		at := StageOf(environment)
		depths[at] = max(depths[at], depth(name{environment.Namespace, environment.Name}, nil))
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

// Text for people: a table where there is room for it, else a block for each application. Width is that of the terminal; 0 is room enough.
func (m Matrix) Text(style Style, projects bool, width int, now time.Time) string {
	table := m.Table(projects, now)
	if width == 0 || table.Width() <= width {
		return table.Text(style)
	}
	return m.narrow(style, projects, now)
}

// narrow has a line for each Environment, below its application.
func (m Matrix) narrow(style Style, projects bool, now time.Time) string {
	longest := 0
	for _, cell := range m.Items {
		longest = max(longest, utf8.RuneCountInString(cell.place()))
	}
	var out strings.Builder
	for i, cell := range m.Items {
		if i == 0 || !cell.besides(m.Items[i-1]) {
			if i > 0 {
				out.WriteString("\n")
			}
			name := cell.Application
			if projects {
				name = cell.Project + "/" + name
			}
			out.WriteString(style.Bold(oneLine(name)) + "\n")
		}
		padding := strings.Repeat(" ", longest-utf8.RuneCountInString(cell.place()))
		fmt.Fprintf(&out, "  %s%s  %s\n", oneLine(cell.place()), padding, cell.paint(style, oneLine(cell.text(now))))
	}
	return out.String()
}

// place is where a cell stands: its stage, and its Environment where that has another name.
func (c Cell) place() string {
	if c.Environment == c.Stage {
		return c.Stage
	}
	return c.Stage + "/" + c.Environment
}

// besides says whether two cells stand in the same row.
func (c Cell) besides(other Cell) bool {
	return c.Project == other.Project && c.Application == other.Application
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
	for begin := 0; begin < len(m.Items); {
		end := begin + 1
		for end < len(m.Items) && m.Items[end].besides(m.Items[begin]) {
			end++
		}
		m.addRow(table, first, m.Items[begin:end], now)
		begin = end
	}
	return table
}

// addRow of the Environments of one application. Where several stand in one stage, the cell is set off as the worst of them.
func (m Matrix) addRow(table *Table, first int, cells []Cell, now time.Time) {
	row := make([]string, first+len(m.Stages))
	copy(row[:first], []string{cells[0].Project, cells[0].Application}[2-first:])
	worst := map[int]Cell{}
	for _, cell := range cells {
		at := first + slices.Index(m.Stages, cell.Stage)
		text := cell.text(now)
		if cell.Environment != cell.Stage {
			text = cell.Environment + ": " + text
		}
		if row[at] != "" {
			row[at] += "; "
		}
		row[at] += text
		if before, there := worst[at]; !there || cell.severity() > before.severity() {
			worst[at] = cell
		}
	}
	table.Add(row...)
	for at, cell := range worst {
		table.Paint(at, cell.paint)
	}
}

// severity of what is out of the ordinary.
func (c Cell) severity() int {
	switch {
	case c.Version != "" && (c.Healthy == metav1.ConditionFalse || c.InSync == metav1.ConditionFalse):
		return 2
	case c.Hold != "", c.Waiting > 0:
		return 1
	default:
		return 0
	}
}

func (c Cell) paint(style Style, text string) string {
	switch c.severity() {
	case 2:
		return style.Bad(text)
	case 1:
		return style.Waiting(text)
	}
	if c.Version == "" {
		return text
	}
	return style.Good(text)
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
	return strings.Join(parts, ", ")
}
