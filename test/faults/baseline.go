// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// undisturbedRuns are made of each scenario first, to see which writes there are in every one of them.
const undisturbedRuns = 3

// baseline is a scenario that nothing disturbs.
type baseline struct {
	scenario Scenario
	// writes that every run makes, in the order of the first; occasional ones that only some make; and those whose number the clock decides on.
	writes, occasional, timed []string
	// questions are the dry runs and reviews.
	questions []string
	story     story
	content   map[string]any
}

// undisturbed runs of a scenario.
func (s *Sweep) undisturbed(ctx context.Context, scenario Scenario) (*baseline, error) {
	base := &baseline{scenario: scenario}
	counts := map[string]int{}
	for i := range undisturbedRuns {
		var against *baseline
		if i > 0 {
			against = base
		}
		found, err := carryOut(ctx, s.World, scenario, against)
		if err != nil {
			return nil, fmt.Errorf("%s, undisturbed: %w", scenario.Name, err)
		}
		if len(found.violations) > 0 {
			return nil, fmt.Errorf("%s, undisturbed, in project %q: %w\n%s", scenario.Name, found.project, &found.violations[0], found.log)
		}
		if i == 0 {
			base.story, base.content = found.story, found.content
		}
		base.take(found.met, counts)
	}
	base.sort(counts)
	return base, nil
}

// take the requests of one more run.
func (b *baseline) take(seen []met, counts map[string]int) {
	for _, one := range seen {
		list := &b.writes
		switch {
		case one.timed:
			list = &b.timed
		case one.class == asking:
			list = &b.questions
		}
		counts[one.name]++
		if !slices.Contains(*list, one.name) {
			*list = append(*list, one.name)
		}
	}
}

// sort out what not every run has done.
func (b *baseline) sort(counts map[string]int) {
	occasional := func(name string) bool { return counts[name] < undisturbedRuns }
	for _, name := range b.writes {
		if occasional(name) {
			b.occasional = append(b.occasional, name)
		}
	}
	b.writes = slices.DeleteFunc(b.writes, occasional)
	b.questions = slices.DeleteFunc(b.questions, occasional)
	b.timed = slices.DeleteFunc(b.timed, func(name string) bool { return strings.Contains(name, "#") }) // every run makes the first
}

// all faults that are tried one at a time.
func (b *baseline) all() []Fault {
	var all []Fault
	for _, name := range slices.Concat(b.writes, b.occasional, b.timed) {
		for _, mode := range Modes() {
			all = append(all, Fault{At: name, Mode: mode})
		}
	}
	for _, name := range b.questions {
		all = append(all, Fault{At: name, Mode: Refused})
	}
	return all
}

// mayPass says whether it is no failure of the sweep that a fault was not reached: the write is not there in every run.
func (b *baseline) mayPass(at string) bool {
	return slices.Contains(b.occasional, at) || slices.Contains(b.timed, at)
}
