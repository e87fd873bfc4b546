// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// verifiedBy a check that asks a server which the operator must not reach.
func verifiedBy(url string) rule {
	return func(spec *v1alpha1.EnvironmentSpec) {
		spec.Checks = append(spec.Checks, v1alpha1.Check{
			Name: "smoke", Phase: v1alpha1.CheckAfter, Attempts: 1, HTTP: v1alpha1.HTTPCheck{URL: url},
		})
	}
}

func rollsBack(spec *v1alpha1.EnvironmentSpec) { spec.Rollout.OnFailure = v1alpha1.OnFailureRollback }

// amend the rules of production.
func (p *place) amend(ctx context.Context, merge string) {
	GinkgoHelper()
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: production}}
	Expect(scene.as(cluster.Admin).Patch(ctx, environment, client.RawPatch(types.MergePatchType, []byte(merge)))).To(Succeed())
}

var _ = Describe("a check after the rollout", func() {
	It("fails a rollout whose objects are all healthy, and is on record", func(ctx context.Context) {
		p := newPlace(ctx, verifiedBy("http://127.0.0.1:1/"))
		asked := p.approved(ctx, "one", configMap("settings", "1"))
		await(ctx, asked, v1alpha1.ReasonFailed)
		Expect(message(asked)).To(ContainSubstring(`check "smoke" has failed: `))
		Expect(asked.Status.Checks).To(ConsistOf(And(HaveField("Name", "smoke"), HaveField("Result", v1alpha1.CheckFailed))))
		p.awaitSettled(ctx)
		records := p.history(ctx)
		Expect(records[len(records)-1].Spec.Checks).To(ConsistOf(And(HaveField("Name", "smoke"), HaveField("Result", v1alpha1.CheckFailed))))
	})
})

var _ = Describe("a rollout that fails where the environment goes back", func() {
	It("applies what ran before, prunes what it had brought, and says so on record and in the environment", func(ctx context.Context) {
		p := newPlace(ctx, timeout(3), rollsBack)
		p.promoted(ctx, "one", configMap("settings", "1"), configMap("old", "1"))
		asked := p.planned(ctx, "two", configMap("settings", "2"), configMap("new", "2"), stuckDeployment("web"))
		Expect(asked.Status.Plan.Fallback).To(And(HaveField("Release.Name", "shop-one"), HaveField("Version", "one")))
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonRolledBack)
		Expect(message(asked)).To(And(
			HavePrefix(`release "shop-one", which ran before, was applied again and is healthy, because the rollout of release "shop-two" failed: not healthy within 3s`),
			ContainSubstring(`Deployment "web"`)))
		environment := p.awaitSettled(ctx)
		Expect(p.value(ctx, "settings")).To(Equal("1"))
		Expect(p.value(ctx, "old")).To(Equal("1"))
		p.expectGone(ctx, &v1alpha1.ObjectReference{Kind: "ConfigMap", Name: "new"})
		p.expectGone(ctx, &v1alpha1.ObjectReference{Group: "apps", Kind: "Deployment", Name: "web"})
		Expect(environment.Status.Current.Release).To(Equal("shop-one"))
		Expect(condition(environment.Status.Conditions, v1alpha1.ConditionHealthy).Status).To(BeEquivalentTo("True"))
		Expect(names(environment.Status.Inventory)).To(ConsistOf("ConfigMap/settings", "ConfigMap/old"))
		Expect(p.recordsOf(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditRolledBack}))
		records := p.history(ctx)
		outcome := records[len(records)-1].Spec
		Expect(outcome.Fallback.Release.Name).To(Equal("shop-one"))
		Expect(names(outcome.Objects)).To(ConsistOf("ConfigMap/settings", "ConfigMap/old"))
		Expect(records[len(records)-2].Spec.Fallback).To(Equal(asked.Status.Plan.Fallback), "the way back must be on record before it is taken")
	})

	It("goes back after a failed check, too, and goes on where a process died on the way", func(ctx context.Context) {
		p := newPlace(ctx, rollsBack)
		p.promoted(ctx, "one", configMap("settings", "1"), deployment("web", "registry.example/shop:1"))
		p.amend(ctx, `{"spec": {"checks": [{"name": "smoke", "phase": "After", "attempts": 1, "http": {"url": "http://127.0.0.1:1/"}}]}}`)
		asked := p.approved(ctx, "two", configMap("settings", "2"), deployment("web", "registry.example/shop:2"))
		eventually(ctx, asked, "goes back", func(g Gomega) { g.Expect(asked.Status.Rollback.Release).To(Equal("shop-one")) })
		Expect(scene.operator.Kill()).To(Succeed())
		Expect(scene.operator.Start(ctx)).To(Succeed())
		await(ctx, asked, v1alpha1.ReasonRolledBack)
		Expect(p.value(ctx, "settings")).To(Equal("1"))
		Expect(p.recordsOf(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditRolledBack}))
	})

	It("goes back to nothing that is blocked, be it a part of a bundle", func(ctx context.Context) {
		p := newPlace(ctx, rollsBack)
		member := p.release(ctx, "shop-part", configMap("settings", "1"))
		p.from(ctx, "1.0.0", v1alpha1.ReleaseSource{Bundle: []v1alpha1.BundledRelease{{Name: member.Name}}})
		p.rollOut(ctx, "one", "shop-1.0.0")
		asked := p.planned(ctx, "two", configMap("settings", "2"))
		Expect(asked.Status.Plan.Fallback.Release.Name).To(Equal("shop-1.0.0"))
		block := client.RawPatch(types.MergePatchType, []byte(`{"spec": {"blocked": {"reason": "loses orders"}}}`))
		Expect(scene.as(cluster.Admin).Patch(ctx, member, block)).To(Succeed())
		other := p.planned(ctx, "three", configMap("settings", "3"))
		Expect(other.Status.Plan.Fallback).To(BeZero())
	})

	It("says exactly what runs when going back fails, too", func(ctx context.Context) {
		p := newPlace(ctx, timeout(3), rollsBack)
		p.promoted(ctx, "one", configMap("settings", "1"))
		asked := p.approved(ctx, "two", configMap("settings", "2"), stuckDeployment("web"))
		eventually(ctx, asked, "rolls out", func(g Gomega) { g.Expect(asked.Status.StartTime.IsZero()).To(BeFalse()) })
		gone := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: "shop-one"}}
		Expect(scene.as(cluster.Admin).Delete(ctx, gone)).To(Succeed())
		await(ctx, asked, v1alpha1.ReasonFailed)
		Expect(message(asked)).To(And(
			HavePrefix(`going back to release "shop-one" failed: `), ContainSubstring("was deleted during the rollout"),
			ContainSubstring(`objects that release "shop-two" alone has are still there`), ContainSubstring("the rollout had failed before that: not healthy within 3s")))
	})
})
