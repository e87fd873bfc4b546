// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// hunt the mutants: those whose first tests need no cluster in one go, and on the clusters what they leave and the rest.
func (r *run) hunt(ctx context.Context) error {
	overlay, err := r.overlay()
	if err != nil {
		return err
	}
	var waiting []*mutant
	for _, m := range r.mutants {
		if m.excepted != "" {
			m.result = excepted
			continue
		}
		m.result = unreached
		waiting = append(waiting, m)
	}
	if r.part != "cluster" {
		if err := r.stage(ctx, waiting, overlay, false); err != nil {
			return err
		}
	}
	if r.part != "pure" {
		left := slices.DeleteFunc(slices.Clone(waiting), func(m *mutant) bool {
			return m.result == killed || m.result == timedOut || !slices.ContainsFunc(m.tests, func(t Tests) bool { return t.Suite != "" })
		})
		if err := r.stage(ctx, left, overlay, true); err != nil {
			return err
		}
	}
	return r.forget(waiting)
}

// forget the mutants that this part of a run asks nobody about.
func (r *run) forget(waiting []*mutant) error {
	if r.part == "all" {
		return nil
	}
	before := len(r.mutants)
	r.mutants = slices.DeleteFunc(r.mutants, func(m *mutant) bool {
		asked := slices.ContainsFunc(m.tests, func(t Tests) bool { return (t.Suite != "") == (r.part == "cluster") })
		left := r.part == "pure" && slices.ContainsFunc(m.tests, func(t Tests) bool { return t.Suite != "" }) // a cluster may tell
		return slices.Contains(waiting, m) && (!asked || left && (m.result == survived || m.result == unreached))
	})
	if left := before - len(r.mutants); left > 0 {
		r.say("%d mutants do not count here: the tests of the other part are asked about them (-part=all)", left)
	}
	return nil
}

// overlay of all packages, and of what is replaced in the tests.
func (r *run) overlay() (string, error) {
	replaced := map[string]string{}
	for _, replacement := range r.scope.Replace {
		path := filepath.Join(r.root, replacement.File)
		text, err := replacement.apply(path, replaced[path])
		if err != nil {
			return "", err
		}
		replaced[path] = text
	}
	return writeOverlay(r.work, r.packages, replaced)
}

// stage asks the suites of one sort about mutants.
func (r *run) stage(ctx context.Context, mutants []*mutant, overlay string, cluster bool) error {
	if len(mutants) == 0 {
		return nil
	}
	places, err := r.places(cluster)
	if err != nil {
		return err
	}
	suites, err := r.suites(ctx, mutants, overlay, cluster)
	if err != nil {
		return err
	}
	if cluster {
		if err := r.operator(ctx, overlay, places); err != nil {
			return err
		}
	}
	for i, s := range suites {
		began := time.Now()
		if err := s.learn(ctx, places[0]); err != nil {
			return err
		}
		r.say("%d of %d: %s is green without a mutant: %d parts in %s", i+1, len(suites), s.name(), len(s.parts), time.Since(began).Round(100*time.Millisecond))
	}
	h := &hunter{suites: map[Tests]*suite{}, out: r.out}
	for _, s := range suites {
		h.suites[s.Tests] = s
	}
	r.say("trying %d mutants, %d at a time", len(mutants), len(places))
	h.hunt(ctx, mutants, places)
	if err := errors.Join(ctx.Err(), h.blamed()); err != nil || !cluster {
		return err
	}
	for _, s := range suites {
		if err := s.relearn(ctx, places[0]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) places(cluster bool) ([]*place, error) {
	count := r.at
	if cluster {
		if count = len(r.clusters); count == 0 {
			return nil, errors.New("some of the tests need a cluster: say -clusters, set ASSENT_DEVCLUSTER, or ask for -part=pure")
		}
	}
	places := make([]*place, 0, count)
	for i := range count {
		dir := filepath.Join(r.work, fmt.Sprintf("place-%t-%d", cluster, i))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		made := &place{dir: dir, environment: []string{"ASSENT_DEVCLUSTER="}}
		if cluster {
			made.environment = []string{"ASSENT_DEVCLUSTER=" + r.clusters[i]}
		}
		places = append(places, made)
	}
	return places, nil
}

// suites that the mutants ask, compiled.
func (r *run) suites(ctx context.Context, mutants []*mutant, overlay string, cluster bool) ([]*suite, error) {
	var asked []Tests
	for _, m := range mutants {
		for _, tests := range m.tests {
			if (tests.Suite != "") == cluster && !slices.Contains(asked, tests) {
				asked = append(asked, tests)
			}
		}
	}
	to := filepath.Join(r.work, "tests")
	if err := os.MkdirAll(to, 0o700); err != nil {
		return nil, err
	}
	suites := make([]*suite, 0, len(asked))
	for i, tests := range asked {
		r.say("%d of %d: compiling the tests of %s with the mutants in them", i+1, len(asked), tests.Package)
		s := &suite{Tests: tests}
		if err := s.compile(ctx, r.root, overlay, to); err != nil {
			return nil, err
		}
		suites = append(suites, s)
	}
	return suites, nil
}

// operator is compiled once for all suites that start it, instead of by each of them; the scope's replacements make them take it.
func (r *run) operator(ctx context.Context, overlay string, places []*place) error {
	binary := filepath.Join(r.work, "assent")
	r.say("compiling the operator with the mutants in it")
	if _, err := output(ctx, r.root, "build", "-overlay", overlay, "-o", binary, "."); err != nil {
		return err
	}
	for _, place := range places {
		place.environment = append(place.environment, "ASSENT_MUTATED_OPERATOR="+binary)
	}
	return nil
}
