// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/oracle"
)

// mine is what mallory would like to have applied instead of what was approved.
const mine = `{"spec": {"overlay": {"patches": [{"target": {"kind": "ConfigMap"}, "patch": "[{\"op\": \"replace\", \"path\": \"/data/value\", \"value\": \"mine\"}]"}]}}}`

// tamper with production as mallory.
func (p *place) tamper(ctx context.Context, merge string) {
	GinkgoHelper()
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: production}}
	Expect(scene.as(cluster.Mallory).Patch(ctx, environment, client.RawPatch(types.MergePatchType, []byte(merge)))).To(Succeed())
}

// remade deletes an object as mallory, and creates another of its name.
func remade(ctx context.Context, object, another client.Object) {
	GinkgoHelper()
	Expect(scene.as(cluster.Mallory).Delete(ctx, object)).To(Succeed())
	Expect(scene.as(cluster.Mallory).Create(ctx, another)).To(Succeed())
}

var _ = Describe("after an approval, mallory", func() {
	It("gets nothing out of an environment of the same name", func(ctx context.Context) {
		p := lair(ctx)
		p.amend(ctx, `{"spec": {"approval": {"rules": [{"name": "two", "required": 2}]}}}`)
		asked := p.halfApproved(ctx)
		before := asked.Status.Plan.Digest
		another := cluster.NewEnvironment(p.project.Name, production, p.target)
		needsTwo()(&another.Spec)
		remade(ctx, p.environment(ctx), another)
		p.expectVoid(ctx, asked, before)
	})

	It("gets nothing out of another release under the name of one in a bundle", func(ctx context.Context) {
		p := lair(ctx)
		p.amend(ctx, `{"spec": {"approval": {"rules": [{"name": "two", "required": 2}]}}}`)
		p.release(ctx, "shop-web", configMap("web", "1"))
		member := p.release(ctx, "shop-settings", configMap("settings", "1"))
		bundle := cluster.NewRelease(p.project.Name, "shop-all", "1", "")
		bundle.Spec.Source.Bundle = []v1alpha1.BundledRelease{{Name: "shop-web"}, {Name: "shop-settings"}}
		Expect(scene.as(cluster.Bob).Create(ctx, bundle)).To(Succeed())
		asked := p.request(ctx, "all", "shop-all")
		await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
		approve(ctx, cluster.Alice, asked)
		remade(ctx, member, cluster.NewRelease(p.project.Name, "shop-settings", "1", configMap("settings", "mine")))
		approve(ctx, cluster.Carol, asked)
		await(ctx, asked, v1alpha1.ReasonInvalid)
		Expect(message(asked)).To(ContainSubstring("one of them was deleted and created again; create a new bundle"))
		Expect(p.history(ctx)).To(BeEmpty())
		Expect(p.live(ctx)).To(BeEmpty())
	})
})

var _ = Describe("during a rollout, mallory", func() {
	It("has nothing else applied on the way back by a change of the overlay", func(ctx context.Context) {
		p := lair(ctx, timeout(4), rollsBack)
		await(ctx, p.smuggle(ctx, "one", configMap("settings", "1")), v1alpha1.ReasonSucceeded)
		p.awaitSettled(ctx)
		asked := p.smuggle(ctx, "two", configMap("settings", "2"), stuckDeployment("web"))
		eventually(ctx, asked, "rolls out", func(g Gomega) { g.Expect(asked.Status.StartTime.IsZero()).To(BeFalse()) })
		p.tamper(ctx, mine)
		await(ctx, asked, v1alpha1.ReasonFailed)
		Expect(message(asked)).To(And(HavePrefix(`going back to release "shop-one" failed: the objects at hand have digest sha256:`),
			ContainSubstring("nothing else is applied; what they are rendered from, such as the environment's overlay or the values, has changed since the start")))
		Expect(p.value(ctx, "settings")).To(Equal("2"))
	})

	It("has nothing else applied by a process that takes over, when the overlay has changed", func(ctx context.Context) {
		p := lair(ctx)
		asked := p.smuggle(ctx, "one", stuckDeployment("web"), inWave(1, configMap("settings", "1")))
		eventually(ctx, asked, "rolls out", func(g Gomega) { g.Expect(p.recordsOf(ctx, asked)).To(ConsistOf(v1alpha1.AuditIntent)) })
		Expect(scene.operator.Kill()).To(Succeed())
		p.tamper(ctx, mine)
		Expect(scene.operator.Start(ctx)).To(Succeed())
		await(ctx, asked, v1alpha1.ReasonFailed)
		Expect(message(asked)).To(ContainSubstring("nothing else is applied"))
		p.expectGone(ctx, &v1alpha1.ObjectReference{Kind: "ConfigMap", Name: "settings"})
	})
})

