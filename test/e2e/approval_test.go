// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// approvalWays are the ways to write one's own approval of a plan.
var approvalWays = map[string]func(ctx context.Context, c client.Client, user string, asked *v1alpha1.Promotion) error{
	"update": func(ctx context.Context, c client.Client, user string, asked *v1alpha1.Promotion) error {
		asked.Spec.Approvals = append(asked.Spec.Approvals, own(user, asked))
		return c.Update(ctx, asked)
	},
	"JSON patch": func(ctx context.Context, c client.Client, user string, asked *v1alpha1.Promotion) error {
		patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/spec/approvals", "value": []v1alpha1.Approval{own(user, asked)}}})
		Expect(err).NotTo(HaveOccurred())
		return c.Patch(ctx, asked, client.RawPatch(types.JSONPatchType, patch))
	},
	"merge patch": func(ctx context.Context, c client.Client, user string, asked *v1alpha1.Promotion) error {
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"approvals": []v1alpha1.Approval{own(user, asked)}}})
		Expect(err).NotTo(HaveOccurred())
		return c.Patch(ctx, asked, client.RawPatch(types.MergePatchType, patch))
	},
	"server-side apply": func(ctx context.Context, c client.Client, user string, asked *v1alpha1.Promotion) error {
		wanted := manifestOf(asked)
		Expect(unstructured.SetNestedSlice(wanted.Object, []any{
			map[string]any{"user": user, "decision": "Approved", "planDigest": string(asked.Status.Plan.Digest)},
		}, "spec", "approvals")).To(Succeed())
		return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), client.FieldOwner("attacker"), client.ForceOwnership)
	},
	"update of /status": func(ctx context.Context, c client.Client, user string, asked *v1alpha1.Promotion) error {
		asked.Spec.Approvals = append(asked.Spec.Approvals, own(user, asked))
		asked.Status.Approvals.Counted = []v1alpha1.CountedApproval{{User: user, PlanDigest: asked.Status.Plan.Digest, Time: asked.CreationTimestamp}}
		asked.Status.StartTime = asked.CreationTimestamp
		return c.Status().Update(ctx, asked)
	},
}

func own(user string, asked *v1alpha1.Promotion) v1alpha1.Approval {
	return v1alpha1.Approval{User: user, Decision: v1alpha1.DecisionApproved, PlanDigest: asked.Status.Plan.Digest}
}

// manifestOf is a promotion as somebody would keep it in Git.
func manifestOf(asked *v1alpha1.Promotion) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": "Promotion",
		"metadata": map[string]any{"name": asked.Name, "namespace": asked.Namespace},
		"spec":     map[string]any{"release": asked.Spec.Release, "environment": asked.Spec.Environment},
	}}
}

// expectUntouched waits until the operator has seen a marker, and then finds nothing approved and nothing applied.
func (p *place) expectUntouched(ctx context.Context, asked *v1alpha1.Promotion, what string) {
	GinkgoHelper()
	p.nudge(ctx, asked)
	Expect(asked.Spec.Approvals).To(BeEmpty(), what)
	Expect(asked.Status.StartTime.IsZero()).To(BeTrue(), what)
	_, err := p.value(ctx, "settings")
	Expect(apierrors.IsNotFound(err)).To(BeTrue(), what)
	Expect(p.history(ctx)).To(BeEmpty())
}

