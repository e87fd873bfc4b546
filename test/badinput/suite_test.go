// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// The suite sends what the package makes to the local cluster, with the real operator behind it. By default it is a slice of some hundred inputs, the
// same each time. Two environment variables say more:
//
//	BADINPUT       all: every input there is; any other text: those whose name contains it
//	BADINPUT_SEED  a number that chooses another slice, other combinations and other walks
package badinput_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assent-dev/assent/test/badinput"
	"github.com/assent-dev/assent/test/cluster"
)

func TestBadInput(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Bad input")
}

const (
	// patience is how long anything may take on a busy machine.
	patience = time.Minute
	interval = 100 * time.Millisecond
	// allOfThem as the value of BADINPUT asks for every input.
	allOfThem = "all"
	// operator is its own service account.
	operator = "the operator"
)

// world is the cluster with the operator and the people in it.
type world struct {
	cluster  *cluster.Cluster
	operator *cluster.Operator
	admin    client.Client
	people   map[string]*person
	kinds    []badinput.Kind
	// seed of everything that is chosen, and what of it is asked for.
	seed uint64
	only string
}

// scene is set once, before any test.
var scene *world

var _ = BeforeSuite(func(ctx context.Context) {
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(interval)
	EnforceDefaultTimeoutsWhenUsingContexts()
	log.SetLogger(GinkgoLogr)
	connected, err := cluster.Connect()
	Expect(err).NotTo(HaveOccurred())
	By("installing Assent and waiting for its guard")
	Expect(connected.Install(ctx)).To(Succeed())
	scene = &world{cluster: connected, people: map[string]*person{}, seed: 1, only: os.Getenv("BADINPUT")}
	if text := os.Getenv("BADINPUT_SEED"); text != "" {
		scene.seed, err = strconv.ParseUint(text, 10, 64)
		Expect(err).NotTo(HaveOccurred(), "BADINPUT_SEED must be a number")
	}
	GinkgoWriter.Printf("the seed is %d: BADINPUT_SEED=%d chooses the same inputs and walks again\n", scene.seed, scene.seed)
	scene.admin, err = connected.Client(cluster.Admin)
	Expect(err).NotTo(HaveOccurred())
	for _, user := range []string{cluster.Admin, cluster.Alice, cluster.Bob} {
		scene.enter(user)(connected.Config(user))
	}
	scene.enter(operator)(connected.ControllerConfig(ctx))
	scene.kinds, err = badinput.Kinds()
	Expect(err).NotTo(HaveOccurred())
	By("building the operator")
	scene.operator, err = connected.BuildOperator(ctx, GinkgoT().TempDir())
	Expect(err).NotTo(HaveOccurred())
	By("starting the operator and waiting until it works")
	Expect(scene.operator.Start(ctx)).To(Succeed())
})

var _ = AfterSuite(func() {
	if scene != nil && scene.operator != nil {
		Expect(scene.operator.Stop()).To(Succeed())
	}
})

var logged int64

var _ = BeforeEach(func() {
	logged = scene.operator.LogSize()
})

// Whatever it is given, the operator must live on, and none of its reconciliations may panic.
var _ = AfterEach(func() {
	if CurrentSpecReport().Failed() {
		AddReportEntry("the end of the operator's log", ReportEntryVisibilityFailureOrVerbose, tail(scene.operator.Log(logged), 20_000))
	}
	Expect(scene.operator.Running()).To(BeTrue(), "the operator has ended by itself")
	Expect(panics(scene.operator.Log(logged))).To(BeEmpty())
})
