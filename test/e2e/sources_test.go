// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// mayDoAll lets the deployer do everything in the target namespace: real charts bring roles along.
func (p *place) mayDoAll(ctx context.Context) {
	GinkgoHelper()
	Expect(scene.as(cluster.Admin).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "all"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: p.target.Namespace, Name: p.target.ServiceAccountName}},
	})).To(Succeed())
}

// from a source comes a release, made by bob.
func (p *place) from(ctx context.Context, version string, source v1alpha1.ReleaseSource) *v1alpha1.Release {
	GinkgoHelper()
	release := cluster.NewRelease(p.project.Name, "shop-"+version, version, "")
	release.Spec.Source = source
	Expect(scene.as(cluster.Bob).Create(ctx, release)).To(Succeed())
	return release
}

// rollOut a release that is there: it is asked for, approved, and succeeds.
func (p *place) rollOut(ctx context.Context, name, release string) *v1alpha1.Promotion {
	GinkgoHelper()
	asked := p.request(ctx, name, release)
	await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
	approve(ctx, cluster.Alice, asked)
	await(ctx, asked, v1alpha1.ReasonSucceeded)
	p.awaitSettled(ctx)
	return asked
}

var _ = Describe("a chart", func() {
	It("is rolled out with its hooks as waves, with the environment's values, and upgraded", func(ctx context.Context) {
		store := serveArtifacts(false)
		p := newPlace(ctx, func(spec *v1alpha1.EnvironmentSpec) {
			spec.Overlay.Values = &apiextensionsv1.JSON{Raw: []byte(`{"settings": {"greeting": "from the overlay"}}`)}
		})
		p.mayDoAll(ctx)
		p.from(ctx, "1.4.0", v1alpha1.ReleaseSource{Helm: store.pushChart("1.4.0")})
		first := p.rollOut(ctx, "one", "shop-1.4.0")
		Expect(first.Status.Progress.Waves).To(Equal(int32(3)))
		Expect(*first.Status.Plan.Objects).To(BeNumerically(">", 10))
		Expect(names(p.environment(ctx).Status.Inventory)).To(ContainElements("Job/shop-migrate", "Job/shop-warm-up", "Deployment/shop-web"))
		settings := &corev1.ConfigMap{}
		Expect(scene.as(cluster.Admin).Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: "shop-web"}, settings)).To(Succeed())
		Expect(settings.Data).To(ContainElement("from the overlay"))

		p.from(ctx, "1.5.0", v1alpha1.ReleaseSource{Helm: store.pushChart("1.5.0")})
		second := p.request(ctx, "two", "shop-1.5.0")
		await(ctx, second, v1alpha1.ReasonAwaitingApproval)
		Expect(actions(second.Status.Plan.Changes)).To(ContainElements("Recreate Job/shop-migrate", "Recreate Job/shop-warm-up", "Update Deployment/shop-web"))
		approve(ctx, cluster.Alice, second)
		await(ctx, second, v1alpha1.ReasonSucceeded)
	})

	It("is planned anew, and its approvals are void, when a ConfigMap with its values changes", func(ctx context.Context) {
		store := serveArtifacts(false)
		p := newPlace(ctx, func(spec *v1alpha1.EnvironmentSpec) {
			spec.Overlay.ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesConfigMap, Name: "shop-values"}}
			two := int32(2)
			spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "two", Required: &two}}
		})
		p.mayDoAll(ctx)
		p.from(ctx, "1.4.0", v1alpha1.ReleaseSource{Helm: store.pushChart("1.4.0")})
		asked := p.request(ctx, "one", "shop-1.4.0")
		p.eventuallyBlocked(ctx, asked, "the operator must not read ConfigMap \"shop-values\"")
		p.letOperatorReadValues(ctx, "shop-values")
		p.eventuallyBlocked(ctx, asked, "ConfigMap \"shop-values\" does not exist")
		values := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: "shop-values"}, Data: map[string]string{"values.yaml": "settings: {greeting: hello}"},
		}
		Expect(scene.as(cluster.Admin).Create(ctx, values)).To(Succeed())
		await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
		Expect(asked.Status.Plan.Diff).To(ContainSubstring("hello"))
		approve(ctx, cluster.Alice, asked)
		eventually(ctx, asked, "has one approval", func(g Gomega) { g.Expect(asked.Status.Approvals.Summary).To(Equal("1/2")) })
		approved := asked.Status.Plan.Digest

		values.Data["values.yaml"] = "settings: {greeting: good evening}"
		Expect(scene.as(cluster.Admin).Update(ctx, values)).To(Succeed())
		eventually(ctx, asked, "has another plan", func(g Gomega) {
			g.Expect(asked.Status.Plan.Digest).NotTo(Equal(approved))
			g.Expect(asked.Status.Plan.Diff).To(ContainSubstring("good evening"))
			g.Expect(asked.Status.Approvals.Summary).To(Equal("0/2"))
		})
	})
})

