// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/cluster"
)

// Burst is what came of a promotion to every Environment, all approved as fast as somebody can.
type Burst struct {
	Promotions int
	// Approving is how long the approvals took, Makespan how long it was from the first of them until the last promotion had succeeded.
	Approving, Makespan time.Duration
	// Median and P99 of the promotions' own times: from the answer to the approval until the promotion had succeeded.
	Median, P99 time.Duration
	// Core is the processor time that the operator, or the floor, has used for it, and Server the API server's.
	Core, Server time.Duration
	// Requests of each kind, for each promotion.
	Requests map[string]float64
}

// String is a paragraph for people.
func (b Burst) String() string {
	var kinds strings.Builder
	for _, kind := range slices.SortedFunc(maps.Keys(b.Requests), func(a, c string) int { return int(1000 * (b.Requests[c] - b.Requests[a])) }) {
		if b.Requests[kind] >= 0.05 {
			fmt.Fprintf(&kinds, "\n           %6.2f %s", b.Requests[kind], kind)
		}
	}
	return fmt.Sprintf("%d promotions: %s from the first approval until all had succeeded (approving took %s); each %s at the median and %s at the 99th percentile; "+
		"%s of processor time, and %s of the API server's; requests for each:%s", b.Promotions, b.Makespan.Round(time.Millisecond), b.Approving.Round(time.Millisecond),
		b.Median.Round(time.Millisecond), b.P99.Round(time.Millisecond), b.Core, b.Server, kinds.String())
}

// Burst has the Promotions of a version, which wait, rolled out by the operator, and measures it. The operator is at rest before and afterwards.
func (c *Crowd) Burst(ctx context.Context, version string, waiting []*v1alpha1.Promotion) (Burst, error) {
	before, err := c.operator.CoreTime()
	if err != nil {
		return Burst{}, err
	}
	found, err := c.burst(ctx, waiting, func(ctx context.Context) error { return c.await(ctx, version, v1alpha1.ReasonSucceeded, len(waiting)) })
	if err != nil {
		return found, err
	}
	after, err := c.operator.CoreTime()
	found.Core = after - before
	return found, errors.Join(err, c.settle(ctx))
}

// BurstOfFloor is the same, done by the floor as a process of its own: this program with FloorCommand and the path of its work. What the operator has rolled
// out to the first Environment is the model.
func (c *Crowd) BurstOfFloor(ctx context.Context, version string, waiting []*v1alpha1.Promotion) (Burst, error) {
	if err := c.operator.Stop(); err != nil {
		return Burst{}, err
	}
	c.say("encoding the floor's writes")
	rollouts, err := c.workOf(ctx, waiting)
	if err != nil {
		return Burst{}, err
	}
	work := Floor{Kubeconfig: filepath.Join(c.scene.Dir, "kubeconfig"), Rollouts: rollouts}
	content, err := json.Marshal(work)
	if err != nil {
		return Burst{}, fmt.Errorf("encoding the floor's work: %w", err)
	}
	path := filepath.Join(c.scene.Dir, "floor.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return Burst{}, fmt.Errorf("encoding the floor's work: %w", err)
	}
	floor := exec.CommandContext(ctx, os.Args[0], FloorCommand, path)
	floor.Stderr = os.Stderr
	told, err := floor.StdoutPipe()
	if err != nil {
		return Burst{}, err
	}
	if err := floor.Start(); err != nil {
		return Burst{}, fmt.Errorf("starting the floor: %w", err)
	}
	if line, err := bufio.NewReader(told).ReadString('\n'); strings.TrimSpace(line) != FloorReady {
		return Burst{}, fmt.Errorf("the floor does not watch: %w", errors.Join(err, floor.Wait()))
	}
	started := processorTime(floor.Process.Pid)
	found, err := c.burst(ctx, waiting, func(context.Context) error {
		_, _ = io.Copy(io.Discard, told)
		return floor.Wait()
	})
	if err != nil {
		return found, err
	}
	if usage, is := floor.ProcessState.SysUsage().(*syscall.Rusage); is {
		found.Core = time.Duration(usage.Utime.Nano()+usage.Stime.Nano()) - started
	}
	if err := c.operator.Start(ctx); err != nil {
		return found, err
	}
	return found, errors.Join(c.await(ctx, version, v1alpha1.ReasonSucceeded, len(waiting)), c.settle(ctx))
}

// burst approves, and reads from the API server's audit log what came of it.
func (c *Crowd) burst(ctx context.Context, waiting []*v1alpha1.Promotion, done func(context.Context) error) (Burst, error) {
	found := Burst{Promotions: len(waiting), Requests: map[string]float64{}}
	log, err := c.cluster.Requests()
	if err != nil {
		return found, err
	}
	server, err := c.server()
	if err != nil {
		return found, err
	}
	began, before := time.Now(), processorTime(server)
	ended := make(chan error, 1)
	go func() { ended <- done(ctx) }()
	err = c.each(ctx, "approving", len(waiting), func(ctx context.Context, i int) error { return c.approve(ctx, waiting[i]) })
	if found.Approving = time.Since(began); err != nil {
		return found, err
	}
	if err := <-ended; err != nil {
		return found, err
	}
	found.Server = processorTime(server) - before
	if err := written(ctx); err != nil {
		return found, err
	}
	return found, found.read(log)
}

// read what the API server has answered.
func (b *Burst) read(log *cluster.RequestLog) error {
	approvedAt, endedAt := map[string]time.Time{}, map[string]time.Time{}
	var first, last time.Time
	_, err := log.Answered(func(r cluster.Request) bool {
		name := r.ObjectRef.Namespace + "/" + r.ObjectRef.Name
		switch {
		case r.User.Username == cluster.Alice && r.ObjectRef.Resource == "promotions" && r.Verb == "patch":
			approvedAt[name] = r.Done
			if first.IsZero() || r.Received.Before(first) {
				first = r.Received
			}
		case r.ByOperator() && r.Verb != "watch" && r.ObjectRef.Resource != "leases":
			b.Requests[kindOf(r)]++
			if r.ObjectRef.Resource == "promotions" && r.ObjectRef.Subresource == "status" && r.Granted() {
				endedAt[name] = r.Done
				if r.Done.After(last) {
					last = r.Done
				}
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	var each []float64
	for name, approved := range approvedAt {
		each = append(each, endedAt[name].Sub(approved).Seconds())
	}
	for kind := range b.Requests {
		b.Requests[kind] /= float64(b.Promotions)
	}
	b.Makespan = last.Sub(first)
	b.Median = time.Duration(measure.Quantile(each, 0.5) * float64(time.Second))
	b.P99 = time.Duration(measure.Quantile(each, 0.99) * float64(time.Second))
	return nil
}

// kindOf a request, to count it by.
func kindOf(r cluster.Request) string {
	kind := r.Verb + " " + r.ObjectRef.Resource
	if r.ObjectRef.Subresource != "" {
		kind += "/" + r.ObjectRef.Subresource
	}
	if r.ImpersonatedUser.Username != "" {
		kind += " as deployer"
	}
	if r.Verb == "patch" && !r.Changes() {
		kind += ", dry run"
	}
	if !r.Granted() {
		kind += fmt.Sprintf(" -> %d", r.ResponseStatus.Code)
	}
	return kind
}
