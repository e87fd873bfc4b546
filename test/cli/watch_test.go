// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/assent-dev/assent/internal/cli"
	"github.com/assent-dev/assent/test/cluster"
)

// person runs commands as one user, in a project of their own.
type person struct {
	t                   *testing.T
	project, kubeconfig string
}

// people of a new project.
func people(ctx context.Context, t *testing.T, connected *cluster.Cluster) func(user string) person {
	t.Helper()
	project, err := newProject(ctx, connected)
	must(t, err)
	dir := t.TempDir()
	must(t, writeKubeconfigs(connected, dir, project))
	return func(user string) person {
		return person{t, project, "--kubeconfig=" + filepath.Join(dir, user+".kubeconfig")}
	}
}

// does a command, which must succeed.
func (p person) does(ctx context.Context, arguments ...string) {
	p.t.Helper()
	var said heard
	streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &said, ErrOut: &said}
	if code := cli.Run(ctx, streams, append(arguments, p.kubeconfig)); code != 0 {
		p.t.Fatalf("%q has ended with %d: %s", arguments, code, said.String())
	}
}

// stays with a command; what it prints is heard, and stopping it returns its exit code.
func (p person) stays(ctx context.Context, in io.Reader, out io.Writer, arguments ...string) (stop func() int) {
	stoppable, cancel := context.WithCancel(ctx)
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(stoppable, genericiooptions.IOStreams{In: in, Out: out, ErrOut: out}, append(arguments, p.kubeconfig))
	}()
	return func() int {
		cancel()
		return <-ended
	}
}

func (h *heard) waitFor(ctx context.Context, t *testing.T, pattern string) {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	if err := poll(ctx, func(context.Context) (bool, error) { return wanted.MatchString(h.String()), nil }); err != nil {
		t.Fatalf("what matches %q never came: %q", pattern, h.String())
	}
}

// recorded is a pseudo-terminal of 100 columns and some rows, and everything that was drawn on it.
func recorded(t *testing.T, rows uint16) (keys, screen *os.File, drawn *heard) {
	t.Helper()
	keys, screen = openTerminal(t)
	must(t, unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: 100}))
	drawn = &heard{}
	go func() { _, _ = io.Copy(drawn, keys) }()
	return keys, screen, drawn
}

func testWatchesWithoutATerminal(t *testing.T, connected *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	as := people(ctx, t, connected)
	var inbox, status, names heard
	stopInbox := as(cluster.Alice).stays(ctx, &bytes.Buffer{}, &inbox, "inbox", "--watch")
	stopStatus := as(cluster.Alice).stays(ctx, &bytes.Buffer{}, &status, "status", "staging", "--watch")
	stopNames := as(cluster.Alice).stays(ctx, &bytes.Buffer{}, &names, "inbox", "--watch", "-o", "name")
	inbox.waitFor(ctx, t, `^You may not list .*\n--- 2.*Z\nNothing waits for you, alice.\n$`)
	status.waitFor(ctx, t, `^--- 2.*Z\nstaging  application shop, stage staging\n└─ nothing has succeeded here yet\n$`)

	as(cluster.Bob).does(ctx, "promote", "shop-1.0.0", "--to", "staging")
	inbox.waitFor(ctx, t, `alice.\n\n--- 2.*Z\nPROJECT .*\nproject-.* +shop-1.0.0-staging +shop-1.0.0 +staging +0/1 `)
	status.waitFor(ctx, t, `\n\n--- 2.*Z\nstaging (?s:.*)shop-1.0.0-staging .*AwaitingApproval`)
	names.waitFor(ctx, t, `(?m)^promotion.assent.dev/shop-1.0.0-staging$`)

	as(cluster.Alice).does(ctx, "approve", "shop-1.0.0-staging", "--yes", "--wait")
	inbox.waitFor(ctx, t, `staging(?s:.*)\n\n--- 2.*Z\nNothing waits for you, alice.\n$`)
	status.waitFor(ctx, t, `--- 2.*Z\nstaging .*\n└─ runs shop-1.0.0 for `)
	for name, stop := range map[string]func() int{"inbox": stopInbox, "status": stopStatus, "names": stopNames} {
		if code := stop(); code != 0 {
			t.Errorf("%s has ended with %d", name, code)
		}
	}
	for _, each := range []*heard{&inbox, &status, &names} {
		if strings.Contains(each.String(), "\x1b") {
			t.Errorf("where no terminal is, it draws: %q", each.String())
		}
	}
	var refused heard
	streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &refused, ErrOut: &refused}
	if code := cli.Run(ctx, streams, []string{"status", "--watch", as(cluster.Mallory).kubeconfig}); code != 4 {
		t.Errorf("mallory ends with %d: %s", code, refused.String())
	}
}

