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
	// watch ends when a component does; its cause is then an endedError.
	watch context.Context
	end   context.CancelCauseFunc
}

func newLaunch(ctx context.Context, d directory) *launch {
	watch, end := context.WithCancelCause(ctx)
	return &launch{dir: d, watch: watch, end: end}
}

// start starts a component in a session of its own, so that neither the end of this program nor Ctrl-C in its terminal
// reaches it, and records it before anything else is started.
func (l *launch) start(c component) error {
	log, err := os.Create(l.dir.log(c.name))
	if err != nil {
		return fmt.Errorf("creating the log of %s: %w", c.name, err)
	}
	defer log.Close()
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
		l.processes = append(l.processes, process{Name: c.name, PID: command.Process.Pid, Birth: birth})
		err = writeProcesses(l.dir.processes(), l.processes)
	}
	if err != nil {
		command.Process.Kill()
	}
	go func() {
		command.Wait()
		l.end(&endedError{c.name, command.ProcessState.String()})
	}()
	if err != nil {
		return fmt.Errorf("recording %s: %w", c.name, err)
	}
	return nil
}

// await waits until probe succeeds. It gives up when patience runs out, a component ends or the context does, and then
// says what the last obstacle was.
func (l *launch) await(what string, patience time.Duration, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(l.watch, patience)
	defer cancel()
	var obstacle error
	if poll(ctx, 50*time.Millisecond, func() bool { obstacle = probe(ctx); return obstacle == nil }) {
		return nil
	}
	if cause := context.Cause(l.watch); cause != nil {
		return fmt.Errorf("waiting for %s: %w", what, l.explain(cause))
	}
	return fmt.Errorf("waiting for %s: not within %s: %w", what, patience, obstacle)
}

// explain adds to the end of a component what the component said last.
func (l *launch) explain(cause error) error {
	var ended *endedError
	if !errors.As(cause, &ended) {
		return cause
	}
	path := l.dir.log(ended.component)
	content, err := os.ReadFile(path)
	if err != nil {
		return errors.Join(cause, err)
	}
	if strings.Contains(string(content), "address already in use") {
		cause = fmt.Errorf("%w: %w", errPortTaken, cause)
	}
	return fmt.Errorf("%w\nThe end of %s:\n%s", cause, path, tail(string(content), 20))
}

// stop ends every component that was started.
func (l *launch) stop() error {
	return stop(l.processes, grace)
}

// tail returns the last lines of a log.
func tail(log string, lines int) string {
	all := strings.Split(strings.TrimRight(log, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
