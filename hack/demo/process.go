// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tailLines is how much of a log is shown when something goes wrong.
const tailLines = 20

// process is a program that runs until it is stopped.
type process struct {
	name    string
	command *exec.Cmd
	ended   chan struct{}
}

// start starts a program in a process group of its own: Ctrl-C reaches the demo alone, which ends the programs in order.
func start(name string, command *exec.Cmd, output io.Writer) (*process, error) {
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", name, err)
	}
	p := &process{name: name, command: command, ended: make(chan struct{})}
	go func() {
		_ = command.Wait() // that it failed is in its state
		close(p.ended)
	}()
	return p, nil
}

// hasEnded says whether the program has ended.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop asks the program to end, and kills it if it has not ended after grace.
func (p *process) stop(grace time.Duration) error {
	if p.hasEnded() {
		return nil
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping the %s: %w", p.name, err)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
		return nil
	case <-timer.C:
	}
	err := p.command.Process.Kill()
	<-p.ended
	return errors.Join(fmt.Errorf("the %s did not end within %s and was killed", p.name, grace), err)
}

// command prepares a program that runs in the repository. Cancelling ctx ends it, and whatever it has started.
func (d *demo) command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = d.root
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = 5 * time.Second
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "KUBECONFIG="+d.path("kubeconfig"), "KUBECTL="+d.path("bin", "kubectl"))
	return command
}

// execute runs a program to its end and returns what it printed. An error holds the end of that.
func (d *demo) execute(ctx context.Context, input, name string, arguments ...string) (string, error) {
	command := d.command(ctx, name, arguments...)
	command.Stdin = strings.NewReader(input)
	output, err := command.CombinedOutput()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return string(output), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(arguments, " "), err, tail(string(output), tailLines))
	}
	return string(output), nil
}

// kubectl runs the cluster's own kubectl as the administrator.
func (d *demo) kubectl(ctx context.Context, input string, arguments ...string) (string, error) {
	return d.execute(ctx, input, d.path("bin", "kubectl"), arguments...)
}

// await tries until attempt succeeds, and returns its last error when the time is up.
func await(ctx context.Context, limit time.Duration, attempt func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := attempt(limited)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limited.Done():
			return fmt.Errorf("not within %s: %w", limit, err)
		case <-ticker.C:
		}
	}
}
