// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/test/cluster"
)

var _ = Describe("What cannot be applied", func() {
	It("names the right that the deployer lacks", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		_, err := p.deployer.Compare(ctx, p.objects("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: 5}}}"))
		Expect(err).To(haveKind(apply.DeployerError))
		Expect(err).To(MatchError(And(
			ContainSubstring(`the deployer "system:serviceaccount:`+p.target.Namespace+`:assent-deployer" may not get ResourceQuota "q": create the service account if it is missing, and allow it with a Role and RoleBinding in namespace "`+p.target.Namespace+`"`),
			ContainSubstring(`cannot get resource "resourcequotas" in API group "" in the namespace "`+p.target.Namespace+`"`))))
	})

	It("says what to create when the deployer is missing", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.factory.CheckDeployer(ctx, p.target)).To(Succeed())
		missing := v1alpha1.Target{Namespace: p.target.Namespace, ServiceAccountName: "nobody"}
		err := p.factory.CheckDeployer(ctx, missing)
		Expect(err).To(haveKind(apply.DeployerError))
		Expect(err).To(MatchError(ContainSubstring(`the deployer "nobody" of namespace "` + p.target.Namespace + `" does not exist: create the service account`)))
		Expect(placeAt(missing, operator).deployer.Compare(ctx, p.objects(configMap("a", "b")))).Error().To(haveKind(apply.DeployerError))
	})

	It("never falls back to the operator's own rights", func(ctx context.Context) {
		target, err := local.Target(ctx)
		Expect(err).NotTo(HaveOccurred())
		powerful, err := local.Config(cluster.Admin)
		Expect(err).NotTo(HaveOccurred())
		missing := placeAt(v1alpha1.Target{Namespace: target.Namespace, ServiceAccountName: "nobody"}, powerful)
		Expect(missing.deployer.Apply(ctx, missing.objects(configMap("a", "b")))).Error().To(haveKind(apply.DeployerError))
		Expect(missing.configMap(ctx, "a")).To(BeNil())
	})

	It("says what is missing when the operator may not impersonate", func(ctx context.Context) {
		mallory, err := local.Config(cluster.Mallory)
		Expect(err).NotTo(HaveOccurred())
		p := newPlace(ctx, mallory)
		_, err = p.deployer.Compare(ctx, p.objects(configMap("a", "b")+"\n---\n"+configMap("b", "b")))
		Expect(err).To(haveKind(apply.DeployerError))
		Expect(err).To(MatchError(ContainSubstring("the operator may not act as the deployer")))
	})

	It("may not carry a promotion's identity without the right to it", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "impersonator", Namespace: p.target.Namespace}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"impersonate"}}}}
		Expect(admin.Create(ctx, role)).To(Succeed())
		Expect(admin.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "impersonator", Namespace: p.target.Namespace},
			Subjects:   []rbacv1.Subject{{Kind: "User", Name: cluster.Mallory, APIGroup: rbacv1.GroupName}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "impersonator"},
		})).To(Succeed())
		mallory, err := local.Config(cluster.Mallory)
		Expect(err).NotTo(HaveOccurred())
		// First she may not impersonate at all; once the role is in force, only the identity is missing.
		Eventually(func() error {
			_, err := placeAt(p.target, mallory).deployer.Apply(ctx, p.objects(configMap("a", "b")))
			return err
		}).Should(And(haveKind(apply.DeployerError), MatchError(ContainSubstring(`cannot impersonate resource "userextras/assent.dev/promotion"`))))
		Expect(p.configMap(ctx, "a")).To(BeNil())
	})

	It("names the namespace that is missing", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		nowhere := placeAt(v1alpha1.Target{Namespace: p.target.Namespace + "-gone", ServiceAccountName: cluster.Deployer}, operator)
		nowhere.allowEverywhere(ctx, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"*"}})
		_, err := nowhere.deployer.Compare(ctx, nowhere.objects(configMap("a", "b")))
		Expect(err).To(haveKind(apply.DeployerError))
		Expect(err).To(MatchError(ContainSubstring(`the target namespace "` + nowhere.target.Namespace + `" does not exist: create it`)))
	})

	DescribeTable("is refused before anything is applied",
		func(ctx context.Context, manifest, message string) {
			p := newPlace(ctx, operator)
			_, err := p.deployer.Compare(ctx, p.objects(manifest))
			Expect(err).To(haveKind(apply.RefusedError), "%v", err)
			Expect(err).To(MatchError(ContainSubstring(message)))
			Expect(p.writes.Load()).To(BeZero())
		},
		Entry("a value that is not valid", "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 700000}]}}", `Service "web" is refused by the API server`),
		Entry("a field that does not exist", "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}], colour: red}}", `.spec.colour: field not declared in schema`),
		Entry("a field of another type", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: 5}}", `ConfigMap "a" is refused by the API server`),
		Entry("a label that is not a string", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {version: 1}}}", `ConfigMap "a" is refused by the API server`),
	)

	It("does not repeat what a Secret holds", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		for _, manifest := range []string{
			"{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {password: 123456789}}",
			"{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {password: 'hunter2 is no base64'}}",
			"{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {password: 123456789}}",
		} {
			_, err := p.deployer.Compare(ctx, p.objects(manifest))
			Expect(err).To(haveKind(apply.RefusedError), "%v", err)
			Expect(err.Error()).NotTo(Or(ContainSubstring("123456789"), ContainSubstring("hunter2")))
		}
	})

	It("says that a field cannot be changed", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objects("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, immutable: true, data: {a: x}}"))).Error().NotTo(HaveOccurred())
		_, err := p.deployer.Compare(ctx, p.objects("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, immutable: true, data: {a: z}}"))
		Expect(err).To(haveKind(apply.ImmutableError))
		Expect(err).To(MatchError(ContainSubstring("ConfigMap \"a\" differs in what cannot be changed (`data`): undo the change, give the object another name, or allow")))
	})

	It("tells a quota from a missing right", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "few", Namespace: p.target.Namespace},
			Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/services": resource.MustParse("0")}}}
		Expect(admin.Create(ctx, quota)).To(Succeed())
		service := p.objects("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}")
		Eventually(func() error {
			_, err := p.deployer.Compare(ctx, service)
			return err
		}).Should(And(haveKind(apply.RefusedError), MatchError(ContainSubstring("exceeded quota: few"))))
	})

	It("refuses rights that the deployer does not hold", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		p.allowEverywhere(ctx, rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: []string{"get", "create", "patch"}})
		_, err := p.deployer.Compare(ctx, p.objects(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: too-much}
rules: [{apiGroups: [""], resources: [nodes], verbs: ["*"]}]`))
		Expect(err).To(haveKind(apply.RefusedError))
		Expect(err).To(MatchError(ContainSubstring(`Role.rbac.authorization.k8s.io "too-much" grants more than the deployer`)))
	})

	It("leaves an object alone that belongs to another Environment", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objectsOf(apply.Owner{Project: "shop", Environment: "staging"}, configMap("a", "theirs")))).Error().NotTo(HaveOccurred())
		ours := p.objects(configMap("a", "ours"))
		message := MatchError(ContainSubstring(`ConfigMap "a" belongs to Environment "staging" of project "shop", not to "production" of "shop"`))
		Expect(p.deployer.Compare(ctx, ours)).Error().To(And(haveKind(apply.ForeignError), message))
		Expect(p.deployer.Apply(ctx, ours)).Error().To(And(haveKind(apply.ForeignError), message))
		Expect(p.configMap(ctx, "a")).To(HaveKeyWithValue("value", "theirs"))
	})

	It("waits while an object is being deleted", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		going := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "a", Finalizers: []string{"example.com/held"}}}
		Expect(admin.Create(ctx, going)).To(Succeed())
		Expect(admin.Delete(ctx, going)).To(Succeed())
		Expect(p.deployer.Apply(ctx, p.objects(configMap("a", "b")))).Error().To(And(haveKind(apply.TransientError), MatchError(ContainSubstring("is being deleted"))))
		Expect(p.writes.Load()).To(BeZero())
		Expect(admin.Patch(ctx, going, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
		Expect(p.deployer.Apply(ctx, p.objects(configMap("a", "b")))).Error().NotTo(HaveOccurred())
	})

	It("is tried again when the API server cannot be reached", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		objects := p.objects(configMap("a", "b"))
		unreachable := rest.CopyConfig(operator)
		unreachable.Host = "https://127.0.0.1:1"
		deployer, err := apply.NewFactory(unreachable, mapperOf(operator)).As(p.target, promotion)
		Expect(err).NotTo(HaveOccurred())
		Expect(deployer.Compare(ctx, objects)).Error().To(haveKind(apply.TransientError))
	})
})
