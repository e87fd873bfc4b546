// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/test/cluster"
)

var _ = Describe("What was found of objects", func() {
	// There are `same`, which is as it should be, and `changes`, which is not; `new` is absent.
	var (
		p       *place
		objects []*unstructured.Unstructured
		found   []apply.Finding
	)

	BeforeEach(func(ctx context.Context) {
		p = newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objects(configMap("changes", "blue")+"\n---\n"+configMap("same", "blue")))).Error().NotTo(HaveOccurred())
		objects = p.objects(configMap("changes", "green") + "\n---\n" + configMap("same", "blue") + "\n---\n" + configMap("new", "green"))
		pairs, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		found = apply.Findings(pairs)
	})

	It("says of each object what a rollout would do", func() {
		actions := map[string]v1alpha1.ChangeAction{}
		for _, finding := range found {
			actions[finding.Ref.Name] = finding.Action
		}
		Expect(actions).To(Equal(map[string]v1alpha1.ChangeAction{"changes": v1alpha1.ChangeUpdate, "same": "", "new": v1alpha1.ChangeCreate}))
	})

	It("holds while nobody writes, at the cost of a list and one dry run for each action", func(ctx context.Context) {
		reads, tries, writes := p.reads.Load(), p.tries.Load(), p.writes.Load()
		Expect(p.deployer.StillTrue(ctx, objects, found)).To(BeTrue())
		Expect(p.reads.Load() - reads).To(BeEquivalentTo(1))
		Expect(p.tries.Load() - tries).To(BeEquivalentTo(2))
		Expect(p.writes.Load()).To(Equal(writes))
	})

	It("holds at the cost of the dry runs alone where each object is tried, and not once somebody has written one", func(ctx context.Context) {
		objects := p.objects(configMap("changes", "green") + "\n---\n" + configMap("new", "green"))
		pairs, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		reads, tries := p.reads.Load(), p.tries.Load()
		Expect(p.deployer.StillTrue(ctx, objects, apply.Findings(pairs))).To(BeTrue())
		Expect(p.reads.Load()).To(Equal(reads))
		Expect(p.tries.Load() - tries).To(BeEquivalentTo(2))

		for name, act := range map[string]func(){
			"changes": func() { p.annotate(ctx, "changes") },
			"new": func() {
				Expect(admin.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "new"}})).To(Succeed())
			},
		} {
			By("writing " + name)
			pairs, err := p.deployer.Compare(ctx, objects)
			Expect(err).NotTo(HaveOccurred())
			act()
			Expect(p.deployer.StillTrue(ctx, objects, apply.Findings(pairs))).To(BeFalse())
		}
	})

	DescribeTable("does not hold once somebody", func(ctx context.Context, act func(context.Context)) {
		act(ctx)
		Expect(p.deployer.StillTrue(ctx, objects, found)).To(BeFalse())
	},
		Entry("has written an object that changes", func(ctx context.Context) { p.annotate(ctx, "changes") }),
		Entry("has written an object that does not change", func(ctx context.Context) { p.annotate(ctx, "same") }),
		Entry("has deleted an object", func(ctx context.Context) {
			Expect(admin.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "same"}})).To(Succeed())
		}),
		Entry("has created an object that was absent", func(ctx context.Context) {
			Expect(admin.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "new"}})).To(Succeed())
		}),
	)

	It("does not hold for other objects than those that were looked at", func(ctx context.Context) {
		Expect(p.deployer.StillTrue(ctx, objects[:2], found)).To(BeFalse())
		Expect(p.deployer.StillTrue(ctx, p.objects(configMap("changes", "green")+"\n---\n"+configMap("same", "blue")+"\n---\n"+configMap("newer", "green")), found)).To(BeFalse())
	})

	It("does not hold once the API server would refuse an object", func(ctx context.Context) {
		refused := p.objects(configMap("changes", "green") + "\n---\n" + configMap("same", "blue") + "\n---\n" + configMap("new", "green"))
		for _, object := range refused {
			if object.GetName() == "changes" {
				Expect(unstructured.SetNestedField(object.Object, "no label", "metadata", "labels", "wrong label!")).To(Succeed())
			}
		}
		Expect(p.deployer.StillTrue(ctx, refused, found)).To(BeFalse())
	})

	It("does not hold once the deployer has lost a right that it needs", func(ctx context.Context) {
		powerful, err := local.Config(cluster.Admin)
		Expect(err).NotTo(HaveOccurred())
		limited := placeAt(v1alpha1.Target{Namespace: p.target.Namespace, ServiceAccountName: "loses"}, powerful)
		limited.allow(ctx, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list", "create", "patch"}})
		Expect(limited.deployer.StillTrue(ctx, objects, found)).To(BeTrue())
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "loses", Namespace: p.target.Namespace}}
		Expect(admin.Patch(ctx, role, client.RawPatch("application/json-patch+json", []byte(`[{"op": "replace", "path": "/rules/0/verbs", "value": ["get", "list", "create"]}]`)))).To(Succeed())
		Eventually(func() bool { return limited.deployer.StillTrue(ctx, objects, found) }).WithContext(ctx).Should(BeFalse())
	})

	It("is not known to hold where the deployer may not list", func(ctx context.Context) {
		powerful, err := local.Config(cluster.Admin)
		Expect(err).NotTo(HaveOccurred())
		limited := placeAt(v1alpha1.Target{Namespace: p.target.Namespace, ServiceAccountName: "no-list"}, powerful)
		limited.allow(ctx, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "create", "patch"}})
		Expect(limited.deployer.StillTrue(ctx, objects, found)).To(BeFalse())
	})

	It("has to be looked at again where an object is created again", func(ctx context.Context) {
		fixed := "{apiVersion: v1, kind: ConfigMap, metadata: {name: fixed, annotations: {assent.dev/immutable: Recreate}}, immutable: true, data: {value: %s}}"
		Expect(p.deployer.Apply(ctx, p.objects(fmt.Sprintf(fixed, "one")))).Error().NotTo(HaveOccurred())
		next := p.objects(fmt.Sprintf(fixed, "two"))
		pairs, err := p.deployer.Compare(ctx, next)
		Expect(err).NotTo(HaveOccurred())
		Expect(apply.Findings(pairs)).To(ConsistOf(HaveField("Action", v1alpha1.ChangeRecreate)))
		Expect(p.deployer.StillTrue(ctx, next, apply.Findings(pairs))).To(BeFalse())
	})
})

// annotate an object as somebody else.
func (p *place) annotate(ctx context.Context, name string) {
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: name}}
	Expect(admin.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"somebody":"else"}}}`)))).To(Succeed())
}
