// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e_test tells whole promotions on a real API server, with the real operator as a process of its own.
//
// Everybody acts as themselves: bob asks, alice and carol decide, mallory tries, and the operator has no more than the rights that are
// shipped for it. What the operator did is read from the API server's audit log, not from the operator.
//
// The suite takes the guard away and puts it back, and ends the operator at the worst moments: run no other suite beside it.
package e2e_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assent-dev/assent/test/cluster"
)

func TestPromotions(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Promotions from end to end")
}

const (
	// patience is how long anything may take on a busy machine.
	patience = 30 * time.Second
	interval = 50 * time.Millisecond
	// operator is its own service account.
	operator = "the operator"
)

// world is the cluster with the operator and the people in it.
type world struct {
	cluster  *cluster.Cluster
	operator *cluster.Operator
	clients  map[string]client.WithWatch
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
	scene = &world{cluster: connected, clients: map[string]client.WithWatch{}}
	for _, user := range []string{cluster.Admin, cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave, cluster.Mallory} {
		scene.enter(user)(connected.Config(user))
	}
	scene.enter(operator)(connected.ControllerConfig(ctx))
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

// Whatever is asked of the operator, it must live on.
var _ = AfterEach(func() {
	if CurrentSpecReport().Failed() {
		AddReportEntry("the operator's log", ReportEntryVisibilityFailureOrVerbose, scene.operator.Log(logged))
	}
	Expect(scene.operator.Running()).To(BeTrue(), "the operator has ended by itself")
	Expect(scene.operator.Log(logged)).NotTo(ContainSubstring("panic"))
})

// enter connects somebody.
func (w *world) enter(name string) func(*rest.Config, error) {
	return func(config *rest.Config, err error) {
		GinkgoHelper()
		Expect(err).NotTo(HaveOccurred())
		w.clients[name], err = client.NewWithWatch(config, client.Options{Scheme: w.cluster.Scheme()})
		Expect(err).NotTo(HaveOccurred())
	}
}

// as is a live client of a person.
func (w *world) as(user string) client.WithWatch {
	GinkgoHelper()
	Expect(w.clients).To(HaveKey(user))
	return w.clients[user]
}

// requests reads the API server's audit log from now on.
func (w *world) requests() *cluster.RequestLog {
	GinkgoHelper()
	requests, err := w.cluster.Requests()
	Expect(err).NotTo(HaveOccurred())
	return requests
}
