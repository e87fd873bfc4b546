// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/bench/scene"
)

const (
	// AmongFew is the operator with few Promotions that wait.
	AmongFew measure.Contender = "among 10"
	// AmongMany is the operator with many Promotions that wait: ten for each Environment.
	AmongMany measure.Contender = "among 10,000"
	// fewOthers is how many wait then in the one case; in the other, ten for each Environment.
	fewOthers, othersEach = 10, 10
	// inFlight is how many promotions are under way when the operator is killed.
	inFlight = 50
)

// Benchmarks of this package, for so many Environments. They are measured one after the other on the same scene: what one leaves behind is what the next
// one finds.
func Benchmarks(environments int) []scene.Benchmark {
	held := &shared{size: Size{Environments: environments, Ended: 9, Waiting: 1}}
	return []scene.Benchmark{
		{ID: "B5", Title: fmt.Sprintf("%d environments and %d promotions at rest", environments, held.size.Promotions()), Shared: shares, Run: held.rest},
		{ID: "B3", Title: fmt.Sprintf("%d promotions of 4 objects, approved at once", environments), Shared: shares, Run: held.bursts},
		{ID: "B6", Title: fmt.Sprintf("recovery after a kill, with %d promotions in flight", inFlight), Shared: shares, Run: held.recovery},
		{ID: "B8", Title: fmt.Sprintf("one approval among %d promotions that wait", othersEach*environments), Shared: shares, Run: held.backlog},
	}
}

// shares is what the scene of these benchmarks is called.
const shares = "crowd"

// shared is the crowd of a scene.
type shared struct {
	size  Size
	crowd *Crowd
	// waiting are the Promotions of the version next, which are planned everywhere.
	waiting []*v1alpha1.Promotion
	next    string
}

// on the scene, the whole crowd has come.
func (s *shared) on(ctx context.Context, at *scene.Scene) (*Crowd, error) {
	if s.crowd != nil && s.crowd.scene == at {
		return s.crowd, nil
	}
	crowd, err := On(ctx, at, s.size)
	if err != nil {
		return nil, err
	}
	s.crowd, s.waiting = crowd, nil
	if err := crowd.Establish(ctx); err != nil {
		return nil, err
	}
	return crowd, s.fill(ctx)
}

// fill the crowd up with Promotions that have ended, and with those that wait.
func (s *shared) fill(ctx context.Context) error {
	if err := s.crowd.operator.Stop(); err != nil {
		return err
	}
	if err := s.crowd.copyEnded(ctx, first, s.size.Ended-1); err != nil {
		return err
	}
	if err := s.crowd.operator.Start(ctx); err != nil {
		return err
	}
	return s.ask(ctx, "second")
}

// ask for a version everywhere.
func (s *shared) ask(ctx context.Context, version string) (err error) {
	s.next = version
	s.waiting, err = s.crowd.prepare(ctx, version, s.crowd.places)
	return err
}

