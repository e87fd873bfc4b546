// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// unattended lets everything start without approval.
func unattended(spec *v1alpha1.EnvironmentSpec) {
	spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "none", Required: ptr.To[int32](0)}}
}

// frozen lets nothing start until Monday.
func frozen(spec *v1alpha1.EnvironmentSpec) {
	spec.Windows.Freeze = []v1alpha1.Window{{StartTime: metav1.NewTime(friday.Add(-time.Hour)), EndTime: metav1.NewTime(friday.Add(72 * time.Hour)), Reason: "year end"}}
}

const untilMonday = `Window: a freeze lasts until Monday 2031-03-10 10:00 UTC: year end | until 2031-03-10T10:00:00Z`

// succeed has a version succeed in production, and returns its promotion.
func (p *project) succeed(ctx context.Context, version string) *v1alpha1.Promotion {
	GinkgoHelper()
	p.release(ctx, version)
	asked := p.request(ctx, version, "production", nil)
	p.await(ctx, asked, v1alpha1.ReasonSucceeded)
	return asked
}

var _ = Describe("a hold", func() {
	It("of a project, of an environment and by annotation keeps everything from starting, and is taken off only by who may", func(ctx context.Context) {
		p := newProject(ctx)
		environment := p.establish(ctx, "production", unattended)
		Expect(p.annotate(ctx, cluster.Admin, p.namespace(), v1alpha1.AnnotationHold, "incident 4711")).To(Succeed())
		Eventually(func() string { return p.environment(ctx, "production").Status.Stage }).WithContext(ctx).ShouldNot(BeEmpty())
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", nil)
		held := fmt.Sprintf("Hold: project %q is on hold: incident 4711", p.Name)
		p.expectBlocked(ctx, asked, held)

		p.patch(ctx, cluster.Admin, environment, map[string]any{"hold": map[string]any{"reason": "no"}})
		p.expectBlocked(ctx, asked, held+`; environment "production" is on hold: no`)
		Expect(p.annotate(ctx, cluster.Admin, p.namespace(), v1alpha1.AnnotationHold, "")).To(Succeed())
		p.expectBlocked(ctx, asked, `Hold: environment "production" is on hold: no`)

		Expect(p.Bind(ctx, "edit", cluster.Mallory)).To(Succeed())
		Expect(p.Allow(ctx, cluster.Mallory, environmentWriter())).To(Succeed())
		Eventually(func() error { return p.tryPatch(ctx, cluster.Mallory, environment, map[string]any{"hold": nil}) }).WithContext(ctx).
			Should(MatchError(ContainSubstring("(G14)")))
		p.staysAt(ctx, asked, `Hold: environment "production" is on hold: no`)
		p.patch(ctx, cluster.Admin, environment, map[string]any{"hold": nil})
		p.await(ctx, asked, v1alpha1.ReasonSucceeded)
	})
})

