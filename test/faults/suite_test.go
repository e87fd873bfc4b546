// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// The tests in here make a short slice of the sweep. The whole is `make faults`, or, with a cluster that ASSENT_DEVCLUSTER names:
//
//	go test ./test/faults -v -timeout 6h -ginkgo.timeout 6h -args -whole
package faults_test

import (
	"context"
	"flag"
	"regexp"
	"testing"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/klog/v2"

	"github.com/assent-dev/assent/test/faults"
)

var (
	whole       = flag.Bool("whole", false, "sweep every write with every mode, pairs and disturbances; it takes hours")
	undisturbed = flag.Bool("undisturbed", false, "make the undisturbed runs and the probes alone")
	only        = flag.String("only", "", "regular expression that the names of scenarios and probes must match")
	parts       = flag.String("parts", "probes,singles,pairs,disturbances", "with -whole: which parts of the sweep to make")
	pairs       = flag.Int("pairs", 20, "with -whole: how many pairs of faults are tried in each scenario")
	seed        = flag.Uint64("seed", 1, "seed of what is left to chance")
	workers     = flag.Int("workers", 6, "how many runs go on side by side")
)

func TestFaults(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Faults at every write")
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
