// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

// automatic lets an Environment ask for these versions by itself.
func automatic(versions string) rule {
	return func(spec *v1alpha1.EnvironmentSpec) { spec.AutoPromotion.Versions = versions }
}

// unattended needs nobody's approval.
func unattended(spec *v1alpha1.EnvironmentSpec) {
	spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "nobody", Required: ptr.To[int32](0)}}
}

// employ creates the promoter of the project.
func (p *place) employ(ctx context.Context) {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: v1alpha1.PromoterServiceAccount}}
	Expect(scene.as(cluster.Admin).Create(ctx, account)).To(Succeed())
	Expect(p.project.Bind(ctx, "assent-promoter", p.promoter())).To(Succeed())
}

func (p *place) promoter() string {
	return "system:serviceaccount:" + p.project.Name + ":" + v1alpha1.PromoterServiceAccount
}

// promotions of the project: release, environment and state of each.
func (p *place) promotions(ctx context.Context) []string {
	GinkgoHelper()
	var all v1alpha1.PromotionList
	Expect(scene.as(cluster.Admin).List(ctx, &all, client.InNamespace(p.project.Name))).To(Succeed())
	found := []string{}
	for i := range all.Items {
		found = append(found, all.Items[i].Spec.Release+" in "+all.Items[i].Spec.Environment+": "+promotion.State(&all.Items[i]))
	}
	return found
}

var _ = Describe("an environment that asks for releases by itself", func() {
	It("asks for the newest that is eligible, once, as the promoter of the project", Serial, func(ctx context.Context) {
		p := newProject(ctx)
		p.employ(ctx)
		p.establish(ctx, production, automatic(">=1.0.0 <2.0.0"), unattended)
		elsewhere, err := scene.cluster.Target(ctx)
		Expect(err).NotTo(HaveOccurred())
		p.establish(ctx, "abroad", automatic(">=1.0.0"), comesAfter(production), func(spec *v1alpha1.EnvironmentSpec) { spec.Target = elsewhere })
		p.release(ctx, "shop-1.0.0", configMap("settings", "1"))
		Eventually(p.promotions).WithArguments(ctx).WithContext(ctx).Should(ConsistOf(
			"shop-1.0.0 in production: Succeeded", "shop-1.0.0 in abroad: AwaitingApproval"))

		By("releasing newer ones, and one that is out of bounds")
		p.release(ctx, "shop-2.0.0", configMap("settings", "2"))
		p.release(ctx, "shop-1.10.0", configMap("settings", "1.10"))
		Eventually(p.promotions).WithArguments(ctx).WithContext(ctx).Should(ConsistOf(
			"shop-1.0.0 in production: Succeeded", "shop-1.0.0 in abroad: AwaitingApproval",
			"shop-1.10.0 in production: Succeeded", "shop-1.10.0 in abroad: AwaitingApproval"))
		p.release(ctx, "shop-1.9.0", configMap("settings", "1.9"))

		var all v1alpha1.PromotionList
		Expect(scene.as(cluster.Admin).List(ctx, &all, client.InNamespace(p.project.Name))).To(Succeed())
		for _, asked := range all.Items {
			Expect(asked.Spec.RequestedBy.Username).To(Equal(p.promoter()))
			Expect(asked.Spec.Reason).To(ContainSubstring("asked for automatically"))
			Expect(asked.Name).To(MatchRegexp(`^%s-%s-[0-9a-f]{10}$`, asked.Spec.Release, asked.Spec.Environment))
		}

		By("deleting a promotion that waits, and starting the operator anew")
		for i := range all.Items {
			if asked := &all.Items[i]; asked.Spec.Environment == "abroad" && asked.Spec.Release == "shop-1.10.0" {
				Expect(scene.as(cluster.Admin).Delete(ctx, asked)).To(Succeed())
			}
		}
		Expect(scene.operator.Stop()).To(Succeed())
		Expect(scene.operator.Start(ctx)).To(Succeed())
		Consistently(p.promotions).WithArguments(ctx).WithContext(ctx).WithTimeout(3 * time.Second).Should(ConsistOf(
			"shop-1.0.0 in production: Succeeded", "shop-1.0.0 in abroad: AwaitingApproval", "shop-1.10.0 in production: Succeeded"))
		Expect(p.environment(ctx).Status.AutoPromoted).To(Equal(v1alpha1.AutoPromoted{Release: "shop-1.10.0", Version: "1.10.0"}))
	})

	It("says what to create when the promoter is missing or may not ask, and asks once it may", func(ctx context.Context) {
		p := newPlace(ctx, automatic(">=1.0.0"))
		ready := func() metav1.Condition {
			return condition(p.environment(ctx).Status.Conditions, v1alpha1.ConditionReady)
		}
		Eventually(ready).WithContext(ctx).Should(HaveField("Reason", v1alpha1.ReasonAccepted), "there is nothing to ask for")

		p.release(ctx, "shop-1.0.0", configMap("settings", "1"))
		commands := "Let an owner of the project run: kubectl create serviceaccount assent-promoter --namespace=" + p.project.Name +
			"; kubectl create rolebinding assent-promoter --namespace=" + p.project.Name + " --clusterrole=assent-promoter --serviceaccount=" + p.project.Name + ":assent-promoter"
		Eventually(ready).WithContext(ctx).Should(And(
			HaveField("Status", metav1.ConditionFalse), HaveField("Reason", v1alpha1.ReasonAutoPromotionRefused),
			HaveField("Message", "`spec.autoPromotion`: service account \"assent-promoter\" of project \""+p.project.Name+
				"\" cannot ask for promotions: it does not exist. "+commands)))

		By("creating the account without any right")
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: v1alpha1.PromoterServiceAccount}}
		Expect(scene.as(cluster.Admin).Create(ctx, account)).To(Succeed())
		p.release(ctx, "shop-1.1.0", configMap("settings", "1"))
		Eventually(ready).WithContext(ctx).Should(And(
			HaveField("Reason", v1alpha1.ReasonAutoPromotionRefused), HaveField("Message", And(ContainSubstring("forbidden"), HaveSuffix(commands)))))
		Expect(p.promotions(ctx)).To(BeEmpty())

		By("giving it the right")
		Expect(p.project.Bind(ctx, "assent-promoter", p.promoter())).To(Succeed())
		tried := 0
		Eventually(func(g Gomega) {
			tried++
			p.release(ctx, fmt.Sprintf("shop-0.0.%d", tried), configMap("settings", "1")) // any news is a reason to look again
			g.Expect(ready()).To(HaveField("Reason", v1alpha1.ReasonAccepted))
		}).WithContext(ctx).WithPolling(time.Second).Should(Succeed())
		Expect(p.promotions(ctx)).To(ConsistOf(HavePrefix("shop-1.1.0 in production: ")))
	})
})
