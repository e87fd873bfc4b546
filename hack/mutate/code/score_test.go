// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestAHundredPerCentIsSaidOnlyWhereNothingHasSurvived(t *testing.T) {
	for want, of := range map[string]tally{
		"-":      {excepted: 3},
		"100 %":  {killed: 9999, timedOut: 1, excepted: 1},
		"99.9 %": {killed: 99999, survived: 1},
		"50.0 %": {killed: 1, unreached: 1},
		"0.0 %":  {unreached: 1},
	} {
		if found := of.score(); found != want {
			t.Errorf("the score of %v is %s and not %s", of, found, want)
		}
	}
}

func TestASiteBelongsToThePartsThatRanWhenItWasReached(t *testing.T) {
	began := time.Unix(1_000_000, 0)
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	long, short := &part{name: "long", start: at(0), end: at(9)}, &part{name: "short", start: at(4), end: at(5)}
	s := &suite{parts: []*part{long, short}}
	path := filepath.Join(t.TempDir(), "reached")
	content := "gate:1 " + nanoseconds(at(1)) + "\ngate:2 " + nanoseconds(at(4)) + "\ngate:3 " + nanoseconds(at(20)) + "\ngate:4 12"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.attribute(path); err != nil {
		t.Fatal(err)
	}
	for site, want := range map[string][]*part{"gate:1": {long}, "gate:2": {short, long}, "gate:3": nil, "gate:4": nil} {
		if found := s.reaching(site); !slices.Equal(found, want) {
			t.Errorf("%s is reached by %v", site, found)
		}
	}
	if err := s.attribute(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("a suite that reaches nothing: %v", err)
	}
}

func TestWhoNoticedBeforeIsAskedFirstThenTheQuickThenTheRest(t *testing.T) {
	began := time.Unix(1_000_000, 0)
	made := func(name string, seconds int) *part {
		return &part{name: name, start: began, end: began.Add(time.Duration(seconds) * time.Second)}
	}
	quick, slow, slowest := made("quick", 1), made("slow", 5), made("slowest", 50)
	s := &suite{Tests: Tests{Package: "gate"}, took: time.Minute, parts: []*part{quick, slow, slowest}}
	m := &mutant{in: &mutated{source: &source{short: "gate"}}, site: &site{function: "f"}}
	h := &hunter{killers: map[string][]*part{}}
	all := []*part{quick, slow, slowest}
	if found := h.rounds(m, s, all); len(found) != 2 || !slices.Equal(found[0], []*part{quick, slow}) || !slices.Equal(found[1], all) {
		t.Errorf("asked in the rounds %v", found)
	}
	h.remember(m, s, []string{"slowest", "of another suite"})
	if found := h.rounds(m, s, all); len(found) != 2 || !slices.Equal(found[0], []*part{slowest}) || !slices.Equal(found[1], []*part{quick, slow}) {
		t.Errorf("asked in the rounds %v", found)
	}
	if found := h.rounds(m, s, []*part{quick}); len(found) != 1 || !slices.Equal(found[0], []*part{quick}) {
		t.Errorf("asked in the rounds %v", found)
	}
	s.took = time.Millisecond
	if found := h.rounds(m, s, all); len(found) != 1 || found[0] != nil {
		t.Errorf("a quick suite is asked in the rounds %v", found)
	}
}

func TestSpecsThatRunInOrderAreAskedTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "specs.json")
	report := `[{"SpecReports": [
		{"LeafNodeType": "BeforeSuite", "State": "passed"},
		{"ContainerHierarchyTexts": ["a gate"], "LeafNodeText": "opens", "LeafNodeType": "It", "State": "passed"},
		{"ContainerHierarchyTexts": ["a gate"], "LeafNodeText": "is left out", "LeafNodeType": "It", "State": "skipped"},
		{"ContainerHierarchyTexts": ["a life"], "LeafNodeText": "begins", "LeafNodeType": "It", "State": "passed", "IsInOrderedContainer": true},
		{"ContainerHierarchyTexts": ["a life"], "LeafNodeText": "ends", "LeafNodeType": "It", "State": "passed", "IsInOrderedContainer": true}
	]}]`
	if err := os.WriteFile(path, []byte(report), 0o600); err != nil {
		t.Fatal(err)
	}
	parts, err := readSpecs(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	if !slices.Equal(names, []string{"a gate opens", "a life"}) {
		t.Errorf("the parts are %q", names)
	}
}

func TestTheNamesOfFailedTestsAndSpecsAreRead(t *testing.T) {
	w := &watcher{}
	for _, line := range []string{
		"=== RUN   TestA", "=== RUN   TestA/b", "    --- FAIL: TestA/b (0.00s)", "--- FAIL: TestA (0.01s)",
		"  [FAIL] a gate [It] opens", "  [PANICKED!] a life [It] ends", "--- PASS: TestB (0.00s)",
	} {
		w.see(line)
	}
	if !slices.Equal(w.failed, []string{"TestA", "a gate opens", "a life ends"}) {
		t.Errorf("failed: %q", w.failed)
	}
	if len(w.tests) != 1 || w.tests[0].name != "TestA" {
		t.Errorf("ran: %v", w.tests)
	}
}

func nanoseconds(at time.Time) string { return strconv.FormatInt(at.UnixNano(), 10) }
