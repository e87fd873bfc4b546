// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Machine is where it was measured. Figures of different machines do not compare; ratios do, roughly.
type Machine struct {
	// Cores that Go may use.
	Cores int `json:"cores"`
	// Processor as the system names it.
	Processor string `json:"processor,omitempty"`
	// MemoryMiB is all of it.
	MemoryMiB int64 `json:"memoryMiB,omitempty"`
	// System is the operating system and the architecture.
	System string `json:"system"`
	// Go is its version.
	Go string `json:"go"`
	// Kubernetes is the API server's version.
	Kubernetes string `json:"kubernetes,omitempty"`
	// Commit of Assent, with -dirty for what was not committed.
	Commit string `json:"commit"`
	// Load is the system's load average, over the minute before the measuring began.
	Load float64 `json:"load"`
}

// Report is all of it.
type Report struct {
	Time     time.Time `json:"time"`
	Machine  Machine   `json:"machine"`
	Runs     int       `json:"runs"`
	Results  []Result  `json:"results"`
	Verdicts []Verdict `json:"verdicts"`
}

// Missed are the goals that are not kept.
func (r Report) Missed() []Verdict {
	return slices.DeleteFunc(slices.Clone(r.Verdicts), func(v Verdict) bool { return v.Met })
}

// JSON is the report as a file.
func (r Report) JSON() ([]byte, error) {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	return append(content, '\n'), nil
}

// String is the machine in a line.
func (m Machine) String() string {
	return fmt.Sprintf("%d cores (%s), %d MiB, %s, %s, Kubernetes %s, commit %s, load %s before",
		m.Cores, m.Processor, m.MemoryMiB, m.System, m.Go, m.Kubernetes, m.Commit, Number(m.Load))
}

// Table prints the report for people.
func (r Report) Table(w io.Writer) error {
	fmt.Fprintf(w, "%s\n%d runs, after one to warm up that does not count. Each figure: the median (least to greatest, ± median deviation).\n\n", r.Machine, r.Runs)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\twhat\tof\tmeasured\ttimes the floor\t")
	for _, result := range r.Results {
		for i, series := range result.Series {
			name, what := result.Name(), result.What
			if i > 0 {
				name, what = "", ""
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s %s\t%s\t\n", name, what, series.Contender, SpreadOf(series.Values), result.Unit, times(result, series.Contender))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, result := range r.Results {
		for _, note := range result.Notes {
			fmt.Fprintf(w, "%s: %s\n", result.Name(), note)
		}
	}
	fmt.Fprintln(w)
	fmt.Fprintln(table, "\tgoal\t\t")
	for _, verdict := range r.Verdicts {
		name := strings.TrimSpace(verdict.Goal.Benchmark + " " + verdict.Case)
		fmt.Fprintf(table, "%s\t%s\t%s\t\n", name, verdict.Goal.Says, verdict)
	}
	return table.Flush()
}

// times says how a contender compares with the floor; empty where there is none.
func times(result Result, contender Contender) string {
	ratios, err := result.Ratios(contender, Floor)
	if err != nil || contender == Floor {
		return ""
	}
	return SpreadOf(ratios).String()
}
