// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/assent-dev/assent/internal/plan"
)

// gap is the space between two columns.
const gap = "   "

// Table lines up rows under headings. An empty cell is shown as "-", so that columns can be told apart by programs that split at spaces.
type Table struct {
	headings []string
	rows     [][]string
	// paints are how cells are set off where there are colours, by row and column.
	paints map[[2]int]func(Style, string) string
}

// NewTable has headings and no rows.
func NewTable(headings ...string) *Table { return &Table{headings: headings} }

// Add a row with a cell for each heading.
func (t *Table) Add(cells ...string) {
	row := make([]string, 0, len(cells))
	for _, text := range cells {
		row = append(row, oneLine(text))
	}
	t.rows = append(t.rows, row)
}

// Paint sets a cell of the last row off.
func (t *Table) Paint(column int, paint func(Style, string) string) {
	if t.paints == nil {
		t.paints = map[[2]int]func(Style, string) string{}
	}
	t.paints[[2]int{len(t.rows) - 1, column}] = paint
}

// Text is the whole table.
func (t *Table) Text(style Style) string {
	widths := t.widths()
	plain := func(_ int, text string) string { return text }
	var out strings.Builder
	out.WriteString(style.Bold(line(t.headings, widths, plain)) + "\n")
	for number, row := range t.rows {
		out.WriteString(line(row, widths, func(column int, text string) string {
			if paint := t.paints[[2]int{number, column}]; paint != nil {
				return paint(style, text)
			}
			return text
		}) + "\n")
	}
	return out.String()
}

// Width is how many columns of a terminal the table takes.
func (t *Table) Width() int {
	width := 0
	for i, column := range t.widths() {
		if i > 0 {
			width += len(gap)
		}
		width += column
	}
	return width
}

func (t *Table) widths() []int {
	widths := make([]int, len(t.headings))
	for _, row := range append([][]string{t.headings}, t.rows...) {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	return widths
}

func line(cells []string, widths []int, paint func(column int, text string) string) string {
	var out strings.Builder
	for i, text := range cells {
		if i > 0 {
			out.WriteString(gap)
		}
		out.WriteString(paint(i, text))
		if i < len(cells)-1 {
			out.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)))
		}
	}
	return out.String()
}

func oneLine(text string) string {
	text = strings.Join(strings.Fields(plan.Visible(text)), " ")
	if text == "" {
		return "-"
	}
	return text
}

// age is how long ago a time was, as kubectl says it.
func age(at, now time.Time) string {
	if at.IsZero() {
		return ""
	}
	return duration.HumanDuration(now.Sub(at))
}

// moment is a time as messages of the status show it.
func moment(at time.Time) string { return at.UTC().Format("Monday 2006-01-02 15:04:05 MST") }

// shown is a text that anybody may have written, as lines of a terminal.
func shown(text string) string { return plan.Visible(strings.TrimRight(text, "\n")) }

// counted is a number of things, such as "1 object" and "2 objects".
func counted(number int, thing string) string {
	if number == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", number, thing)
}
