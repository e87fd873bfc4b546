// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// attempts are made to reach a fault: what is done in parallel is not always done in the same way.
	attempts = 4
	// telling is how often progress is told.
	telling = 10 * time.Second
	// farthest is how many writes at most there are between the faults of a pair.
	farthest = 6
)

// Sweep is what is to be done.
type Sweep struct {
	World *World
	// Scenarios to sweep.
	Scenarios []Scenario
	// Probes to make once each.
	Probes []Scenario
	// Chosen says which of the faults at one write are tried; nil for all.
	Chosen func(scenario string, fault Fault) bool
	// Pairs is how many pairs of faults are tried by chance in each scenario.
	Pairs int
	// Seed of what is left to chance.
	Seed uint64
	// Disturbances to try in those of the scenarios that they are for.
	Disturbances []Disturbance
	// Workers is how many runs go on side by side.
	Workers int
	// Out is told of progress.
	Out io.Writer
}

// attempt is one run, and how it is called.
type attempt struct {
	name     string
	scenario Scenario
	faults   []Fault
	// against is what it must come to; nil for a probe, which says so itself.
	against *baseline
	// reached says whether what was to be tried has happened in it.
	reached func(*outcome) bool
	// mayPass says that it is no failure if it has not; nor is it where another attempt at the same write has got there.
	mayPass bool
	// at is the write, where it is one.
	at string
}

// Run the sweep. The error says that it could not be carried out; what it has found is in the tallies.
func (s *Sweep) Run(ctx context.Context) ([]*Tally, error) {
	tallies, err := s.probe(ctx)
	if err != nil {
		return tallies, err
	}
	for _, scenario := range s.Scenarios {
		fmt.Fprintf(s.Out, "%s: %d undisturbed runs\n", scenario.Name, undisturbedRuns)
		base, err := s.undisturbed(ctx, scenario)
		if err != nil {
			return tallies, err
		}
		fmt.Fprintf(s.Out, "%s: %d writes, and %d that not every run makes; %d questions\n", scenario.Name, len(base.writes), len(base.occasional), len(base.questions))
		for _, part := range []func(context.Context, *baseline) ([]*Tally, error){s.singles, s.pairs, s.disturbed} {
			found, err := part(ctx, base)
			tallies = append(tallies, found...)
			if err != nil {
				return tallies, err
			}
		}
	}
	return tallies, nil
}

// probe makes every probe once.
func (s *Sweep) probe(ctx context.Context) ([]*Tally, error) {
	var tallies []*Tally
	for _, scenario := range s.Probes {
		tally := &Tally{Name: scenario.Name}
		tallies = append(tallies, tally)
		once := []attempt{{name: "probe", scenario: scenario, reached: func(*outcome) bool { return true }}}
		if err := s.each(ctx, once, 1, tally); err != nil {
			return tallies, err
		}
	}
	return tallies, nil
}

// singles are the faults at one write.
func (s *Sweep) singles(ctx context.Context, base *baseline) ([]*Tally, error) {
	var todo []attempt
	for _, fault := range base.all() {
		if s.Chosen == nil || s.Chosen(base.scenario.Name, fault) {
			todo = append(todo, attempt{
				name: fault.String(), scenario: base.scenario, against: base, faults: []Fault{fault}, mayPass: base.mayPass(fault.At), at: fault.At,
				reached: func(found *outcome) bool { return len(found.reached) > 0 },
			})
		}
	}
	tally := &Tally{Name: base.scenario.Name, Writes: len(base.writes), Modes: len(Modes()), Occasional: base.occasional, Timed: base.timed}
	tally.Runs = undisturbedRuns
	return []*Tally{tally}, s.each(ctx, todo, s.Workers, tally)
}

// pairs are a fault at one write, and another one at one of the writes after it, whichever that is by then.
func (s *Sweep) pairs(ctx context.Context, base *baseline) ([]*Tally, error) {
	if s.Pairs == 0 {
		return nil, nil
	}
	chance := rand.New(rand.NewPCG(s.Seed, s.Seed))
	var todo []attempt
	for range s.Pairs {
		at := chance.IntN(len(base.writes))
		first := Fault{At: base.writes[at], Mode: Modes()[chance.IntN(len(Modes()))]}
		then := Fault{Next: 1 + chance.IntN(max(1, min(farthest, len(base.writes)-at-1))), Mode: Modes()[chance.IntN(len(Modes()))]}
		todo = append(todo, attempt{
			name: fmt.Sprintf("%s, then %s", first, then), scenario: base.scenario, against: base, faults: []Fault{first, then}, mayPass: true,
			reached: func(found *outcome) bool { return len(found.reached) > 1 },
		})
	}
	tally := &Tally{Name: fmt.Sprintf("%s: pairs, seed %d", base.scenario.Name, s.Seed), Writes: len(base.writes), Modes: len(Modes())}
	return []*Tally{tally}, s.each(ctx, todo, s.Workers, tally)
}

// disturbed are the disturbances that are for the scenario.
func (s *Sweep) disturbed(ctx context.Context, base *baseline) ([]*Tally, error) {
	var tallies []*Tally
	for _, disturbance := range s.Disturbances {
		if disturbance.Of != base.scenario.Name {
			continue
		}
		var todo []attempt
		for _, at := range disturbance.places(base) {
			todo = append(todo, attempt{
				name: disturbance.Name + " from " + at, scenario: disturbance.disturbed(base, at), against: base,
				reached: func(found *outcome) bool { return found.happened },
			})
		}
		workers := s.Workers
		if disturbance.Alone {
			workers = 1
		}
		tally := &Tally{Name: base.scenario.Name + ": " + disturbance.Name, Writes: len(todo)}
		tallies = append(tallies, tally)
		if err := s.each(ctx, todo, workers, tally); err != nil {
			return tallies, err
		}
	}
	return tallies, nil
}

// each attempt, several at a time, and tell how far it is.
func (s *Sweep) each(ctx context.Context, todo []attempt, workers int, tally *Tally) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	defer func() { tally.Took += time.Since(began) }()
	waiting := make(chan attempt)
	var group sync.WaitGroup
	progress := &progress{out: s.Out, tally: tally, all: len(todo), began: began, told: began, arrived: map[string]bool{}}
	for range max(1, workers) {
		group.Go(func() {
			for next := range waiting {
				if err := s.try(ctx, next, progress); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, next := range todo {
		select {
		case waiting <- next:
		case <-ctx.Done():
		}
	}
	close(waiting)
	group.Wait()
	progress.end()
	return context.Cause(ctx)
}

// try what was chosen until it has happened.
func (s *Sweep) try(ctx context.Context, chosen attempt, progress *progress) error {
	for range attempts {
		if ctx.Err() != nil {
			return nil // somebody else has said why
		}
		found, err := carryOut(ctx, s.World, chosen.scenario, chosen.against, chosen.faults...)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", chosen.scenario.Name, chosen.name, err)
		}
		reached := chosen.reached(found)
		progress.ran(chosen, found, reached)
		if reached {
			progress.done(chosen, true)
			return nil
		}
	}
	progress.done(chosen, false)
	return nil
}
