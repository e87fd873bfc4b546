// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/apply"
)

// pairsOfObjects times a ConfigMap and a Deployment are 50 objects.
const pairsOfObjects = 25

// How long it takes is measured by `make bench`, against a program that only writes: docs/performance.md. What it costs is always the same.
var _ = Describe("A rollout of 50 objects", func() {
	It("costs one request for each object that it writes, and a list of each kind of which it creates some", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.costOf(ctx, "one")).To(BeEquivalentTo(2*pairsOfObjects + 2))
		p.settled(ctx)
		Expect(p.costOf(ctx, "two")).To(BeEquivalentTo(2 * pairsOfObjects))
		p.settled(ctx)
		Expect(p.costOf(ctx, "two")).To(BeEquivalentTo(2*pairsOfObjects), "a read for each object, and no write")
	})
})

// costOf a rollout that was looked at before, in requests.
func (p *place) costOf(ctx context.Context, value string) int64 {
	GinkgoHelper()
	objects := p.objects(fifty(value))
	looked, err := p.deployer.Compare(ctx, objects)
	Expect(err).NotTo(HaveOccurred())
	before := p.requests()
	Expect(p.deployer.Apply(ctx, objects, apply.Findings(looked)...)).Error().NotTo(HaveOccurred())
	return p.requests() - before
}

func (p *place) requests() int64 {
	return p.reads.Load() + p.tries.Load() + p.writes.Load()
}

// settled waits until the Deployment controller has nothing left to do, which would make objects be looked at again.
func (p *place) settled(ctx context.Context) {
	Eventually(func(g Gomega) {
		all := &appsv1.DeploymentList{}
		g.Expect(admin.List(ctx, all, client.InNamespace(p.target.Namespace))).To(Succeed())
		for _, deployment := range all.Items {
			g.Expect(deployment.Status.ObservedGeneration).To(Equal(deployment.Generation))
			g.Expect(deployment.Status.Conditions).NotTo(BeEmpty())
		}
	}).WithContext(ctx).Should(Succeed())
}

func fifty(value string) string {
	var all []string
	for i := range pairsOfObjects {
		name := fmt.Sprintf("shop-%d", i)
		all = append(all, configMap(name, value), fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s}, spec: {replicas: 0, selector: {matchLabels: {app: %[1]s}},
  template: {metadata: {labels: {app: %[1]s}}, spec: {containers: [{name: web, image: registry/shop, env: [{name: VALUE, value: %s}]}]}}}}`, name, value))
	}
	return strings.Join(all, "\n---\n")
}
