// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package latency

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/bench/scene"
	"github.com/assent-dev/assent/test/cluster"
)

// change is a promotion whose writes are counted: so many of its objects differ from what runs.
type change struct {
	version
	changed int
}

// changes of 50 objects, each rolled out over the one before.
func changes() []change {
	first, second := fifty("creating", "one"), fifty("updating", "two")
	third, fourth := second, second
	third.name, fourth.name = "changing one", "changing none"
	third.manifests = strings.Replace(third.manifests, `"two"`, `"three"`, 1)
	fourth.manifests = third.manifests
	third.source.Inline, fourth.source.Inline = third.manifests, fourth.manifests
	return []change{{first, 50}, {second, 50}, {third, 1}, {fourth, 0}}
}

// writes is B4: all that the operator writes of one promotion, from when it is asked for until nothing moves any more, beside one for each object that
// changes. What was refused counts, too.
func writes(ctx context.Context, s *scene.Scene, runs int) ([]measure.Result, error) {
	kinds := map[string]map[string]int{}
	counter := measure.Contestant{Contender: measure.Assent, Measure: func(ctx context.Context, _ int) (measure.Values, error) {
		place, err := s.Place(ctx)
		if err != nil {
			return nil, err
		}
		values := measure.Values{}
		for _, c := range changes() {
			found, err := writesOf(ctx, s, place, c.version)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			values[c.name], kinds[c.name] = float64(len(found)-c.changed), byKind(found)
		}
		return values, nil
	}}
	measured, err := measure.Interleave(ctx, runs, func(line string) { s.Say("  %s", line) }, counter)
	var all []measure.Result
	for _, c := range changes() {
		all = append(all, measure.Result{
			Benchmark: "B4", Case: c.name, What: fmt.Sprintf("writes beside those of %d changed objects of 50", c.changed), Unit: measure.Writes,
			Series: measured[c.name], Notes: []string{"in the last run: " + listed(kinds[c.name])},
		})
	}
	return all, err
}

// writesOf a promotion that is asked for, approved, and rolled out. What it costs to fetch a Release is not the promotion's.
func writesOf(ctx context.Context, s *scene.Scene, place *scene.Place, v version) ([]cluster.Request, error) {
	if err := place.Release(ctx, named(v.name), v.source); err != nil {
		return nil, err
	}
	if err := s.Rest(ctx); err != nil {
		return nil, err
	}
	log, err := s.Cluster.Requests()
	if err != nil {
		return nil, err
	}
	asked, err := place.Request(ctx, named(v.name))
	if err != nil {
		return nil, err
	}
	// At once: what waits for ten seconds is shown by its Environment, which costs a write.
	if err := (&assent{s}).approve(ctx, asked); err != nil {
		return nil, err
	}
	return log.Answered(func(r cluster.Request) bool {
		return r.ByOperator() && r.Changes() && (r.ObjectRef.Namespace == place.Project || r.ObjectRef.Namespace == place.Target.Namespace)
	})
}

// named makes a name of an object of the name of a case.
func named(name string) string { return strings.ReplaceAll(name, " ", "-") }

func byKind(requests []cluster.Request) map[string]int {
	kinds := map[string]int{}
	for _, request := range requests {
		kinds[kindOf(request)]++
	}
	return kinds
}

// listed are the kinds of requests with how many there were of each.
func listed(kinds map[string]int) string {
	var all []string
	for kind, count := range kinds {
		all = append(all, fmt.Sprintf("%s %d", strings.Join(strings.Fields(kind), " "), count))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
