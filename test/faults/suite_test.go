// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// The tests in here make a short slice of the sweep. The whole is `make faults`, or, with a cluster that ASSENT_DEVCLUSTER names:
//
//	FAULTS=all go test ./test/faults -v -count 1 -timeout 6h
package faults_test

import (
	"context"
	"flag"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/klog/v2"

	"github.com/assent-dev/assent/test/faults"
)

var (
	whole       = flag.Bool("whole", os.Getenv("FAULTS") == "all", "sweep every write with every mode, pairs and disturbances; also with FAULTS=all in the environment")
	undisturbed = flag.Bool("undisturbed", false, "make the undisturbed runs and the probes alone")
	only        = flag.String("only", "", "regular expression that the names of scenarios and probes must match")
	parts       = flag.String("parts", "probes,singles,pairs,disturbances", "with -whole: which parts of the sweep to make")
	disturbed   = flag.String("disturbed", "", "with -whole: regular expression that the names of disturbances must match")
	pairs       = flag.Int("pairs", 20, "with -whole: how many pairs of faults are tried in each scenario")
	seed        = flag.Uint64("seed", 1, "seed of what is left to chance")
	workers     = flag.Int("workers", 6, "how many runs go on side by side")
)

// longest is how long the whole sweep may take on a busy machine.
const longest = 6 * time.Hour

func TestFaults(t *testing.T) {
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.Timeout = longest
	RunSpecs(t, "Faults at every write", suite, reporter)
}

// world is set once, before any test.
var world *faults.World

var _ = BeforeSuite(func() {
	klog.SetLogger(logr.Discard()) // what dying processes say of it
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(cancel)
	var err error
	world, err = faults.NewWorld(ctx)
	Expect(err).NotTo(HaveOccurred())
})

// named are the scenarios that were asked for.
func named(all []faults.Scenario) []faults.Scenario {
	GinkgoHelper()
	wanted, err := regexp.Compile(*only)
	Expect(err).NotTo(HaveOccurred())
	var found []faults.Scenario
	for _, scenario := range all {
		if wanted.MatchString(scenario.Name) {
			found = append(found, scenario)
		}
	}
	return found
}
