// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// manifests of the shop: a Deployment that becomes healthy, and what it says.
const manifests = `apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {greeting: %s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {app: shop}}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers: [{name: shop, image: "registry.example.com/shop:%s"}]
`

// newProject is what every story begins with.
func newProject(ctx context.Context) string {
	GinkgoHelper()
	project, err := connected.Project(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(project.Bind(ctx, "assent-viewer", cluster.Mallory)).To(Succeed())
	staging := cluster.NewEnvironment(project.Name, "staging", v1alpha1.Target{})
	production := cluster.NewEnvironment(project.Name, "production", v1alpha1.Target{})
	production.Spec.After = []string{"staging"}
	production.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "owners", Required: ptr.To[int32](2), Users: []string{cluster.Alice, cluster.Carol}}}
	for _, environment := range []*v1alpha1.Environment{staging, production} {
		environment.Spec.Target, err = connected.Target(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(admin.Create(ctx, environment)).To(Succeed())
	}
	for _, version := range []string{"1.0.0", "1.1.0"} {
		newRelease(ctx, project.Name, version, "What is new in "+version)
	}
	return project.Name
}

// newRelease with notes, which is ready when this returns.
func newRelease(ctx context.Context, project, version, notes string) {
	GinkgoHelper()
	release := cluster.NewRelease(project, "shop-"+version, version, fmt.Sprintf(manifests, "from-"+version, version))
	release.Spec.Notes = notes
	Expect(admin.Create(ctx, release)).To(Succeed())
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(release), release)).To(Succeed())
		g.Expect(release.Status.Digest).NotTo(BeEmpty())
	}).Should(Succeed())
}

// asked is a Promotion that bob has asked for, with its plan.
func asked(ctx context.Context, project, release, environment string) *v1alpha1.Promotion {
	GinkgoHelper()
	bob, err := connected.Client(cluster.Bob)
	Expect(err).NotTo(HaveOccurred())
	promotion := cluster.NewPromotion(project, release+"-"+environment, release, environment)
	promotion.Spec.Reason = "vouchers"
	Expect(bob.Create(ctx, promotion)).To(Succeed())
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(promotion), promotion)).To(Succeed())
		g.Expect(promotion.Status.Plan.Digest).NotTo(BeEmpty())
		g.Expect(promotion.Status.Blockers).NotTo(BeEmpty())
	}).Should(Succeed())
	return promotion
}

func pageOf(promotion *v1alpha1.Promotion) string {
	return "/projects/" + promotion.Namespace + "/promotions/" + promotion.Name
}

// changePlan of all Promotions to an Environment, by what its overlay adds.
func changePlan(ctx context.Context, environment *v1alpha1.Environment) {
	GinkgoHelper()
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(environment), environment)).To(Succeed())
	changed := environment.DeepCopy()
	changed.Spec.Overlay.Labels = map[string]string{"team": "shop"}
	Expect(admin.Patch(ctx, changed, client.MergeFrom(environment))).To(Succeed())
}
