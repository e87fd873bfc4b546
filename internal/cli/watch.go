// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/assent-dev/assent/internal/report"
)

const (
	// settle is for how long changes are gathered before they are shown: a rollout makes many at once.
	settle = 100 * time.Millisecond
	// tick is how often ages are shown anew on a terminal.
	tick = time.Second
)

// The control sequences by which a screen is redrawn in place (ECMA-48, and the private modes of xterm). Nothing is cleared before it is written over, so that
// nothing flickers; long lines are cut and not wrapped, so that a line is a row.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l"
	leaveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	homeScreen  = "\x1b[H"
	endOfLine   = "\x1b[K\n"
	endOfScreen = "\x1b[J"
)

// watching is the flag of commands that can stay.
type watching struct{ watch bool }

func (w *watching) addWatch(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&w.watch, "watch", "w", false, "Stay, and show it anew whenever it changes, until Ctrl-C. Where no terminal is, what has changed is printed below.")
}

// shown is a result at one moment: as a report, and as text for people.
type shown struct {
	result any
	text   func(style report.Style, now time.Time) string
}

// stay shows what is composed now and after each change, until the context ends. That it is ended by whoever watches is no error.
func (s *session) stay(ctx context.Context, m *mirror, output *output, compose func(context.Context) (shown, error)) error {
	painter := painter{session: s, connection: m.connection, output: output}
	if s.prints() && output.forPeople() {
		fmt.Fprint(s.Out, enterScreen)
		defer painter.leave()
	}
	var refused failing
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-m.failed:
			return err
		case <-ticker.C:
			painter.paint(now())
		case <-m.changed:
			linger(ctx, settle)
			next, err := compose(ctx)
			switch {
			case ctx.Err() != nil:
				return nil
			case refused.finally(err):
				return err
			case err != nil: // the API server is away for a time
				linger(ctx, pause)
				m.tell()
				continue
			}
			if err := painter.show(next); err != nil {
				return err
			}
		}
	}
}

// painter shows one result after the other.
type painter struct {
	*session
	connection *connection
	output     *output
	last       shown
	// told is what was shown last, at a time that is always the same: ages alone are no change.
	told string
}

func (p *painter) show(next shown) error {
	p.last = next
	if !p.output.forPeople() {
		var text bytes.Buffer
		if err := p.output.print(&text, p.connection.scheme, next.result); err != nil {
			return err
		}
		if text.String() != p.told {
			p.told = text.String()
			fmt.Fprint(p.Out, p.told)
		}
		return nil
	}
	if p.prints() {
		p.paint(now())
		return nil
	}
	text := next.text(report.Style{}, time.Time{})
	if text == p.told {
		return nil
	}
	separator := ""
	if p.told != "" {
		separator = "\n"
	}
	p.told = text
	at := now()
	fmt.Fprintf(p.Out, "%s--- %s\n%s", separator, at.UTC().Format(time.RFC3339), next.text(p.style(), at))
	return nil
}

// paint the last result over what is on the terminal, as much of it as there is room for.
func (p *painter) paint(at time.Time) {
	if p.last.text == nil || !p.prints() || !p.output.forPeople() {
		return
	}
	_, height := p.size()
	lines := strings.Split(strings.TrimRight(p.last.text(p.style(), at), "\n"), "\n")
	if len(lines) > height {
		left := len(lines) - height + 1
		lines = append(lines[:height-1], fmt.Sprintf("… %d more lines: make the window higher, or leave --watch out", left))
	}
	fmt.Fprint(p.Out, homeScreen+strings.Join(lines, endOfLine)+"\x1b[K"+endOfScreen)
}

// leave the terminal as it was, with what was shown last.
func (p *painter) leave() {
	fmt.Fprint(p.Out, leaveScreen)
	if p.last.text != nil {
		fmt.Fprint(p.Out, p.last.text(p.style(), now()))
	}
}

// size of the terminal that the result goes to; that of the oldest ones where it does not say.
func (s *session) size() (width, height int) {
	const columns, rows = 80, 24
	file, ok := s.Out.(*os.File)
	if !ok {
		return columns, rows
	}
	width, height, err := term.GetSize(int(file.Fd()))
	if err != nil || width < 1 || height < 2 {
		return columns, rows
	}
	return width, height
}
