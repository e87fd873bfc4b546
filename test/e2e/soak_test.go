// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// comesAfter lets a Release into an Environment once it has succeeded in others.
func comesAfter(names ...string) rule {
	return func(spec *v1alpha1.EnvironmentSpec) { spec.After = names }
}

// change a Deployment in the target behind the operator's back.
func (p *place) change(ctx context.Context, name, merge string) {
	GinkgoHelper()
	target := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: name}}
	Expect(scene.as(cluster.Admin).Patch(ctx, target, client.RawPatch(types.StrategicMergePatchType, []byte(merge)))).To(Succeed())
}

const (
	// toNowhere makes new pods that no node takes; toAnywhere takes that back.
	toNowhere  = `{"spec":{"template":{"spec":{"nodeSelector":{"no.such/node":"x"}}}}}`
	toAnywhere = `{"spec":{"template":{"spec":{"nodeSelector":null}}}}`
)

// eventuallyHealth waits until production's condition Healthy has a status and a reason.
func (p *place) eventuallyHealth(ctx context.Context, status metav1.ConditionStatus, reason string) *v1alpha1.Environment {
	GinkgoHelper()
	var found *v1alpha1.Environment
	Eventually(func(g Gomega) {
		found = p.environment(ctx)
		g.Expect(condition(found.Status.Conditions, v1alpha1.ConditionHealthy)).To(And(HaveField("Status", status), HaveField("Reason", reason)))
	}).WithContext(ctx).Should(Succeed())
	return found
}

var _ = Describe("an environment that another comes after", func() {
	It("soaks only while what runs in it is healthy", func(ctx context.Context) {
		p := newPlace(ctx)
		p.establish(ctx, "abroad", comesAfter(production))
		p.promoted(ctx, "one", deployment("web", "registry.example/shop:1"), configMap("settings", "1"))
		before := p.eventuallyHealth(ctx, metav1.ConditionTrue, v1alpha1.ReasonRolledOut).Status.Releases
		Expect(before).To(HaveExactElements(And(
			HaveField("Name", "shop-one"), HaveField("SucceededTime.IsZero()", false), HaveField("HealthySinceTime.IsZero()", false))))

		By("breaking what runs there")
		p.change(ctx, "web", toNowhere)
		unwell := p.eventuallyHealth(ctx, metav1.ConditionFalse, v1alpha1.ReasonUnhealthy)
		Expect(condition(unwell.Status.Conditions, v1alpha1.ConditionHealthy).Message).To(HavePrefix(`1 of 2 objects not healthy (Deployment.apps "web"): `))
		Expect(unwell.Status.Releases).To(HaveExactElements(And(HaveField("HealthySeconds", Not(BeNil())), HaveField("HealthySinceTime.IsZero()", true))))
		Expect(condition(unwell.Status.Conditions, v1alpha1.ConditionInSync).Status).To(Equal(metav1.ConditionTrue))

		By("mending it")
		p.change(ctx, "web", toAnywhere)
		well := p.eventuallyHealth(ctx, metav1.ConditionTrue, v1alpha1.ReasonRolledOut)
		Expect(well.Status.Releases).To(HaveExactElements(And(
			HaveField("HealthySeconds", Equal(unwell.Status.Releases[0].HealthySeconds)), HaveField("HealthySinceTime.IsZero()", false))))

		By("deleting it")
		gone := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "web"}}
		Expect(scene.as(cluster.Admin).Delete(ctx, gone)).To(Succeed())
		unwell = p.eventuallyHealth(ctx, metav1.ConditionFalse, v1alpha1.ReasonUnhealthy)
		Expect(condition(unwell.Status.Conditions, v1alpha1.ConditionHealthy).Message).To(ContainSubstring("was deleted by somebody else"))

		By("promoting again")
		p.promoted(ctx, "two", deployment("web", "registry.example/shop:2"), configMap("settings", "1"))
		well = p.eventuallyHealth(ctx, metav1.ConditionTrue, v1alpha1.ReasonRolledOut)
		Expect(well.Status.Releases).To(HaveExactElements(
			And(HaveField("Name", "shop-two"), HaveField("HealthySinceTime.IsZero()", false)),
			And(HaveField("Name", "shop-one"), HaveField("HealthySinceTime.IsZero()", true))))
	})

	It("is looked at anew after a restart, which by itself changes nothing", Serial, func(ctx context.Context) {
		p := newPlace(ctx)
		p.establish(ctx, "abroad", comesAfter(production))
		p.promoted(ctx, "one", deployment("web", "registry.example/shop:1"))
		before := p.eventuallyHealth(ctx, metav1.ConditionTrue, v1alpha1.ReasonRolledOut)

		requests := scene.requests()
		Expect(scene.operator.Stop()).To(Succeed())
		Expect(scene.operator.Start(ctx)).To(Succeed())
		Consistently(func() []cluster.Request { return p.writes(requests) }).WithContext(ctx).WithTimeout(3 * time.Second).Should(BeEmpty())
		Expect(p.environment(ctx).Status).To(Equal(before.Status))

		Expect(scene.operator.Stop()).To(Succeed())
		p.change(ctx, "web", toNowhere)
		Expect(scene.operator.Start(ctx)).To(Succeed())
		unwell := p.eventuallyHealth(ctx, metav1.ConditionFalse, v1alpha1.ReasonUnhealthy)
		Expect(unwell.Status.Releases).To(HaveExactElements(HaveField("HealthySinceTime.IsZero()", true)))
	})

	It("costs no more to promote to than any other", func(ctx context.Context) {
		p := newPlace(ctx)
		abroad := p.establish(ctx, "abroad", comesAfter(production))
		By("waiting until the other one is accepted: what that costs is its own")
		Eventually(func() metav1.ConditionStatus {
			Expect(scene.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(abroad), abroad)).To(Succeed())
			return condition(abroad.Status.Conditions, v1alpha1.ConditionReady).Status
		}).WithContext(ctx).Should(Equal(metav1.ConditionTrue))
		for _, version := range []string{"one", "two"} {
			all := p.cost(ctx, version, deployment("web", "registry.example/shop:"+version))
			Expect(len(all)).To(BeNumerically("<=", 1+budget), "%s", all)
		}
	})
})

