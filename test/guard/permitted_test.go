// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

var _ = Describe("with the guard", Ordered, ContinueOnFailure, Label("promotions", "objects"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	It("a dry run is denied as the write would be", func(ctx context.Context) {
		err := scene.as(cluster.Mallory).Create(ctx, scene.request(cluster.Mallory, production), client.DryRunAll)
		Expect(err).To(deniedBy("G1"))
	})

	It("everybody may label and annotate what they may update", func(ctx context.Context) {
		promotion := scene.started(ctx)
		promotion.Labels = map[string]string{"team": "shop"}
		Expect(scene.as(cluster.Mallory).Update(ctx, promotion)).To(Succeed())
	})

	It("whoever may update a Promotion may cancel it, after the start too", func(ctx context.Context) {
		promotion := scene.started(ctx)
		promotion.Spec.Cancel.Reason = "not today"
		Expect(scene.as(cluster.Bob).Update(ctx, promotion)).To(Succeed())
	})

	It("the operator decides nothing, in its own name or another's", func(ctx context.Context) {
		for _, name := range []string{v1alpha1.ControllerUsername, cluster.Alice} {
			before := scene.planned(ctx)
			after := before.DeepCopy()
			after.Spec.Approvals = []v1alpha1.Approval{approval(name, planA)}
			Expect(apierrors.IsForbidden(scene.as(operator).Patch(ctx, after, client.MergeFrom(before)))).To(BeTrue())
		}
	})

	It("the operator adds and removes its finalizer", func(ctx context.Context) {
		promotion := scene.held(ctx)
		before := promotion.DeepCopy()
		promotion.Finalizers = nil
		Expect(scene.as(operator).Patch(ctx, promotion, client.MergeFrom(before))).To(Succeed())
	})

	It("dave, who may impersonate the deployer, changes everything else of an Environment without being asked again", func(ctx context.Context) {
		environment := scene.environment(ctx)
		environment.Spec.Stage = "live"
		Expect(scene.as(cluster.Mallory).Update(ctx, environment)).To(Succeed())
	})

	It("everybody who may update an Environment leaves checks and automatic promotion out, and changes the rest of a check", func(ctx context.Context) {
		environment := scene.environment(ctx)
		Expect(scene.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(checked(ctx, scene)), environment)).To(Succeed())
		environment.Spec.Checks[0].TimeoutSeconds = 5
		environment.Spec.Checks[1].HTTP.When = "status == 204"
		slices.Reverse(environment.Spec.Checks)
		Expect(scene.as(cluster.Mallory).Update(ctx, environment)).To(Succeed())
		environment.Spec.Checks = environment.Spec.Checks[:1]
		environment.Spec.AutoPromotion = v1alpha1.AutoPromotion{}
		Expect(scene.as(cluster.Mallory).Update(ctx, environment)).To(Succeed())
	})

	It("whoever may impersonate the checker sets Jobs, and whoever may promote there sets automatic promotion", func(ctx context.Context) {
		environment := scene.environment(ctx)
		Expect(scene.project.Allow(ctx, cluster.Carol, rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{v1alpha1.CheckerServiceAccount}, Verbs: []string{"impersonate"},
		})).To(Succeed())
		environment.Spec.Checks = []v1alpha1.Check{{Name: "smoke", Job: v1alpha1.JobCheck{Template: "spec: {}"}}}
		Eventually(func() error { return scene.as(cluster.Carol).Update(ctx, environment) }).WithTimeout(patience).Should(Succeed())
		environment.Spec.AutoPromotion.Versions = ">=1.0.0"
		Expect(scene.as(cluster.Bob).Update(ctx, environment)).To(Succeed())
	})

	It("a Promotion is created with an override of another gate than Approval, which is changed before the start and taken away again", func(ctx context.Context) {
		promotion := scene.request(cluster.Dave, production)
		promotion.Spec.Override = overrideBy(cluster.Dave, "")
		promotion.Spec.Override.Gates = []v1alpha1.OverridableGate{"Window"}
		Expect(scene.as(cluster.Dave).Create(ctx, promotion)).To(Succeed())
		promotion.Spec.Override.Reason = "production is still down"
		Expect(scene.as(cluster.Dave).Update(ctx, promotion)).To(Succeed())
		promotion.Spec.Override.Gates = []v1alpha1.OverridableGate{"Window", "Hold"}
		Expect(scene.as(cluster.Dave).Update(ctx, promotion)).To(Succeed())
		scene.plan(ctx, promotion, planA)
		promotion.Spec.Override.PlanDigest = planA
		Expect(scene.as(cluster.Dave).Update(ctx, promotion)).To(Succeed())
		promotion.Spec.Override = v1alpha1.PromotionOverride{}
		Expect(scene.as(frank).Update(ctx, promotion)).To(Succeed())
		Expect(promotion.Spec.Override.Gates).To(BeEmpty())
	})

	It("an override that names the plan before this one stands, and hinders no other write", func(ctx context.Context) {
		promotion := scene.overridden(ctx)
		scene.plan(ctx, promotion, planB)
		promotion.Spec.Cancel.Reason = "not today"
		Expect(scene.as(cluster.Bob).Update(ctx, promotion)).To(Succeed())
		Expect(promotion.Spec.Override).To(Equal(overrideBy(cluster.Dave, planA)))
	})

	It("a used override is deleted once somebody else has acknowledged it", func(ctx context.Context) {
		Expect(scene.as(cluster.Bob).Delete(ctx, scene.acknowledged(ctx))).To(Succeed())
	})

	It("a used override is deleted once the operator has recorded that it is acknowledged", func(ctx context.Context) {
		promotion := scene.used(ctx)
		for _, state := range []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionUnknown, metav1.ConditionFalse} {
			scene.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) {
				status.Conditions = []metav1.Condition{{
					Type: v1alpha1.ConditionOverridden, Status: state, Reason: v1alpha1.ReasonAcknowledged, LastTransitionTime: metav1.NewTime(time.Now()),
				}}
			})
			if state != metav1.ConditionFalse {
				Expect(scene.as(cluster.Bob).Delete(ctx, promotion.DeepCopy())).To(deniedBy("G9"))
			}
		}
		Expect(scene.as(cluster.Bob).Delete(ctx, promotion)).To(Succeed())
	})

	It("an override that nothing has started through is deleted with its Promotion", func(ctx context.Context) {
		Expect(scene.as(cluster.Bob).Delete(ctx, scene.overridden(ctx))).To(Succeed())
	})

	It("Kubernetes' own controllers delete a used override", func(ctx context.Context) {
		Expect(scene.as(namespaceController).Delete(ctx, scene.used(ctx))).To(Succeed())
		Expect(scene.as(collector).Delete(ctx, scene.used(ctx))).To(Succeed())
	})

	It("a Promotion and what it owns are deleted in the foreground", Label("slow"), func(ctx context.Context) {
		promotion := scene.planned(ctx)
		owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: unique("owned"), Namespace: scene.project.Name, OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "Promotion", Name: promotion.Name, UID: promotion.UID,
		}}}}
		Expect(scene.as(cluster.Admin).Create(ctx, owned)).To(Succeed())
		Expect(scene.as(cluster.Bob).Delete(ctx, promotion, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		// The garbage collector learns of new kinds every 30 seconds.
		for _, object := range []client.Object{owned, promotion} {
			Eventually(scene.gone).WithArguments(ctx, object).WithTimeout(3 * patience).Should(BeTrue())
		}
	})

	It("a project without history is deleted with its namespace, whatever is on hold, blocked or not acknowledged in it", Label("slow"), func(ctx context.Context) {
		project, err := scene.cluster.Project(ctx)
		Expect(err).NotTo(HaveOccurred())
		release := cluster.NewRelease(project.Name, "release", "1.0.0", "{}")
		release.Spec.Blocked.Reason = "loses orders"
		environment := cluster.NewEnvironment(project.Name, production, scene.target)
		environment.Spec.Hold.Reason = "incident 4711"
		promotion := cluster.NewPromotion(project.Name, "promotion", "release", production)
		for _, object := range []client.Object{release, environment, promotion} {
			Expect(scene.as(cluster.Admin).Create(ctx, object)).To(Succeed())
		}
		scene.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) { status.Overridden = []v1alpha1.OverridableGate{"Window"} })
		namespace := scene.deleteNamespace(ctx, project.Name)
		Eventually(scene.gone).WithArguments(ctx, namespace).WithTimeout(2 * patience).Should(BeTrue())
	})

	It("a project with history is deleted only after somebody has archived it", Label("slow"), func(ctx context.Context) {
		project, err := scene.cluster.Project(ctx)
		Expect(err).NotTo(HaveOccurred())
		record := scene.record()
		record.Namespace = project.Name
		Expect(scene.as(operator).Create(ctx, record)).To(Succeed())
		namespace := scene.deleteNamespace(ctx, project.Name)
		Eventually(func(g Gomega) {
			g.Expect(scene.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
			g.Expect(namespace.Status.Conditions).To(ContainElement(And(
				HaveField("Type", corev1.NamespaceDeletionContentFailure),
				HaveField("Status", corev1.ConditionTrue),
				HaveField("Message", ContainSubstring("(G12)")))))
		}).WithTimeout(patience).Should(Succeed())
		// A namespace loses its role bindings first, so that only somebody with the right in the whole cluster is left to do it.
		Expect(scene.as(cluster.Admin).Delete(ctx, record)).To(Succeed())
		Eventually(scene.gone).WithArguments(ctx, namespace).WithTimeout(3 * patience).Should(BeTrue())
	})

	It("an archiver deletes audit records, in the foreground too", Label("slow"), func(ctx context.Context) {
		Expect(scene.as(archiver).Delete(ctx, scene.recorded(ctx))).To(Succeed())
		record := scene.recorded(ctx)
		Expect(scene.as(archiver).Delete(ctx, record, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		Eventually(scene.gone).WithArguments(ctx, record).WithTimeout(patience).Should(BeTrue())
	})
})

func (w *world) deleteNamespace(ctx context.Context, name string) *corev1.Namespace {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(w.as(cluster.Admin).Delete(ctx, namespace)).To(Succeed())
	return namespace
}

func (w *world) gone(ctx context.Context, object client.Object) bool {
	return apierrors.IsNotFound(w.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(object), object))
}
