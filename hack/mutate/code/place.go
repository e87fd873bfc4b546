// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// baselineTimeout is how long a suite may take without a mutant.
	baselineTimeout = 15 * time.Minute
	// memory that a test may take, in KiB: a mutant may make a loop collect without end.
	memory = 8 << 20
	// keptOutput is how much of what a test prints is kept, in bytes; the end says what went wrong.
	keptOutput = 16 << 10
)

// place is where one test runs at a time: a directory for its files, and a cluster where it has one.
type place struct {
	dir string
	// environment of the tests.
	environment []string
}

// ran is what came of one run of tests.
type ran struct {
	passed, timedOut bool
	// none says that it was a Ginkgo suite, and that none of its specs ran.
	none bool
	// tests that ran, with their times.
	tests []*part
	// failed are the names of those that failed.
	failed []string
	output string
}

// run a suite's tests. What they leave in the temporary directory is removed.
func (p *place) run(ctx context.Context, s *suite, args []string, limit time.Duration, variables ...string) ran {
	temporary, err := os.MkdirTemp(p.dir, "run")
	if err != nil {
		return ran{output: err.Error()}
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	deep := filepath.Join(temporary, "a", "b", "c") // a mutant may let something out of its directory
	if err := os.MkdirAll(deep, 0o700); err != nil {
		return ran{output: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	command := exec.CommandContext(ctx, "sh", append([]string{"-c", fmt.Sprintf(`ulimit -v %d; exec "$0" "$@"`, memory), s.binary}, args...)...)
	command.Dir = s.dir
	command.Env = append(append(os.Environ(), p.environment...), append(variables, "TMPDIR="+deep, "GOMEMLIMIT=2GiB")...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = 5 * time.Second
	reader, writer := io.Pipe()
	command.Stdout, command.Stderr = writer, writer
	seen := &watcher{}
	var reading sync.WaitGroup
	reading.Go(func() { seen.read(reader) })
	err = command.Run()
	_ = writer.Close()
	reading.Wait()
	return ran{
		passed: err == nil, timedOut: err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded),
		none: seen.none, tests: seen.tests, failed: seen.failed, output: seen.kept.String(),
	}
}

// watcher reads what tests print while they run.
type watcher struct {
	tests  []*part
	failed []string
	none   bool
	kept   tail
}

var (
	runLine = regexp.MustCompile(`^=== RUN   (\S+)$`)
	endLine = regexp.MustCompile(`^--- (PASS|FAIL|SKIP): (\S+) \(`)
	// noneLine and specLine are in the summary of a Ginkgo suite.
	noneLine = regexp.MustCompile(`^Ran 0 of \d+ Specs? `)
	specLine = regexp.MustCompile(`^ *\[(?:FAIL|PANICKED!|TIMEDOUT)\] (.*?) ?\[It\] (.*)$`)
)

func (w *watcher) read(from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		w.kept.add(line)
		w.see(strings.TrimRight(line, "\n"))
		if err != nil {
			return
		}
	}
}

func (w *watcher) see(line string) {
	if found := runLine.FindStringSubmatch(line); found != nil && !strings.Contains(found[1], "/") {
		w.tests = append(w.tests, &part{name: found[1], start: time.Now(), end: time.Now()})
	}
	if found := specLine.FindStringSubmatch(line); found != nil {
		w.failed = append(w.failed, strings.TrimSpace(found[1]+" "+found[2]))
	}
	w.none = w.none || noneLine.MatchString(line)
	found := endLine.FindStringSubmatch(line)
	if found == nil {
		return
	}
	if found[1] == "FAIL" {
		w.failed = append(w.failed, found[2])
	}
	for _, test := range w.tests {
		if test.name == found[2] {
			test.end = time.Now()
		}
	}
}

// tail keeps the end of a text.
type tail struct{ text string }

func (t *tail) add(line string) {
	t.text += line
	if len(t.text) > 2*keptOutput {
		t.text = t.text[len(t.text)-keptOutput:]
	}
}

func (t *tail) String() string { return t.text }
