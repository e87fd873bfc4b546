// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// startPatience is how long each step of a start may take, on a machine that is busy with other things.
const startPatience = 2 * time.Minute

// cluster is one control plane with all that belongs to it.
type cluster struct {
	dir    directory
	out    io.Writer
	issuer issuer
}

func newCluster(dir string, out io.Writer) (*cluster, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the directory %q: %w", dir, err)
	}
	return &cluster{dir: directory(absolute), out: out}, nil
}

// up starts the cluster, unless it runs, and returns when it is ready.
func (c *cluster) up(ctx context.Context) error {
	_, err := c.ensure(ctx)
	return err
}

// run starts the cluster and stops it when ctx ends or one of its components does.
func (c *cluster) run(ctx context.Context) error {
	started, err := c.ensure(ctx)
	if err != nil {
		return err
	}
	if started == nil {
		return errors.New("the cluster runs already: stop it with `down` to run it here")
	}
	c.say("Press Ctrl-C to stop the cluster.")
	select {
	case <-ctx.Done():
	case <-started.broken:
	}
	failure := started.failure()
	// Taken also to let a `down` finish that was called elsewhere, and is why the components end.
	release, err := c.lock(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer release()
	if !exists(c.dir.processes()) {
		c.say("The cluster was stopped by `down`.")
		return nil
	}
	c.say("Stopping the cluster.")
	return errors.Join(failure, started.stop(ctx), c.dir.removeData())
}

// down stops the cluster, whatever is left of it, and removes its data.
func (c *cluster) down(ctx context.Context) error {
	if !exists(string(c.dir)) {
		c.say("There is no cluster in %s.", c.dir)
		return nil
	}
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	processes, err := readProcesses(c.dir.processes())
	if err != nil {
		return err
	}
	if err := c.discard(ctx, processes); err != nil {
		return err
	}
	if len(processes) == 0 {
		c.say("No cluster was running in %s.", c.dir)
		return nil
	}
	c.say("The cluster in %s is stopped.", c.dir)
	return nil
}

// ensure starts the cluster unless it runs. The launch is nil if it ran already.
func (c *cluster) ensure(ctx context.Context) (*launch, error) {
	programs, err := build(ctx, c.out)
	if err != nil {
		return nil, err
	}
	release, err := c.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	processes, err := readProcesses(c.dir.processes())
	if err != nil {
		return nil, err
	}
	if exists(c.dir.ready()) && allAlive(processes) {
		if !c.issuer.trustedBy(c.dir, processes) {
			return nil, fmt.Errorf("the cluster in %s runs already, and does not trust the issuer %q: stop it with `down` first", c.dir, c.issuer.url)
		}
		c.say("The cluster in %s runs already.", c.dir)
		return nil, nil
	}
	if len(processes) > 0 {
		c.say("What runs of the cluster in %s is not complete; starting anew.", c.dir)
	}
	if err := c.discard(ctx, processes); err != nil {
		return nil, err
	}
	first, err := chooseAddresses()
	if err != nil {
		return nil, err
	}
	second, err := chooseAddresses()
	if err != nil {
		return nil, err
	}
	return c.start(ctx, programs, first, second)
}

// start starts a fresh cluster at the first of the candidates, and at the next one only if a port of it is taken.
func (c *cluster) start(ctx context.Context, programs binaries, candidates ...addresses) (*launch, error) {
	began := time.Now()
	var started *launch
	err := errPortTaken
	for attempt, at := range candidates {
		if attempt > 0 {
			c.say("A port was taken meanwhile; starting again with others.")
		}
		if started, err = c.startAt(ctx, programs, at); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	c.say("The cluster is ready after %.1f seconds.", time.Since(began).Seconds())
	c.say("  export KUBECONFIG=%s", c.dir.kubeconfig())
	c.say("  users: %s", c.dir.path("users", "*.kubeconfig"))
	c.say("  kubectl: %s", c.dir.binary("kubectl"))
	return started, nil
}

// startAt either starts the whole cluster or leaves nothing of it running.
func (c *cluster) startAt(ctx context.Context, programs binaries, at addresses) (*launch, error) {
	if err := errors.Join(c.dir.removeData(), c.dir.removeLogs()); err != nil {
		return nil, err
	}
	if err := errors.Join(configure(c.dir, at, programs), c.issuer.configure(c.dir)); err != nil {
		return nil, errors.Join(err, c.dir.removeData())
	}
	started := newLaunch(c.dir)
	if err := c.startComponents(ctx, started, at); err != nil {
		return nil, errors.Join(err, started.stop(ctx), c.dir.removeData())
	}
	return started, nil
}

// startComponents starts each component as soon as what it needs is there.
func (c *cluster) startComponents(ctx context.Context, l *launch, at addresses) error {
	api, err := newClient(c.dir, at.apiServer())
	if err != nil {
		return err
	}
	c.say("Starting etcd and the API server; waiting for %s/readyz.", at.apiServer())
	if err := errors.Join(l.start(etcd(c.dir, at)), l.start(apiServer(c.dir, at, c.issuer))); err != nil {
		return err
	}
	if err := l.await(ctx, "the API server", api.ready); err != nil {
		return err
	}
	c.say("Starting the controllers, the scheduler and kwok; waiting for nodes and service accounts.")
	if err := errors.Join(l.start(controllerManager(c.dir)), l.start(scheduler(c.dir)), l.start(kwok(c.dir))); err != nil {
		return err
	}
	if err := api.createNodes(ctx); err != nil {
		return err
	}
	if err := l.await(ctx, "the nodes", api.nodesReady); err != nil {
		return err
	}
	if err := l.await(ctx, "the service account of the namespace `default`", api.serviceAccountReady); err != nil {
		return err
	}
	return os.WriteFile(c.dir.ready(), nil, 0o600)
}

// discard ends the processes and removes the data of a cluster.
func (c *cluster) discard(ctx context.Context, processes []process) error {
	return errors.Join(stop(ctx, processes, grace), c.dir.removeData())
}

// lock keeps two calls for the same cluster apart.
func (c *cluster) lock(ctx context.Context) (release func(), err error) {
	if err := os.MkdirAll(string(c.dir), 0o750); err != nil {
		return nil, fmt.Errorf("creating the cluster's directory: %w", err)
	}
	return lock(ctx, c.dir.lock(), func() {
		c.say("Another devcluster is busy with %s; waiting for it.", c.dir)
	})
}

// allAlive says whether none of the processes has ended.
func allAlive(processes []process) bool {
	return !slices.ContainsFunc(processes, func(p process) bool { return !p.alive() })
}

func (c *cluster) say(format string, arguments ...any) {
	fmt.Fprintf(c.out, format+"\n", arguments...)
}
