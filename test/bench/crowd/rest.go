// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"context"
	"fmt"
	"time"

	"github.com/assent-dev/assent/test/cluster"
)

const (
	// restFor is how long the operator is watched at rest, and glanceFor if nothing but its memory is of interest.
	restFor, glanceFor = time.Minute, 5 * time.Second
	// calm is how long nothing may have happened before that.
	calm = 20 * time.Second
	// elected makes the operator hold its lease, which is all that it may write at rest.
	elected = "--leader-elect"
)

// Rest is what the operator does and holds while nobody wants anything of it.
type Rest struct {
	// Size of the crowd.
	Size Size
	// Started is the processor time from the start of the process until it was at rest, and StartedIn how long that took.
	Started, StartedIn time.Duration
	// Lasted is how long it was watched, and Core the processor time that it used meanwhile.
	Lasted, Core time.Duration
	// Writes are those of anything but the lease, Lease those of the lease, and Reads all other requests that were answered; ends of watches are none.
	Writes, Lease, Reads int
	// Resident is the resident set at the end, in bytes, of which Private is its own: the rest is the program itself, which the system can drop.
	Resident, Private int64
}

// String is a line for people.
func (r Rest) String() string {
	return fmt.Sprintf("%d environments, %d promotions (%d wait): %s of processor time in %s (%.2f %% of a core); %d writes, %d of the lease, %d reads; %d MiB resident, %d of them private "+
		"(start: %s of processor time in %s)", r.Size.Environments, r.Size.Promotions(), r.Size.Environments*r.Size.Waiting, r.Core, r.Lasted.Round(time.Second),
		100*r.Core.Seconds()/r.Lasted.Seconds(), r.Writes, r.Lease, r.Reads, r.Resident>>20, r.Private>>20, r.Started, r.StartedIn.Round(time.Second))
}

// Rest starts the operator anew, waits until it does nothing any more, and watches it for a while. Size is that of the crowd by now.
func (c *Crowd) Rest(ctx context.Context, size Size, watched time.Duration) (Rest, error) {
	found := Rest{Size: size}
	if err := c.operator.Stop(); err != nil {
		return found, err
	}
	began := time.Now()
	if err := c.operator.Start(ctx, elected); err != nil {
		return found, err
	}
	if err := c.settle(ctx); err != nil {
		return found, err
	}
	found.StartedIn = time.Since(began) - calm
	before, err := c.operator.CoreTime()
	if err != nil {
		return found, err
	}
	found.Started = before
	log, err := c.cluster.Requests()
	if err != nil {
		return found, err
	}
	c.say("watching the operator do nothing for %s", watched)
	since := time.Now()
	select {
	case <-time.After(watched):
	case <-ctx.Done():
		return found, ctx.Err()
	}
	found.Lasted = time.Since(since)
	after, err := c.operator.CoreTime()
	if err != nil {
		return found, err
	}
	found.Core = after - before
	requests, err := log.Answered(func(r cluster.Request) bool { return r.ByOperator() && r.Verb != "watch" })
	if err != nil {
		return found, err
	}
	for _, request := range requests {
		switch {
		case request.ObjectRef.Resource == "leases":
			found.Lease++
		case request.Changes():
			found.Writes++
		default:
			found.Reads++
		}
	}
	found.Resident, found.Private, err = c.operator.Memories()
	return found, err
}

// settle waits until the operator has asked the API server for nothing but its lease for a while.
func (c *Crowd) settle(ctx context.Context) error {
	last, since, told := 0, time.Now(), time.Now()
	log, err := c.cluster.Requests()
	if err != nil {
		return err
	}
	pause := time.NewTicker(2 * time.Second)
	defer pause.Stop()
	for time.Since(since) < calm {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		next, err := c.cluster.Requests()
		if err != nil {
			return err
		}
		more, err := log.Answered(func(r cluster.Request) bool {
			return r.ByOperator() && r.Verb != "watch" && r.ObjectRef.Resource != "leases"
		})
		if err != nil {
			return err
		}
		if log = next; len(more) > 0 {
			last, since = last+len(more), time.Now()
		}
		if time.Since(told) > 10*time.Second {
			c.say("waiting until the operator is at rest: %d requests so far, none for %s", last, time.Since(since).Round(time.Second))
			told = time.Now()
		}
	}
	return nil
}
