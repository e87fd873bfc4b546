// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/report"
)

// session is what every command has: where it reads and prints, and the flags that all share.
type session struct {
	genericiooptions.IOStreams
	flags   *genericclioptions.ConfigFlags
	noColor bool
	answers *bufio.Reader
}

func newSession(streams genericiooptions.IOStreams) *session {
	return &session{IOStreams: streams, flags: newConfigFlags(), answers: bufio.NewReader(streams.In)}
}

// say tells what happens meanwhile. It is no part of the result.
func (s *session) say(format string, arguments ...any) {
	fmt.Fprintln(s.ErrOut, plan.Visible(fmt.Sprintf(format, arguments...)))
}

// style has colours where the result goes to a terminal, and nobody has asked for none.
func (s *session) style() report.Style { return s.styleOf(s.Out) }

// meanwhile is the style of what is said on standard error.
func (s *session) meanwhile() report.Style { return s.styleOf(s.ErrOut) }

func (s *session) styleOf(w io.Writer) report.Style {
	return report.Style{Colours: isTerminal(w) && !s.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// prints says whether the result goes to a terminal.
func (s *session) prints() bool { return isTerminal(s.Out) }

// asks says whether there is somebody to ask.
func (s *session) asks() bool {
	in, ok := s.In.(*os.File)
	return ok && term.IsTerminal(int(in.Fd()))
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// agree asks, and takes nothing but yes for an agreement.
func (s *session) agree(question string) (bool, error) {
	fmt.Fprintf(s.ErrOut, "%s [y/N] ", plan.Visible(question))
	answer, err := s.answers.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("reading the answer: %w", err)
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

// now is the time on this machine; what is said about lengths of time is as right as its clock.
func now() time.Time { return time.Now() }
