// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/internal/health"
)

// standing is an object of an inventory: which one it was when it was applied, nobody knows any more.
func standing(object health.Expected) health.Expected {
	object.UID, object.Generation = "", 0
	return object
}

func remove(ctx context.Context, object health.Expected) {
	GinkgoHelper()
	target := &unstructured.Unstructured{}
	target.SetGroupVersionKind(object.Kind)
	target.SetNamespace(object.Ref.Namespace)
	target.SetName(object.Ref.Name)
	Expect(admin.Delete(ctx, target)).To(Succeed())
}

var _ = Describe("objects that were applied long ago", func() {
	It("count as they are, whatever their UID and generation", func(ctx context.Context) {
		s := newScene(ctx)
		first := s.create(ctx, workload("Deployment", "web", "replicas: 1", ""))
		s.track(standing(first))
		Eventually(s.report).Should(And(healthy, HaveField("Unseen", BeFalse())))
		s.patch(ctx, first, `{"spec":{"template":{"metadata":{"annotations":{"restarted":"now"}}}}}`)
		Eventually(s.report).Should(healthy)

		remove(ctx, first)
		Eventually(s.messages).Should(Equal("Deployment web: was deleted by somebody else after it was applied: promote again to apply it once more"))
		s.create(ctx, workload("Deployment", "web", "replicas: 1", ""))
		Eventually(s.report).Should(healthy)
	})

	It("are told to have gone, though no event of theirs is left to come", func(ctx context.Context) {
		s := newScene(ctx)
		web := s.create(ctx, workload("Deployment", "web", "replicas: 1", ""))
		remove(ctx, web)
		s.track(standing(web))
		Eventually(s.notifications).Should(Equal(1))
		Expect(s.messages()).To(Equal("Deployment web: was deleted by somebody else after it was applied: promote again to apply it once more"))
		Expect(s.report().Unseen).To(BeFalse())
	})

	It("are unseen, and not unhealthy, until somebody has looked", func(ctx context.Context) {
		s := newScene(ctx)
		web := s.create(ctx, workload("Deployment", "web", "replicas: 1", ""))
		s.track(standing(web))
		Expect(s.report()).To(And(HaveField("Unseen", BeTrue()), HaveField("Healthy", 0)))
		Eventually(s.report).Should(And(healthy, HaveField("Unseen", BeFalse())))
		other := types.NamespacedName{Namespace: "shop", Name: "onlooker"}
		Expect(s.tracker.Track(other, s.expected, s.reader)).To(Succeed())
		DeferCleanup(func() { s.tracker.Stop(other) })
		report, _ := s.tracker.Report(other)
		Expect(report).To(And(healthy, HaveField("Unseen", BeFalse())), "a watch that runs already has looked")
	})
})
