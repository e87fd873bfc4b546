// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// budget is what a promotion may cost in writes beside those of the objects that it changes.
	budget = 6
	// idleFor is how long the operator is watched while there is nothing to do.
	idleFor = 20 * time.Second
)

// writes of the operator in the project and in the target, whether they were granted or not.
func (p *place) writes(log *cluster.RequestLog) []cluster.Request {
	GinkgoHelper()
	found, err := log.Answered(func(r cluster.Request) bool {
		return r.ByOperator() && r.Changes() && (r.ObjectRef.Namespace == p.project.Name || r.ObjectRef.Namespace == p.target.Namespace)
	})
	Expect(err).NotTo(HaveOccurred())
	return found
}

// toTarget are, of these writes, those of objects in the target.
func (p *place) toTarget(all []cluster.Request) []cluster.Request {
	var found []cluster.Request
	for _, request := range all {
		if request.ObjectRef.Namespace == p.target.Namespace {
			found = append(found, request)
		}
	}
	return found
}

// cost of a promotion: all that the operator writes from its request to its end, of a release that is ready to an environment that is.
// What it costs to fetch a release and to accept an environment is theirs.
func (p *place) cost(ctx context.Context, name string, objects ...string) []cluster.Request {
	GinkgoHelper()
	p.ready(ctx, name, objects...)
	log := scene.requests()
	asked := p.request(ctx, name, "shop-"+name)
	await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
	return p.finish(ctx, asked, log)
}

// ready waits until a new release, and the environment, are ready.
func (p *place) ready(ctx context.Context, name string, objects ...string) {
	GinkgoHelper()
	release := p.release(ctx, "shop-"+name, objects...)
	awaitRelease(ctx, release, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	By("waiting until the environment is accepted")
	Eventually(func() metav1.ConditionStatus {
		return condition(p.environment(ctx).Status.Conditions, v1alpha1.ConditionReady).Status
	}).WithContext(ctx).Should(Equal(metav1.ConditionTrue))
}

// finish approves a promotion, waits for its end, and returns all that the operator wrote since the log began.
func (p *place) finish(ctx context.Context, asked *v1alpha1.Promotion, log *cluster.RequestLog) []cluster.Request {
	GinkgoHelper()
	approve(ctx, cluster.Alice, asked)
	await(ctx, asked, v1alpha1.ReasonSucceeded)
	p.awaitSettled(ctx)
	return p.writes(log)
}

var _ = Describe("the operator writes", func() {
	It("at most six times beside each changed object, once each of those, and never one that does not change", func(ctx context.Context) {
		const objects = 12
		p := newPlace(ctx)
		first := append(configMaps(objects-1, "1"), deployment("web", "registry.example/shop:1"))
		all := p.cost(ctx, "one", first...)
		Expect(p.toTarget(all)).To(HaveLen(objects))
		Expect(len(all)).To(BeNumerically("<=", objects+budget), "%s", all)

		second := slices.Clone(first)
		second[4] = configMap("cm-004", "2")
		all = p.cost(ctx, "two", second...)
		Expect(p.toTarget(all)).To(ConsistOf(HaveField("ObjectRef.Name", "cm-004")))
		Expect(len(all)).To(BeNumerically("<=", 1+budget), "%s", all)

		all = p.cost(ctx, "three", second...)
		Expect(p.toTarget(all)).To(BeEmpty())
		Expect(len(all)).To(BeNumerically("<=", budget), "%s", all)
	})

	It("nothing but its lease while promotions wait or have ended; one that has waited costs one more", Serial, func(ctx context.Context) {
		Expect(scene.operator.Stop()).To(Succeed())
		p := newPlace(ctx)
		By("starting the operator with leader election")
		Expect(scene.operator.Start(ctx, "--leader-elect")).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			Expect(scene.operator.Stop()).To(Succeed())
			Expect(scene.operator.Start(ctx)).To(Succeed())
		})
		p.promoted(ctx, "ended", configMap("settings", "0"))
		p.ready(ctx, "waits", configMap("settings", "1"))
		log := scene.requests()
		waits := p.request(ctx, "waits", "shop-waits")
		By("waiting until the environment shows the promotion that waits")
		Eventually(func() []v1alpha1.WaitingPromotion { return p.environment(ctx).Status.Waiting }).WithContext(ctx).
			Should(ConsistOf(HaveField("Promotion", "waits")))
		await(ctx, waits, v1alpha1.ReasonAwaitingApproval)

		By("watching the operator do nothing for twenty seconds")
		idle := scene.requests()
		Consistently(func() []cluster.Request { return p.writes(idle) }).WithContext(ctx).
			WithTimeout(idleFor).WithPolling(time.Second).Should(BeEmpty())
		system, err := idle.Answered(func(r cluster.Request) bool {
			return r.ByOperator() && r.Changes() && r.ObjectRef.Namespace == cluster.SystemNamespace
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(system).NotTo(BeEmpty(), "the lease is kept")
		Expect(system).To(HaveEach(HaveField("ObjectRef.Resource", "leases")))

		all := p.finish(ctx, waits, log)
		Expect(len(all)).To(BeNumerically("<=", 1+budget+1), "%s", all)
		Expect(p.environment(ctx).Status.Waiting).To(BeEmpty())
	})
})
