// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// slack is how far off the times of tests may be from those of the sites that they reach: the former are taken from what the tests print.
const slack = 100 * time.Millisecond

// suite is the tests of one package that are asked together, compiled once.
type suite struct {
	Tests
	binary, dir string
	// took is how long all of it takes without a mutant.
	took  time.Duration
	parts []*part
}

// part of a suite that can be asked alone: a test, or a spec of a Ginkgo suite.
type part struct {
	name       string
	start, end time.Time
	// reached are the sites that it gets to.
	reached map[string]bool
}

func (p *part) took() time.Duration { return p.end.Sub(p.start) }

func (s *suite) cluster() bool { return s.Suite != "" }

func (s *suite) name() string {
	if s.cluster() {
		return s.Package + " on a cluster"
	}
	return s.Package
}

// compile the suite's tests with the overlay.
func (s *suite) compile(ctx context.Context, root, overlay, to string) error {
	s.dir = filepath.Join(root, s.Package)
	s.binary = filepath.Join(to, strings.ReplaceAll(s.Package, "/", "-")+".test")
	_, err := output(ctx, root, "test", "-c", "-ldflags=-s -w", "-overlay", overlay, "-o", s.binary, "./"+s.Package)
	return err
}

// arguments that ask for the parts alone, or for all.
func (s *suite) arguments(parts []*part) []string {
	args := []string{"-test.failfast", "-test.v"}
	switch {
	case s.cluster():
		args = append(args, "-test.run=^"+s.Suite+"$", "-ginkgo.no-color", "-ginkgo.fail-fast", "-ginkgo.v")
		if len(parts) > 0 {
			return append(args, "-ginkgo.focus=("+alternatives(parts)+")") // without ^ and $: it is matched with the suite's name before, and a spec's after what holds it
		}
		if s.Focus != "" {
			args = append(args, "-ginkgo.focus="+s.Focus)
		}
		return args
	case len(parts) > 0:
		return append(args, "-test.run=^("+alternatives(parts)+")$")
	case s.Without != "":
		return append(args, "-test.skip=^"+s.Without+"$")
	}
	return args
}

// alternatives is a regular expression for the names of parts.
func alternatives(parts []*part) string {
	names := make([]string, 0, len(parts))
	for _, p := range parts {
		names = append(names, regexp.QuoteMeta(p.name))
	}
	return strings.Join(names, "|")
}

// learn runs the suite without a mutant. It must be green, and says which part reaches which sites.
func (s *suite) learn(ctx context.Context, place *place) error {
	reached := filepath.Join(place.dir, "reached")
	specs := filepath.Join(place.dir, "specs.json")
	_ = os.Remove(reached) // of the suite before
	args := s.arguments(nil)
	if s.cluster() {
		args = append(args, "-ginkgo.json-report="+specs)
	}
	began := time.Now()
	ran := place.run(ctx, s, args, baselineTimeout, reachedVariable+"="+reached)
	if !ran.passed {
		return fmt.Errorf("%s is red without a mutant: mend it first:\n%s", s.name(), ran.output)
	}
	s.took = time.Since(began)
	var err error
	if s.cluster() {
		s.parts, err = readSpecs(specs)
	} else {
		s.parts = ran.tests
	}
	if err != nil {
		return err
	}
	return s.attribute(reached)
}

// relearn asks the suite's quickest part once more without a mutant: what was red because the cluster is broken noticed nothing.
func (s *suite) relearn(ctx context.Context, place *place) error {
	if len(s.parts) == 0 {
		return nil
	}
	quickest := slices.MinFunc(s.parts, func(a, b *part) int { return cmp.Compare(a.took(), b.took()) })
	asked := []*part{quickest}
	if ran := place.run(ctx, s, s.arguments(asked), limit(s, asked)); !ran.passed {
		return fmt.Errorf("%s is red without a mutant after all have been tried: what was noticed may have been something else:\n%s", s.name(), ran.output)
	}
	return nil
}

// attribute what was reached to the parts that ran just then.
func (s *suite) attribute(path string) error {
	content, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil // nothing was reached
	}
	if err != nil {
		return err
	}
	for _, p := range s.parts {
		p.reached = map[string]bool{}
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		id, when, _ := strings.Cut(lines.Text(), " ")
		nanoseconds, err := strconv.ParseInt(when, 10, 64)
		if err != nil {
			continue // cut off by the end of a process
		}
		at := time.Unix(0, nanoseconds)
		for _, p := range s.parts {
			if at.After(p.start.Add(-slack)) && at.Before(p.end.Add(slack)) {
				p.reached[id] = true
			}
		}
	}
	return lines.Err()
}

// reaching are the parts that reach a site, the quickest first.
func (s *suite) reaching(site string) []*part {
	var found []*part
	for _, p := range s.parts {
		if p.reached[site] {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b *part) int { return int(a.took() - b.took()) })
	return found
}

// readSpecs of a Ginkgo report. Specs that only run in order are one part, under the name of what holds them.
func readSpecs(path string) ([]*part, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var reports []struct {
		SpecReports []struct {
			ContainerHierarchyTexts []string
			LeafNodeText            string
			LeafNodeType            string
			State                   string
			IsInOrderedContainer    bool
			StartTime, EndTime      time.Time
		}
	}
	if err := json.Unmarshal(content, &reports); err != nil {
		return nil, fmt.Errorf("read the report of the specs: %w", err)
	}
	byName := map[string]*part{}
	var all []*part
	for _, report := range reports {
		for _, spec := range report.SpecReports {
			if spec.LeafNodeType != "It" || spec.State != "passed" {
				continue
			}
			name := strings.Join(append(slices.Clone(spec.ContainerHierarchyTexts), spec.LeafNodeText), " ")
			if spec.IsInOrderedContainer {
				name = strings.Join(spec.ContainerHierarchyTexts, " ")
			}
			found := byName[name]
			if found == nil {
				found = &part{name: name, start: spec.StartTime}
				byName[name] = found
				all = append(all, found)
			}
			found.end = spec.EndTime
		}
	}
	return all, nil
}
