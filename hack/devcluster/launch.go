// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// grace is how long a component may take to end by itself. Nothing is lost if it is killed.
const grace = 2 * time.Second

// endedError says that a component ended although nobody had asked it to.
type endedError struct {
	component string
	state     string
}

func (e *endedError) Error() string { return fmt.Sprintf("%s ended: %s", e.component, e.state) }

// launch starts the components of one cluster, and knows when one ends.
type launch struct {
	dir       directory
	processes []process
	// broken is closed when a component ends; the first that does is then in first.
	broken chan struct{}
	once   sync.Once
	first  *endedError
}

func newLaunch(d directory) *launch {
	return &launch{dir: d, broken: make(chan struct{})}
}

// start starts a component in a session of its own, so that neither the end of this program nor Ctrl-C in its terminal
// reaches it, and records it before anything else is started.
func (l *launch) start(c component) error {
	log, err := l.dir.openLog(c.name)
	if err != nil {
		return fmt.Errorf("creating the log of %s: %w", c.name, err)
	}
	defer func() { _ = log.Close() }() // the component has it open by itself
	command := exec.Command(l.dir.binary(c.name), c.arguments...)
	command.Dir = string(l.dir)
	command.Stdout, command.Stderr = log, log
	// No variable of the caller's can change what a component does.
	command.Env = []string{"HOME=" + string(l.dir), "PATH=" + os.Getenv("PATH")}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	birth, err := birthOf(command.Process.Pid)
	if err == nil {
		l.processes = append(l.processes, process{Name: c.name, PID: command.Process.Pid, Birth: birth, Arguments: c.arguments})
		err = writeProcesses(l.dir.processes(), l.processes)
	}
	if err != nil {
		err = errors.Join(err, command.Process.Kill())
	}
	go func() {
		_ = command.Wait() // that it failed is in its state
		l.once.Do(func() {
			l.first = &endedError{c.name, command.ProcessState.String()}
			close(l.broken)
		})
	}()
	if err != nil {
		return fmt.Errorf("recording %s: %w", c.name, err)
	}
	return nil
}

// await waits until probe succeeds. It gives up when startPatience runs out, a component ends or ctx does, and then says what the
// last obstacle was.
func (l *launch) await(ctx context.Context, what string, probe func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	go func() {
		// A probe may hang: whoever took the port of a component that has ended need not answer.
		select {
		case <-l.broken:
			cancel()
		case <-limited.Done():
		}
	}()
	var obstacle error
	if poll(limited, 50*time.Millisecond, func() bool { obstacle = probe(limited); return obstacle == nil }) {
		return nil
	}
	if failure := l.failure(); failure != nil {
		return fmt.Errorf("waiting for %s: %w", what, failure)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
	}
	return fmt.Errorf("waiting for %s: not within %s: %w", what, startPatience, obstacle)
}

// failure says which component ended first, and what it said last; nil if all still run.
func (l *launch) failure() error {
	select {
	case <-l.broken:
	default:
		return nil
	}
	path := l.dir.log(l.first.component)
	log, err := os.ReadFile(path)
	if err != nil {
		return errors.Join(l.first, err)
	}
	var cause error = l.first
	if strings.Contains(string(log), "address already in use") {
		cause = fmt.Errorf("%w: %w", errPortTaken, cause)
	}
	return fmt.Errorf("%w\nThe end of %s:\n%s", cause, path, tail(string(log), 20))
}

// stop ends every component that was started.
func (l *launch) stop(ctx context.Context) error {
	return stop(ctx, l.processes, grace)
}

// tail returns the last lines of a log.
func tail(log string, lines int) string {
	all := strings.Split(strings.TrimRight(log, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
