// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package latency

import (
	"context"
	"fmt"
	"time"

	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/bench/scene"
	"github.com/assent-dev/assent/test/cluster"
)

// finish of one rollout, as measured.
type finish struct {
	// began is when the approval was answered, or the command given.
	began time.Time
	// written is when the last object was answered, by the API server's audit log.
	written time.Time
	// ready is when whoever rolled out knew that everything was ready.
	ready time.Time
}

// contestant rolls versions out to a place of its own.
type contestant interface {
	contender() measure.Contender
	// place to roll out to, where nothing runs yet.
	place(ctx context.Context) (*scene.Place, error)
	// roll a version out, and return when it is ready.
	roll(ctx context.Context, place *scene.Place, v version) (finish, error)
	// leave the place.
	leave(ctx context.Context, place *scene.Place) error
}

// race lets all contestants roll the versions out, one after the other, in turn; of each rollout a value is picked, in milliseconds.
func race(ctx context.Context, s *scene.Scene, runs int, versions []version, pick func(finish) time.Duration) (map[string][]measure.Series, error) {
	runners, err := runners(ctx, s)
	if err != nil {
		return nil, err
	}
	return raceOf(ctx, s, runs, runners, versions, pick)
}

// raceOf these contestants.
func raceOf(ctx context.Context, s *scene.Scene, runs int, runners []contestant, versions []version, pick func(finish) time.Duration) (map[string][]measure.Series, error) {
	var contestants []measure.Contestant
	for _, runner := range runners {
		contestants = append(contestants, measure.Contestant{Contender: runner.contender(), Measure: func(ctx context.Context, _ int) (measure.Values, error) {
			place, err := runner.place(ctx)
			if err != nil {
				return nil, err
			}
			values := measure.Values{}
			for _, v := range versions {
				rolled, err := runner.roll(ctx, place, v)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", v.name, err)
				}
				values[v.name] = milliseconds(pick(rolled))
			}
			return values, runner.leave(ctx, place)
		}})
	}
	return measure.Interleave(ctx, runs, func(line string) { s.Say("  %s", line) }, contestants...)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// runners are who takes part.
func runners(ctx context.Context, s *scene.Scene) ([]contestant, error) {
	others, err := alternatives(ctx, s)
	return append([]contestant{&assent{s}, &bare{s}}, others...), err
}

// lastWrite is when the last of so many objects in the target was answered, among what the filter wants.
func lastWrite(log *cluster.RequestLog, place *scene.Place, objects int, by func(cluster.Request) bool) (time.Time, error) {
	writes, err := log.Answered(func(r cluster.Request) bool {
		return r.ObjectRef.Namespace == place.Target.Namespace && r.Changes() && r.ResponseStatus.Code < 300 && by(r) && r.ObjectRef.Subresource == "" &&
			(r.ObjectRef.Resource == "configmaps" || r.ObjectRef.Resource == "deployments")
	})
	if err != nil {
		return time.Time{}, err
	}
	if len(writes) != objects {
		return time.Time{}, fmt.Errorf("%d objects were written, and %d were expected", len(writes), objects)
	}
	return writes[len(writes)-1].Done, nil
}

// results of a race, one for each version.
func results(id, what string, versions []version, measured map[string][]measure.Series) []measure.Result {
	var all []measure.Result
	for _, v := range versions {
		all = append(all, measure.Result{Benchmark: id, Case: v.name, What: what, Unit: measure.Milliseconds, Series: measured[v.name]})
	}
	return all
}

// lastObject is B1.
func lastObject(ctx context.Context, s *scene.Scene, runs int) ([]measure.Result, error) {
	versions := []version{fifty("creating", "one"), fifty("updating", "two")}
	measured, err := race(ctx, s, runs, versions, func(f finish) time.Duration { return f.written.Sub(f.began) })
	return results("B1", "approval to last object visible, 50 objects", versions, measured), err
}

// ready is B2.
func ready(ctx context.Context, s *scene.Scene, runs int) ([]measure.Result, error) {
	versions := []version{ten("creating", "one"), ten("updating", "two")}
	measured, err := race(ctx, s, runs, versions, func(f finish) time.Duration { return f.ready.Sub(f.began) })
	return results("B2", "approval to ready, 10 Deployments", versions, measured), err
}
