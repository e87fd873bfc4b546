// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// hold runs one stage on the mutants that are left: on each cluster its tests have to pass first, and then the clusters share the mutants.
func (r *run) hold(ctx context.Context, s stage, mutants []mutant) (known []outcome, left []mutant, err error) {
	var concerned []mutant
	for _, m := range mutants {
		if len(s.filters(m)) == 0 || s.last && m.excepted {
			left = append(left, m)
			continue
		}
		concerned = append(concerned, m)
	}
	if len(concerned) == 0 {
		return nil, left, nil
	}
	r.say("%d mutants: %s: the guard as it is shipped has to pass first", len(concerned), s.about)
	if err := r.prepare(ctx, s, concerned); err != nil {
		return nil, nil, err
	}
	outcomes := make([]outcome, len(concerned))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan int)
	var judges sync.WaitGroup
	for _, judge := range r.judges {
		judges.Go(func() {
			for i := range queue {
				o, err := judge.try(ctx, s, concerned[i])
				if err != nil {
					cancel(fmt.Errorf("trying %q: %w", concerned[i].name, err))
				}
				outcomes[i] = o
				r.report(o, err)
			}
		})
	}
	for i := range concerned {
		select {
		case queue <- i:
		case <-ctx.Done():
		}
	}
	close(queue)
	judges.Wait()
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if err := r.confirm(ctx, s, concerned, outcomes); err != nil {
		return nil, nil, err
	}
	for _, o := range outcomes {
		if o.killedBy == "" && o.refused == "" {
			left = append(left, o.mutant)
			continue
		}
		known = append(known, o)
	}
	return known, left, nil
}

// prepare makes every cluster ready for the stage. The likeliest tests have to pass on one of them: the clusters are alike.
func (r *run) prepare(ctx context.Context, s stage, mutants []mutant) error {
	problems := make([]error, len(r.judges))
	var judges sync.WaitGroup
	for i, judge := range r.judges {
		judges.Go(func() {
			filter := s.ready()
			if i == 0 {
				filter += " || first && (" + s.covering(mutants) + ")"
			}
			problems[i] = judge.prepare(ctx, s.mood, filter)
		})
	}
	judges.Wait()
	return errors.Join(problems...)
}

// confirm runs the tests that have noticed mutants on the guard as it is shipped: what fails there too has noticed nothing.
func (r *run) confirm(ctx context.Context, s stage, mutants []mutant, outcomes []outcome) error {
	var tests []string
	for _, o := range outcomes {
		if o.killedBy != "" {
			tests = append(tests, o.killedBy)
		}
	}
	if len(tests) == 0 {
		return nil
	}
	slices.Sort(tests)
	tests = slices.Compact(tests)
	r.say("confirming that the guard as it is shipped passes the %d tests that have noticed something", len(tests))
	return r.judges[0].confirm(ctx, s.mood, s.covering(mutants), tests)
}

func (r *run) report(o outcome, err error) {
	if err != nil {
		return
	}
	seconds := o.took.Seconds()
	switch {
	case o.refused != "":
		r.say("%d/%d invalid  %4.1fs %s", r.count(), r.total, seconds, o.mutant.name)
	case o.killedBy != "":
		r.say("%d/%d killed   %4.1fs %s  <- %s", r.count(), r.total, seconds, o.mutant.name, o.killedBy)
	default:
		r.say("unnoticed yet %4.1fs %s", seconds, o.mutant.name)
	}
}

// count is how many are known now.
func (r *run) count() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.done++
	return r.done
}
