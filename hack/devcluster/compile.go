// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// compilation is one program to build.
type compilation struct {
	module  string // folder of the module that it is built in
	pkg     string
	output  string
	ldflags string
}

// compile builds one program and says every few seconds how far it has come.
func compile(ctx context.Context, out io.Writer, c compilation) error {
	name := filepath.Base(c.output)
	seen := &progress{name: name, start: time.Now()}
	stopReports := seen.reportEvery(10*time.Second, out)
	defer stopReports()
	list, err := seen.run(goCommand(ctx, c.module, "list", "-deps", c.pkg))
	if err != nil {
		return fmt.Errorf("finding the packages of %s: %w\n%s", name, err, seen.complaints())
	}
	seen.begin(strings.Count(list, "\n"))
	// Without the repository's state in the binary: it says nothing about the components, and git may refuse to tell it.
	build := goCommand(ctx, c.module, "build", "-v", "-buildvcs=false", "-ldflags", c.ldflags, "-o", c.output, c.pkg)
	if _, err := seen.run(build); err != nil {
		return fmt.Errorf("building %s: %w\n%s", name, err, seen.complaints())
	}
	fmt.Fprintf(out, "%s: built in %s\n", name, seen.elapsed())
	return nil
}

// goCommand prepares a call of the go tool. Without cgo no C compiler is needed; outside a workspace the module's own go.mod decides.
func goCommand(ctx context.Context, dir string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	// The go tool ends its compilers when it is interrupted, and leaves them running when it is killed.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	command.WaitDelay = 10 * time.Second
	return command
}

// progress counts what the go tool says on its standard error: modules that it downloads and packages that it compiles.
type progress struct {
	name  string
	start time.Time

	mutex      sync.Mutex
	downloaded int
	compiled   int
	packages   int // 0 while they are not known yet
	other      []string
}

// begin says how many packages there are in all.
func (p *progress) begin(packages int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.packages = packages
}

// run carries out the command while counting its messages, and returns its output.
func (p *progress) run(command *exec.Cmd) (string, error) {
	var output strings.Builder
	command.Stdout = &output
	messages, err := command.StderrPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	for lines := bufio.NewScanner(messages); lines.Scan(); {
		p.add(lines.Text())
	}
	return output.String(), command.Wait()
}

func (p *progress) add(line string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		p.downloaded++
	case isPackage(line):
		p.compiled++
	default:
		p.other = append(p.other, line)
	}
}

// isPackage tells the import path that `go build -v` prints from a compiler's message.
func isPackage(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t:#")
}

// complaints returns what the go tool said besides its progress.
func (p *progress) complaints() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return strings.Join(p.other, "\n")
}

func (p *progress) elapsed() time.Duration {
	return time.Since(p.start).Round(time.Second)
}

// String says how far the work has come.
func (p *progress) String() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch {
	case p.packages == 0:
		return fmt.Sprintf("%s: %d modules downloaded, %s", p.name, p.downloaded, p.elapsed())
	case p.compiled == 0:
		return fmt.Sprintf("%s: nothing compiled yet (what was compiled before is only linked), %s", p.name, p.elapsed())
	default:
		return fmt.Sprintf("%s: %d of at most %d packages compiled, %s", p.name, p.compiled, p.packages, p.elapsed())
	}
}

// reportEvery prints the progress until the function that it returns is called.
func (p *progress) reportEvery(interval time.Duration, out io.Writer) (end func()) {
	done := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				fmt.Fprintln(out, p)
			}
		}
	}()
	return func() { close(done); <-finished }
}
