// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

var _ = Describe("a release that is blocked", func() {
	It("tells where it runs now, and is as before once it is unblocked", func(ctx context.Context) {
		p := newPlace(ctx)
		p.promoted(ctx, "one", configMap("settings", "1"))
		release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: "shop-one"}}
		patch := func(text string) {
			GinkgoHelper()
			Expect(scene.as(cluster.Admin).Patch(ctx, release.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(text)))).To(Succeed())
		}
		ready := func() metav1.Condition { return condition(release.Status.Conditions, v1alpha1.ConditionReady) }

		patch(`{"spec":{"blocked":{"reason":"known to lose orders"}}}`)
		awaitRelease(ctx, release, metav1.ConditionFalse, v1alpha1.ReasonBlockedRelease)
		Expect(ready().Message).To(Equal(`blocked: known to lose orders; it runs now in environment "production"`))
		Expect(ready().ObservedGeneration).To(Equal(release.Generation))
		current := p.environment(ctx).Status.Current
		Expect(release.Status.Environments).To(HaveExactElements(And(
			HaveField("Name", production), HaveField("Promotion", "one"), HaveField("SinceTime.Time", BeTemporally("==", current.SinceTime.Time)))))
		digest := release.Status.Digest

		By("promoting another release")
		p.promoted(ctx, "two", configMap("settings", "2"))
		Eventually(func() string {
			awaitRelease(ctx, release, metav1.ConditionFalse, v1alpha1.ReasonBlockedRelease)
			return ready().Message
		}).WithContext(ctx).Should(Equal("blocked: known to lose orders; it runs nowhere now"))
		Expect(release.Status.Environments).To(BeEmpty())

		By("unblocking it")
		patch(`{"spec":{"blocked":null}}`)
		awaitRelease(ctx, release, metav1.ConditionTrue, v1alpha1.ReasonResolved)
		Expect(release.Status.Digest).To(Equal(digest))
		Expect(release.Status.Environments).To(BeEmpty())
	})

	It("is resolved all the same, and says first what is wrong with its content", func(ctx context.Context) {
		p := newPlace(ctx)
		block := func(release *v1alpha1.Release) {
			GinkgoHelper()
			release.Spec.Blocked.Reason = "not yet"
			Expect(scene.as(cluster.Admin).Create(ctx, release)).To(Succeed())
		}
		good := cluster.NewRelease(p.project.Name, "good", "1", manifests(configMap("settings", "1")))
		block(good)
		awaitRelease(ctx, good, metav1.ConditionFalse, v1alpha1.ReasonBlockedRelease)
		Expect(good.Status.Digest).NotTo(BeEmpty())
		bad := cluster.NewRelease(p.project.Name, "bad", "1", "no: manifest")
		block(bad)
		awaitRelease(ctx, bad, metav1.ConditionFalse, v1alpha1.ReasonInvalidSource)
	})
})