// nudge makes the operator look at the promotion once more, and returns when it has: a change of the reason makes a new generation,
// which the status then speaks of.
func (p *place) nudge(ctx context.Context, asked *v1alpha1.Promotion) {
	GinkgoHelper()
	Expect(refresh(ctx, asked)).To(Succeed())
	patch := fmt.Sprintf(`{"spec":{"reason":%q}}`, asked.Spec.Reason+"!")
	Expect(scene.as(cluster.Bob).Patch(ctx, asked, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
	generation := asked.Generation
	eventually(ctx, asked, "was looked at again", func(g Gomega) { g.Expect(asked.Status.ObservedGeneration).To(BeNumerically(">=", generation)) })
}

var _ = Describe("an approval", func() {
	It("cannot be given by mallory, neither with no rights at all nor with every right to write promotions", func(ctx context.Context) {
		p := newPlace(ctx)
		asked := p.planned(ctx, "one", configMap("settings", "1"))
		mallory := scene.as(cluster.Mallory)
		for name, write := range approvalWays {
			Expect(write(ctx, mallory, cluster.Mallory, asked.DeepCopy())).To(WithTransform(apierrors.IsForbidden, BeTrue()), name)
		}
		p.expectUntouched(ctx, asked, "without rights")

		Expect(p.project.Allow(ctx, cluster.Mallory, rbacv1.PolicyRule{
			APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"promotions", "promotions/status"}, Verbs: []string{rbacv1.VerbAll},
		})).To(Succeed())
		By("waiting until mallory may write promotions")
		Eventually(func() error { return mallory.Get(ctx, client.ObjectKeyFromObject(asked), &v1alpha1.Promotion{}) }).WithContext(ctx).Should(Succeed())
		for name, write := range approvalWays {
			for _, as := range []string{cluster.Mallory, cluster.Alice} {
				err := write(ctx, mallory, as, asked.DeepCopy())
				Expect(err).To(WithTransform(apierrors.IsForbidden, BeTrue()), name+" as "+as)
				Expect(err).To(MatchError(ContainSubstring("ValidatingAdmissionPolicy")), name+" as "+as)
			}
		}
		p.expectUntouched(ctx, asked, "with every right on promotions")
	})

	It("of bob's own request is refused to bob, and not counted if he holds the verb", func(ctx context.Context) {
		p := newPlace(ctx)
		asked := p.planned(ctx, "one", configMap("settings", "1"))
		Expect(decide(ctx, cluster.Bob, asked, v1alpha1.DecisionApproved, "")).To(
			MatchError(And(ContainSubstring("approve"), ContainSubstring("(G5)"))))
		p.expectUntouched(ctx, asked, "without the verb")

		Expect(p.project.Bind(ctx, "assent-approver", cluster.Bob)).To(Succeed())
		By("waiting until bob may approve")
		Eventually(func() error { return decide(ctx, cluster.Bob, asked, v1alpha1.DecisionApproved, "") }).WithContext(ctx).Should(Succeed())
		eventually(ctx, asked, "says why bob's approval does not count", func(g Gomega) {
			g.Expect(asked.Status.Approvals.Ignored).To(ConsistOf(And(
				HaveField("User", cluster.Bob), HaveField("Reason", ContainSubstring("asked for this promotion")))))
		})
		Expect(asked.Status.StartTime.IsZero()).To(BeTrue())
		Expect(blocker(asked, v1alpha1.GateApproval)).To(HaveField("Message", ContainSubstring(`not counted: "bob"`)))

		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		Expect(p.history(ctx)[0].Spec.Decisions).To(ConsistOf(HaveField("User", cluster.Alice)), "bob's is no part of the record")
	})

	It("is needed for every rule, and may be withdrawn before the last is met", func(ctx context.Context) {
		p := newPlace(ctx, rules(
			v1alpha1.ApprovalRule{Name: "owners", Required: new(int32(2)), Groups: []string{"shop-owners"}},
			v1alpha1.ApprovalRule{Name: "security", Groups: []string{"security"}}))
		Expect(p.project.Bind(ctx, "assent-approver", cluster.Dave)).To(Succeed())
		asked := p.planned(ctx, "one", configMap("settings", "1"))
		approve(ctx, cluster.Alice, asked)
		eventually(ctx, asked, "counts alice", func(g Gomega) { g.Expect(asked.Status.Approvals.Summary).To(Equal("1/3")) })
		Expect(blocker(asked, v1alpha1.GateApproval).Message).To(And(ContainSubstring("shop-owners"), ContainSubstring("security")))
		By("waiting until dave may approve")
		Eventually(func() error { return decide(ctx, cluster.Dave, asked, v1alpha1.DecisionApproved, "") }).WithContext(ctx).Should(Succeed())
		eventually(ctx, asked, "counts dave", func(g Gomega) { g.Expect(asked.Status.Approvals.Summary).To(Equal("2/3")) })

		By("alice withdrawing")
		Expect(scene.as(cluster.Alice).Patch(ctx, asked.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"approvals":[]}}`)))).To(Succeed())
		eventually(ctx, asked, "does not count alice", func(g Gomega) { g.Expect(asked.Status.Approvals.Summary).To(Equal("1/3")) })
		approve(ctx, cluster.Carol, asked)
		eventually(ctx, asked, "counts carol", func(g Gomega) { g.Expect(asked.Status.Approvals.Summary).To(Equal("2/3")) })
		Expect(asked.Status.StartTime.IsZero()).To(BeTrue(), "alice's approval was needed")
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		Expect(p.history(ctx)[0].Spec.Decisions).To(ConsistOf(
			And(HaveField("User", cluster.Alice), HaveField("Rules", ConsistOf("owners"))),
			And(HaveField("User", cluster.Carol), HaveField("Rules", ConsistOf("owners"))),
			And(HaveField("User", cluster.Dave), HaveField("Rules", ConsistOf("security"))),
		))
	})

	It("that rejects ends the promotion, with the comment on record and nothing applied", func(ctx context.Context) {
		p := newPlace(ctx)
		asked := p.planned(ctx, "one", configMap("settings", "1"))
		Expect(decide(ctx, cluster.Alice, asked, v1alpha1.DecisionRejected, "not before the holidays ❄")).To(Succeed())
		await(ctx, asked, v1alpha1.ReasonRejected)
		Expect(message(asked)).To(And(ContainSubstring("alice"), ContainSubstring("not before the holidays ❄")))
		Expect(p.recordsOf(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditRejected}))
		Expect(p.history(ctx)[0].Spec.Decisions).To(ConsistOf(And(HaveField("User", cluster.Alice), HaveField("Comment", "not before the holidays ❄"))))
		Expect(decide(ctx, cluster.Carol, asked, v1alpha1.DecisionApproved, "")).To(MatchError(ContainSubstring("(G8)")), "decisions are closed")
		_, err := p.value(ctx, "settings")
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
	})

	It("by somebody who lost the right before the start does not count", func(ctx context.Context) {
		p := newPlace(ctx, rules(v1alpha1.ApprovalRule{Name: "owners", Required: new(int32(2))}))
		asked := p.planned(ctx, "one", configMap("settings", "1"))
		approve(ctx, cluster.Alice, asked)
		eventually(ctx, asked, "counts alice", func(g Gomega) { g.Expect(asked.Status.Approvals.Summary).To(Equal("1/2")) })
		p.unbind(ctx, cluster.Alice)
		By("waiting until alice may not approve any more")
		probe := p.request(ctx, "probe", "shop-one")
		await(ctx, probe, v1alpha1.ReasonAwaitingApproval)
		Eventually(func() error { return decide(ctx, cluster.Alice, probe, v1alpha1.DecisionApproved, "") }).WithContext(ctx).
			Should(WithTransform(apierrors.IsForbidden, BeTrue()))

		approve(ctx, cluster.Carol, asked)
		eventually(ctx, asked, "says why alice's approval does not count", func(g Gomega) {
			g.Expect(asked.Status.Approvals.Ignored).To(ConsistOf(And(
				HaveField("User", cluster.Alice), HaveField("Reason", ContainSubstring("does not hold the verb")))))
		})
		Expect(asked.Status.StartTime.IsZero()).To(BeTrue())
		Expect(asked.Status.Approvals.Summary).To(Equal("1/2"))
		Expect(p.history(ctx)).To(BeEmpty())

		By("giving the right back")
		Expect(p.project.Bind(ctx, "assent-approver", cluster.Alice)).To(Succeed())
		Eventually(func() error { return decide(ctx, cluster.Alice, probe, v1alpha1.DecisionApproved, "") }).WithContext(ctx).Should(Succeed())
		p.nudge(ctx, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
	})
})

// rules of an Environment's approval gate.
func rules(all ...v1alpha1.ApprovalRule) rule {
	return func(spec *v1alpha1.EnvironmentSpec) { spec.Approval.Rules = all }
}

var _ = Describe("a promotion that is cancelled before its start", func() {
	It("ends with a record, and nothing is applied whoever approves later", func(ctx context.Context) {
		p := newPlace(ctx)
		asked := p.planned(ctx, "one", configMap("settings", "1"))
		cancel(ctx, asked, "wrong version")
		await(ctx, asked, v1alpha1.ReasonCancelled)
		Expect(message(asked)).To(ContainSubstring("wrong version"))
		Expect(p.recordsOf(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditCancelled}))
		Expect(decide(ctx, cluster.Alice, asked, v1alpha1.DecisionApproved, "")).To(MatchError(ContainSubstring("(G8)")))
	})
})

func cancel(ctx context.Context, asked *v1alpha1.Promotion, reason string) {
	GinkgoHelper()
	patch := fmt.Sprintf(`{"spec":{"cancel":{"reason":%q}}}`, reason)
	Expect(scene.as(cluster.Bob).Patch(ctx, asked.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
}