var _ = Describe("an operator that dies between the decisions and the intent", Serial, func() {
	It("proves the plan again with the environment's values, and goes on", func(ctx context.Context) {
		store := serveArtifacts(false)
		p := newPlace(ctx, func(spec *v1alpha1.EnvironmentSpec) {
			spec.Overlay.ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesConfigMap, Name: "shop-values"}}
		})
		p.mayDoAll(ctx)
		p.letOperatorReadValues(ctx, "shop-values")
		Expect(scene.as(cluster.Admin).Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: "shop-values"}, Data: map[string]string{"values.yaml": "settings: {greeting: hello}"},
		})).To(Succeed())
		p.from(ctx, "1.4.0", v1alpha1.ReleaseSource{Helm: store.pushChart("1.4.0")})
		asked := p.request(ctx, "one", "shop-1.4.0")
		await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
		allow := p.refuseIntents(ctx)
		approve(ctx, cluster.Alice, asked)
		eventually(ctx, asked, "has its decisions closed", func(g Gomega) { g.Expect(asked.Status.StartTime.IsZero()).To(BeFalse()) })
		Expect(scene.operator.Kill()).To(Succeed())
		DeferCleanup(restart)
		allow(ctx)
		restart(ctx)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
	})
})

// eventuallyBlocked waits until a blocker says so. What is not watched yet is nudged.
func (p *place) eventuallyBlocked(ctx context.Context, asked *v1alpha1.Promotion, text string) {
	GinkgoHelper()
	eventually(ctx, asked, "is blocked: "+text, func(g Gomega) {
		p.nudge(ctx, asked)
		var messages []string
		for _, found := range asked.Status.Blockers {
			messages = append(messages, found.Message)
		}
		g.Expect(strings.Join(messages, "\n")).To(ContainSubstring(text))
	})
}

// letOperatorReadValues as the ClusterRole's comment says: by name.
func (p *place) letOperatorReadValues(ctx context.Context, name string) {
	GinkgoHelper()
	admin := scene.as(cluster.Admin)
	Expect(admin.Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: "assent-values-" + name},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps", "secrets"}, ResourceNames: []string{name}, Verbs: []string{"get", "list", "watch"}}},
	})).To(Succeed())
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: "assent-values-" + name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "assent-values-" + name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "assent-system", Name: "assent-controller"}},
	})).To(Succeed())
}

var _ = Describe("a commit", func() {
	It("is rolled out from the path that the release names, and the next one prunes what it has not", func(ctx context.Context) {
		repository := serveRepository(ctx)
		p := newPlace(ctx)
		p.mayDoAll(ctx)
		at := func(commit string) v1alpha1.ReleaseSource {
			return v1alpha1.ReleaseSource{Git: v1alpha1.GitSource{URL: repository.url, Commit: commit, Path: "overlays/production"}}
		}
		p.from(ctx, "1.0.0", at(repository.commit(ctx, "begin")))
		first := p.rollOut(ctx, "one", "shop-1.0.0")
		Expect(*first.Status.Plan.Objects).To(BeNumerically(">", 10))

		settings := filepath.Join(repository.folder, "base", "kustomization.yaml")
		text, err := os.ReadFile(settings)
		Expect(err).NotTo(HaveOccurred())
		Expect(os.WriteFile(settings, []byte(strings.Replace(string(text), "CURRENCY=CHF", "CURRENCY=EUR", 1)), 0o600)).To(Succeed())
		p.from(ctx, "1.1.0", at(repository.commit(ctx, "greet")))
		second := p.rollOut(ctx, "two", "shop-1.1.0")
		Expect(actions(second.Status.Plan.Changes)).To(ContainElements(HavePrefix("Create ConfigMap/settings-"), HavePrefix("Prune ConfigMap/settings-")))
	})
})

