// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
)

var rolloutSections, rolloutUnreadable = readPage(repository + "/docs/rollout.md")

var beforeRollouts = scenes{"When it fails": oneRelease}

var afterRollouts = scenes{
	"Waves":                         theReleaseHadThreeWaves,
	"Fields that cannot be changed": thePriceWasChanged,
	"When it fails":                 theReleaseBeforeRuns,
}

var _ = Describe("the page of the rollout", func() {
	It("can be read", func() {
		Expect(rolloutUnreadable).NotTo(HaveOccurred())
		expectTitles(rolloutSections, beforeRollouts, afterRollouts)
	})

	for _, followed := range rolloutSections {
		if len(followed.blocks) == 0 {
			continue
		}
		It(fmt.Sprintf("is right about %q", followed.title), func(ctx context.Context) {
			follow(ctx, followed, beforeRollouts[followed.title], afterRollouts[followed.title])
		})
	}
})

func oneRelease(ctx context.Context, p *project) {
	GinkgoHelper()
	p.approve(ctx, asked, v1alpha1.ReasonSucceeded)
}

func theReleaseHadThreeWaves(ctx context.Context, p *project) {
	GinkgoHelper()
	found, err := p.promotion(ctx, "shop-1.1.0-production")
	Expect(err).NotTo(HaveOccurred())
	Expect(found.Status.Progress).To(And(HaveField("Wave", int32(3)), HaveField("Waves", int32(3))))
}

func thePriceWasChanged(ctx context.Context, p *project) {
	GinkgoHelper()
	prices := &corev1.ConfigMap{}
	Expect(admin.Get(ctx, types.NamespacedName{Namespace: p.targets["shop-production"], Name: "shop-prices"}, prices)).To(Succeed())
	Expect(prices.Data).To(HaveKeyWithValue("voucher", "12"))
}

func theReleaseBeforeRuns(ctx context.Context, p *project) {
	GinkgoHelper()
	settings := &corev1.ConfigMap{}
	Expect(admin.Get(ctx, types.NamespacedName{Namespace: p.targets["shop-production"], Name: "shop"}, settings)).To(Succeed())
	Expect(settings.Data).To(HaveKey("default.conf"))
	Expect(settings.Data).NotTo(HaveKey("greeting"))
	Expect(p.environment(ctx, "production").Status.Current.Release).To(Equal("shop-1.0.0"))
}
