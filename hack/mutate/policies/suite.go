// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// mood is what the suite expects of a cluster: that the guard is alone, with nothing stamped and no rules in the schema; or the whole installation.
type mood string

const (
	alone mood = "alone"
	whole mood = "whole"
)

// longestRun of the suite, after which it counts as red.
const longestRun = 10 * time.Minute

// suite is test/guard, compiled once, run in a copy of what it reads, on one cluster.
type suite struct {
	binary string
	// root of the copy.
	root string
	// cluster's directory.
	cluster string
}

// compile builds the suite's binary in a directory.
func compile(ctx context.Context, repository, directory string) (string, error) {
	binary := filepath.Join(directory, "guard.test")
	command := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./test/guard")
	command.Dir = repository
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling the guard's tests: %w: %s", err, output)
	}
	return binary, nil
}

// copyOf makes a copy of what the suite reads of the repository.
func copyOf(repository, directory string) error {
	for _, part := range []string{"go.mod", "config", "test/guard/testdata"} {
		from := filepath.Join(repository, part)
		err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			relative, err := filepath.Rel(repository, path)
			if err != nil {
				return err
			}
			content, err := os.ReadFile(path) //nolint:gosec // the repository's own
			if err != nil {
				return err
			}
			to := filepath.Join(directory, relative)
			return errors.Join(os.MkdirAll(filepath.Dir(to), 0o750), os.WriteFile(to, content, 0o600)) //nolint:gosec // a directory of our own
		})
		if err != nil {
			return fmt.Errorf("copying %q: %w", part, err)
		}
	}
	return nil
}

// prepare runs tests on the guard as it is shipped, which have to pass, and leaves the cluster in that mood for the runs that follow.
func (s *suite) prepare(ctx context.Context, in mood, filter string) error {
	if err := os.Remove(s.keptIn(in)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the runs before: %w", err)
	}
	failed, output, err := s.run(ctx, s.keptIn(in), filter)
	if err != nil {
		return err
	}
	if ranNothing.MatchString(output) {
		return fmt.Errorf("no test of the guard has the labels %q", filter)
	}
	if failed != "" {
		return fmt.Errorf("the guard as it is shipped does not pass its tests on %s, so that nothing can be said about changed ones: %s\n%s",
			s.cluster, failed, output)
	}
	return nil
}

// notices names a test that fails, or nothing if all pass. The cluster must have been prepared. Of the tests with those labels only the ones run
// whose name ends as given, if names are.
func (s *suite) notices(ctx context.Context, in mood, filter string, names ...string) (string, error) {
	failed, output, err := s.run(ctx, s.keptIn(in), filter, names...)
	switch {
	case err != nil:
		return "", err
	case strings.HasPrefix(failed, "[BeforeSuite]"):
		return "", fmt.Errorf("the tests could not begin: %s", output)
	default:
		return failed, nil
	}
}

// putBack installs everything that is shipped, and returns when it is in force.
func (s *suite) putBack(ctx context.Context) error {
	failed, output, err := s.run(ctx, "", "static")
	if err == nil && failed != "" {
		err = fmt.Errorf("%s: %s", failed, output)
	}
	if err != nil {
		return fmt.Errorf("putting the guard back: %w", err)
	}
	return nil
}

func (s *suite) keptIn(in mood) string {
	return filepath.Join(s.root, string(in)+".json")
}

func (s *suite) run(ctx context.Context, kept, filter string, names ...string) (failed, output string, err error) {
	ctx, cancel := context.WithTimeout(ctx, longestRun)
	defer cancel()
	command := exec.CommandContext(ctx, s.binary, "-ginkgo.no-color", "-ginkgo.fail-fast", "-ginkgo.label-filter="+filter,
		"-ginkgo.focus="+endingIn(names))
	command.Dir = filepath.Join(s.root, "test", "guard")
	command.Env = append(os.Environ(), "ASSENT_DEVCLUSTER="+s.cluster, "ASSENT_GUARD_KEPT="+kept)
	command.WaitDelay = 5 * time.Second
	printed, err := command.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return "no test: they did not end within " + longestRun.String(), string(printed), nil
	case err == nil:
		return "", string(printed), nil
	case !errors.As(err, &exit):
		return "", "", fmt.Errorf("running the guard's tests: %w", err)
	}
	failed = failure(string(printed))
	if failed == "" {
		return "", "", fmt.Errorf("the guard's tests ended without saying what failed: %w\n%s", err, printed)
	}
	return failed, string(printed), nil
}

// endingIn is an expression for names that end in one of these, or for all.
func endingIn(names []string) string {
	if len(names) == 0 {
		return ""
	}
	quoted := make([]string, 0, len(names))
	for _, name := range names {
		quoted = append(quoted, regexp.QuoteMeta(name))
	}
	return "(" + strings.Join(quoted, "|") + ")$"
}

var (
	ranNothing   = regexp.MustCompile(`Ran 0 of [0-9]+ Specs`)
	summary      = regexp.MustCompile(`(?m)^\s*\[(?:FAIL|PANICKED!|TIMEDOUT)\] (.*)$`)
	listOfLabels = regexp.MustCompile(` \[[^\[\]]*\]$`)
	kindOfNode   = regexp.MustCompile(`^.*\[(?:It)\] `)
)

// failure is the name of the first test that the output says has failed, or empty.
func failure(output string) string {
	_, end, found := strings.Cut(output, "Summarizing ") //nolint:misspell // as Ginkgo spells it
	if !found {
		return ""
	}
	line := summary.FindStringSubmatch(end)
	if line == nil {
		return ""
	}
	return kindOfNode.ReplaceAllString(listOfLabels.ReplaceAllString(strings.TrimSpace(line[1]), ""), "")
}
