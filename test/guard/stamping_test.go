// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

var _ = Describe("stamping", Ordered, ContinueOnFailure, Label("stamping", "promotions"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	It("writes down who asks", func(ctx context.Context) {
		promotion := cluster.NewPromotion(scene.project.Name, unique("promotion"), "shop-1", production)
		Expect(scene.as(cluster.Bob).Create(ctx, promotion)).To(Succeed())
		Expect(promotion.Spec.RequestedBy).To(Equal(v1alpha1.Person{Username: cluster.Bob, Groups: groupsOf(cluster.Bob)}))
	})

	It("completes an approval that kubectl patch gives", func(ctx context.Context) {
		promotion := scene.planned(ctx)
		scene.kubectl(ctx, cluster.Alice, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch", approves(cluster.Alice))
		Expect(scene.approvals(ctx, promotion)).To(ConsistOf(approval(cluster.Alice, planA)))
	})

	It("completes an approval that is applied with a field manager of its own, and lets it be withdrawn the same way", func(ctx context.Context) {
		promotion := scene.planned(ctx)
		with := manifest(promotion, "approvals: [{user: alice, decision: Approved, comment: fine}]")
		scene.kubectl(ctx, cluster.Alice, with, "apply", "--server-side", "--field-manager=assent", "--filename=-")
		complete := approval(cluster.Alice, planA)
		complete.Comment = "fine"
		Expect(scene.approvals(ctx, promotion)).To(ConsistOf(complete))

		scene.kubectl(ctx, cluster.Alice, manifest(promotion, ""), "apply", "--server-side", "--field-manager=assent", "--filename=-")
		Expect(scene.approvals(ctx, promotion)).To(BeEmpty())
	})

	It("completes a rejection", func(ctx context.Context) {
		promotion := scene.planned(ctx)
		scene.kubectl(ctx, cluster.Alice, "", "patch", "promotion", promotion.Name, "--type=json", "--patch",
			`[{"op":"add","path":"/spec/approvals/-","value":{"user":"alice","decision":"Rejected","comment":"no"}}]`)
		rejection := approval(cluster.Alice, planA)
		rejection.Decision, rejection.Comment = v1alpha1.DecisionRejected, "no"
		Expect(scene.approvals(ctx, promotion)).To(ConsistOf(rejection))
	})

	It("lets somebody who approved the plan before this one approve this one, naming none", func(ctx context.Context) {
		promotion := scene.replanned(ctx)
		scene.kubectl(ctx, cluster.Alice, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch", approves(cluster.Alice))
		Expect(scene.approvals(ctx, promotion)).To(ConsistOf(approval(cluster.Alice, planB)))
	})

	It("tells somebody whose decision names the plan before this one the command that will do", func(ctx context.Context) {
		promotion := scene.replanned(ctx)
		_, err := scene.cluster.Kubectl(ctx, cluster.Alice, "", "--namespace", scene.project.Name, "patch", "promotion", promotion.Name, "--type=json",
			"--patch", `[{"op":"replace","path":"/spec/approvals/0/decision","value":"Rejected"}]`)
		Expect(err).To(MatchError(ContainSubstring("(G7)")))
		_, command, found := strings.Cut(err.Error(), "anew with that digest: kubectl ")
		Expect(found).To(BeTrue(), err.Error())
		command, _, _ = strings.Cut(command, "'. Where")
		flags, patch, _ := strings.Cut(command, " '")
		scene.kubectl(ctx, cluster.Alice, "", append(strings.Fields(flags), patch)...)
		rejection := approval(cluster.Alice, planB)
		rejection.Decision = v1alpha1.DecisionRejected
		Expect(scene.approvals(ctx, promotion)).To(ConsistOf(rejection))
	})

	It("makes no approval of the new plan out of an approver's write of something else", func(ctx context.Context) {
		promotion := scene.replanned(ctx)
		scene.kubectl(ctx, cluster.Alice, "", "annotate", "promotion", promotion.Name, "seen=yes")
		scene.kubectl(ctx, cluster.Alice, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch", `{"spec":{"reason":"because"}}`)
		Expect(scene.approvals(ctx, promotion)).To(ConsistOf(approval(cluster.Alice, planA)))
	})

	It("makes no approval of the new plan out of an approver's manifest that is applied again", func(ctx context.Context) {
		promotion := scene.planned(ctx)
		with := manifest(promotion, "approvals: [{user: alice, decision: Approved}]")
		scene.kubectl(ctx, cluster.Alice, with, "apply", "--server-side", "--field-manager=assent", "--filename=-")
		scene.refresh(ctx, promotion)
		scene.plan(ctx, promotion, planB)
		scene.kubectl(ctx, cluster.Alice, with, "apply", "--server-side", "--field-manager=assent", "--filename=-")
		Expect(scene.approvals(ctx, promotion)).To(ConsistOf(approval(cluster.Alice, planA)))
	})

	It("makes no approval of the new plan out of an approver's replace with what they had read before", func(ctx context.Context) {
		promotion := scene.approved(ctx)
		old := promotion.DeepCopy()
		scene.plan(ctx, promotion, planB)
		old.ResourceVersion = promotion.ResourceVersion
		old.Spec.Reason = "because"
		Expect(scene.as(cluster.Alice).Update(ctx, old)).To(Succeed())
		Expect(scene.approvals(ctx, promotion)).To(ConsistOf(approval(cluster.Alice, planA)))
	})

	for _, number := range []int{510, 511, 600} {
		It(fmt.Sprintf("serves a user of %d groups", number), Label("slow"), func(ctx context.Context) {
			groups := []string{"approvers", "approvers"}
			for i := range number - 1 {
				groups = append(groups, fmt.Sprintf("%s-%04d", strings.Repeat("g", 200), i))
			}
			c := scene.impersonating(erin, groups...)
			promotion := scene.approved(ctx)
			before := promotion.DeepCopy()
			promotion.Spec.Approvals = append(promotion.Spec.Approvals, v1alpha1.Approval{User: erin, Decision: v1alpha1.DecisionApproved})
			Expect(c.Patch(ctx, promotion, client.MergeFrom(before))).To(Succeed())
			// With system:authenticated there is one more.
			Expect(promotion.Spec.Approvals[1].Groups).To(HaveLen(min(number+1, 512)))

			asks := cluster.NewPromotion(scene.project.Name, unique("promotion"), "shop-1", production)
			Expect(scene.project.Bind(ctx, "assent-promoter", erin)).To(Succeed())
			Eventually(func() error { return c.Create(ctx, asks) }).WithTimeout(patience).Should(Succeed())
			Expect(asks.Spec.RequestedBy.Groups).To(HaveLen(min(number+1, 512)))
		})
	}
})

var _ = Describe("healing", Ordered, ContinueOnFailure, Label("stamping", "promotions"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	for _, innocent := range []struct {
		name  string
		write func(context.Context, *v1alpha1.Promotion)
	}{
		{"kubectl replace with the manifest that it was created from", func(ctx context.Context, promotion *v1alpha1.Promotion) {
			scene.kubectl(ctx, cluster.Bob, manifest(promotion, ""), "replace", "--filename=-")
		}},
		{"a merge patch without approvals", func(ctx context.Context, promotion *v1alpha1.Promotion) {
			scene.kubectl(ctx, cluster.Bob, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch", `{"spec":{"approvals":[]}}`)
		}},
		{"a merge patch that removes the field", func(ctx context.Context, promotion *v1alpha1.Promotion) {
			scene.kubectl(ctx, cluster.Bob, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch", `{"spec":{"approvals":null}}`)
		}},
		{"a JSON patch that removes them", func(ctx context.Context, promotion *v1alpha1.Promotion) {
			scene.kubectl(ctx, cluster.Bob, "", "patch", "promotion", promotion.Name, "--type=json", "--patch", `[{"op":"remove","path":"/spec/approvals/0"}]`)
		}},
		{"a merge patch that alters one", func(ctx context.Context, promotion *v1alpha1.Promotion) {
			scene.kubectl(ctx, cluster.Bob, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch",
				`{"spec":{"approvals":[{"user":"alice","decision":"Rejected","groups":["security"]}]}}`)
		}},
		{"a GitOps tool that applies the manifest again", func(ctx context.Context, promotion *v1alpha1.Promotion) {
			for range 2 {
				scene.kubectl(ctx, cluster.Bob, manifest(promotion, ""), "apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "--filename=-")
			}
		}},
		{"a GitOps tool that has taken over the field", func(ctx context.Context, promotion *v1alpha1.Promotion) {
			live := scene.loose(promotion)
			Expect(scene.as(cluster.Bob).Get(ctx, client.ObjectKeyFromObject(live), live)).To(Succeed())
			after := live.DeepCopy()
			entries()(after)
			_, err := takeover.write(ctx, scene.as(cluster.Bob), live, after)
			Expect(err).NotTo(HaveOccurred())
		}},
	} {
		It("lets other people's approvals stand after "+innocent.name, func(ctx context.Context) {
			promotion := scene.approved(ctx)
			scene.approve(ctx, cluster.Carol, promotion)
			innocent.write(ctx, promotion)
			Expect(scene.approvals(ctx, promotion)).To(ConsistOf(approval(cluster.Alice, planA), approval(cluster.Carol, planA)))
			scene.refresh(ctx, promotion)
			Expect(promotion.Spec.RequestedBy.Username).To(Equal(cluster.Bob))
		})
	}

	It("lets other people's approvals stand after the end", func(ctx context.Context) {
		promotion := scene.ended(ctx)
		scene.kubectl(ctx, cluster.Bob, manifest(promotion, ""), "replace", "--filename=-")
		Expect(scene.approvals(ctx, promotion)).To(ConsistOf(approval(cluster.Alice, planA)))
	})

	It("adds an approval to those that the approver's patch knows nothing of", func(ctx context.Context) {
		promotion := scene.approved(ctx)
		scene.kubectl(ctx, cluster.Carol, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch", approves(cluster.Carol))
		Expect(scene.approvals(ctx, promotion)).To(Equal([]v1alpha1.Approval{approval(cluster.Alice, planA), approval(cluster.Carol, planA)}))
	})

	It("serves sixteen approvers of hundreds of groups each", Label("slow"), func(ctx context.Context) {
		groups := []string{"approvers"}
		for i := range 510 {
			groups = append(groups, fmt.Sprintf("cn=%s-%04d", strings.Repeat("g", 40), i))
		}
		promotion := scene.planned(ctx)
		for i := range 16 {
			approver := fmt.Sprintf("approver-%02d", i)
			patch := client.RawPatch(types.MergePatchType, []byte(approves(approver)))
			Expect(scene.impersonating(approver, groups...).Patch(ctx, promotion, patch)).To(Succeed())
		}
		Expect(promotion.Spec.Approvals).To(HaveLen(16))
		scene.kubectl(ctx, cluster.Bob, manifest(promotion, ""), "replace", "--filename=-")
		after := scene.approvals(ctx, promotion)
		Expect(after).To(HaveLen(16))
		Expect(after).To(HaveEach(HaveField("Groups", HaveLen(512))))
	})

	It("does not bring back what its owner withdraws, though others' are left out with it", func(ctx context.Context) {
		promotion := scene.approved(ctx)
		scene.approve(ctx, cluster.Carol, promotion)
		scene.kubectl(ctx, cluster.Alice, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch", `{"spec":{"approvals":[]}}`)
		Expect(scene.approvals(ctx, promotion)).To(ConsistOf(approval(cluster.Carol, planA)))
	})

	It("lets somebody withdraw who may no longer approve", func(ctx context.Context) {
		promotion := scene.planned(ctx)
		scene.approve(ctx, erin, promotion)
		before := promotion.DeepCopy()
		promotion.Spec.Approvals = []v1alpha1.Approval{}
		Expect(scene.as(erinExpelled).Patch(ctx, promotion, client.MergeFrom(before))).To(Succeed())
		Expect(scene.approvals(ctx, promotion)).To(BeEmpty())
	})
})

// approves is a merge patch with a user's approval and nothing that could be stamped. A merge patch replaces the whole list.
func approves(user string) string {
	return fmt.Sprintf(`{"spec":{"approvals":[{"user":%q,"decision":"Approved"}]}}`, user)
}

// manifest is a Promotion as a repository holds it, with more of its spec.
func manifest(promotion *v1alpha1.Promotion, more string) string {
	return fmt.Sprintf(`apiVersion: assent.dev/v1alpha1
kind: Promotion
metadata:
  name: %s
spec:
  release: %s
  environment: %s
  %s
`, promotion.Name, promotion.Spec.Release, promotion.Spec.Environment, more)
}

func (w *world) kubectl(ctx context.Context, user, stdin string, args ...string) {
	GinkgoHelper()
	_, err := w.cluster.Kubectl(ctx, user, stdin, append([]string{"--namespace", w.project.Name}, args...)...)
	Expect(err).NotTo(HaveOccurred())
}

func (w *world) refresh(ctx context.Context, promotion *v1alpha1.Promotion) {
	GinkgoHelper()
	Expect(w.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(promotion), promotion)).To(Succeed())
}

func (w *world) approvals(ctx context.Context, promotion *v1alpha1.Promotion) []v1alpha1.Approval {
	GinkgoHelper()
	w.refresh(ctx, promotion)
	return promotion.Spec.Approvals
}

func (w *world) impersonating(user string, groups ...string) client.Client {
	GinkgoHelper()
	config, err := w.cluster.ConfigAs(rest.ImpersonationConfig{UserName: user, Groups: groups})
	Expect(err).NotTo(HaveOccurred())
	c, err := w.cluster.ClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	return c
}
