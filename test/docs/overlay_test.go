// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/test/cluster"
)

var _ = Describe("the overlay on the page of the Environment", func() {
	It("fits the samples, and shows in the diff", func(ctx context.Context) {
		content, err := os.ReadFile(repository + "/docs/environment.md")
		Expect(err).NotTo(HaveOccurred())
		var examples []string
		for _, found := range manifest.FindAllStringSubmatch(string(content), -1) {
			if strings.Contains(found[1], "    patches:") {
				examples = append(examples, found[1])
			}
		}
		Expect(examples).To(HaveLen(1))
		p := newProject(ctx)
		p.apply(ctx, cluster.Admin, examples[0])
		p.inOrder(ctx)
		Eventually(func(g Gomega) {
			found, err := p.promotion(ctx, asked)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found.Status.Plan.Diff).To(And(
				ContainSubstring("memory: 256Mi"), ContainSubstring("port: 8080"), ContainSubstring("replicas: 6"), ContainSubstring(`example.com/cost-centre: "4711"`)))
		}).WithContext(ctx).Should(Succeed())
	})
})
