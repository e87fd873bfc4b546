// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// reported is a report with a goal that is missed and one that is met.
func reported() Report {
	writes := Result{Benchmark: "B4", What: "writes", Unit: Writes, Series: []Series{{Contender: Assent, Values: []float64{5, 5}}}, Notes: []string{"The lease is not counted."}}
	goals := Goals{Goals: []Goal{
		goal(func(g *Goal) { g.AtMost = 1 }),
		goal(func(g *Goal) { g.Benchmark, g.Compare, g.AtMost, g.Unit = "B4", Value, 6, Writes }),
	}}
	results := []Result{raced(), writes}
	return Report{Runs: 3, Machine: Machine{Cores: 2, Processor: "A & B"}, Results: results, Verdicts: goals.Judge([]string{"B1", "B4"}, results)}
}

func TestTheTableSaysWhatWasMeasuredAndWhatWasMissed(t *testing.T) {
	var table bytes.Buffer
	if err := reported().Table(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 cores", "125 (120 to 150, ±5) ms", "1.25 (1.20 to 1.50, ±0.05)", "missed by 0.25x (25 %): 1.25x of at most 1x", "met: 5 writes of at most 6 writes", "B4: The lease"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
}

func TestTheFileHoldsEveryRunAndVerdict(t *testing.T) {
	content, err := reported().JSON()
	if err != nil {
		t.Fatal(err)
	}
	var read Report
	if err := json.Unmarshal(content, &read); err != nil {
		t.Fatal(err)
	}
	if len(read.Results) != 2 || len(read.Results[0].Series[0].Values) != 3 || len(read.Verdicts) != 2 || read.Verdicts[0].Met {
		t.Errorf("read %+v", read)
	}
	if _, err := (Report{Verdicts: []Verdict{{Problem: "nothing was measured for it"}}}).JSON(); err != nil {
		t.Errorf("a report of what could not be measured cannot be written: %v", err)
	}
}

func TestThePictureShowsEachRunAsADotAndTheGoalsAsLines(t *testing.T) {
	picture := reported().Picture()
	decoder := xml.NewDecoder(bytes.NewReader(picture))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("it is not XML: %v\n%s", err, picture)
		}
	}
	if dots := bytes.Count(picture, []byte("<circle")); dots != 5 {
		t.Errorf("%d dots, want three ratios and two shares", dots)
	}
	if goals := bytes.Count(picture, []byte(`class="goal"`)); goals != 2 {
		t.Errorf("%d goals, want 2", goals)
	}
	for _, want := range []string{"prefers-color-scheme: dark", "A &amp; B", "B1 · assent", "B4 · at most 6 writes"} {
		if !bytes.Contains(picture, []byte(want)) {
			t.Errorf("it lacks %q", want)
		}
	}
	if empty := (Report{}).Picture(); !bytes.Contains(empty, []byte("</svg>")) {
		t.Error("a report without results has no picture")
	}
}

func TestAScaleOfRatiosPutsTwiceAsLongAsFarAwayAsHalfAsLong(t *testing.T) {
	shown := panel{doubles: true, rows: []row{{dots: []float64{0.7, 5}, goal: 1.25}}}.scale()
	if shown.from != 0.5 || shown.to != 8 || len(shown.marks) != 5 {
		t.Fatalf("got %+v", shown)
	}
	if left, right := shown.at(1)-shown.at(0.5), shown.at(2)-shown.at(1); left-right > 1e-9 || right-left > 1e-9 {
		t.Errorf("half is %v away from 1, and twice %v", left, right)
	}
}

func TestAScaleOfSharesBeginsAtNothingAndHoldsEverything(t *testing.T) {
	for _, most := range []float64{0.3, 1.7, 12, 250} {
		shown := panel{rows: []row{{dots: []float64{0, most}, goal: 1}}}.scale()
		if shown.from != 0 || shown.to < most || len(shown.marks) < 3 || len(shown.marks) > 12 {
			t.Errorf("up to %v: got %+v", most, shown)
		}
	}
}
