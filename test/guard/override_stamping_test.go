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

// What people write: nothing that could be stamped.
const (
	overridesApproval = `{"spec":{"override":{"gates":["Approval"],"reason":"production is down"}}}`
	overridesWindow   = `{"spec":{"override":{"gates":["Window"],"reason":"production is down"}}}`
	noOverride        = `{"spec":{"override":null}}`
)

var _ = Describe("stamping of overrides", Ordered, ContinueOnFailure, Label("stamping", "promotions"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	It("writes down who overrides, and the plan that is there", func(ctx context.Context) {
		promotion := scene.planned(ctx)
		scene.kubectl(ctx, cluster.Dave, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch", overridesApproval)
		Expect(scene.override(ctx, promotion)).To(Equal(overrideBy(cluster.Dave, planA)))
	})

	It("writes down who creates a Promotion with an override, for which there is no plan yet", func(ctx context.Context) {
		promotion := cluster.NewPromotion(scene.project.Name, unique("promotion"), "shop-1", production)
		promotion.Spec.Override = v1alpha1.PromotionOverride{Gates: []v1alpha1.OverridableGate{"Window"}, Reason: "production is down"}
		Expect(scene.as(cluster.Dave).Create(ctx, promotion)).To(Succeed())
		want := overrideBy(cluster.Dave, "")
		want.Gates = promotion.Spec.Override.Gates
		Expect(promotion.Spec.Override).To(Equal(want))
	})

	It("writes down who changes an override, though a merge patch carries along who has set it", func(ctx context.Context) {
		promotion := scene.overridden(ctx)
		scene.patch(ctx, frank, promotion, `{"spec":{"override":{"reason":"production is still down"}}}`)
		want := overrideBy(frank, planA)
		want.Reason = "production is still down"
		Expect(scene.override(ctx, promotion)).To(Equal(want))
	})

	It("makes no override of the new plan out of one that is sent again", func(ctx context.Context) {
		promotion := scene.overridden(ctx)
		scene.plan(ctx, promotion, planB)
		scene.kubectl(ctx, cluster.Dave, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch", overridesApproval)
		scene.kubectl(ctx, cluster.Dave, manifest(promotion, "override: {gates: [Approval], reason: production is down}"), "replace", "--filename=-")
		scene.kubectl(ctx, cluster.Dave, "", "patch", "promotion", promotion.Name, "--type=merge", "--patch", `{"spec":{"override":{"planDigest":null}}}`)
		Expect(scene.override(ctx, promotion)).To(Equal(overrideBy(cluster.Dave, planA)))
	})

	It("tells somebody whose override names the plan before this one the command that will do", func(ctx context.Context) {
		promotion := scene.overridden(ctx)
		scene.plan(ctx, promotion, planB)
		_, err := scene.cluster.Kubectl(ctx, cluster.Dave, "", "--namespace", scene.project.Name, "patch", "promotion", promotion.Name, "--type=merge",
			"--patch", `{"spec":{"override":{"gates":["Approval","Window"]}}}`)
		Expect(err).To(MatchError(ContainSubstring("(G9)")))
		scene.follow(ctx, cluster.Dave, err, "with that digest: kubectl ", "REASON", "production is down")
		want := overrideBy(cluster.Dave, planB)
		want.Gates = append(want.Gates, "Window")
		Expect(scene.override(ctx, promotion)).To(Equal(want))
	})

	It("tells somebody who deletes a used override the command that others acknowledge it with", func(ctx context.Context) {
		promotion := scene.used(ctx)
		_, err := scene.cluster.Kubectl(ctx, cluster.Bob, "", "--namespace", scene.project.Name, "delete", "promotion", promotion.Name)
		Expect(err).To(MatchError(And(ContainSubstring("(G9)"), ContainSubstring(`other than "dave"`))))
		scene.follow(ctx, cluster.Admin, err, "to run: kubectl ", "THEIR-NAME", cluster.Admin)
		scene.refresh(ctx, promotion)
		Expect(promotion.Spec.Acknowledgement).To(Equal(
			v1alpha1.Acknowledgement{Username: cluster.Admin, Groups: []string{"system:masters", "system:authenticated"}}))
		scene.kubectl(ctx, cluster.Bob, "", "delete", "promotion", promotion.Name)
	})

	It("writes down the UID of whoever has one", func(ctx context.Context) {
		config, err := scene.cluster.ConfigAs(rest.ImpersonationConfig{UserName: frank, UID: "4711", Groups: []string{"incident-leads"}})
		Expect(err).NotTo(HaveOccurred())
		c, err := scene.cluster.ClientFor(config)
		Expect(err).NotTo(HaveOccurred())
		promotion := scene.planned(ctx)
		Expect(scene.send(ctx, c, promotion, overridesApproval)).To(Succeed())
		Expect(promotion.Spec.Override.UsedBy.UID).To(BeEquivalentTo("4711"))
		promotion = scene.used(ctx)
		Expect(scene.send(ctx, c, promotion, `{"spec":{"acknowledgement":{"username":"frank"}}}`)).To(Succeed())
		Expect(promotion.Spec.Acknowledgement.UID).To(BeEquivalentTo("4711"))
	})

	for _, number := range []int{511, 600} {
		It(fmt.Sprintf("serves a user of %d groups", number), Label("slow"), func(ctx context.Context) {
			groups := []string{"overriders"}
			for i := range number - 1 {
				groups = append(groups, fmt.Sprintf("%s-%04d", strings.Repeat("g", 200), i))
			}
			Expect(scene.project.BindGroup(ctx, "assent-override", "overriders")).To(Succeed())
			Expect(scene.project.BindGroup(ctx, "assent-approver", "overriders")).To(Succeed())
			c := scene.impersonating("grace", groups...)
			promotion := scene.planned(ctx)
			// The most that one write can hold: an approval and an override.
			both := fmt.Sprintf(`{"spec":{"approvals":[{"user":"grace","decision":"Approved"}],%s`, strings.TrimPrefix(overridesApproval, `{"spec":{`))
			Eventually(func() error { return scene.send(ctx, c, promotion, both) }).WithTimeout(patience).Should(Succeed())
			Expect(promotion.Spec.Override.UsedBy.Groups).To(HaveLen(min(number+1, 512)))
			Expect(promotion.Spec.Approvals[0].Groups).To(HaveLen(min(number+1, 512)))

			promotion = scene.used(ctx)
			Expect(scene.send(ctx, c, promotion, `{"spec":{"acknowledgement":{"username":"grace"}}}`)).To(Succeed())
			Expect(promotion.Spec.Acknowledgement.Groups).To(HaveLen(min(number+1, 512)))
		})
	}
})

var _ = Describe("healing of overrides", Ordered, ContinueOnFailure, Label("stamping", "promotions"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	It("lets an override stand that somebody without the verb leaves out", func(ctx context.Context) {
		promotion := scene.overridden(ctx)
		scene.kubectl(ctx, cluster.Bob, manifest(promotion, ""), "replace", "--filename=-")
		scene.patch(ctx, cluster.Mallory, promotion, noOverride)
		Expect(scene.override(ctx, promotion)).To(Equal(overrideBy(cluster.Dave, planA)))
	})

	It("lets an override stand that a GitOps tool without the verb has taken over and leaves out", func(ctx context.Context) {
		promotion := scene.overridden(ctx)
		live := scene.loose(promotion)
		Expect(scene.as(cluster.Bob).Get(ctx, client.ObjectKeyFromObject(live), live)).To(Succeed())
		after := live.DeepCopy()
		unset("spec", "override")(after)
		_, err := takeover.write(ctx, scene.as(cluster.Bob), live, after)
		Expect(err).NotTo(HaveOccurred())
		Expect(scene.override(ctx, promotion)).To(Equal(overrideBy(cluster.Dave, planA)))
	})

	It("takes an override away that somebody with the verb leaves out", func(ctx context.Context) {
		promotion := scene.overridden(ctx)
		scene.patch(ctx, frank, promotion, noOverride)
		Expect(scene.override(ctx, promotion)).To(BeZero())
	})

	It("completes an override that a manifest carries as people write it, for everybody", func(ctx context.Context) {
		promotion := scene.overridden(ctx)
		for _, user := range []string{cluster.Bob, cluster.Dave} {
			scene.kubectl(ctx, user, manifest(promotion, "override: {gates: [Approval], reason: production is down}"), "replace", "--filename=-")
			Expect(scene.override(ctx, promotion)).To(Equal(overrideBy(cluster.Dave, planA)))
		}
	})

	It("lets a manifest that a tool applies again change nothing of an override that is in it", func(ctx context.Context) {
		promotion := scene.planned(ctx)
		with := manifest(promotion, "override: {gates: [Window], reason: production is down}")
		apply := func(user string) {
			scene.kubectl(ctx, user, with, "apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "--filename=-")
		}
		apply(cluster.Dave)
		first := scene.override(ctx, promotion)
		Expect(first.UsedBy.Username).To(Equal(cluster.Dave))
		Expect(first.PlanDigest).To(Equal(planA))
		scene.plan(ctx, promotion, planB)
		for _, user := range []string{cluster.Dave, cluster.Bob, frank} {
			if user == frank {
				scene.patch(ctx, frank, promotion, overridesWindow)
			} else {
				apply(user)
			}
			Expect(scene.override(ctx, promotion)).To(Equal(first))
		}
	})

	It("lets an override and its acknowledgement stand after the start, whoever leaves them out", func(ctx context.Context) {
		promotion := scene.acknowledged(ctx)
		for _, user := range []string{cluster.Bob, cluster.Dave, cluster.Admin} {
			scene.kubectl(ctx, user, manifest(promotion, ""), "replace", "--filename=-")
		}
		scene.kubectl(ctx, cluster.Bob, manifest(promotion,
			"override: {gates: [Approval], reason: production is down}\n  acknowledgement: {username: frank}"), "replace", "--filename=-")
		Expect(scene.override(ctx, promotion)).To(Equal(overrideBy(cluster.Dave, planA)))
		Expect(promotion.Spec.Acknowledgement).To(Equal(acknowledgementBy(frank)))
	})
})

func (w *world) override(ctx context.Context, promotion *v1alpha1.Promotion) v1alpha1.PromotionOverride {
	GinkgoHelper()
	w.refresh(ctx, promotion)
	return promotion.Spec.Override
}

// send is a merge patch.
func (w *world) send(ctx context.Context, c client.Client, promotion *v1alpha1.Promotion, patch string) error {
	return c.Patch(ctx, promotion, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// patch is a merge patch of somebody who has no kubeconfig.
func (w *world) patch(ctx context.Context, user string, promotion *v1alpha1.Promotion, patch string) {
	GinkgoHelper()
	Expect(w.send(ctx, w.as(user), promotion, patch)).To(Succeed())
}

// follow runs the command that a denial tells, with its blank filled in.
func (w *world) follow(ctx context.Context, user string, denial error, before, blank, filled string) {
	GinkgoHelper()
	_, command, found := strings.Cut(denial.Error(), before)
	Expect(found).To(BeTrue(), denial.Error())
	flags, quoted, _ := strings.Cut(command, " '")
	patch, _, _ := strings.Cut(quoted, "'. Where")
	w.kubectl(ctx, user, "", append(strings.Fields(flags), strings.ReplaceAll(patch, blank, filled))...)
}
