// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/assent-dev/assent/internal/cli/report"
	"github.com/assent-dev/assent/internal/plan"
)

// session is what every command has: where it reads and prints, and the flags that all share.
type session struct {
	genericiooptions.IOStreams
	flags   *genericclioptions.ConfigFlags
	noColor bool
}

func newSession(streams genericiooptions.IOStreams) *session {
	return &session{IOStreams: streams, flags: newConfigFlags()}
}

// say tells what happens meanwhile. It is no part of the result.
func (s *session) say(format string, arguments ...any) {
	fmt.Fprintln(s.ErrOut, plan.Visible(fmt.Sprintf(format, arguments...)))
}

// style has colours where the result goes to a terminal, and nobody has asked for none.
func (s *session) style() report.Style {
	return report.Style{Colors: s.prints() && !s.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// prints says whether the result goes to a terminal.
func (s *session) prints() bool { return isTerminal(s.Out) }

// asks says whether there is somebody to ask.
func (s *session) asks() bool {
	in, ok := s.In.(*os.File)
	return ok && term.IsTerminal(int(in.Fd())) //nolint:gosec // a file descriptor is a small number
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) //nolint:gosec // a file descriptor is a small number
}

// now is the time on this machine; what is said about lengths of time is as right as its clock.
func now() time.Time { return time.Now() }
