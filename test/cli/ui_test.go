// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"context"
	"io"
	"os"
	"regexp"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"golang.org/x/sys/unix"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
	"github.com/assent-dev/assent/test/cluster"
)

// pageDown is what that key sends.
const pageDown = "\x1b[6~"

// terminal is a pseudo-terminal with somebody in front of it, who sees what a terminal makes of what is written.
type terminal struct {
	t            *testing.T
	keys, screen *os.File
	seen         *vt.SafeEmulator
}

func newTerminal(t *testing.T, columns, rows uint16) *terminal {
	t.Helper()
	t.Setenv("TERM", "xterm-256color")
	keys, screen := openTerminal(t)
	must(t, unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}))
	seen := vt.NewSafeEmulator(int(columns), int(rows))
	go func() { _, _ = io.Copy(seen, keys) }()
	go func() { _, _ = io.Copy(keys, seen) }() // a terminal answers what it is asked
	return &terminal{t, keys, screen, seen}
}

func (s *terminal) press(keys string) {
	s.t.Helper()
	_, err := s.keys.WriteString(keys)
	must(s.t, err)
}

// sees waits until what is on the screen matches.
func (s *terminal) sees(ctx context.Context, pattern string) {
	s.t.Helper()
	wanted := regexp.MustCompile(pattern)
	if err := poll(ctx, func(context.Context) (bool, error) { return wanted.MatchString(s.text()), nil }); err != nil {
		s.t.Fatalf("what matches %q is never seen:\n%s", pattern, s.text())
	}
}

func (s *terminal) text() string { return ansi.Strip(s.seen.Render()) }

// testFullScreen: alice looks at what bob asks for, rejects one, approves another after its plan has changed while she looked, and sees both gone.
func testFullScreen(t *testing.T, connected *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	as := people(ctx, t, connected)
	screen := newTerminal(t, 120, 30)
	stop := as(cluster.Alice).stays(ctx, screen.screen, screen.screen, "ui")
	screen.sees(ctx, `\[Inbox \(0\)\](?s:.*)Nothing waits for you\.(?s:.*)q quit`)

	as(cluster.Bob).does(ctx, "promote", "shop-1.1.0", "--to", "staging", "--reason", "vouchers")
	screen.sees(ctx, `\[Inbox \(1\)\](?s:.*)> +project-\w+ +shop-1.1.0-staging +shop-1.1.0 +staging +0/1 +bob`)
	screen.press("\r")
	screen.sees(ctx, `\+  greeting: good day(?s:.*)2 created, of 2 objects`)
	screen.press(pageDown)
	screen.sees(ctx, `\+  name: vouchers(?s:.*)AwaitingApproval: needs 1 more approval(?s:.*)cleared by: anyone`)
	screen.press("r")
	screen.sees(ctx, `Reject shop-1.1.0-staging, because: _`)
	screen.press("no tests\r")
	screen.sees(ctx, `\[Inbox \(0\)\](?s:.*)promotion "shop-1.1.0-staging" rejected`)

	as(cluster.Bob).does(ctx, "promote", "shop-1.0.0", "--to", "staging")
	screen.sees(ctx, `\[Inbox \(1\)\](?s:.*)shop-1.0.0-staging`)
	screen.press("\r")
	screen.sees(ctx, `1 created, of 1 object`)
	changePlan(ctx, t, connected, as(cluster.Alice).project)
	screen.sees(ctx, `Its plan has changed meanwhile: press enter to look at the new one`)
	screen.press("a")
	screen.press("\r")
	screen.sees(ctx, `\+    team: shop`)
	screen.press("a")
	screen.sees(ctx, `Approve shop-1.0.0-staging, with the comment: _`)
	screen.press("looked at with carol\r")
	screen.sees(ctx, `\[Inbox \(0\)\](?s:.*)promotion "shop-1.0.0-staging" approved`)
	must(t, poll(ctx, func(ctx context.Context) (bool, error) {
		p := promotion(ctx, t, connected, as(cluster.Alice).project)
		state, _ := report.State(p)
		return state == v1alpha1.ReasonSucceeded && p.Spec.Approvals[0].Comment == "looked at with carol", nil
	}))
	screen.press("\t")
	screen.sees(ctx, `\[Matrix\](?s:.*)APPLICATION +DEV +STAGING +PRODUCTION(?s:.*)shop +nothing +1.0.0 \d+s +nothing`)
	screen.press("q")
	must(t, poll(ctx, func(context.Context) (bool, error) { return !screen.seen.IsAltScreen(), nil }))
	if code := stop(); code != 0 {
		t.Errorf("it ends with %d", code)
	}
}
