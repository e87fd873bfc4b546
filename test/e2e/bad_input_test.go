// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

// badRelease is a release that cannot be rolled out.
type badRelease struct {
	name string
	// objects of the release; its application if it is another.
	objects     []string
	application string
	// unready says that the release itself shows what is wrong, too, wherever it goes.
	unready bool
	// says names the object or field, and the remedy.
	says []string
}

var badReleases = []badRelease{
	{name: "is not YAML", objects: []string{"{this is: [not yaml"}, unready: true, says: []string{"inline", "line 1"}},
	{name: "is YAML, but no object", objects: []string{"just a sentence"}, unready: true, says: []string{"apiVersion"}},
	{
		name: "is of a kind that the cluster does not know", objects: []string{"apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}"},
		says: []string{`"Widget"`, `"w"`, "CustomResourceDefinition"},
	},
	{
		name: "sets another namespace", objects: []string{"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stray, namespace: kube-system}"},
		says: []string{`"stray"`, "`metadata.namespace`", `"kube-system"`, "remove the field"},
	},
	{
		name: "holds Assent's own kinds", objects: []string{"apiVersion: assent.dev/v1alpha1\nkind: Environment\nmetadata: {name: mine}"},
		says: []string{`"mine"`, "remove it from the Release"},
	},
	{
		name: "holds a cluster-scoped object that the environment does not allow", objects: []string{"apiVersion: v1\nkind: Namespace\nmetadata: {name: more}"},
		says: []string{`"more"`, "cluster-scoped", "`spec.rollout.clusterScopedKinds`"},
	},
	{name: "holds an object twice", objects: []string{configMap("twin", "1"), configMap("twin", "2")}, unready: true, says: []string{`"twin"`, "the same object", "keep one"}},
	{name: "holds more than 1,000 objects", objects: configMaps(1001, "1"), unready: true, says: []string{"more than 1000 objects"}},
	{
		name: "holds an object that the API server refuses", objects: []string{"apiVersion: v1\nkind: Service\nmetadata: {name: portless}\nspec: {ports: [{port: 700000}]}"},
		says: []string{`"portless"`, "spec.ports[0].port"},
	},
	{
		name: "holds a field that the kind does not have", objects: []string{"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\nsurprise: 1"},
		says: []string{`"odd"`, "surprise"},
	},
	{name: "is of another application", objects: []string{configMap("settings", "1")}, application: "warehouse", says: []string{`"warehouse"`, `"shop"`, "name a release of application"}},
}

var _ = Describe("a release that", func() {
	for _, bad := range badReleases {
		It(bad.name+" is refused with what is wrong and what to do, and nothing is applied", func(ctx context.Context) {
			p := newPlace(ctx)
			release := cluster.NewRelease(p.project.Name, "shop-bad", "bad", manifests(bad.objects...))
			if bad.application != "" {
				release.Spec.Application = bad.application
			}
			Expect(scene.as(cluster.Bob).Create(ctx, release)).To(Succeed())
			asked := p.request(ctx, "bad", release.Name)
			if bad.unready {
				awaitRelease(ctx, release, metav1.ConditionFalse, v1alpha1.ReasonInvalidSource)
				expectSays(condition(release.Status.Conditions, v1alpha1.ConditionReady).Message, bad.says)
			}
			await(ctx, asked, v1alpha1.ReasonInvalid)
			expectSays(message(asked), bad.says)
			Expect(condition(asked.Status.Conditions, v1alpha1.ConditionStalled).Status).To(BeEquivalentTo("True"))
			Expect(p.live(ctx)).To(BeEmpty())
			p.expectQuiet(ctx)
		})
	}
})

func expectSays(text string, parts []string) {
	GinkgoHelper()
	for _, part := range parts {
		Expect(text).To(ContainSubstring(part))
	}
}

// expectQuiet watches for a moment in which nothing is written about what cannot go on. Faults are tried again within this time.
func (p *place) expectQuiet(ctx context.Context) {
	GinkgoHelper()
	By("watching that nothing more is written")
	p.expectRest(ctx)
	log := scene.requests()
	Consistently(func() []cluster.Request { return p.writes(log) }).WithContext(ctx).WithTimeout(time.Second).WithPolling(interval).Should(BeEmpty())
}

// expectRest waits until what the project holds has been looked at.
func (p *place) expectRest(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(condition(p.environment(ctx).Status.Conditions, v1alpha1.ConditionReady)).NotTo(BeZero())
		all := &v1alpha1.PromotionList{}
		g.Expect(scene.as(cluster.Admin).List(ctx, all, client.InNamespace(p.project.Name))).To(Succeed())
		for i := range all.Items {
			g.Expect(all.Items[i].Status.ObservedGeneration).To(Equal(all.Items[i].Generation))
		}
	}).WithContext(ctx).Should(Succeed())
}

