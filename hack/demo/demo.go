// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// demo is one run.
type demo struct {
	*narrator
	mode mode
	// root is the repository, in which all commands run.
	root string
	// dir is the cluster's directory, as an absolute path; shown is how commands name it.
	dir, shown string
	// stops are what ends the things that were started; the last comes first.
	stops []func() error
	// dashboard is its address.
	dashboard string
}

func newDemo(dir string, wanted mode, out *os.File) (*demo, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("finding the repository: %w", err)
	}
	if _, err := os.Stat(filepath.Join(root, "config", "samples")); err != nil {
		return nil, fmt.Errorf("run this in the repository's root folder, with `make demo`: %w", err)
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the directory %q: %w", dir, err)
	}
	shown := absolute
	if relative, err := filepath.Rel(root, absolute); err == nil && filepath.IsLocal(relative) {
		shown = relative
	}
	return &demo{narrator: newNarrator(out), mode: wanted, root: root, dir: absolute, shown: shown}, nil
}

// path names a file of the cluster.
func (d *demo) path(elements ...string) string {
	return filepath.Join(append([]string{d.dir}, elements...)...)
}

// onStop remembers how to end something that was started.
func (d *demo) onStop(stop func() error) {
	d.stops = append(d.stops, stop)
}

// run prepares everything, tells the story, and ends everything.
func (d *demo) run(ctx context.Context) (err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	d.say("%sAssent: people decide what runs in production, and Kubernetes holds everybody to it.%s", d.bold, d.plain)
	d.say("This starts a Kubernetes cluster of its own in %s and removes it at the end.\n", d.shown)
	defer func() { err = errors.Join(err, d.stop()) }()
	releases, err := d.prepare(ctx, fail)
	if err != nil {
		return err
	}
	story := d.story(releases)
	if d.mode == automatically {
		return d.play(ctx, story)
	}
	d.show(story)
	if err := d.showDashboard(); err != nil {
		return err
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// prepare brings everything to where the story begins. It calls fail when something ends later that has to run.
func (d *demo) prepare(ctx context.Context, fail context.CancelCauseFunc) ([]release, error) {
	if err := d.startCluster(ctx, fail); err != nil {
		return nil, err
	}
	if err := d.install(ctx); err != nil {
		return nil, err
	}
	if err := d.startOperator(ctx, fail); err != nil {
		return nil, err
	}
	if err := d.startDashboard(ctx, fail); err != nil {
		return nil, err
	}
	releases, err := d.publish(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.createProject(ctx, releases); err != nil {
		return nil, d.withOperatorLog(err)
	}
	if err := d.promoteToDev(ctx); err != nil {
		return nil, d.withOperatorLog(err)
	}
	d.progress("Ready.")
	return releases, nil
}

// stop ends whatever was started, the last first.
func (d *demo) stop() error {
	if len(d.stops) == 0 {
		return nil
	}
	d.say("")
	d.progress("Stopping everything")
	var failed []error
	for i := len(d.stops) - 1; i >= 0; i-- {
		failed = append(failed, d.stops[i]())
	}
	err := errors.Join(failed...)
	if err != nil {
		d.progress("Not everything could be stopped: %v", err)
		return err
	}
	d.progress("Everything is stopped. Logs are in %s.", filepath.Join(d.shown, "logs"))
	return nil
}

// withOperatorLog adds the end of the operator's log to an error.
func (d *demo) withOperatorLog(err error) error {
	log, readErr := os.ReadFile(d.operatorLog())
	if readErr != nil || len(strings.TrimSpace(string(log))) == 0 || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w\nThe end of the operator's log, %s:\n%s", err, filepath.Join(d.shown, "logs", "operator.log"), tail(string(log), tailLines))
}

// stopGrace is how long the operator, and the cluster with all its components, may take to end.
const stopGrace = 45 * time.Second
