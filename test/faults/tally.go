// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Tally is what came of one part of a sweep.
type Tally struct {
	Name string
	// Writes that were swept, by so many Modes.
	Writes, Modes int
	// Occasional are writes that not every run makes, and Timed those whose number the clock decides on. They were swept too.
	Occasional, Timed []string
	// Runs that were made, in so many of which that which was to be tried has happened, and for which the operator was started so many times more.
	Runs, Reached, Restarts int
	// Unreached is what has not happened in any attempt, although every undisturbed run makes that write: it proves nothing. Passed is the same of
	// writes that not every run makes, as one sees from the undisturbed runs or from what was done to the same write in another way, and of pairs.
	Unreached, Passed []string
	// Violations as sentences that name the project, whose objects are still there.
	Violations []string
	Took       time.Duration
}

// Failed says whether the sweep has found something, or has not found out what it was to find out.
func Failed(tallies []*Tally) bool {
	for _, t := range tallies {
		if len(t.Violations) > 0 || len(t.Unreached) > 0 {
			return true
		}
	}
	return false
}

// Table of the tallies, as people read it.
func Table(tallies []*Tally) string {
	var b strings.Builder
	const row = "%-78s %6d %6d %6d %8d %10d %9d %11d %9s\n"
	fmt.Fprintf(&b, "%-78s %6s %6s %6s %8s %10s %9s %11s %9s\n", "scenario", "writes", "modes", "runs", "reached", "unreached", "restarts", "violations", "duration")
	var sum Tally
	violations, unreached := 0, 0
	for _, t := range tallies {
		fmt.Fprintf(&b, row, t.Name, t.Writes, t.Modes, t.Runs, t.Reached, len(t.Unreached), t.Restarts, len(t.Violations), t.Took.Round(time.Second))
		sum.Runs, sum.Reached, sum.Restarts, sum.Took = sum.Runs+t.Runs, sum.Reached+t.Reached, sum.Restarts+t.Restarts, sum.Took+t.Took
		if len(t.Occasional)+len(t.Timed) == 0 {
			continue
		}
		sum.Writes += t.Writes
		sum.Modes = t.Modes
	}
	for _, t := range tallies {
		violations, unreached = violations+len(t.Violations), unreached+len(t.Unreached)
	}
	fmt.Fprintf(&b, row, "all", sum.Writes, sum.Modes, sum.Runs, sum.Reached, unreached, sum.Restarts, violations, sum.Took.Round(time.Second))
	for _, t := range tallies {
		list(&b, t.Name+": swept, but not made in every run", t.Occasional)
		list(&b, t.Name+": swept at the first, the clock decides how many there are", t.Timed)
		list(&b, t.Name+": passed by", t.Passed)
		list(&b, t.Name+": NOT REACHED", t.Unreached)
	}
	for _, t := range tallies {
		list(&b, "VIOLATIONS", t.Violations)
	}
	fmt.Fprintf(&b, "%d violations\n", violations)
	return b.String()
}

func list(b *strings.Builder, title string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", title)
	for _, item := range items {
		fmt.Fprintf(b, "  %s\n", item)
	}
}

// progress of one part of a sweep.
type progress struct {
	out   io.Writer
	all   int
	began time.Time

	mu    sync.Mutex
	tally *Tally
	count int
	told  time.Time
	// arrived are the writes that something was done to, and missed the attempts at a write that nothing came of.
	arrived map[string]bool
	missed  []attempt
}

// ran takes what came of a run into the tally.
func (p *progress) ran(chosen attempt, found *outcome, reached bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.Runs++
	p.tally.Restarts += found.processes - 1
	if reached {
		p.tally.Reached++
	}
	for _, broken := range found.violations {
		said := fmt.Sprintf("%s: %s: %s (project %s)", p.tally.Name, chosen.name, broken.Error(), found.project)
		p.tally.Violations = append(p.tally.Violations, said)
		fmt.Fprintf(p.out, "VIOLATION %s\nthe end of the operator's log:\n%s\n", said, found.log)
	}
}

// done with one of all, and tell how far it is, from time to time.
func (p *progress) done(chosen attempt, reached bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if reached {
		p.arrived[chosen.at] = true
	} else {
		p.missed = append(p.missed, chosen)
	}
	if p.count++; p.count == p.all || time.Since(p.told) > telling {
		p.told = time.Now()
		fmt.Fprintf(p.out, "%s: %d of %d after %s, %d violations\n", p.tally.Name, p.count, p.all, time.Since(p.began).Round(time.Second), len(p.tally.Violations))
	}
}

// end tells what was missed by chance from what cannot be reached.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, missed := range p.missed {
		if missed.mayPass || (missed.at != "" && p.arrived[missed.at]) {
			p.tally.Passed = append(p.tally.Passed, missed.name)
		} else {
			p.tally.Unreached = append(p.tally.Unreached, missed.name)
		}
	}
}