var _ = Describe("a bundle", func() {
	It("rolls several applications out under one approval, and back together", func(ctx context.Context) {
		p := newPlace(ctx)
		p.release(ctx, "shop-web-1", configMap("web", "1"), deployment("web", "registry.example/web:1"))
		p.release(ctx, "shop-pay-1", configMap("pay", "1"))
		p.release(ctx, "shop-pay-2", configMap("pay", "2"), configMap("pay-more", "2"))
		bundle := func(names ...string) v1alpha1.ReleaseSource {
			var members []v1alpha1.BundledRelease
			for _, name := range names {
				members = append(members, v1alpha1.BundledRelease{Name: name})
			}
			return v1alpha1.ReleaseSource{Bundle: members}
		}
		p.from(ctx, "1.0.0", bundle("shop-web-1", "shop-pay-1"))
		p.rollOut(ctx, "one", "shop-1.0.0")
		Expect(names(p.environment(ctx).Status.Inventory)).To(ConsistOf("ConfigMap/web", "Deployment/web", "ConfigMap/pay"))

		p.from(ctx, "1.1.0", bundle("shop-web-1", "shop-pay-2"))
		second := p.rollOut(ctx, "two", "shop-1.1.0")
		Expect(actions(second.Status.Plan.Changes)).To(ConsistOf("Update ConfigMap/pay", "Create ConfigMap/pay-more"))

		back := cluster.NewPromotion(p.project.Name, "back", "shop-1.0.0", production)
		back.Spec.Type = v1alpha1.PromotionTypeRollback
		Expect(scene.as(cluster.Bob).Create(ctx, back)).To(Succeed())
		await(ctx, back, v1alpha1.ReasonAwaitingApproval)
		approve(ctx, cluster.Alice, back)
		await(ctx, back, v1alpha1.ReasonSucceeded)
		Expect(p.value(ctx, "pay")).To(Equal("1"))
		p.expectGone(ctx, &v1alpha1.ObjectReference{Kind: "ConfigMap", Name: "pay-more"})
	})

	It("does not start while one of its releases is blocked, and waits for one that is missing", func(ctx context.Context) {
		p := newPlace(ctx)
		p.release(ctx, "shop-web-1", configMap("web", "1"))
		p.from(ctx, "1.0.0", v1alpha1.ReleaseSource{Bundle: []v1alpha1.BundledRelease{{Name: "shop-web-1"}, {Name: "shop-pay-1"}}})
		asked := p.request(ctx, "one", "shop-1.0.0")
		p.eventuallyBlocked(ctx, asked, `release "shop-pay-1" does not exist in project`)
		member := p.release(ctx, "shop-pay-1", configMap("pay", "1"))
		await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
		Expect(scene.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(member), member)).To(Succeed())
		member.Spec.Blocked.Reason = "loses payments"
		Expect(scene.as(cluster.Admin).Update(ctx, member)).To(Succeed())
		eventually(ctx, asked, "is blocked", func(g Gomega) {
			g.Expect(blocker(asked, v1alpha1.GateRelease)).To(HaveField("Message", `release "shop-pay-1" is blocked: loses payments`))
		})
	})
})

var _ = Describe("an environment that wants signatures", func() {
	It("makes no plan of an artifact before one of its signers has signed it", func(ctx context.Context) {
		store, trusted := serveArtifacts(false), newKey()
		p := newPlace(ctx, func(spec *v1alpha1.EnvironmentSpec) {
			spec.Signatures.Signers = []v1alpha1.Signer{{Name: "release-team", Key: trusted.public()}}
		})
		digest := store.push("1.0.0", shop("1")...)
		p.from(ctx, "1.0.0", v1alpha1.ReleaseSource{OCI: v1alpha1.OCISource{URL: "oci+http://" + store.host() + "/shop", Digest: digest}})
		asked := p.request(ctx, "one", "shop-1.0.0")
		eventually(ctx, asked, "is refused", func(g Gomega) {
			g.Expect(blocker(asked, v1alpha1.GateRelease)).To(HaveField("Message", ContainSubstring("is not signed")))
		})
		Expect(asked.Status.Plan.Digest).To(BeEmpty())
		store.sign(digest, newKey())
		p.eventuallyBlocked(ctx, asked, "release-team")
		Expect(asked.Status.Plan.Digest).To(BeEmpty(), "somebody else's signature counts for nothing")
		store.sign(digest, trusted)
		eventually(ctx, asked, "is planned", func(g Gomega) {
			p.nudge(ctx, asked)
			g.Expect(asked.Status.Plan.Digest).NotTo(BeEmpty())
		})
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
	})
})