func testWatchesOnWhenTheServerWasAway(t *testing.T, connected *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	as := people(ctx, t, connected)
	var inbox heard
	stop := as(cluster.Alice).stays(ctx, &bytes.Buffer{}, &inbox, "inbox", "--watch")
	inbox.waitFor(ctx, t, `Nothing waits for you, alice.\n$`)
	var waiting heard
	as(cluster.Bob).stays(ctx, &bytes.Buffer{}, &waiting, "promote", "shop-1.0.0", "--to", "production", "--wait")
	waiting.waitFor(ctx, t, `AwaitingApproval`)
	must(t, connected.Restart(ctx, "kube-apiserver"))
	must(t, connected.WaitForGuard(ctx))
	as(cluster.Bob).does(ctx, "promote", "shop-1.0.0", "--to", "staging")
	inbox.waitFor(ctx, t, `project-.* +shop-1.0.0-staging `)
	as(cluster.Bob).does(ctx, "cancel", "shop-1.0.0-production", "--reason", "after the restart")
	waiting.waitFor(ctx, t, `promotion "shop-1.0.0-production" has ended as Cancelled`)
	if code := stop(); code != 0 {
		t.Errorf("it ends with %d: %s", code, inbox.String())
	}
}

func testWatchesOnATerminal(t *testing.T, connected *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	as := people(ctx, t, connected)
	_, screen, drawn := recorded(t, 6)
	stop := as(cluster.Alice).stays(ctx, screen, screen, "status", "--watch")
	// It is drawn on a screen of its own, over what was there, and never cleared.
	drawn.waitFor(ctx, t, `^\x1b\[\?1049h(?s:.*)\x1b\[H.*dev.*  application shop, stage dev\x1b\[K\r\n`)
	as(cluster.Bob).does(ctx, "promote", "shop-1.0.0", "--to", "dev", "--wait")
	drawn.waitFor(ctx, t, `\x1b\[H.*dev.*  application shop, stage dev\x1b\[K\r\n[├└]─ runs .*shop-1.0.0`)
	drawn.waitFor(ctx, t, `… \d+ more lines: make the window higher, or leave --watch out\x1b\[K\x1b\[J`)
	if code := stop(); code != 0 {
		t.Errorf("it ends with %d", code)
	}
	// What was seen last stays when the screen is gone.
	drawn.waitFor(ctx, t, `\x1b\[\?1049l(?s:.*)staging.*  application shop, stage staging\r\n└─ nothing has succeeded here yet\r\n$`)
	if strings.Contains(drawn.String(), "\x1b[2J") {
		t.Error("the screen was cleared, which flickers")
	}
}

func testMatrixByWidth(t *testing.T, connected *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	as := people(ctx, t, connected)
	for columns, want := range map[uint16]string{
		100: `APPLICATION   DEV       STAGING   PRODUCTION.*\r\nshop          nothing   nothing   nothing\r\n$`,
		30:  `shop.*\r\n  dev         nothing\r\n  staging     nothing\r\n  production  nothing\r\n$`,
	} {
		_, screen, drawn := recorded(t, 24)
		must(t, unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}))
		as(cluster.Alice).stays(ctx, screen, screen, "matrix")
		drawn.waitFor(ctx, t, want)
	}
}
