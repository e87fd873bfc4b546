// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/api/v1alpha1"
)

var _ = Describe("of two replicas", Serial, func() {
	It("one works, and the other goes on with the rollout when that one is told to end, as in an update of the operator", func(ctx context.Context) {
		By("starting the first replica with leader election")
		Expect(scene.operator.Stop()).To(Succeed())
		DeferCleanup(restart)
		Expect(scene.operator.Start(ctx, "--leader-elect")).To(Succeed())
		p := newPlace(ctx)
		asked := p.stuck(ctx, "one")

		By("starting the second one, which waits for the lease")
		other, err := scene.cluster.BuildOperator(ctx, GinkgoT().TempDir())
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(other.Stop)
		works := make(chan error, 1)
		go func() { works <- other.Start(ctx, "--leader-elect") }()
		Eventually(func() string { return other.Log(0) }).WithContext(ctx).Should(ContainSubstring("leader lease"))
		Consistently(works, "1s").ShouldNot(Receive())

		By("ending the first one, and waiting until the second one works")
		Expect(scene.operator.Stop()).To(Succeed())
		Eventually(works).WithContext(ctx).Should(Receive(Not(HaveOccurred())))
		cancel(ctx, asked, "it was stuck")
		await(ctx, asked, v1alpha1.ReasonCancelled)
		Expect(p.recordsOf(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditCancelled}))
		p.awaitSettled(ctx)
		Expect(other.Stop()).To(Succeed())
		restart(ctx)
	})
})
