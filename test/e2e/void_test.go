// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/guard"
	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/oracle"
)

// halfApproved waits for a second approval; alice has given the first.
func (p *place) halfApproved(ctx context.Context) *v1alpha1.Promotion {
	GinkgoHelper()
	asked := p.approved(ctx, "one", configMap("settings", "1"))
	eventually(ctx, asked, "counts alice", func(g Gomega) { g.Expect(asked.Status.Approvals.Summary).To(Equal("1/2")) })
	return asked
}

// expectVoid waits until alice's approval does not count because the plan has changed, and finds that carol's alone starts nothing.
func (p *place) expectVoid(ctx context.Context, asked *v1alpha1.Promotion, before v1alpha1.Digest) {
	GinkgoHelper()
	eventually(ctx, asked, "says that alice approved another plan", func(g Gomega) {
		g.Expect(asked.Status.Plan.Digest).NotTo(Equal(before))
		g.Expect(asked.Status.Approvals.Ignored).To(ConsistOf(And(
			HaveField("User", cluster.Alice), HaveField("Reason", ContainSubstring("the plan has changed since")))))
	})
	approve(ctx, cluster.Carol, asked)
	eventually(ctx, asked, "counts carol alone", func(g Gomega) { g.Expect(asked.Status.Approvals.Summary).To(Equal("1/2")) })
	Expect(asked.Status.StartTime.IsZero()).To(BeTrue())
	Expect(p.history(ctx)).To(BeEmpty())

	approve(ctx, cluster.Alice, asked)
	await(ctx, asked, v1alpha1.ReasonSucceeded)
}

func needsTwo() rule {
	return rules(v1alpha1.ApprovalRule{Name: "two", Required: new(int32(2))})
}

var _ = Describe("an approval is void", func() {
	It("when the environment changes after it", func(ctx context.Context) {
		p := newPlace(ctx, needsTwo())
		asked := p.halfApproved(ctx)
		before := asked.Status.Plan.Digest
		environment := p.environment(ctx)
		environment.Spec.Rollout.TimeoutSeconds = 300
		Expect(scene.as(cluster.Admin).Update(ctx, environment)).To(Succeed())
		p.expectVoid(ctx, asked, before)
	})

	It("when the release is created anew under the same name, with other content", func(ctx context.Context) {
		p := newPlace(ctx, needsTwo())
		asked := p.halfApproved(ctx)
		before := asked.Status.Plan.Digest
		Expect(scene.as(cluster.Admin).Delete(ctx, cluster.NewRelease(p.project.Name, "shop-one", "", ""))).To(Succeed())
		p.release(ctx, "shop-one", configMap("settings", "something else"))
		eventually(ctx, asked, "shows the new content", func(g Gomega) { g.Expect(asked.Status.Plan.Diff).To(ContainSubstring("something else")) })
		p.expectVoid(ctx, asked, before)
		Expect(p.value(ctx, "settings")).To(Equal("something else"))
	})

	It("when a part of the guard was taken away and put back; nothing starts in between", Serial, func(ctx context.Context) {
		p := newPlace(ctx, needsTwo())
		asked := p.halfApproved(ctx)
		ready := p.planned(ctx, "ready", configMap("settings", "1"))
		approve(ctx, cluster.Alice, ready)
		eventually(ctx, ready, "counts alice", func(g Gomega) { g.Expect(ready.Status.Approvals.Summary).To(Equal("1/2")) })
		before := asked.Status.Plan.Digest
		takeGuardAway(ctx)

		eventually(ctx, asked, "says that the guard is missing", func(g Gomega) {
			found := blocker(asked, v1alpha1.GateGuard)
			g.Expect(found).NotTo(BeNil())
			g.Expect(found.Clears).To(ContainSubstring("config/guard"))
		})
		By("carol approving, and mallory in alice's name, while nobody guards it")
		p.except(oracle.RuleAuthor, `promotion "ready" `, "mallory forges approvals while nobody guards them")
		Expect(p.project.Bind(ctx, "assent-promoter", cluster.Mallory)).To(Succeed())
		Eventually(func() error { return p.forge(ctx, ready) }).WithContext(ctx).Should(Succeed())
		p.nudge(ctx, ready)
		Expect(ready.Spec.Approvals).To(HaveLen(2))
		Expect(ready.Status.StartTime.IsZero()).To(BeTrue())
		Expect(blocker(ready, v1alpha1.GateGuard)).NotTo(BeNil())

		putGuardBack(ctx)
		eventually(ctx, ready, "ignores what was given before", func(g Gomega) {
			g.Expect(blocker(ready, v1alpha1.GateGuard)).To(BeNil())
			g.Expect(ready.Status.Approvals.Summary).To(Equal("0/2"))
			g.Expect(ready.Status.Approvals.Ignored).To(HaveLen(2))
		})
		p.expectVoid(ctx, asked, before)
	})
})