// far makes the place's target one of another cluster: this one, reached by a kubeconfig of the project as the account of config/remote. Mallory may read
// the kubeconfig, and may act as no deployer here.
func (p *place) far(ctx context.Context) {
	GinkgoHelper()
	Expect(scene.cluster.Apply(ctx, "config/remote")).To(Succeed())
	p.target.Cluster.Kubeconfig = v1alpha1.SecretKeyReference{Name: "far", Key: "kubeconfig"}
	Expect(scene.as(cluster.Admin).Create(ctx, p.kubeconfig(ctx, ""))).To(Succeed())
	p.letOperatorRead(ctx, "far")
	p.except(oracle.RuleIdentity, " by system:serviceaccount:assent-remote:assent-remote as ",
		"what counts as another cluster is this one, so that its log shows the account that acts there for the operator")
	Expect(p.project.Allow(ctx, cluster.Mallory, rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"far"}, Verbs: []string{"get"},
	})).To(Succeed())
}

// kubeconfig of the other cluster, with more fields of how it is reached.
func (p *place) kubeconfig(ctx context.Context, more string) *corev1.Secret {
	GinkgoHelper()
	config, err := scene.cluster.ServiceAccountConfig(ctx, "assent-remote", "assent-remote")
	Expect(err).NotTo(HaveOccurred())
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "far", Namespace: p.project.Name},
		StringData: map[string]string{"kubeconfig": fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: far, contexts: [{name: far, context: {cluster: far, user: far}}],
  clusters: [{name: far, cluster: {server: %q, certificate-authority-data: %s%s}}], users: [{name: far, user: {token: %s}}]}`,
			config.Host, base64.StdEncoding.EncodeToString(config.CAData), more, config.BearerToken)},
	}
}

// divert what is rolled out to what counts as another cluster.
func (p *place) divert(ctx context.Context) {
	GinkgoHelper()
	Expect(scene.as(cluster.Mallory).Update(ctx, p.kubeconfig(ctx, ", tls-server-name: kubernetes"))).To(Succeed())
}

// asTarget are the requests of whoever acts as the target's deployer.
func (p *place) asTarget(log *cluster.RequestLog, wanted func(cluster.Request) bool) []cluster.Request {
	GinkgoHelper()
	found, err := log.Answered(func(r cluster.Request) bool {
		return r.ImpersonatedUser.Username == "system:serviceaccount:"+p.target.Namespace+":"+p.target.ServiceAccountName && wanted(r)
	})
	Expect(err).NotTo(HaveOccurred())
	return found
}

var _ = Describe("with a target in another cluster, mallory", func() {
	It("gets the operator to act as no deployer of this cluster, though the target is called like one", func(ctx context.Context) {
		p := hideout(ctx)
		here := cluster.NewEnvironment(p.project.Name, production, p.target)
		Expect(scene.as(cluster.Mallory).Create(ctx, here)).NotTo(Succeed())
		p.far(ctx)
		log := scene.requests()
		p.occupy(ctx, unattended)
		await(ctx, p.smuggle(ctx, "one", configMap("settings", "1")), v1alpha1.ReasonSucceeded)
		p.awaitSettled(ctx)
		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data": {"value": "theirs"}}`)
		p.tamper(ctx, `{"spec": {"rollout": {"drift": "Correct"}}}`)
		Eventually(func() (string, error) { return p.value(ctx, "settings") }).WithContext(ctx).Should(Equal("1"))
		Expect(p.asTarget(log, cluster.Request.ByOperator)).To(BeEmpty())
		Expect(p.asTarget(log, cluster.Request.Changes)).To(HaveLen(2), "as the kubeconfig's user")

	})

	It("is told nothing of what bears the same names in this cluster, once he has brought the target back", func(ctx context.Context) {
		p := hideout(ctx)
		p.far(ctx)
		p.occupy(ctx, unattended)
		await(ctx, p.smuggle(ctx, "one", deployment("web", "registry.example/shop:1")), v1alpha1.ReasonSucceeded)
		p.awaitSettled(ctx)
		By("putting somebody else's workload in its place, which does not work")
		admin, theirs := scene.as(cluster.Admin), named(&appsv1.Deployment{}, "web")
		theirs.Namespace = p.target.Namespace
		Expect(admin.Delete(ctx, theirs.DeepCopy(), client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		Expect(yaml.Unmarshal([]byte(stuckDeployment("web")), theirs)).To(Succeed())
		theirs.Namespace = p.target.Namespace
		Eventually(func() error { return admin.Create(ctx, theirs.DeepCopy()) }).WithContext(ctx).Should(Succeed())

		own, log := lair(ctx), scene.requests()
		p.tamper(ctx, fmt.Sprintf(`{"spec": {"target": {"namespace": %q, "cluster": null}}}`, own.target.Namespace))
		Consistently(func(g Gomega) {
			asked, err := log.Answered(func(r cluster.Request) bool { return r.ByOperator() && r.ObjectRef.Namespace == p.target.Namespace })
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(asked).To(BeEmpty())
			g.Expect(condition(p.environment(ctx).Status.Conditions, v1alpha1.ConditionHealthy).Message).NotTo(ContainSubstring("web"))
		}).WithContext(ctx).WithTimeout(8 * time.Second).Should(Succeed())
	})

	It("cannot divert what was approved by another kubeconfig in the Secret's place", func(ctx context.Context) {
		p := hideout(ctx)
		p.far(ctx)
		p.occupy(ctx, needsTwo())
		asked := p.halfApproved(ctx)
		before := asked.Status.Plan.Digest
		p.divert(ctx)
		touched(ctx, asked, "says that alice approved another plan", func(g Gomega) { g.Expect(asked.Status.Plan.Digest).NotTo(Equal(before)) })
		p.expectVoid(ctx, asked, before)
	})

	It("cannot divert what is on its way back", func(ctx context.Context) {
		p := hideout(ctx)
		p.far(ctx)
		p.occupy(ctx, unattended, timeout(4), rollsBack)
		await(ctx, p.smuggle(ctx, "one", configMap("settings", "1")), v1alpha1.ReasonSucceeded)
		p.awaitSettled(ctx)
		asked := p.smuggle(ctx, "two", configMap("settings", "2"), stuckDeployment("web"))
		Eventually(func() (string, error) { return p.value(ctx, "settings") }).WithContext(ctx).Should(Equal("2"))
		p.divert(ctx)
		await(ctx, asked, v1alpha1.ReasonFailed)
		Expect(message(asked)).To(ContainSubstring("the kubeconfig leads to another cluster than the one that was approved"))
		Expect(p.value(ctx, "settings")).To(Equal("2"))
	})

	It("is not told by a comparison what runs in the cluster that was approved", func(ctx context.Context) {
		p := hideout(ctx)
		p.far(ctx)
		p.occupy(ctx, unattended)
		await(ctx, p.smuggle(ctx, "one", configMap("settings", "1")), v1alpha1.ReasonSucceeded)
		p.awaitSettled(ctx)
		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data": {"value": "theirs"}}`)
		p.divert(ctx)
		log := scene.requests()
		p.tamper(ctx, `{"spec": {"rollout": {"drift": "Correct"}}}`)
		found := p.eventuallyInSync(ctx, metav1.ConditionUnknown, v1alpha1.ReasonDriftUnknown)
		Expect(condition(found.Status.Conditions, v1alpha1.ConditionInSync).Message).To(
			ContainSubstring("the kubeconfig leads to another cluster than the one that was approved: promote the release again"))
		Expect(p.asTarget(log, func(cluster.Request) bool { return true })).To(BeEmpty())
		Expect(p.value(ctx, "settings")).To(Equal("theirs"))
	})
})