var _ = Describe("an override", func() {
	It("opens the gates that it names and no other, is told to everybody, and stays marked until somebody else acknowledges it", func(ctx context.Context) {
		p := newProject(ctx)
		p.establish(ctx, "production", func(spec *v1alpha1.EnvironmentSpec) {
			frozen(spec)
			spec.Hold.Reason = "incident 4711"
		})
		Expect(p.Bind(ctx, "assent-override", cluster.Carol, cluster.Dave)).To(Succeed())
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", nil)
		const held, approval = `Hold: environment "production" is on hold: incident 4711`, "Approval: needs 1 more approval; 0 of 1 given"
		p.expectBlocked(ctx, asked, held, approval, untilMonday)
		override := map[string]any{"gates": []string{"Window", "Approval"}, "reason": "the shop is down"}
		Expect(p.tryPatch(ctx, cluster.Bob, asked, map[string]any{"override": override})).To(MatchError(ContainSubstring("(G9)")))
		p.patch(ctx, cluster.Carol, asked, map[string]any{"override": override})
		p.expectBlocked(ctx, asked, held)
		p.patch(ctx, cluster.Admin, p.environment(ctx, "production"), map[string]any{"hold": nil})
		p.await(ctx, asked, v1alpha1.ReasonSucceeded)

		Expect(p.records(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditOverridden, v1alpha1.AuditIntent, v1alpha1.AuditSucceeded}))
		Expect(asked.Status.Overridden).To(ConsistOf(BeEquivalentTo("Window"), BeEquivalentTo("Approval")))
		Expect(p.environment(ctx, "production").Status.Overrides).To(ConsistOf(And(
			HaveField("Promotion", asked.Name), HaveField("User", cluster.Carol), HaveField("Reason", "the shop is down"))))
		Expect(overridden(asked)).To(HaveField("Reason", v1alpha1.ReasonUnacknowledged))
		Expect(p.as(cluster.Bob).Delete(ctx, asked)).To(MatchError(ContainSubstring("(G9)")))
		p.expectEvent(ctx, "Overridden", `"carol" has opened the gates Approval and Window: the shop is down`)
		Expect(counted("assent_overrides_total", p.Name)).To(BeEquivalentTo(2), "one for each gate")

		acknowledges := func(user string) map[string]any {
			return map[string]any{"acknowledgement": map[string]any{"username": user, "comment": "seen"}}
		}
		Expect(p.tryPatch(ctx, cluster.Carol, asked, acknowledges(cluster.Carol))).To(MatchError(ContainSubstring("(G9)")))
		Expect(p.tryPatch(ctx, cluster.Alice, asked, acknowledges(cluster.Alice))).To(MatchError(ContainSubstring("(G9)")))
		p.patch(ctx, cluster.Dave, asked, acknowledges(cluster.Dave))
		p.eventually(ctx, asked, "is acknowledged", func(g Gomega) {
			g.Expect(overridden(asked)).To(And(HaveField("Status", metav1.ConditionFalse), HaveField("Message", `acknowledged by "dave"`)))
		})
		Expect(p.environment(ctx, "production").Status.Overrides).To(BeEmpty())
		Expect(p.records(ctx, asked)).To(HaveExactElements(v1alpha1.AuditOverridden, v1alpha1.AuditIntent, v1alpha1.AuditSucceeded, v1alpha1.AuditAcknowledged))
		Expect(p.as(cluster.Bob).Delete(ctx, asked)).To(Succeed())
	})

	It("does not count any more when its author has lost the verb", func(ctx context.Context) {
		p := newProject(ctx)
		p.establish(ctx, "production", func(spec *v1alpha1.EnvironmentSpec) { unattended(spec); frozen(spec) })
		Expect(p.Bind(ctx, "assent-override", cluster.Dave)).To(Succeed())
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", func(spec *v1alpha1.PromotionSpec) {
			spec.NotBeforeTime = metav1.NewTime(friday.Add(time.Hour))
		})
		scheduled := "Schedule: scheduled to start Friday 2031-03-07 11:00:00 UTC at the earliest (`spec.notBeforeTime`) | until 2031-03-07T11:00:00Z"
		p.expectBlocked(ctx, asked, scheduled, untilMonday)
		p.patch(ctx, cluster.Dave, asked, map[string]any{"override": map[string]any{"gates": []string{"Window"}, "reason": "the shop is down"}})
		p.expectBlocked(ctx, asked, scheduled)
		p.unbind(ctx, cluster.Dave)
		p.passes(time.Hour)
		p.expectBlocked(ctx, asked, "Window: a freeze lasts until Monday 2031-03-10 10:00 UTC: year end; the override does not count: "+
			"\"dave\" does not hold the verb `override` on environment \"production\" any more | until 2031-03-10T10:00:00Z")
	})
})

var _ = Describe("a rollback", func() {
	It("goes through a freeze to what has succeeded before, with its own diff, and to nothing else", func(ctx context.Context) {
		p := newProject(ctx)
		environment := p.establish(ctx, "production", unattended)
		p.succeed(ctx, "1.0.0")
		p.succeed(ctx, "1.1.0")
		p.patch(ctx, cluster.Admin, environment, map[string]any{"windows": map[string]any{"freeze": []v1alpha1.Window{{
			StartTime: metav1.NewTime(friday), EndTime: metav1.NewTime(friday.Add(72 * time.Hour)), Reason: "year end"}}},
			"rollback": map[string]any{"approval": "NotRequired"}, "approval": map[string]any{"rules": []any{map[string]any{"name": "two", "required": 2}}}})
		p.release(ctx, "1.2.0")
		ahead := p.request(ctx, "1.2.0", "production", nil)
		p.expectBlocked(ctx, ahead, "Approval: needs 2 more approvals (rule \"two\"); 0 of 2 given", untilMonday)

		back := cluster.NewPromotion(p.Name, "back", "shop-1.0.0", "production")
		back.Spec.Type = v1alpha1.PromotionTypeRollback
		Expect(p.as(cluster.Bob).Create(ctx, back)).To(Succeed())
		p.await(ctx, back, v1alpha1.ReasonSucceeded)
		Expect(back.Status.Plan.Changes).To(ConsistOf(HaveField("Action", v1alpha1.ChangeUpdate)))
		Expect(p.environment(ctx, "production").Status.Current.Version).To(Equal("1.0.0"))

		unknown := cluster.NewPromotion(p.Name, "unknown", "shop-1.2.0", "production")
		unknown.Spec.Type = v1alpha1.PromotionTypeRollback
		Expect(p.as(cluster.Bob).Create(ctx, unknown)).To(Succeed())
		p.await(ctx, unknown, v1alpha1.ReasonInvalid)
	})
})