// forge writes two approvals as mallory, which the guard would refuse.
func (p *place) forge(ctx context.Context, asked *v1alpha1.Promotion) error {
	forged := []v1alpha1.Approval{own(cluster.Alice, asked), own(cluster.Carol, asked)}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"approvals": forged}})
	if err != nil {
		return err
	}
	written := asked.DeepCopy()
	if err := scene.as(cluster.Mallory).Patch(ctx, written, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return err
	}
	if len(written.Spec.Approvals) != len(forged) {
		return fmt.Errorf("the forged approvals were not taken: %v", written.Spec.Approvals)
	}
	return nil
}

// takeGuardAway deletes the binding that puts the rules for Promotions in force, until the test ends at the latest.
func takeGuardAway(ctx context.Context) {
	GinkgoHelper()
	_, bindings := guard.Names()
	DeferCleanup(putGuardBack)
	for _, name := range bindings {
		binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
		Expect(scene.as(cluster.Admin).Delete(ctx, binding)).To(Succeed())
	}
}

func putGuardBack(ctx context.Context) {
	GinkgoHelper()
	By("putting the guard back and waiting until it is in force")
	Expect(scene.cluster.Apply(ctx, "config/guard")).To(Succeed())
	Expect(scene.cluster.WaitForGuard(ctx)).To(Succeed())
}

// Each is done by bob, who asked: he may write the promotion, as GitOps tools may, and approves nothing.
var _ = Describe("an approval stands", func() {
	for name, write := range map[string]func(context.Context, *v1alpha1.Promotion){
		"when a GitOps tool applies the manifest again, server-side and with force": reapply,
		"when the manifest is put in place by kubectl replace":                      replace,
		"when another manager takes over `spec.approvals` with an empty list":       takeOver,
		"when kubectl applies the manifest again on the client's side":              clientSideApply,
	} {
		It(name, func(ctx context.Context) {
			p := newPlace(ctx, needsTwo())
			asked := p.halfApproved(ctx)
			given := asked.Spec.Approvals
			Expect(given).To(HaveLen(1))
			write(ctx, asked)
			p.nudge(ctx, asked)
			Expect(asked.Spec.Approvals).To(Equal(given))
			Expect(asked.Status.Approvals.Summary).To(Equal("1/2"))
			write(ctx, asked)
			approve(ctx, cluster.Carol, asked)
			await(ctx, asked, v1alpha1.ReasonSucceeded)
			write(ctx, asked)
			Expect(refresh(ctx, asked)).To(Succeed())
			Expect(asked.Spec.Approvals).To(HaveLen(2), "what was decided stays to be seen after the end")
		})
	}
})

func reapply(ctx context.Context, asked *v1alpha1.Promotion) {
	GinkgoHelper()
	wanted := manifestOf(asked)
	Expect(scene.as(cluster.Bob).Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), client.FieldOwner("gitops"), client.ForceOwnership)).To(Succeed())
}

func takeOver(ctx context.Context, asked *v1alpha1.Promotion) {
	GinkgoHelper()
	wanted := manifestOf(asked)
	wanted.Object["spec"].(map[string]any)["approvals"] = []any{}
	for range 2 { // the first takes the ownership, the second would remove what it does not name
		Expect(scene.as(cluster.Bob).Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted.DeepCopy()),
			client.FieldOwner("gitops"), client.ForceOwnership)).To(Succeed())
	}
}

func replace(ctx context.Context, asked *v1alpha1.Promotion) {
	GinkgoHelper()
	kubectl(ctx, asked, "replace", "-f", "-")
}

func clientSideApply(ctx context.Context, asked *v1alpha1.Promotion) {
	GinkgoHelper()
	kubectl(ctx, asked, "apply", "-f", "-")
}

// kubectl handles the promotion's manifest, as bob.
func kubectl(ctx context.Context, asked *v1alpha1.Promotion, args ...string) {
	GinkgoHelper()
	manifest, err := manifestOf(asked).MarshalJSON()
	Expect(err).NotTo(HaveOccurred())
	_, err = scene.cluster.Kubectl(ctx, cluster.Bob, string(manifest), args...)
	Expect(err).NotTo(HaveOccurred())
}