var _ = Describe("an environment that no other comes after", func() {
	It("says all the same how what runs in it is doing, down to the pod", func(ctx context.Context) {
		p := newPlace(ctx)
		p.promoted(ctx, "one", deployment("web", "registry.example/shop:1"))
		p.change(ctx, "web", toNowhere)
		p.eventuallyHealth(ctx, metav1.ConditionFalse, v1alpha1.ReasonUnhealthy)
		p.change(ctx, "web", toAnywhere)
		p.eventuallyHealth(ctx, metav1.ConditionTrue, v1alpha1.ReasonRolledOut)
	})
})

var _ = Describe("environments that name each other", func() {
	It("each say what is wrong with their rules, and are ready once it is mended", func(ctx context.Context) {
		p := newPlace(ctx, comesAfter("abroad"))
		readiness := func(name string) func() metav1.Condition {
			return func() metav1.Condition {
				found := &v1alpha1.Environment{}
				Expect(scene.as(cluster.Admin).Get(ctx, client.ObjectKey{Namespace: p.project.Name, Name: name}, found)).To(Succeed())
				return condition(found.Status.Conditions, v1alpha1.ConditionReady)
			}
		}
		wrong := func(message string) OmegaMatcher {
			return And(HaveField("Status", metav1.ConditionFalse), HaveField("Reason", v1alpha1.ReasonInvalidRules), HaveField("Message", message))
		}
		Eventually(readiness(production)).WithContext(ctx).Should(wrong(
			"`spec.after[0]`: environment \"abroad\" does not exist in project \"" + p.project.Name + "\": create it, or correct the name"))

		abroad := p.establish(ctx, "abroad", comesAfter(production))
		const remedy = "; take one of them out of the `spec.after` of the one before it"
		Eventually(readiness(production)).WithContext(ctx).Should(wrong(
			"`spec.after`: the environments wait for each other, so that no release can be first: production -> abroad -> production" + remedy))
		Eventually(readiness("abroad")).WithContext(ctx).Should(wrong(
			"`spec.after`: the environments wait for each other, so that no release can be first: abroad -> production -> abroad" + remedy))

		Expect(scene.as(cluster.Admin).Patch(ctx, abroad, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"after":null}}`)))).To(Succeed())
		for _, name := range []string{production, "abroad"} {
			Eventually(readiness(name)).WithContext(ctx).Should(And(HaveField("Status", metav1.ConditionTrue), HaveField("Reason", v1alpha1.ReasonAccepted)))
		}
	})
})
