// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// mostMemory is what the operator may hold after a promotion of a thousand objects, on top of what it held before.
const mostMemory = 256 << 20

var _ = Describe("a release of a thousand objects", func() {
	It("rolls out in one promotion, within the memory that the operator has", NodeTimeout(10*patience), func(ctx context.Context) {
		const count, size = 1000, 1600
		var objects []string
		for i := range count {
			objects = append(objects, configMap(fmt.Sprintf("many-%04d", i), strings.Repeat(fmt.Sprint(i%10), size)))
		}
		Expect(len(manifests(objects...))).To(BeNumerically(">", 3<<19), "over 1.5 MB")
		store := serveArtifacts(false)
		p := newPlace(ctx)
		p.from(ctx, "1.0.0", v1alpha1.ReleaseSource{OCI: v1alpha1.OCISource{URL: "oci+http://" + store.host() + "/shop", Digest: store.push("1.0.0", objects...)}})
		before, err := scene.operator.Memory()
		Expect(err).NotTo(HaveOccurred())
		asked := p.request(ctx, "one", "shop-1.0.0")
		Eventually(func(g Gomega) {
			g.Expect(refresh(ctx, asked)).To(Succeed())
			g.Expect(asked.Status.Plan.Objects).To(HaveValue(BeEquivalentTo(count)), describe(asked))
		}).WithContext(ctx).WithTimeout(4 * patience).Should(Succeed())
		approve(ctx, cluster.Alice, asked)
		var most int64
		Eventually(func(g Gomega) {
			held, err := scene.operator.Memory()
			g.Expect(err).NotTo(HaveOccurred())
			most = max(most, held)
			g.Expect(refresh(ctx, asked)).To(Succeed())
			g.Expect(asked.Status.CompletionTime.IsZero()).To(BeFalse(), describe(asked))
		}).WithContext(ctx).WithTimeout(4 * patience).Should(Succeed())
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		p.awaitSettled(ctx)
		AddReportEntry(fmt.Sprintf("%d objects took %s from start to end; the operator held %d MiB before and at most %d MiB meanwhile",
			count, asked.Status.CompletionTime.Sub(asked.Status.StartTime.Time), before>>20, most>>20))
		Expect(most - before).To(BeNumerically("<", mostMemory))
		Expect(p.environment(ctx).Status.Inventory).To(HaveLen(count))
	})
})
