// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

func timeout(seconds int32) rule {
	return func(spec *v1alpha1.EnvironmentSpec) { spec.Rollout.TimeoutSeconds = seconds }
}

func keepAll(spec *v1alpha1.EnvironmentSpec) { spec.Rollout.Prune = v1alpha1.PruneDisabled }

// find an object of the target; nil if it is not there, or on its way out.
func (p *place) find(ctx context.Context, ref *v1alpha1.ObjectReference) *unstructured.Unstructured {
	GinkgoHelper()
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(schema.GroupVersionKind{Group: ref.Group, Version: "v1", Kind: ref.Kind})
	err := scene.as(cluster.Admin).Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: ref.Name}, found)
	if apierrors.IsNotFound(err) {
		return nil
	}
	Expect(err).NotTo(HaveOccurred())
	if found.GetDeletionTimestamp() != nil {
		return nil
	}
	return found
}

func (p *place) expectGone(ctx context.Context, ref *v1alpha1.ObjectReference) {
	GinkgoHelper()
	Expect(p.find(ctx, ref)).To(BeNil(), "%s %q must be deleted", ref.Kind, ref.Name)
}

var _ = Describe("a rollout that does not become healthy", func() {
	It("fails in time with the pod's reason, and the next good one mends it and prunes what it left", func(ctx context.Context) {
		p := newPlace(ctx, timeout(3)) // what pods say is read after one second
		p.promoted(ctx, "one", configMap("settings", "1"), configMap("old", "1"))
		asked := p.approved(ctx, "two", configMap("settings", "2"), stuckDeployment("web"))
		await(ctx, asked, v1alpha1.ReasonFailed)
		Expect(message(asked)).To(And(
			ContainSubstring(`Deployment "web"`), ContainSubstring("node(s) didn't match"), ContainSubstring("spec.rollout.timeoutSeconds")))
		Expect(asked.Status.Progress.Failing).To(ConsistOf(And(
			HaveField("Kind", "Deployment"), HaveField("Name", "web"), HaveField("Message", ContainSubstring("node(s) didn't match")))))
		Expect(condition(asked.Status.Conditions, v1alpha1.ConditionStalled).Status).To(BeEquivalentTo("True"))
		environment := p.awaitSettled(ctx)
		Expect(condition(environment.Status.Conditions, v1alpha1.ConditionHealthy).Status).To(BeEquivalentTo("False"))
		Expect(environment.Status.Current.Promotion).To(Equal("one"))
		Expect(names(environment.Status.Inventory)).To(ConsistOf("ConfigMap/settings", "ConfigMap/old", "Deployment/web"))
		Expect(p.recordsOf(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditFailed}))
		Expect(p.value(ctx, "old")).To(Equal("1"), "nothing is pruned before it is healthy")

		p.promoted(ctx, "three", configMap("settings", "3"))
		environment = p.environment(ctx)
		Expect(condition(environment.Status.Conditions, v1alpha1.ConditionHealthy).Status).To(BeEquivalentTo("True"))
		Expect(names(environment.Status.Inventory)).To(ConsistOf("ConfigMap/settings"))
		p.expectGone(ctx, &v1alpha1.ObjectReference{Kind: "ConfigMap", Name: "old"})
		p.expectGone(ctx, &v1alpha1.ObjectReference{Group: "apps", Kind: "Deployment", Name: "web"})
	})
})

var _ = Describe("what a release does not hold any more", func() {
	It("is deleted after the rollout", func(ctx context.Context) {
		p := newPlace(ctx)
		p.promoted(ctx, "one", configMap("settings", "1"), configMap("old", "1"))
		asked := p.planned(ctx, "two", configMap("settings", "1"))
		Expect(actions(asked.Status.Plan.Changes)).To(ConsistOf("Prune ConfigMap/old"))
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		p.expectGone(ctx, &v1alpha1.ObjectReference{Kind: "ConfigMap", Name: "old"})
	})

	It("stays where the environment does not prune", func(ctx context.Context) {
		p := newPlace(ctx, keepAll)
		p.promoted(ctx, "one", configMap("settings", "1"), configMap("old", "1"))
		asked := p.planned(ctx, "two", configMap("settings", "2"))
		Expect(actions(asked.Status.Plan.Changes)).To(ConsistOf("Update ConfigMap/settings"))
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		Expect(p.value(ctx, "old")).To(Equal("1"))
	})

	It("stays when somebody else has made it theirs", func(ctx context.Context) {
		p := newPlace(ctx)
		p.promoted(ctx, "one", configMap("settings", "1"), configMap("old", "1"))
		taken := p.find(ctx, &v1alpha1.ObjectReference{Kind: "ConfigMap", Name: "old"})
		taken.SetLabels(nil)
		Expect(scene.as(cluster.Admin).Update(ctx, taken)).To(Succeed())
		p.promoted(ctx, "two", configMap("settings", "2"))
		Expect(p.value(ctx, "old")).To(Equal("1"))
	})
})
