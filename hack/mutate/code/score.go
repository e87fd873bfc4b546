// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"fmt"
	"io"
	"slices"
)

// result of the hunt for a mutant.
type result string

const (
	killed   result = "killed"
	timedOut result = "timed out"
	survived result = "survived"
	// unreached is a mutant in code that no test runs. It has survived.
	unreached result = "unreached"
	excepted  result = "excepted"
)

// mutant is one change of one site.
type mutant struct {
	in       *mutated
	site     *site
	kind     Kind
	tests    []Tests
	excepted string
	result   result
}

// name for people.
func (m *mutant) name() string {
	if m.kind == Dropped {
		return m.in.where(m.site) + " dropped"
	}
	if m.kind == Inverted {
		return m.in.where(m.site) + " inverted"
	}
	return m.in.where(m.site) + " taken for " + string(m.kind)
}

// id is the value of mutantVariable.
func (m *mutant) id() string {
	return fmt.Sprintf("%s:%d", m.in.short, m.site.number*4+m.kind.number())
}

// siteID is how the site is written down when it is reached.
func (m *mutant) siteID() string {
	return fmt.Sprintf("%s:%d", m.in.short, m.site.number)
}

// tally counts results.
type tally map[result]int

func (t tally) total() int {
	return t[killed] + t[timedOut] + t[survived] + t[unreached]
}

func (t tally) score() string {
	if t.total() == 0 {
		return "-"
	}
	noticed := t[killed] + t[timedOut]
	if noticed == t.total() {
		return "100 %"
	}
	return fmt.Sprintf("%.1f %%", min(99.9, 100*float64(noticed)/float64(t.total()))) // 100 % only where it is
}

// report prints the score of each package and of all, and by name what has survived, what is excepted and what could not be changed.
func report(out io.Writer, packages []*mutated, mutants []*mutant) {
	const row = "%-24s %8s %8s %9s %9s %9s %8s\n"
	fmt.Fprintf(out, "\n"+row, "package", "mutants", "killed", "timed out", "survived", "excepted", "score")
	all := tally{}
	for _, p := range packages {
		of := tally{}
		for _, m := range mutants {
			if m.in == p {
				of[m.result]++
				all[m.result]++
			}
		}
		printTally(out, row, p.short, of)
	}
	printTally(out, row, "all", all)
	list(out, "survived: write the test that would notice, simplify the code, or except it with a reason", mutants, func(m *mutant) string {
		switch m.result {
		case survived:
			return m.name()
		case unreached:
			return m.name() + " (no test gets there)"
		case killed, timedOut, excepted:
		}
		return ""
	})
	list(out, "excepted", mutants, func(m *mutant) string {
		if m.result != excepted {
			return ""
		}
		return m.name() + ": " + m.excepted
	})
	for _, p := range packages {
		for _, left := range p.leftOut {
			fmt.Fprintln(out, "left out:", left)
		}
	}
}

func printTally(out io.Writer, row, name string, of tally) {
	number := func(n int) string { return fmt.Sprint(n) }
	fmt.Fprintf(out, row, name, number(of.total()+of[excepted]), number(of[killed]), number(of[timedOut]), number(of[survived]+of[unreached]), number(of[excepted]), of.score())
}

func list(out io.Writer, title string, mutants []*mutant, line func(*mutant) string) {
	var lines []string
	for _, m := range mutants {
		if text := line(m); text != "" {
			lines = append(lines, "  "+text)
		}
	}
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s (%d):\n", title, len(lines))
	for _, text := range slices.Compact(lines) {
		fmt.Fprintln(out, text)
	}
}
