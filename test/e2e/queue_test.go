// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

// stuck is a promotion whose rollout waits for a node that is not there.
func (p *place) stuck(ctx context.Context, name string) *v1alpha1.Promotion {
	GinkgoHelper()
	asked := p.approved(ctx, name, configMap("settings", name), stuckDeployment("web"))
	eventually(ctx, asked, "has put its intent on record", func(g Gomega) {
		g.Expect(p.recordsOf(ctx, asked)).To(ConsistOf(v1alpha1.AuditIntent))
		g.Expect(promotion.State(asked)).To(Equal(v1alpha1.ReasonRollingOut))
	})
	Expect(condition(asked.Status.Conditions, v1alpha1.ConditionReconciling).Status).To(BeEquivalentTo("True"))
	return asked
}

var _ = Describe("one environment", func() {
	It("runs one rollout at a time: the next waits, says for which, and starts when that is cancelled", func(ctx context.Context) {
		p := newPlace(ctx)
		first := p.stuck(ctx, "one")
		second := p.approved(ctx, "two", configMap("settings", "two"))
		await(ctx, second, v1alpha1.ReasonQueued)
		Expect(blocker(second, v1alpha1.GateQueue)).To(HaveField("Message", ContainSubstring(`"one"`)))
		Expect(second.Status.StartTime.IsZero()).To(BeTrue())
		Expect(p.value(ctx, "settings")).To(Equal("one"))

		cancel(ctx, first, "there is no such node")
		await(ctx, first, v1alpha1.ReasonCancelled)
		Expect(message(first)).To(ContainSubstring("there is no such node"))
		Expect(p.recordsOf(ctx, first)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditCancelled}))
		await(ctx, second, v1alpha1.ReasonSucceeded)
		environment := p.awaitSettled(ctx)
		Expect(p.value(ctx, "settings")).To(Equal("two"))
		Expect(names(environment.Status.Inventory)).To(ConsistOf("ConfigMap/settings"), "the cancelled one's deployment is pruned")
		p.expectGone(ctx, &v1alpha1.ObjectReference{Kind: "Deployment", Group: "apps", Name: "web"})
	})

	It("ends every older promotion that waits when a newer one starts, and leaves a newer one alone", func(ctx context.Context) {
		p := newPlace(ctx)
		older := p.planned(ctx, "one", configMap("settings", "one"))
		// The creation time has whole seconds: the next is newer only after the second is over.
		eventually(ctx, older, "is older than now", func(g Gomega) {
			probe := cluster.NewPromotion(p.project.Name, "probe", "none", production)
			g.Expect(scene.as(cluster.Bob).Create(ctx, probe, client.DryRunAll)).To(Succeed())
			g.Expect(probe.CreationTimestamp.Time).To(BeTemporally(">", older.CreationTimestamp.Time))
		})
		newer := p.stuck(ctx, "two")
		await(ctx, older, v1alpha1.ReasonSuperseded)
		Expect(message(older)).To(ContainSubstring(`"two"`))
		Expect(p.recordsOf(ctx, older)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditSuperseded}))
		newest := p.planned(ctx, "three", configMap("settings", "three"))
		Expect(promotion.Ended(newest)).To(BeFalse())
		cancel(ctx, newer, "enough")
		await(ctx, newer, v1alpha1.ReasonCancelled)
		approve(ctx, cluster.Alice, newest)
		await(ctx, newest, v1alpha1.ReasonSucceeded)
		p.awaitSettled(ctx)
	})

	It("is free again when a promotion is deleted during its rollout, and the history says what became of it", func(ctx context.Context) {
		p := newPlace(ctx)
		first := p.stuck(ctx, "one")
		Expect(scene.as(cluster.Bob).Delete(ctx, first.DeepCopy())).To(Succeed())
		By("waiting until the outcome is on record")
		Eventually(func(g Gomega) {
			g.Expect(p.recordsOf(ctx, first)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditCancelled}))
			err := scene.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(first), &v1alpha1.Promotion{})
			g.Expect(apierrors.IsNotFound(err)).To(BeTrue())
		}).WithContext(ctx).Should(Succeed())
		environment := p.awaitSettled(ctx)
		Expect(condition(environment.Status.Conditions, v1alpha1.ConditionHealthy)).To(And(
			HaveField("Status", BeEquivalentTo("False")), HaveField("Message", ContainSubstring("deleted"))))
		Expect(names(environment.Status.Inventory)).To(ConsistOf("ConfigMap/settings", "Deployment/web"))
		p.promoted(ctx, "two", configMap("settings", "two"))
		p.expectGone(ctx, &v1alpha1.ObjectReference{Kind: "Deployment", Group: "apps", Name: "web"})
	})

	It("keeps no promotion that is deleted before its start, and no record of it that would block others", func(ctx context.Context) {
		p := newPlace(ctx)
		first := p.planned(ctx, "one", configMap("settings", "one"))
		Expect(scene.as(cluster.Bob).Delete(ctx, first.DeepCopy())).To(Succeed())
		p.promoted(ctx, "two", configMap("settings", "two"))
		Expect(p.recordsOf(ctx, first)).NotTo(ContainElement(v1alpha1.AuditIntent))
	})
})

var _ = Describe("a promotion", func() {
	It("that is asked for before its release and environment exist waits for them and goes on by itself", func(ctx context.Context) {
		p := newProject(ctx)
		asked := p.request(ctx, "one", "shop-one")
		eventually(ctx, asked, "names both that are missing", func(g Gomega) {
			g.Expect(blocker(asked, v1alpha1.GateRelease)).To(HaveField("Message", ContainSubstring(`"shop-one" does not exist`)))
			g.Expect(blocker(asked, v1alpha1.GateTarget)).To(HaveField("Message", ContainSubstring(`"production" does not exist`)))
		})
		p.release(ctx, "shop-one", configMap("settings", "1"))
		eventually(ctx, asked, "waits for the environment alone", func(g Gomega) {
			g.Expect(blocker(asked, v1alpha1.GateRelease)).To(BeNil())
			g.Expect(blocker(asked, v1alpha1.GateTarget)).NotTo(BeNil())
		})
		p.establish(ctx, production)
		await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
	})

	It("starts without anybody's approval where the environment requires none", func(ctx context.Context) {
		p := newPlace(ctx, rules(v1alpha1.ApprovalRule{Name: "none", Required: new(int32(0))}))
		p.release(ctx, "shop-one", configMap("settings", "1"))
		asked := p.request(ctx, "one", "shop-one")
		await(ctx, asked, v1alpha1.ReasonSucceeded)
	})
})
