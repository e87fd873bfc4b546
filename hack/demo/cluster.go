// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// What the launcher of the local cluster prints when the cluster is ready, and when another has it.
const (
	saysReady   = "The cluster is ready"
	saysRunning = "the cluster runs already"
)

// startCluster builds the local cluster's programs unless they are there, and starts the cluster. The launcher stays in the foreground as our
// child; the cluster ends with it.
func (d *demo) startCluster(ctx context.Context, fail context.CancelCauseFunc) error {
	launcher := filepath.Join(d.root, ".build", "devcluster")
	if _, err := d.execute(ctx, "", "go", "-C", filepath.Join("hack", "devcluster"), "build", "-o", launcher, "."); err != nil {
		return fmt.Errorf("building the launcher of the local cluster: %w", err)
	}
	d.progress("Building the cluster's programs from source, unless they are cached (the first time: about 12 minutes)")
	if err := d.follow(d.command(ctx, launcher, "build", "--dir", d.dir)); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("building the local cluster: %w: the output above says why; `make cluster-build` tries again", err)
	}
	d.progress("Starting the cluster: etcd, API server, controllers, scheduler, and nodes whose pods become ready without running")
	output := newLauncherOutput(d.narrator)
	command := exec.Command(launcher, "run", "--dir", d.dir)
	command.Dir = d.root
	cluster, err := start("local cluster", command, output)
	if err != nil {
		return err
	}
	d.onStop(func() error { return cluster.stop(stopGrace) })
	select {
	case <-output.ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-cluster.ended:
		d.stops = nil // there is nothing to stop, and what runs here may be somebody else's
		return d.clusterFailure(output.text())
	}
	go func() {
		<-cluster.ended
		fail(fmt.Errorf("the local cluster ended while the demo needed it; its last words:\n%s\nIts logs are in %s", tail(output.text(), tailLines),
			filepath.Join(d.shown, "logs")))
	}()
	return nil
}

// follow runs a program to its end and shows what it prints, indented.
func (d *demo) follow(command *exec.Cmd) error {
	output := newLauncherOutput(d.narrator)
	command.Stdout, command.Stderr = output, output
	return command.Run()
}

func (d *demo) clusterFailure(output string) error {
	if strings.Contains(output, saysRunning) {
		return fmt.Errorf("a local cluster runs already in %s, from `make cluster-up` or another demo, and this demo wants to start from nothing.\n"+
			"Stop it with `make cluster-down` (which removes its data), or give the demo a directory of its own: `make demo DEVCLUSTER=.build/demo-cluster`", d.shown)
	}
	return errors.New("the local cluster did not start; the output above says why, and its logs are in " + filepath.Join(d.shown, "logs"))
}

// launcherOutput shows what the launcher prints until the cluster is ready, and keeps all of it.
type launcherOutput struct {
	narrator *narrator
	ready    chan struct{}

	mu      sync.Mutex
	all     bytes.Buffer
	partial []byte
	isReady bool
}

func newLauncherOutput(n *narrator) *launcherOutput {
	return &launcherOutput{narrator: n, ready: make(chan struct{})}
}

// Write takes whatever part of the output comes next.
func (o *launcherOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all.Write(p)
	o.partial = append(o.partial, p...)
	for {
		line, rest, found := bytes.Cut(o.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		o.line(string(line))
		o.partial = rest
	}
}

func (o *launcherOutput) line(text string) {
	if o.isReady || strings.Contains(text, saysRunning) {
		return
	}
	o.narrator.say("          %s", text)
	if strings.HasPrefix(text, saysReady) {
		o.isReady = true
		close(o.ready)
	}
}

func (o *launcherOutput) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}
