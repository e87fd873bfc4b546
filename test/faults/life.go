// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/assent-dev/assent/controllers"
)

const (
	// The lease is as short as it can be without being lost on a busy machine.
	leaseDuration, renewDeadline, retryPeriod = 6 * time.Second, 5 * time.Second, 500 * time.Millisecond
	// mostProcesses is how many processes of the operator one run may need; more, and it dies by itself again and again.
	mostProcesses = 12
	// ending is how long a process may take to end in good order.
	ending = 5 * time.Second
)

// keeper runs the operator in one project: when a process has ended, by a fault or by itself, it starts the next, as a Deployment does.
type keeper struct {
	world   *World
	project string
	trial   *trial
	streams *streams
	clock   clock.WithDelayedExecution
	// unelected lets every process work at once.
	unelected bool
	log       lines

	mu        sync.Mutex
	processes []*process
	listeners []func(by *process, name string)
	running   sync.WaitGroup
	closed    bool
	trouble   error
}

// start another process.
func (k *keeper) start(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	if len(k.processes) == mostProcesses {
		k.trouble = errors.Join(k.trouble, fmt.Errorf("the operator was started %d times and always ended: %s", mostProcesses, k.log.tail()))
		return
	}
	number := len(k.processes) + 1
	p := newProcess(k.trial, k.world.names, k.streams, k.told)
	k.processes = append(k.processes, p)
	k.running.Add(1)
	go func() {
		defer k.running.Done()
		if err := k.live(ctx, p, number); err != nil && ctx.Err() == nil {
			fmt.Fprintf(&k.log, "process %d has ended: %v\n", number, err)
			k.start(ctx) // under k.running: stop waits for it
		}
	}()
}

// live is the life of one process.
func (k *keeper) live(ctx context.Context, p *process, number int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.death, cancel)() //nolint:contextcheck // the process may die before what has started it ends
	defer p.die()                              // whatever is left of it is not the operator any more
	mgr, remove, err := k.manager(ctx, p, number)
	if err != nil {
		return err
	}
	defer remove()
	if err := controllers.Run(ctx, mgr); err != nil {
		return err
	}
	if p.dead.Load() {
		return errDead
	}
	return nil
}

// manager with everything that a process of its own has: caches, connections, a folder for what it fetches.
func (k *keeper) manager(ctx context.Context, p *process, number int) (ctrl.Manager, func(), error) {
	connection, err := k.world.connection(ctx)
	if err != nil {
		return nil, nil, err
	}
	folder, err := os.MkdirTemp("", "assent-faults-")
	if err != nil {
		return nil, nil, fmt.Errorf("making a folder for fetched artifacts: %w", err)
	}
	remove := func() { _ = os.RemoveAll(folder) } // what stays is in the temporary folder
	options := controllers.Options{
		LeaderElect: !k.unelected, LeaderElectionNamespace: k.project, MetricsAddress: "0", ProbeAddress: "0",
		CacheDir: folder, Concurrency: 16, LogFormat: "json", LogLevel: "info",
	}
	if err := options.Validate(); err != nil {
		remove()
		return nil, nil, err
	}
	with := controllers.ManagerOptions(options)
	with.Cache.DefaultNamespaces = map[string]cache.Config{k.project: {}}
	with.Controller.SkipNameValidation = ptr.To(true) // each process of this one has the same controllers
	with.LeaseDuration, with.RenewDeadline, with.RetryPeriod = ptr.To(leaseDuration), ptr.To(renewDeadline), ptr.To(retryPeriod)
	with.GracefulShutdownTimeout = ptr.To(ending)
	with.Logger = logr.FromSlogHandler(slog.NewTextHandler(&k.log, nil).WithAttrs([]slog.Attr{slog.Int("process", number)}))
	mgr, err := ctrl.NewManager(p.wrap(connection), with)
	if err != nil {
		remove()
		return nil, nil, fmt.Errorf("setting up the manager: %w", err)
	}
	if err := controllers.Setup(mgr, options, k.clock, io.Discard); err != nil { //nolint:contextcheck // as the operator's main does
		remove()
		return nil, nil, err
	}
	return mgr, remove, nil
}

// listen to every write that is swept, before it is sent.
func (k *keeper) listen(listener func(by *process, name string)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listeners = append(k.listeners, listener)
}

func (k *keeper) told(by *process, name string) {
	k.mu.Lock()
	listeners := slices.Clone(k.listeners)
	k.mu.Unlock()
	for _, listener := range listeners {
		listener(by, name)
	}
}

// started is how many processes there were.
func (k *keeper) started() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.processes)
}

// close ends what still runs, and starts nothing any more. The processes die: that they could end in good order is not what is looked at.
func (k *keeper) close() error {
	k.mu.Lock()
	k.closed = true
	for _, p := range k.processes {
		p.die()
	}
	trouble := k.trouble
	k.mu.Unlock()
	k.running.Wait()
	return trouble
}

// lines is a log in memory.
type lines struct {
	mu      sync.Mutex
	content bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.content.Write(line)
}

// tail is the end of the log.
func (l *lines) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 6000
	content := l.content.Bytes()
	return string(bytes.ToValidUTF8(content[max(0, len(content)-most):], nil))
}
