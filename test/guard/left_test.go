// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/lint"
)

// Nobody operates here. What the attacks leave behind must still have conditions as the API says.
var _ = AfterSuite(func(ctx context.Context) {
	if scene == nil || scene.project == nil || scene.keeps() {
		return
	}
	left, err := lint.Collect(ctx, scene.as(cluster.Admin), scene.project.Name)
	Expect(err).NotTo(HaveOccurred())
	Expect(left.Shape(time.Now())).To(BeEmpty())
})
