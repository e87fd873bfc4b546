// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// breaks is a rule that cannot be carried out.
type breaks func(*v1alpha1.EnvironmentSpec)

func freezes(window v1alpha1.Window) breaks {
	return func(spec *v1alpha1.EnvironmentSpec) { spec.Windows.Freeze = []v1alpha1.Window{window} }
}

// security is a second rule, with a condition.
func security(when string) breaks {
	return func(spec *v1alpha1.EnvironmentSpec) {
		spec.Approval.Rules = []v1alpha1.ApprovalRule{
			{Name: "owners", Required: ptr.To[int32](1)}, {Name: "security", Required: ptr.To[int32](1), Groups: []string{"security"}, When: when},
		}
	}
}

func asks(question v1alpha1.HTTPCheck) breaks {
	return func(spec *v1alpha1.EnvironmentSpec) {
		spec.Checks = []v1alpha1.Check{{Name: "ticket", TimeoutSeconds: 1, Attempts: 1, HTTP: question}}
	}
}

// server answers nobody, or nonsense.
func server(answer http.HandlerFunc) string {
	made := httptest.NewServer(answer)
	DeferCleanup(made.Close)
	return made.URL
}

var _ = Describe("a rule that cannot be carried out", func() {
	DescribeTable("keeps every rollout from starting, and both the environment and the promotion say why",
		func(ctx context.Context, broken func() breaks, ready, blocker string) {
			p := newProject(ctx, local)
			p.establish(ctx, "production", broken())
			p.release(ctx, "1.4.0")
			asked := p.request(ctx, "1.4.0", "production", nil)
			p.eventually(ctx, asked, "is blocked", func(g Gomega) {
				g.Expect(shown(asked)).To(ContainElement(MatchRegexp(blocker)))
				g.Expect(asked.Status.Plan.Digest).NotTo(BeEmpty())
			})
			By("waiting until the environment says so")
			Eventually(func(g Gomega) {
				condition := meta.FindStatusCondition(p.environment(ctx, "production").Status.Conditions, v1alpha1.ConditionReady)
				g.Expect(condition).NotTo(BeNil())
				if ready == "" {
					g.Expect(condition.Status).To(Equal(metav1.ConditionTrue))
					return
				}
				g.Expect(condition).To(HaveValue(And(HaveField("Reason", v1alpha1.ReasonInvalidRules), HaveField("Message", MatchRegexp(ready)))))
			}).WithContext(ctx).Should(Succeed())

			p.decide(ctx, cluster.Alice, asked, v1alpha1.DecisionApproved)
			p.decide(ctx, cluster.Carol, asked, v1alpha1.DecisionApproved)
			p.eventually(ctx, asked, "has seen the approvals", func(g Gomega) { g.Expect(asked.Status.Approvals.Counted).To(HaveLen(2)) })
			p.passes(30 * 24 * time.Hour)
			Consistently(func(g Gomega) {
				g.Expect(p.refresh(ctx, asked)).To(Succeed())
				g.Expect(asked.Status.StartTime.IsZero()).To(BeTrue())
				g.Expect(p.records(ctx, asked)).To(BeEmpty())
			}).WithContext(ctx).WithTimeout(moment).Should(Succeed())
			p.eventually(ctx, asked, "is blocked as before", func(g Gomega) { g.Expect(shown(asked)).To(ContainElement(MatchRegexp(blocker))) })
		},
		Entry("a schedule that never fires", func() breaks {
			return freezes(v1alpha1.Window{Schedule: "0 0 30 2 *", DurationSeconds: 3600})
		}, "^`spec.windows.freeze\\[0\\].schedule`: .*never fires", "^Window: .*`spec.windows.freeze\\[0\\].schedule`: .*never fires"),
		Entry("a schedule that is none", func() breaks {
			return freezes(v1alpha1.Window{Schedule: "every monday", DurationSeconds: 3600})
		}, "`spec.windows.freeze\\[0\\].schedule`: .*five fields", "^Window: .*five fields"),
		Entry("a time zone that does not exist", func() breaks {
			return freezes(v1alpha1.Window{Schedule: "0 0 * * *", DurationSeconds: 3600, TimeZone: "Europe/Zuerich"})
		}, "`spec.windows.freeze\\[0\\].timeZone`: .*\"Europe/Zuerich\"", "^Window: .*\"Europe/Zuerich\" is not the name of a time zone"),
		Entry("windows that leave no time", func() breaks {
			return func(spec *v1alpha1.EnvironmentSpec) {
				spec.Windows.Allow = []v1alpha1.Window{{Schedule: "0 9 * * *", DurationSeconds: 3600}}
				spec.Windows.Freeze = []v1alpha1.Window{{Schedule: "0 8 * * *", DurationSeconds: 3 * 3600}}
			}
		}, "`spec.windows`", "^Window: .*`spec.windows`"),
		Entry("an expression that is wrong", func() breaks { return security("plan.chnges.size() > 0") },
			"`spec.approval.rules\\[1\\].when`: .*chnges.*line 1, column", "^Approval: .*rule \"security\".*chnges"),
		Entry("an expression that costs too much", func() breaks {
			return security("plan.changes.all(a, plan.changes.all(b, plan.changes.all(c, a.name + b.name != c.name)))")
		}, "`spec.approval.rules\\[1\\].when`", "^Approval: .*rule \"security\""),
		Entry("an expression that fails when it is evaluated", func() breaks { return security("release.labels['risk'] == 'high'") },
			"", "^Approval: .*rule \"security\".*risk"),
		Entry("an upstream that does not exist", func() breaks {
			return func(spec *v1alpha1.EnvironmentSpec) { spec.After = []string{"stagnig"} }
		}, "`spec.after\\[0\\]`: .*\"stagnig\" does not exist", "^Upstream: .*\"stagnig\" does not exist"),
		Entry("a rule that nobody can fill", func() breaks {
			return func(spec *v1alpha1.EnvironmentSpec) {
				spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "leads", Required: ptr.To[int32](3), Users: []string{"alice", "carol"}}}
			}
		}, "`spec.approval.rules\\[0\\]`", "^Approval: needs"),
		Entry("a check whose server hangs", func() breaks {
			return asks(v1alpha1.HTTPCheck{URL: server(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
		}, "", "^Check: check \"ticket\" has failed: .*did not answer within"),
		Entry("a check whose server answers nonsense", func() breaks {
			return asks(v1alpha1.HTTPCheck{
				URL:  server(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>\xff\x00")) }),
				When: "body.state == 'approved'",
			})
		}, "", "^Check: check \"ticket\" has failed: .*could not be evaluated"),
		Entry("a check whose server is not there", func() breaks {
			listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
			Expect(err).NotTo(HaveOccurred())
			Expect(listener.Close()).To(Succeed())
			return asks(v1alpha1.HTTPCheck{URL: "http://" + listener.Addr().String()})
		}, "", "^Check: check \"ticket\" has failed: .*connection refused"),
		Entry("a check with an expression that is wrong", func() breaks {
			return asks(v1alpha1.HTTPCheck{URL: "https://tickets.example", When: "body.state = 'approved'"})
		}, "`spec.checks\\[0\\].http.when`", "^Check: check \"ticket\" has failed: .*when"),
	)

	DescribeTable("is refused at once where its numbers are out of bounds", func(ctx context.Context, broken breaks, field string) {
		p := newProject(ctx)
		target, err := connected.Target(ctx)
		Expect(err).NotTo(HaveOccurred())
		environment := cluster.NewEnvironment(p.Name, "production", target)
		broken(&environment.Spec)
		Expect(p.as(cluster.Admin).Create(ctx, environment)).To(MatchError(ContainSubstring(field)))
	},
		Entry("a negative soak time", breaks(func(spec *v1alpha1.EnvironmentSpec) { spec.After, spec.SoakSeconds = []string{"dev"}, -1 }), "spec.soakSeconds"),
		Entry("a soak time after nothing", breaks(func(spec *v1alpha1.EnvironmentSpec) { spec.SoakSeconds = 60 }), "soakSeconds needs `after`"),
		Entry("an environment after itself", breaks(func(spec *v1alpha1.EnvironmentSpec) { spec.After = []string{"production"} }), "must not name the Environment itself"),
		Entry("a window of years", freezes(v1alpha1.Window{Schedule: "0 0 * * *", DurationSeconds: 2147483647}), "durationSeconds"),
		Entry("a window that ends before it begins", freezes(v1alpha1.Window{StartTime: metav1.NewTime(friday), EndTime: metav1.NewTime(friday.Add(-time.Hour))}), "`endTime` must be after `startTime`"),
		Entry("a window that is both fixed and recurring", freezes(v1alpha1.Window{Schedule: "0 0 * * *", DurationSeconds: 60, StartTime: metav1.NewTime(friday), EndTime: metav1.NewTime(friday.Add(time.Hour))}), "exactly one of"),
		Entry("a request that lives for a second", breaks(func(spec *v1alpha1.EnvironmentSpec) { spec.Approval.RequestTTLSeconds = 1 }), "requestTTLSeconds"),
		Entry("a hundred attempts", breaks(func(spec *v1alpha1.EnvironmentSpec) {
			spec.Checks = []v1alpha1.Check{{Name: "x", Attempts: 100, HTTP: v1alpha1.HTTPCheck{URL: "https://tickets.example"}}}
		}), "attempts"),
	)
})
