// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"os"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/test/cluster"
)

// manifest is an example of whole objects in a kind's page.
var manifest = regexp.MustCompile("(?ms)^```yaml\n(apiVersion: .*?)^```$")

var _ = Describe("the page of a kind", func() {
	for _, kind := range []string{"release", "environment", "promotion", "checks"} {
		It("has examples that the API server takes: "+kind, func(ctx context.Context) {
			content, err := os.ReadFile(repository + "/docs/" + kind + ".md")
			Expect(err).NotTo(HaveOccurred())
			p, err := connected.Project(ctx)
			Expect(err).NotTo(HaveOccurred())
			examples := manifest.FindAllStringSubmatch(string(content), -1)
			Expect(examples).NotTo(BeEmpty())
			for _, example := range examples {
				text := moved(example[1], p.Name, nil)
				_, err := connected.Kubectl(ctx, cluster.Admin, text, "apply", "--validate=strict", "--dry-run=server", "--filename=-")
				Expect(err).NotTo(HaveOccurred(), text)
			}
		})
	}
})
