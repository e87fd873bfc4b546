// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cluster"
)

var _ = Describe("The clusters in use", func() {
	var shop *project
	BeforeEach(func(ctx context.Context) {
		shop = newProject(ctx)
	})

	It("have the operator's own for a target that names none, and ask nobody", func(ctx context.Context) {
		found := shop.reach(ctx, v1alpha1.Target{Namespace: "shop-prod", ServiceAccountName: "assent-deployer"})
		Expect(found).To(BeIdenticalTo(shop.clusters.Local()))
		Expect(found.Check(ctx)).To(Succeed())
		Expect(found.Remote()).To(BeFalse())
		Expect(found.Digest).To(BeEmpty())
		Expect(shop.asked.value()).To(BeZero())
	})

	It("tell what the operator's own can do, and ask it again after ten minutes or a reset of the mapper", func(ctx context.Context) {
		found := shop.clusters.Local()
		can, err := found.Capabilities(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(can.KubeVersion).To(HavePrefix("v1."))
		Expect(can.APIVersions).To(ContainElements("apps/v1", "apps/v1/Deployment"))
		can.APIVersions[0] = "changed by the caller"
		asks := func() bool {
			before := shop.asked.value()
			again, err := found.Capabilities(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(again.APIVersions).NotTo(ContainElement("changed by the caller"))
			return shop.asked.value() > before
		}
		Expect(asks()).To(BeFalse())
		shop.clock.SetTime(shop.clock.Now().Add(10 * time.Minute))
		Expect(asks()).To(BeTrue())
		meta.MaybeResetRESTMapper(found.Mapper)
		Expect(asks()).To(BeTrue())
		_, err = found.Mapper.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"})
		Expect(err).NotTo(HaveOccurred())
	})

	It("say what to do about a Secret that is not there", func(ctx context.Context) {
		problem := shop.problem(ctx, targetOf("remote"))
		Expect(problem).To(withReason(cluster.SecretMissing, `create it with a kubeconfig in the key "kubeconfig"`))
		Expect(problem.Retryable()).To(BeFalse())
	})

	It("say what to do about a Secret without the key", func(ctx context.Context) {
		target := shop.holding(ctx, "remote", "x")
		target.Cluster.Kubeconfig.Key = "value"
		Expect(shop.problem(ctx, target)).To(withReason(cluster.SecretMissing, `has no key "value"`))
	})

	It("read no Secret that the project's owner has not opened to the operator", func(ctx context.Context) {
		target := shop.holding(ctx, "remote", newAPIServer(version).kubeconfig("x"))
		shop.reach(ctx, target)
		Expect(localAdmin.Delete(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "assent-secret-reader", Namespace: shop.name}})).To(Succeed())
		Eventually(func() *cluster.Error { // until the binding is out of force
			_, err := shop.clusters.For(ctx, shop.name, target)
			return cluster.Problem(err)
		}).WithContext(ctx).Should(withReason(cluster.SecretForbidden, `a Role that allows `+"`get`"+` on secrets with resourceNames ["remote"]`))
	})

	It("do not take a target that names an empty Secret for the operator's own", func(ctx context.Context) {
		_, err := shop.clusters.For(ctx, shop.name, v1alpha1.Target{Cluster: v1alpha1.TargetCluster{TLSVerification: v1alpha1.TLSVerificationRequired}})
		Expect(err).To(HaveOccurred())
	})

	It("drop what nobody has asked for in a while, and close its connections", func(ctx context.Context) {
		api := newAPIServer(version)
		first := shop.holding(ctx, "first", api.kubeconfig("first"))
		second := shop.holding(ctx, "second", api.kubeconfig("second"))
		before := shop.reach(ctx, first)
		shop.clock.SetTime(shop.clock.Now().Add(cluster.IdleAge / 2))
		kept := shop.reach(ctx, second)
		Expect(api.open.value()).To(Equal(2))
		shop.clock.SetTime(shop.clock.Now().Add(cluster.IdleAge / 2))
		Expect(shop.reach(ctx, second)).To(BeIdenticalTo(kept))
		Eventually(api.open.value).WithContext(ctx).Should(Equal(1))
		Expect(shop.reach(ctx, first)).NotTo(BeIdenticalTo(before))
	})

	It("are at most so many, of which those asked for last stay", func(ctx context.Context) {
		api := newAPIServer(version)
		var first, second *cluster.Cluster
		reach := func(i int) *cluster.Cluster {
			return shop.reach(ctx, shop.holding(ctx, "remote", api.kubeconfig(fmt.Sprintf("token-%d", i))))
		}
		for i := range cluster.MaxClusters {
			shop.clock.SetTime(shop.clock.Now().Add(1))
			switch found := reach(i); i {
			case 0:
				first = found
			case 1:
				second = found
			}
		}
		shop.clock.SetTime(shop.clock.Now().Add(1))
		Expect(reach(0)).To(BeIdenticalTo(first))
		shop.clock.SetTime(shop.clock.Now().Add(1))
		reach(cluster.MaxClusters)
		Eventually(api.open.value).WithContext(ctx).Should(BeNumerically("<=", cluster.MaxClusters))
		Expect(reach(0)).To(BeIdenticalTo(first))
		Expect(reach(1)).NotTo(BeIdenticalTo(second))
	})
})
