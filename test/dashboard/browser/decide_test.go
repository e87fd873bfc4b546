// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"net/url"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

var _ = Describe("People who decide", func() {
	It("see what is asked for, read what it changes, approve it, and watch it become healthy", func(ctx SpecContext) {
		project := newProject(ctx)
		alice := signIn(cluster.Alice)
		alice.opens("/inbox?project=" + project)
		bob := signIn(cluster.Bob)
		bob.opens("/projects/" + project + "/releases/shop-1.0.0")

		By("bob asks for it, and is led to its page")
		bob.sends("/projects/"+project+"/promotions", map[string]string{"environment": "staging", "reason": "the first version"})
		bob.sees("h1", "shop-1.0.0")
		bob.sees("main", "needs 1 more approval")
		Expect(bob.has("form[action$=approve]")).To(BeZero(), "bob may not approve")

		By("alice sees it come into her inbox without asking again, and reads the diff")
		alice.sees("main", "the first version")
		alice.clicks(`main a[href$="/` + project + `/promotions/shop-1.0.0-staging"]`)
		alice.sees("#promotion-diff", "from-1.0.0")

		By("she approves, and both see it become healthy without asking again")
		alice.sends("/shop-1.0.0-staging/approve", map[string]string{"comment": "looked at with carol"})
		alice.sees("main", "Succeeded")
		bob.sees("main", "Succeeded")
		bob.sees("main", "looked at with carol")
		approved := promotionOf(ctx, project, "shop-1.0.0-staging")
		Expect(approved.Spec.Approvals).To(ConsistOf(HaveField("User", cluster.Alice)))
		Expect(string(approved.Spec.Approvals[0].PlanDigest)).To(HavePrefix("sha256:"))

		alice.opens("/matrix?project=" + project)
		alice.sees("main", "1.0.0")
		alice.sees("main", "Healthy")
	}, NodeTimeout(3*patience))

	It("reject with a reason, and those who asked read it", func(ctx SpecContext) {
		promotion := asked(ctx, newProject(ctx), "shop-1.0.0", "staging")
		bob := signIn(cluster.Bob)
		bob.opens(pageOf(promotion))
		alice := signIn(cluster.Alice)
		alice.opens(pageOf(promotion))
		alice.sends("/reject", map[string]string{"reason": "the price list is wrong"})
		bob.sees("main", "Rejected")
		bob.sees("main", "the price list is wrong")
	}, NodeTimeout(3*patience))

	It("who may only look see no button, and are refused when they forge a request", func(ctx SpecContext) {
		promotion := asked(ctx, newProject(ctx), "shop-1.0.0", "staging")
		mallory := signIn(cluster.Mallory)
		mallory.opens(pageOf(promotion))
		mallory.sees("main", "needs 1 more approval")
		Expect(mallory.has("main form[method=post]")).To(BeZero())

		answer := mallory.posts(pageOf(promotion)+"/approve", url.Values{"uid": {string(promotion.UID)}, "digest": {string(promotion.Status.Plan.Digest)}})
		Expect(answer.Status).To(Equal(403))
		Expect(answer.Text).To(ContainSubstring("mallory"), "the API server's own words")
		Expect(promotionOf(ctx, promotion.Namespace, promotion.Name).Spec.Approvals).To(BeEmpty())
	}, NodeTimeout(3*patience))

	It("decide on what was on their screen: a page that is out of date approves nothing", func(ctx SpecContext) {
		promotion := asked(ctx, newProject(ctx), "shop-1.0.0", "staging")
		alice := signIn(cluster.Alice)
		alice.opens(pageOf(promotion))
		alice.sees("#promotion-diff", "from-1.0.0")

		By("the plan changes: the page says so, and asks her to look at the new one first")
		environment := &v1alpha1.Environment{}
		environment.Namespace, environment.Name = promotion.Namespace, "staging"
		changePlan(ctx, environment)
		Eventually(func() v1alpha1.Digest {
			return promotionOf(ctx, promotion.Namespace, promotion.Name).Status.Plan.Digest
		}).ShouldNot(Or(BeEmpty(), Equal(promotion.Status.Plan.Digest)))
		alice.sees("main", "The plan has changed")
		const inert = `document.querySelector("#promotion-actions form[action$='/approve']").inert`
		Expect(evaluate[bool](alice, inert)).To(BeTrue(), "a click that was meant for the plan before does nothing")
		alice.clicks("#promotion-looked")
		Expect(evaluate[bool](alice, inert)).To(BeFalse())

		By("a page that has not noticed sends what was on its screen, and is refused")
		answer := alice.posts(pageOf(promotion)+"/approve", url.Values{"uid": {string(promotion.UID)}, "digest": {string(promotion.Status.Plan.Digest)}})
		Expect(answer.Status).To(Equal(409))
		Expect(answer.Text).To(ContainSubstring("the plan has changed since this page was opened"))
		Expect(promotionOf(ctx, promotion.Namespace, promotion.Name).Spec.Approvals).To(BeEmpty())
	}, NodeTimeout(3*patience))

	It("decide on the Promotion of the page, and not on another one of its name", func(ctx SpecContext) {
		promotion := asked(ctx, newProject(ctx), "shop-1.0.0", "staging")
		alice := signIn(cluster.Alice)
		alice.opens(pageOf(promotion))
		Expect(admin.Delete(ctx, promotion)).To(Succeed())
		again := asked(ctx, promotion.Namespace, "shop-1.0.0", "staging")
		answer := alice.posts(pageOf(promotion)+"/approve", url.Values{"uid": {string(promotion.UID)}, "digest": {string(again.Status.Plan.Digest)}})
		Expect(answer.Status).To(Equal(409))
		Expect(promotionOf(ctx, again.Namespace, again.Name).Spec.Approvals).To(BeEmpty())
	}, NodeTimeout(3*patience))
})