// touched makes the operator look again and again at what it would look at after a minute, until the promotion is as wanted.
func touched(ctx context.Context, asked *v1alpha1.Promotion, what string, wanted func(Gomega)) {
	GinkgoHelper()
	By(fmt.Sprintf("touching promotion %q until it %s", asked.Name, what))
	Eventually(func(g Gomega) {
		g.Expect(refresh(ctx, asked)).To(Succeed())
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"touched":%q}}}`, asked.ResourceVersion)
		g.Expect(scene.as(cluster.Bob).Patch(ctx, asked.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
		wanted(g)
	}).WithContext(ctx).WithPolling(250*time.Millisecond).Should(Succeed(), func() string { return describe(asked) })
}

var _ = Describe("a deployer", func() {
	It("that is missing, and then may do nothing, stops the promotion with what to create, until it is there and may", func(ctx context.Context) {
		p := newProject(ctx)
		p.target.ServiceAccountName = "late"
		p.establish(ctx, production)
		p.release(ctx, "shop-one", configMap("settings", "1"))
		asked := p.request(ctx, "one", "shop-one")
		eventually(ctx, asked, "says that the deployer is missing", func(g Gomega) {
			g.Expect(blocker(asked, v1alpha1.GateTarget)).To(And(
				HaveField("Message", And(ContainSubstring(`"late"`), ContainSubstring("does not exist"), ContainSubstring("create the service account"))),
				HaveField("Clears", ContainSubstring(p.target.Namespace))))
		})
		By("waiting until the environment says so as well")
		Eventually(func() metav1.Condition {
			return condition(p.environment(ctx).Status.Conditions, v1alpha1.ConditionReady)
		}).WithContext(ctx).Should(And(
			HaveField("Reason", v1alpha1.ReasonDeployerMissing), HaveField("Message", ContainSubstring("`spec.target`"))))
		p.expectQuiet(ctx)

		admin := scene.as(cluster.Admin)
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "late", Namespace: p.target.Namespace}}
		Expect(admin.Create(ctx, account)).To(Succeed())
		touched(ctx, asked, "says that the operator may not act as one of this name", func(g Gomega) {
			g.Expect(blocker(asked, v1alpha1.GateTarget)).To(HaveField("Message", And(
				ContainSubstring("may not act as"), ContainSubstring("`impersonate`"), ContainSubstring(`resourceNames ["late"]`))))
		})
		p.expectQuiet(ctx)

		p.allow(ctx, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: cluster.ServiceAccount, Namespace: cluster.SystemNamespace},
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{"late"}, Verbs: []string{"impersonate"}})
		touched(ctx, asked, "says what the deployer may not do", func(g Gomega) {
			g.Expect(blocker(asked, v1alpha1.GateTarget)).To(HaveField("Message", And(
				ContainSubstring("may not"), ContainSubstring(`ConfigMap "settings"`), ContainSubstring("Role and RoleBinding"))))
		})
		p.expectQuiet(ctx)

		p.allow(ctx, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: "late", Namespace: p.target.Namespace},
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{rbacv1.VerbAll}})
		touched(ctx, asked, "waits for nothing but approval", func(g Gomega) {
			g.Expect(promotion.State(asked)).To(Equal(v1alpha1.ReasonAwaitingApproval))
			g.Expect(blocker(asked, v1alpha1.GateTarget)).To(BeNil())
		})
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
	})
})

// allow somebody something in the target.
func (p *place) allow(ctx context.Context, who rbacv1.Subject, what rbacv1.PolicyRule) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Name: "allow-" + who.Name, Namespace: p.target.Namespace}
	Expect(scene.as(cluster.Admin).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{what}})).To(Succeed())
	Expect(scene.as(cluster.Admin).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name}, Subjects: []rbacv1.Subject{who},
	})).To(Succeed())
}

var _ = Describe("names and texts", func() {
	It("at their bounds and in Unicode go all the way", func(ctx context.Context) {
		p := newProject(ctx)
		environment := strings.Repeat("e", 63)
		p.establish(ctx, environment, func(spec *v1alpha1.EnvironmentSpec) {
			spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: strings.Repeat("r", 63)}}
		})
		release := cluster.NewRelease(p.project.Name, strings.Repeat("r", 253), strings.Repeat("ü", 128), configMap(strings.Repeat("c", 253), "schön ✓"))
		release.Spec.Notes = strings.Repeat("❄", 32768)
		Expect(scene.as(cluster.Bob).Create(ctx, release)).To(Succeed())
		asked := cluster.NewPromotion(p.project.Name, strings.Repeat("p", 253), release.Name, environment)
		asked.Spec.Reason = strings.Repeat("日", 1024)
		Expect(scene.as(cluster.Bob).Create(ctx, asked)).To(Succeed())
		await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
		Expect(asked.Status.Plan.Diff).To(ContainSubstring("schön ✓"))
		Expect(decide(ctx, cluster.Alice, asked, v1alpha1.DecisionApproved, strings.Repeat("✓", 1024))).To(Succeed())
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		records := &v1alpha1.AuditRecordList{}
		Expect(scene.as(cluster.Admin).List(ctx, records, client.InNamespace(p.project.Name))).To(Succeed())
		Expect(records.Items).To(HaveLen(2))
		Expect(records.Items[0].Spec).To(And(HaveField("Reason", asked.Spec.Reason), HaveField("Release.Version", release.Spec.Version)))
		Expect(records.Items[0].Spec.Decisions).To(ConsistOf(HaveField("Comment", strings.Repeat("✓", 1024))))
		p.expectSettled(ctx, environment, records.Items)
	})

	It("beyond their bounds are refused by the API server, which names the field", func(ctx context.Context) {
		p := newProject(ctx)
		long := cluster.NewEnvironment(p.project.Name, strings.Repeat("e", 64), p.target)
		Expect(scene.as(cluster.Admin).Create(ctx, long)).To(And(
			WithTransform(apierrors.IsInvalid, BeTrue()), MatchError(ContainSubstring("63 characters"))))
		wordy := cluster.NewPromotion(p.project.Name, "wordy", "shop-one", production)
		wordy.Spec.Reason = strings.Repeat("日", 1025)
		Expect(scene.as(cluster.Bob).Create(ctx, wordy)).To(And(
			WithTransform(apierrors.IsInvalid, BeTrue()), MatchError(ContainSubstring("spec.reason"))))
		heavy := cluster.NewRelease(p.project.Name, "heavy", "1", strings.Repeat("#", 262145))
		Expect(scene.as(cluster.Bob).Create(ctx, heavy)).To(And(
			WithTransform(apierrors.IsInvalid, BeTrue()), MatchError(ContainSubstring("spec.source.inline"))))
	})
})
