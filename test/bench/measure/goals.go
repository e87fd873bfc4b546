// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"errors"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"
)

// Comparison is how a goal looks at the values.
type Comparison string

const (
	// Ratio of a contender's value to another's of the same run.
	Ratio Comparison = "Ratio"
	// Difference of a contender's value from another's of the same run.
	Difference Comparison = "Difference"
	// Value is a contender's own.
	Value Comparison = "Value"
)

// Statistic of the runs that a goal speaks of.
type Statistic string

const (
	// Median of all runs.
	Median Statistic = "Median"
	// Worst is the greatest of all runs.
	Worst Statistic = "Worst"
)

// Goal is a threshold that a benchmark has to keep.
type Goal struct {
	// Benchmark that it is for.
	Benchmark string `json:"benchmark"`
	// Case that it is for; absent: every one.
	Case string `json:"case,omitempty"`
	// Says the goal in words.
	Says string `json:"says"`
	// Compare is Ratio, Difference or Value.
	Compare Comparison `json:"compare"`
	// Of whom; absent: assent.
	Of Contender `json:"of,omitempty"`
	// With whom; for Ratio and Difference. Absent: the floor.
	With Contender `json:"with,omitempty"`
	// Statistic is Median, which it is if absent, or Worst.
	Statistic Statistic `json:"statistic,omitempty"`
	// AtMost is what it may be: of a Ratio a number, else in Unit.
	AtMost float64 `json:"atMost"`
	// Unit of AtMost, for Difference and Value: the benchmark's own.
	Unit Unit `json:"unit,omitempty"`
}

// Goals of all benchmarks.
type Goals struct {
	Goals []Goal `json:"goals"`
}

// ReadGoals reads them from YAML. Unknown fields, and goals that say nothing that can be checked, are errors.
func ReadGoals(content []byte) (Goals, error) {
	var goals Goals
	if err := yaml.UnmarshalStrict(content, &goals); err != nil {
		return goals, fmt.Errorf("reading the goals: %w", err)
	}
	var problems []error
	for i := range goals.Goals {
		goal := &goals.Goals[i]
		goal.complete()
		if problem := goal.problem(); problem != "" {
			problems = append(problems, fmt.Errorf("goal %d, of %q: %s", i+1, goal.Benchmark, problem))
		}
	}
	return goals, errors.Join(problems...)
}

func (g *Goal) complete() {
	if g.Of == "" {
		g.Of = Assent
	}
	if g.With == "" && g.Compare != Value {
		g.With = Floor
	}
	if g.Statistic == "" {
		g.Statistic = Median
	}
	if g.Compare == Ratio {
		g.Unit = Times
	}
}

func (g *Goal) problem() string {
	switch {
	case g.Benchmark == "" || g.Says == "":
		return "`benchmark` and `says` must be set"
	case !slices.Contains([]Comparison{Ratio, Difference, Value}, g.Compare):
		return fmt.Sprintf("`compare` must be Ratio, Difference or Value, and is %q", g.Compare)
	case !slices.Contains([]Statistic{Median, Worst}, g.Statistic):
		return fmt.Sprintf("`statistic` must be Median or Worst, and is %q", g.Statistic)
	case g.Compare == Ratio && g.AtMost <= 0:
		return "`atMost` must be positive"
	default:
		return ""
	}
}

// Verdict is whether a result keeps a goal.
type Verdict struct {
	Goal Goal `json:"goal"`
	// Case that was judged; empty where the benchmark has one.
	Case string `json:"case,omitempty"`
	// Runs are what was judged, run by run, in the goal's unit.
	Runs []float64 `json:"runs,omitempty"`
	// Spread of the runs.
	Spread Spread `json:"spread,omitzero"`
	// Met says that the goal is kept.
	Met bool `json:"met"`
	// By is how much is left until the goal if it is met, and how far beyond it the value is if it is missed; in the goal's unit, never negative.
	By float64 `json:"by"`
	// Problem says why nothing could be judged; that is a goal missed.
	Problem string `json:"problem,omitempty"`
}

// Judge the results of the benchmarks that ran. A goal for which nothing was measured is missed.
func (g Goals) Judge(ran []string, results []Result) []Verdict {
	var verdicts []Verdict
	for _, goal := range g.Goals {
		if !slices.Contains(ran, goal.Benchmark) {
			continue
		}
		found := false
		for _, result := range results {
			if result.Benchmark == goal.Benchmark && (goal.Case == "" || goal.Case == result.Case) {
				found = true
				verdicts = append(verdicts, goal.Judge(result))
			}
		}
		if !found {
			verdicts = append(verdicts, Verdict{Goal: goal, Case: goal.Case, Problem: "nothing was measured for it"})
		}
	}
	return verdicts
}

// Judge one result.
func (g Goal) Judge(result Result) Verdict {
	verdict := Verdict{Goal: g, Case: result.Case}
	if g.Compare != Ratio && g.Unit != result.Unit {
		verdict.Problem = fmt.Sprintf("the goal is in %q, and what was measured in %q", g.Unit, result.Unit)
		return verdict
	}
	runs, err := g.runs(result)
	if err != nil {
		verdict.Problem = err.Error()
		return verdict
	}
	verdict.Runs, verdict.Spread = runs, SpreadOf(runs)
	verdict.Met = verdict.Reached() <= g.AtMost
	if verdict.By = g.AtMost - verdict.Reached(); !verdict.Met {
		verdict.By = -verdict.By
	}
	return verdict
}

func (g Goal) runs(result Result) ([]float64, error) {
	switch g.Compare {
	case Ratio:
		return result.Ratios(g.Of, g.With)
	case Difference:
		return result.Differences(g.Of, g.With)
	case Value:
		if values, found := result.Of(g.Of); found && len(values) > 0 {
			return values, nil
		}
	}
	return nil, fmt.Errorf("%s has no values of %q", result.Name(), g.Of)
}

// Reached is the value that the goal is about.
func (v Verdict) Reached() float64 {
	if v.Goal.Statistic == Worst {
		return v.Spread.Max
	}
	return v.Spread.Median
}

// String says whether the goal is met, and by how much it is missed.
func (v Verdict) String() string {
	switch {
	case v.Problem != "":
		return "missed: " + v.Problem
	case v.Met:
		return fmt.Sprintf("met: %s of at most %s", v.amount(v.Reached()), v.amount(v.Goal.AtMost))
	case v.Goal.AtMost == 0:
		return fmt.Sprintf("missed by %s: %s of at most 0", v.amount(v.By), v.amount(v.Reached()))
	default:
		return fmt.Sprintf("missed by %s (%.0f %%): %s of at most %s", v.amount(v.By), 100*v.By/v.Goal.AtMost, v.amount(v.Reached()), v.amount(v.Goal.AtMost))
	}
}

func (v Verdict) amount(value float64) string {
	if v.Goal.Unit == Times || v.Goal.Unit == Count {
		return Number(value) + string(v.Goal.Unit)
	}
	return Number(value) + " " + string(v.Goal.Unit)
}
