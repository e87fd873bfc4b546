// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apps_test takes whole applications through their lives: it promotes the first version, upgrades through the rest, and goes back to the first, with
// everything as it is in production: a registry, the guard, an approval by somebody else, the real operator as a process of its own.
//
// The applications are those of the folder that the environment variable APPS names (`make test-apps APPS=DIR`), or our own in testdata. What runs after each step is
// compared with what `kubectl kustomize` and a server-side dry run say, and not with what Assent thinks.
package apps_test

import (
	"cmp"
	"context"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assent-dev/assent/test/cluster"
)

// appsVariable is the environment variable that names a folder of applications.
const appsVariable = "APPS"

func TestApplications(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Applications, from the first version through all upgrades and back")
}

// scene is set once, before any test.
var scene *cluster.Cluster

var _ = BeforeSuite(func(ctx context.Context) {
	SetDefaultEventuallyTimeout(5 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	log.SetLogger(GinkgoLogr)
	var err error
	scene, err = cluster.Connect()
	Expect(err).NotTo(HaveOccurred())
	By("installing Assent and waiting for its guard")
	Expect(scene.Install(ctx)).To(Succeed())
	By("building the operator and starting it")
	operator, err := scene.BuildOperator(ctx, GinkgoT().TempDir())
	Expect(err).NotTo(HaveOccurred())
	Expect(operator.Start(ctx)).To(Succeed())
	DeferCleanup(operator.Stop)
})

var _ = Describe("an application", func() {
	folder := cmp.Or(os.Getenv(appsVariable), "testdata/applications")
	found, err := discover(folder)
	if err != nil {
		It("is found in the folder", func() { Expect(err).NotTo(HaveOccurred()) })
		return
	}
	for _, one := range found {
		It("goes through its versions and back: "+one.name, func(ctx context.Context) {
			life := begin(ctx, one)
			for i := range one.releases {
				life.promote(ctx, i)
			}
			if len(one.releases) > 1 {
				life.goBack(ctx, 0)
			}
		}, NodeTimeout(30*time.Minute))
	}
})
