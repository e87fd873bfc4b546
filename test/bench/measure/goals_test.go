// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"math"
	"os"
	"strings"
	"testing"
)

// raced is a result in which assent took 150, 120 and 125 where the floor took 100 each.
func raced() Result {
	return Result{Benchmark: "B1", Unit: Milliseconds, Series: []Series{
		{Contender: Assent, Values: []float64{150, 120, 125}}, {Contender: Floor, Values: []float64{100, 100, 100}},
	}}
}

func goal(change func(*Goal)) Goal {
	g := Goal{Benchmark: "B1", Says: "as fast as can be", Compare: Ratio, AtMost: 1.25}
	change(&g)
	g.complete()
	return g
}

func TestAGoalIsJudgedAndAMissedOneSaysByHowMuch(t *testing.T) {
	for _, test := range []struct {
		name string
		goal Goal
		met  bool
		by   float64
		says string
	}{
		{"a ratio that is just reached", goal(func(*Goal) {}), true, 0, "met: 1.25x of at most 1.25x"},
		{"a ratio that is missed", goal(func(g *Goal) { g.AtMost = 1 }), false, 0.25, "missed by 0.25x (25 %): 1.25x of at most 1x"},
		{"the worst run of those", goal(func(g *Goal) { g.Statistic = Worst }), false, 0.25, "missed by 0.25x (20 %): 1.50x of at most 1.25x"},
		{"a difference that is reached", goal(func(g *Goal) { g.Compare, g.AtMost, g.Unit = Difference, 100, Milliseconds }), true, 75, "met: 25 ms of at most 100 ms"},
		{"a difference that is missed", goal(func(g *Goal) { g.Compare, g.AtMost, g.Unit = Difference, 10, Milliseconds }), false, 15, "missed by 15 ms (150 %): 25 ms of at most 10 ms"},
		{"a value that is missed", goal(func(g *Goal) { g.Compare, g.AtMost, g.Unit = Value, 100, Milliseconds }), false, 25, "missed by 25 ms (25 %): 125 ms of at most 100 ms"},
		{"nothing allowed", goal(func(g *Goal) { g.Compare, g.AtMost, g.Unit = Value, 0, Milliseconds }), false, 125, "missed by 125 ms: 125 ms of at most 0"},
		{"somebody else's value", goal(func(g *Goal) { g.Compare, g.AtMost, g.Unit, g.Of = Value, 100, Milliseconds, Floor }), true, 0, "met: 100 ms of at most 100 ms"},
		{"another unit than was measured", goal(func(g *Goal) { g.Compare, g.AtMost, g.Unit = Value, 100, Mebibytes }), false, 0, `missed: the goal is in "MiB", and what was measured in "ms"`},
		{"somebody who was not measured", goal(func(g *Goal) { g.With = Helm }), false, 0, `missed: B1 has no pairs of "assent" and "helm upgrade": 3 and 0 values`},
	} {
		t.Run(test.name, func(t *testing.T) {
			verdict := test.goal.Judge(raced())
			if verdict.Met != test.met || math.Abs(verdict.By-test.by) > 1e-9 || verdict.String() != test.says {
				t.Errorf("got met %t, by %v, %q", verdict.Met, verdict.By, verdict)
			}
		})
	}
}

func TestAGoalThatNothingWasMeasuredForIsMissed(t *testing.T) {
	goals := Goals{Goals: []Goal{goal(func(*Goal) {}), goal(func(g *Goal) { g.Benchmark = "B2" }), goal(func(g *Goal) { g.Benchmark = "B3" })}}
	verdicts := goals.Judge([]string{"B1", "B2"}, []Result{raced()})
	if len(verdicts) != 2 {
		t.Fatalf("%d verdicts: only those of benchmarks that ran are wanted", len(verdicts))
	}
	missed := Report{Verdicts: verdicts}.Missed()
	if len(missed) != 1 || missed[0].Goal.Benchmark != "B2" || missed[0].String() != "missed: nothing was measured for it" {
		t.Errorf("missed: %v", missed)
	}
}

func TestAGoalWithoutACaseIsForEveryCase(t *testing.T) {
	creating, updating := raced(), raced()
	creating.Case, updating.Case = "creating", "updating"
	all := Goals{Goals: []Goal{goal(func(*Goal) {}), goal(func(g *Goal) { g.Case = "updating" })}}
	verdicts := all.Judge([]string{"B1"}, []Result{creating, updating})
	var cases []string
	for _, verdict := range verdicts {
		cases = append(cases, verdict.Case)
	}
	if got := strings.Join(cases, " "); got != "creating updating updating" {
		t.Errorf("judged %s", got)
	}
}

func TestGoalsThatCannotBeCheckedAreRefused(t *testing.T) {
	for content, want := range map[string]string{
		"goals: [{benchmark: B1, says: x, compare: Rate, atMost: 1}]":                      "`compare` must be Ratio, Difference or Value",
		"goals: [{benchmark: B1, says: x, compare: Ratio}]":                                "`atMost` must be positive",
		"goals: [{benchmark: B1, compare: Ratio, atMost: 1}]":                              "`benchmark` and `says` must be set",
		"goals: [{benchmark: B1, says: x, compare: Ratio, atMost: 1, statistic: Fastest}]": "`statistic` must be Median or Worst",
		"goals: [{benchmark: B1, says: x, compare: Ratio, atLeast: 1}]":                    "unknown field",
	} {
		if _, err := ReadGoals([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", content, err, want)
		}
	}
}

func TestTheCommittedGoalsCanBeRead(t *testing.T) {
	content, err := os.ReadFile("../goals.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if goals, err := ReadGoals(content); err != nil || len(goals.Goals) == 0 {
		t.Errorf("%d goals: %v", len(goals.Goals), err)
	}
}
