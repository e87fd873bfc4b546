// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/test/faults"
)

// sliced is the scenario of the slice. Of its faults, those that end the process right after a write are all tried, and one in so many of the others.
const (
	sliced = "update with a prune"
	oneIn  = 9
)

// sweep is what the flags ask for.
func sweep() *faults.Sweep {
	GinkgoHelper()
	made := &faults.Sweep{World: world, Seed: *seed, Workers: *workers, Out: os.Stdout, Scenarios: named(faults.Scenarios()), Probes: named(faults.Probes())}
	switch {
	case *undisturbed:
		made.Chosen = func(string, faults.Fault) bool { return false }
	case *whole:
		ask := strings.Split(*parts, ",")
		if !slices.Contains(ask, "probes") {
			made.Probes = nil
		}
		if !slices.Contains(ask, "singles") {
			made.Chosen = func(string, faults.Fault) bool { return false }
		}
		if slices.Contains(ask, "pairs") {
			made.Pairs = *pairs
		}
		if slices.Contains(ask, "disturbances") {
			wanted := regexp.MustCompile(*disturbed)
			made.Disturbances = slices.DeleteFunc(faults.Disturbances(), func(d faults.Disturbance) bool { return !wanted.MatchString(d.Name) })
		}
	default:
		made.Scenarios = []faults.Scenario{}
		for _, scenario := range named(faults.Scenarios()) {
			if scenario.Name == sliced {
				made.Scenarios = append(made.Scenarios, scenario)
			}
		}
		made.Chosen = slice
	}
	return made
}

// slice is the same in every run with the same seed.
func slice(_ string, fault faults.Fault) bool {
	if fault.Mode == faults.DiedLate {
		return true
	}
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%d %s", *seed, fault)
	return hash.Sum64()%oneIn == 0
}

var _ = Describe("a promotion, whatever fails on its way", func() {
	It("ends once, as it does undisturbed, and breaks no rule", func(ctx context.Context) {
		tallies, err := sweep().Run(ctx)
		fmt.Fprintln(os.Stdout, faults.Table(tallies))
		Expect(err).NotTo(HaveOccurred())
		Expect(faults.Failed(tallies)).To(BeFalse(), "there are violations, or faults that were not reached: see above")
	})
})
