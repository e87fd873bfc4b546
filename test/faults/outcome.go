// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
)

// outcome of one run.
type outcome struct {
	project string
	met     []met
	reached []Fault
	// happened says that the disturbance did.
	happened bool
	// processes of the operator that there were.
	processes  int
	story      story
	content    map[string]any
	violations []violation
	// log is the end of what the operator has logged, for whoever looks for the cause.
	log string
}

// carryOut a scenario once, against what came of it undisturbed, if that is known. An error says that nothing was found out: what must not be is in
// the outcome.
func carryOut(ctx context.Context, w *World, scenario Scenario, against *baseline, faults ...Fault) (*outcome, error) {
	r, err := newRun(ctx, w, scenario.rules, append(faults, scenario.faults...))
	if err != nil {
		return nil, fmt.Errorf("preparing a run: %w", err)
	}
	r.keeper.unelected = scenario.unelected
	ran, cancel := context.WithCancel(ctx)
	defer cancel()
	if scenario.before == nil {
		r.keeper.trial.arm()
	}
	r.keeper.start(ran)
	found, err := r.play(ctx, scenario, against)
	found.log = r.keeper.log.tail() // before it tells of its end
	err = errors.Join(err, r.keeper.close())
	found.project, found.happened, found.processes = r.project.Name, r.happened.Load(), r.keeper.started()
	found.met, found.reached = r.keeper.trial.seen(), r.keeper.trial.reached()
	if err != nil || len(found.violations) > 0 {
		return found, err // its objects are kept for whoever looks for the cause
	}
	return found, r.remove(ctx)
}

// play the scenario until it is at rest, and judge it.
func (r *Run) play(ctx context.Context, scenario Scenario, against *baseline) (*outcome, error) {
	found := &outcome{}
	var undisturbed *story
	var there map[string]any
	if against != nil {
		undisturbed, there = &against.story, against.content
	}
	atRest := func() (err error) {
		found.story, err = r.rest(ctx, undisturbed)
		return err
	}
	err := inTurn(
		func() error { return r.prepare(ctx, scenario) },
		func() error { return scenario.course(ctx, r) },
		atRest,
		func() error { return r.finish(ctx) },
		atRest,
	)
	if broken := (*violation)(nil); errors.As(err, &broken) {
		found.violations = append(found.violations, *broken)
		err = nil
	}
	if err != nil {
		return found, err
	}
	content, broken, err := r.judge(ctx, there)
	found.content, found.violations = content, append(found.violations, broken...)
	return found, err
}

// prepare what is there before the scenario begins.
func (r *Run) prepare(ctx context.Context, scenario Scenario) error {
	if scenario.before == nil {
		return nil
	}
	defer r.keeper.trial.arm()
	return scenario.before(ctx, r)
}
