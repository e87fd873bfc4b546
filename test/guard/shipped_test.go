// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/test/cluster"
)

var _ = Describe("the guard as it is shipped", Label("static"), func() {
	// What cannot be judged is refused: nobody gets past a rule by a write that its expression stumbles over. What cannot be stamped goes on, for
	// the guard to judge.
	DescribeTable("fails closed where it decides, and open where it stamps", func(directory, kind, failurePolicy string) {
		for _, policy := range shipped(directory) {
			if policy.GetKind() == kind {
				Expect(policy.Object).To(HaveKeyWithValue("spec", HaveKeyWithValue("failurePolicy", failurePolicy)), policy.GetName())
			}
		}
	},
		Entry("the guard", "config/guard", "ValidatingAdmissionPolicy", "Fail"),
		Entry("stamping", "config/guard/stamping", "MutatingAdmissionPolicy", "Ignore"),
	)

	It("locks in a remote cluster what it locks in this one, and has nothing there that is about the kinds which are only here", func() {
		var locking []unstructured.Unstructured
		for _, object := range shipped("config/guard") {
			switch object.GetName() {
			case "assent-locks", "assent-scaling", "assent-targets":
				locking = append(locking, object)
			}
		}
		Expect(shipped("config/remote/lock")).To(ConsistOf(locking))
	})
})

func shipped(directory string) []unstructured.Unstructured {
	GinkgoHelper()
	objects, err := cluster.Build(directory)
	Expect(err).NotTo(HaveOccurred())
	Expect(objects).NotTo(BeEmpty())
	return objects
}