func one(benchmark, name, what string, unit measure.Unit, notes []string, values ...float64) measure.Result {
	return measure.Result{
		Benchmark: benchmark, Case: name, What: what, Unit: unit, Notes: notes,
		Series: []measure.Series{{Contender: measure.Assent, Values: values}},
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// rest is B5. Beside what the whole crowd costs, it measures how much of the memory comes of the Environments, and how much of the Promotions.
func (s *shared) rest(ctx context.Context, at *scene.Scene, _ int) ([]measure.Result, error) {
	crowd, err := On(ctx, at, s.size)
	if err != nil {
		return nil, err
	}
	s.crowd = crowd
	var sizes []Rest
	glance := func(size Size, watched time.Duration) error {
		found, err := crowd.Rest(ctx, size, watched)
		at.Say("%s", found)
		sizes = append(sizes, found)
		return err
	}
	if err := glance(Size{}, glanceFor); err != nil {
		return nil, err
	}
	if err := crowd.Establish(ctx); err != nil {
		return nil, err
	}
	if err := glance(Size{Environments: s.size.Environments, Ended: 1}, glanceFor); err != nil {
		return nil, err
	}
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	if err := glance(s.size, restFor); err != nil {
		return nil, err
	}
	// What follows keeps the machine busy, which must not cost the operator its lease.
	if err := errors.Join(crowd.operator.Stop(), crowd.operator.Start(ctx), crowd.settle(ctx)); err != nil {
		return nil, err
	}
	return restResults(sizes[0], sizes[1], sizes[2]), nil
}

func restResults(empty, deployed, whole Rest) []measure.Result {
	kibibytes := func(more, less Rest, count int) float64 {
		return float64(more.Private-less.Private) / 1024 / float64(count)
	}
	notes := []string{
		whole.String(),
		fmt.Sprintf("%.1f MiB are the program's own file, which the system drops when it needs the room", mebibytes(whole.Resident-whole.Private)),
		fmt.Sprintf("%.1f MiB with nothing; %.0f KiB more for each environment with what runs there, %.1f KiB for each further promotion",
			mebibytes(empty.Resident), kibibytes(deployed, empty, deployed.Size.Environments), kibibytes(whole, deployed, whole.Size.Promotions()-deployed.Size.Promotions())),
	}
	return []measure.Result{
		one("B5", "writes", "writes in a minute of rest, but for the lease", measure.Writes, nil, float64(whole.Writes)),
		one("B5", "reads", "other requests in a minute of rest", measure.Requests, nil, float64(whole.Reads)),
		one("B5", "processor", "processor time at rest", measure.PercentOfCore, nil, 100*whole.Core.Seconds()/whole.Lasted.Seconds()),
		one("B5", "memory", "resident memory at rest", measure.Mebibytes, notes, mebibytes(whole.Resident)),
	}
}

// bursts is B3.
func (s *shared) bursts(ctx context.Context, at *scene.Scene, runs int) ([]measure.Result, error) {
	crowd, err := s.on(ctx, at)
	if err != nil {
		return nil, err
	}
	notes := map[measure.Contender]string{}
	burst := func(contender measure.Contender, measured func(context.Context, string, []*v1alpha1.Promotion) (Burst, error)) measure.Contestant {
		return measure.Contestant{Contender: contender, Measure: func(ctx context.Context, run int) (measure.Values, error) {
			if s.waiting == nil {
				if err := s.ask(ctx, fmt.Sprintf("burst-%d-%s", run, contender)); err != nil {
					return nil, err
				}
			}
			found, err := measured(ctx, s.next, s.waiting)
			at.Say("%s: %s", contender, found)
			s.waiting, notes[contender] = nil, fmt.Sprintf("%s: %s", contender, found)
			return measure.Values{"makespan": milliseconds(found.Makespan), "99th percentile": milliseconds(found.P99)}, err
		}}
	}
	series, err := measure.Interleave(ctx, runs, func(line string) { at.Say("%s", line) }, burst(measure.Assent, crowd.Burst), burst(measure.Floor, crowd.BurstOfFloor))
	if err != nil {
		return nil, err
	}
	return []measure.Result{
		{Benchmark: "B3", Case: "makespan", What: "first approval until all have succeeded", Unit: measure.Milliseconds, Series: series["makespan"],
			Notes: []string{notes[measure.Assent], notes[measure.Floor]}},
		{Benchmark: "B3", Case: "99th percentile", What: "a promotion's approval until it has succeeded", Unit: measure.Milliseconds, Series: series["99th percentile"]},
	}, nil
}

// recovery is B6.
func (s *shared) recovery(ctx context.Context, at *scene.Scene, runs int) ([]measure.Result, error) {
	crowd, err := s.on(ctx, at)
	if err != nil {
		return nil, err
	}
	var synced, before, after, violations []float64
	var notes []string
	for run := range runs {
		found, err := crowd.Recovery(ctx, fmt.Sprintf("recovery-%d", run), min(inFlight, s.size.Environments-2))
		at.Say("run %d of %d: %s", run+1, runs, found)
		if err = errors.Join(err, crowd.settle(ctx)); err != nil {
			return nil, err
		}
		synced, before, after = append(synced, milliseconds(found.Synced)), append(before, milliseconds(found.AppliedBefore)), append(after, milliseconds(found.AppliedAfter))
		violations, notes = append(violations, float64(len(found.Violations))), append(notes, found.Violations...)
	}
	return []measure.Result{
		one("B6", "caches", "start of the process until its caches are complete", measure.Milliseconds, nil, synced...),
		one("B6", "new", "an approval given then until its last object is applied", measure.Milliseconds, nil, after...),
		one("B6", "meanwhile", "caches complete until the last object of an approval given before is applied", measure.Milliseconds, nil, before...),
		one("B6", "violations", "what was lost or done twice", measure.Count, notes, violations...),
	}, nil
}

// backlog is B8.
func (s *shared) backlog(ctx context.Context, at *scene.Scene, runs int) ([]measure.Result, error) {
	crowd, err := s.on(ctx, at)
	if err != nil {
		return nil, err
	}
	others := crowd.places[runs+1:]
	if _, err := crowd.prepare(ctx, "few", others[:min(fewOthers, len(others))]); err != nil {
		return nil, err
	}
	few, err := crowd.Backlog(ctx, "among-few", runs)
	if err != nil {
		return nil, err
	}
	if _, err := crowd.prepare(ctx, "many", others); err != nil {
		return nil, err
	}
	if err := crowd.operator.Stop(); err != nil {
		return nil, err
	}
	if err := crowd.copyWaiting(ctx, "many", othersEach-1); err != nil {
		return nil, err
	}
	if err := errors.Join(crowd.operator.Start(ctx), crowd.settle(ctx)); err != nil {
		return nil, err
	}
	many, err := crowd.Backlog(ctx, "among-many", runs)
	if err != nil {
		return nil, err
	}
	result := func(name, what string, unit measure.Unit, value func(Approval) float64) measure.Result {
		all := measure.Result{Benchmark: "B8", Case: name, What: what, Unit: unit, Series: []measure.Series{{Contender: AmongFew}, {Contender: AmongMany}}}
		for i, approvals := range [][]Approval{few, many} {
			for _, approval := range approvals {
				all.Series[i].Values = append(all.Series[i].Values, value(approval))
			}
		}
		return all
	}
	return []measure.Result{
		result("applied", "approval to last object applied", measure.Milliseconds, func(a Approval) float64 { return milliseconds(a.Applied) }),
		result("processor", "the operator's processor time for it", measure.Milliseconds, func(a Approval) float64 { return milliseconds(a.Core) }),
		result("requests", "its requests", measure.Requests, func(a Approval) float64 { return float64(a.Writes + a.Reads) }),
	}, nil
}
