// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/assent-dev/assent/test/oracle"
)

// spell is how long watches stand still or lose events: long enough for everything that goes on without them.
const spell = 2 * time.Second

// Disturbance is what happens around the operator, rather than to one of its requests.
type Disturbance struct {
	Name string
	// Of is the name of the scenario that it happens in.
	Of string
	// Everywhere says that it is tried at every write; if not, once.
	Everywhere bool
	// Alone says that nothing else may run meanwhile: it concerns the cluster as a whole.
	Alone bool
	// unelected lets every process of the operator work at once.
	unelected bool
	// begin it, from the write of that name on. It says in the run when it has happened.
	begin func(ctx context.Context, r *Run, at string)
}

const updating = "update with a prune"

// Disturbances are all that are tried.
func Disturbances() []Disturbance {
	var all []Disturbance
	for _, resource := range []string{"promotions", "environments", "releases"} {
		all = append(all,
			Disturbance{Name: "the cache of " + resource + " stands still", Of: updating, Everywhere: true, begin: standsStill(resource)},
			Disturbance{Name: "events of " + resource + " are lost", Of: updating, Everywhere: true, begin: loses(resource)},
		)
	}
	for _, scenario := range Scenarios() {
		all = append(all,
			Disturbance{Name: "every event comes twice", Of: scenario.Name, begin: repeats},
			Disturbance{Name: "two operators work at once", Of: scenario.Name, unelected: true, begin: two},
		)
	}
	all = append(all,
		Disturbance{Name: "the leader stands still until the next one writes", Of: updating, Everywhere: true, begin: paused(anotherWrites)},
		Disturbance{Name: "the leader stands still until all is done", Of: updating, Everywhere: true, begin: paused(allIsDone)},
		Disturbance{Name: "the clock jumps ahead by 5 minutes", Of: updating, Everywhere: true, begin: clockJumps(5 * time.Minute)},
		Disturbance{Name: "the clock jumps back by an hour", Of: updating, Everywhere: true, begin: clockJumps(-time.Hour)},
	)
	for _, component := range []string{"kube-apiserver", "etcd"} {
		all = append(all, Disturbance{Name: component + " is killed and restarted", Of: updating, Everywhere: true, Alone: true, begin: restarts(component)})
	}
	return all
}

// once at a write, whichever process makes it. It says in the run that it has happened.
func (r *Run) once(at string, do func(p *process)) {
	var done atomic.Bool
	r.keeper.listen(func(p *process, name string) {
		if name == at && done.CompareAndSwap(false, true) {
			r.happened.Store(true)
			do(p)
		}
	})
}

func standsStill(resource string) func(context.Context, *Run, string) {
	return func(_ context.Context, r *Run, at string) {
		r.once(at, func(*process) { time.AfterFunc(spell, r.keeper.streams.freeze(resource)) })
	}
}

func loses(resource string) func(context.Context, *Run, string) {
	return func(_ context.Context, r *Run, at string) {
		r.once(at, func(*process) { time.AfterFunc(spell, r.keeper.streams.lose(resource)) })
	}
}

func repeats(_ context.Context, r *Run, _ string) {
	r.keeper.streams.repeat("promotions", "environments", "releases")
	r.finally(func(context.Context) error {
		r.happened.Store(r.keeper.streams.cameTwice() > 0)
		return nil
	})
}

// two operators, each of which believes that it is the only one.
func two(ctx context.Context, r *Run, _ string) {
	r.keeper.start(ctx)
	r.happened.Store(true)
}

// late is what a write does that arrives after the outcome: it is asked for, and must come to nothing.
var late = []oracle.Exception{
	{Rule: oracle.RuleIntent, About: " -> 404 by ", Reason: "what it would have deleted is gone"},
	{Rule: oracle.RuleIntent, About: " -> 409 by ", Reason: "it names a version that is not there any more"},
	// Without force: it was to create. That it changed nothing is seen by the content.
	{Rule: oracle.RuleIntent, About: "?fieldManager=assent -> 200 by ", Reason: "Kubernetes has no apply that only creates"},
}

// moment waits for when a write may leave that was held back.
type moment func(r *Run, old *process) <-chan struct{}

// paused stops a process in the middle of a write: it leaves when the process goes on, by which time another one leads.
func paused(until moment) func(context.Context, *Run, string) {
	return func(ctx context.Context, r *Run, at string) {
		r.exceptions = append(r.exceptions, late...)
		r.once(at, func(old *process) {
			left := old.pause(at, until(r, old))
			r.finally(func(ctx context.Context) error {
				select {
				case <-left:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			go r.keeper.start(ctx)
		})
	}
}

// anotherWrites is when the next leader changes anything but its lease.
func anotherWrites(r *Run, old *process) <-chan struct{} {
	come := make(chan struct{})
	now := sync.OnceFunc(func() { close(come) })
	r.keeper.listen(func(p *process, name string) {
		if p != old && !strings.Contains(name, "leases") {
			now()
		}
	})
	r.finally(func(context.Context) error { now(); return nil })
	return come
}

// allIsDone is when nothing is left to do.
func allIsDone(r *Run, _ *process) <-chan struct{} {
	come := make(chan struct{})
	r.finally(func(context.Context) error { close(come); return nil })
	return come
}

// steppingClock is the machine's, set by hand. As with a real one, timers that run do not notice.
type steppingClock struct {
	clock.RealClock
	step atomic.Int64
}

// Now implements clock.PassiveClock.
func (c *steppingClock) Now() time.Time { return time.Now().Add(time.Duration(c.step.Load())) }

// Since implements clock.PassiveClock.
func (c *steppingClock) Since(then time.Time) time.Duration { return c.Now().Sub(then) }

func clockJumps(by time.Duration) func(context.Context, *Run, string) {
	return func(_ context.Context, r *Run, at string) {
		r.once(at, func(*process) { r.clock.step.Store(int64(by)) })
	}
}

func restarts(component string) func(context.Context, *Run, string) {
	return func(ctx context.Context, r *Run, at string) {
		r.lossy = true
		restarted := make(chan error, 1)
		r.once(at, func(*process) {
			r.finally(func(ctx context.Context) error {
				select {
				case err := <-restarted:
					return err
				case <-ctx.Done():
					return fmt.Errorf("waiting for %s: %w", component, ctx.Err())
				}
			})
			go func() {
				err := r.world.Cluster.Restart(ctx, component)
				if err == nil { // what is tried is this operator: Kubernetes' own controllers were seen to miss an event for minutes when etcd was killed
					err = r.world.Cluster.Restart(ctx, "kube-controller-manager")
				}
				if err != nil {
					r.giveUp(err) // without an API server everything else would wait in vain
				}
				restarted <- err
			}()
		})
	}
}

// places are the writes that it is tried at.
func (d Disturbance) places(base *baseline) []string {
	if d.Everywhere {
		return base.writes
	}
	return base.writes[:1]
}

// disturbed is a scenario with a disturbance at a write.
func (d Disturbance) disturbed(base *baseline, at string) Scenario {
	scenario := base.scenario
	scenario.unelected = d.unelected
	course := scenario.course
	scenario.course = func(ctx context.Context, r *Run) error {
		untilGivenUp, giveUp := context.WithCancelCause(ctx)
		defer giveUp(nil)
		r.giveUp = giveUp
		d.begin(ctx, r, at)
		err := course(untilGivenUp, r)
		return errors.Join(context.Cause(untilGivenUp), err)
	}
	return scenario
}