var _ = Describe("a promotion that waits for too long", func() {
	It("expires unanswered", func(ctx context.Context) {
		p := newProject(ctx)
		p.clock.SetTime(time.Now()) // the request's time is the API server's
		p.establish(ctx, "production", func(spec *v1alpha1.EnvironmentSpec) { spec.Approval.RequestTTLSeconds = 3600 })
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", nil)
		p.await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
		Expect(asked.Status.Blockers[0].UntilTime.Time).To(BeTemporally("==", asked.CreationTimestamp.Add(time.Hour)))
		p.passes(time.Hour + time.Minute) // the clock stood still while the request was made
		p.await(ctx, asked, v1alpha1.ReasonExpired)
		Expect(asked.Status.StartTime.IsZero()).To(BeTrue())
		Expect(p.records(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditExpired}))
	})

	It("expires in a freeze when its approval has become too old", func(ctx context.Context) {
		p := newProject(ctx)
		p.establish(ctx, "production", func(spec *v1alpha1.EnvironmentSpec) { frozen(spec); spec.Approval.ValidSeconds = 86400 })
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", nil)
		p.expectBlocked(ctx, asked, "Approval: needs 1 more approval; 0 of 1 given", untilMonday)
		p.decide(ctx, cluster.Alice, asked, v1alpha1.DecisionApproved)
		p.expectBlocked(ctx, asked, untilMonday)
		p.passes(24*time.Hour - time.Second)
		p.staysAt(ctx, asked, untilMonday)
		p.passes(time.Second)
		p.await(ctx, asked, v1alpha1.ReasonExpired)
		Expect(p.records(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditExpired}))
	})
})

var _ = Describe("a blocked release", func() {
	It("is promoted nowhere until it is unblocked by somebody who may", func(ctx context.Context) {
		p := newProject(ctx)
		p.establish(ctx, "production", unattended)
		release := p.release(ctx, "1.4.0")
		p.patch(ctx, cluster.Bob, release, map[string]any{"blocked": map[string]any{"reason": "loses orders"}})
		asked := p.request(ctx, "1.4.0", "production", nil)
		const blocked = `Release: release "shop-1.4.0" is blocked: loses orders`
		p.expectBlocked(ctx, asked, blocked)
		Expect(p.tryPatch(ctx, cluster.Bob, release, map[string]any{"blocked": nil})).To(MatchError(ContainSubstring("(G14)")))
		p.staysAt(ctx, asked, blocked)
		p.patch(ctx, cluster.Admin, release, map[string]any{"blocked": nil})
		p.await(ctx, asked, v1alpha1.ReasonSucceeded)
	})

	It("says where it runs", func(ctx context.Context) {
		p := newProject(ctx)
		p.establish(ctx, "production", unattended)
		asked := p.succeed(ctx, "1.4.0")
		release := &v1alpha1.Release{}
		key := client.ObjectKey{Namespace: p.Name, Name: "shop-1.4.0"}
		Expect(p.as(cluster.Bob).Get(ctx, key, release)).To(Succeed())
		p.patch(ctx, cluster.Bob, release, map[string]any{"blocked": map[string]any{"reason": "loses orders"}})
		Eventually(func(g Gomega) {
			g.Expect(p.as(cluster.Bob).Get(ctx, key, release)).To(Succeed())
			g.Expect(release.Status.Environments).To(ConsistOf(And(HaveField("Name", "production"), HaveField("Promotion", asked.Name))))
		}).WithContext(ctx).Should(Succeed())
	})
})
