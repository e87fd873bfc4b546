// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newTestDemo is a demo in an empty folder.
func newTestDemo(t *testing.T) *demo {
	t.Helper()
	root := t.TempDir()
	return &demo{
		narrator: &narrator{out: io.Discard, began: time.Now()},
		mode:     automatically,
		root:     root,
		dir:      filepath.Join(root, ".devcluster"),
		shown:    ".devcluster",
	}
}

func newCancel(t *testing.T) (context.Context, context.CancelCauseFunc) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return ctx, cancel
}

// writerFunc is a writer made of a function.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWhatWasStartedLastIsStoppedFirst(t *testing.T) {
	d := newTestDemo(t)
	var order []string
	for _, name := range []string{"cluster", "operator", "registry"} {
		d.onStop(func() error { order = append(order, name); return nil })
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	if len(order) != 3 || order[0] != "registry" || order[2] != "cluster" {
		t.Errorf("stopped in the order %v", order)
	}
}

func TestAnUnknownModeIsRefusedWithWhatIsAllowed(t *testing.T) {
	for value, want := range map[string]mode{"": byHand, "auto": automatically} {
		if got, err := parseMode(value); err != nil || got != want {
			t.Errorf("DEMO=%s is %q, %v", value, got, err)
		}
	}
	if _, err := parseMode("yes"); err == nil || !strings.Contains(err.Error(), `"auto"`) {
		t.Errorf("DEMO=yes: %v", err)
	}
}
