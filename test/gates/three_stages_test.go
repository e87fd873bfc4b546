// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	soakInDev     = 30 * time.Minute
	soakInStaging = 4 * time.Hour
)

// stages are dev, where nobody has to approve; staging, after half an hour in dev; and production, after four hours in staging, inside of office hours
// in Zurich and outside of a freeze, with the approvals of an owner and of security.
func (p *project) stages(ctx context.Context) {
	GinkgoHelper()
	p.establish(ctx, "dev", func(spec *v1alpha1.EnvironmentSpec) {
		spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "none", Required: ptr.To[int32](0)}}
	})
	p.establish(ctx, "staging", func(spec *v1alpha1.EnvironmentSpec) {
		spec.After, spec.SoakSeconds = []string{"dev"}, int32(soakInDev.Seconds())
		spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "none", Required: ptr.To[int32](0)}}
	})
	p.establish(ctx, "production", func(spec *v1alpha1.EnvironmentSpec) {
		spec.After, spec.SoakSeconds = []string{"staging"}, int32(soakInStaging.Seconds())
		spec.Approval.Rules = []v1alpha1.ApprovalRule{
			{Name: "owners", Required: ptr.To[int32](1), Groups: []string{"shop-owners"}},
			{Name: "security", Required: ptr.To[int32](1), Groups: []string{"security"}, When: "plan.changes.exists(c, c.kind == 'ConfigMap')"},
		}
		spec.Windows = v1alpha1.WindowPolicy{
			Allow:  []v1alpha1.Window{{Schedule: "0 9 * * 1-4", DurationSeconds: 8 * 3600, TimeZone: "Europe/Zurich"}},
			Freeze: []v1alpha1.Window{{Schedule: "0 0 10 3 *", DurationSeconds: 86400, TimeZone: "Europe/Zurich", Reason: "the yearly audit"}},
		}
	})
	Expect(p.Bind(ctx, "assent-approver", cluster.Dave)).To(Succeed())
}

var _ = Describe("a release on its way from dev to production", func() {
	It("says at each wait what it waits for, starts when that is over, and not before", func(ctx context.Context) {
		p := newProject(ctx)
		p.stages(ctx)
		p.release(ctx, "1.4.0")
		staging := p.request(ctx, "1.4.0", "staging", nil)
		production := p.request(ctx, "1.4.0", "production", nil)

		const (
			notInDev     = `Upstream: release "shop-1.4.0" has not succeeded in environment "dev" yet`
			notInStaging = `Upstream: release "shop-1.4.0" has not succeeded in environment "staging" yet`
			approvals    = `Approval: needs 1 more approval from group "shop-owners" (rule "owners"), and 1 more approval from group "security" (rule "security"); 0 of 2 given`
			soaksInDev   = "Soak: release \"shop-1.4.0\" has to be healthy in environment \"dev\" for 30m (`spec.soakSeconds`), and reaches that on Friday 2031-03-07 10:30:00 UTC | until 2031-03-07T10:30:00Z"
			soaksInStage = "Soak: release \"shop-1.4.0\" has to be healthy in environment \"staging\" for 4h (`spec.soakSeconds`), and reaches that on Friday 2031-03-07 14:30:00 UTC | until 2031-03-07T14:30:00Z"
			closed       = `Window: outside the allow windows; the next opens Tuesday 2031-03-11 09:00 CET | until 2031-03-11T08:00:00Z`
		)
		p.expectBlocked(ctx, staging, notInDev)
		p.expectBlocked(ctx, production, notInStaging, approvals, closed)

		dev := p.request(ctx, "1.4.0", "dev", nil)
		p.await(ctx, dev, v1alpha1.ReasonSucceeded)
		p.expectBlocked(ctx, staging, soaksInDev)
		p.passes(soakInDev - time.Second)
		p.staysAt(ctx, staging, soaksInDev)
		p.passes(time.Second)
		p.await(ctx, staging, v1alpha1.ReasonSucceeded)

		p.expectBlocked(ctx, production, approvals, soaksInStage, closed)
		p.decide(ctx, cluster.Alice, production, v1alpha1.DecisionApproved)
		p.expectBlocked(ctx, production, `Approval: needs 1 more approval from group "security" (rule "security"); 1 of 2 given`, soaksInStage, closed)
		p.decide(ctx, cluster.Dave, production, v1alpha1.DecisionApproved)
		p.expectBlocked(ctx, production, soaksInStage, closed)
		p.passes(soakInStaging)
		p.expectBlocked(ctx, production, closed)

		p.passes(3*24*time.Hour + 17*time.Hour)
		p.staysAt(ctx, production, closed)
		p.passes(30 * time.Minute)
		p.await(ctx, production, v1alpha1.ReasonSucceeded)
		Expect(production.Status.StartTime.UTC()).To(Equal(time.Date(2031, 3, 11, 8, 0, 0, 0, time.UTC)))
		Expect(p.records(ctx, production)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditSucceeded}))
	})
})
