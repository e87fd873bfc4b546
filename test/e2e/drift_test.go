// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// drift says what an Environment does about it.
func onDrift(policy v1alpha1.Drift) rule {
	return func(spec *v1alpha1.EnvironmentSpec) { spec.Rollout.Drift = policy }
}

const sesame = "b3BlbiBzZXNhbWU="

func secret(name string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s}\ndata: {password: %s}", name, sesame)
}

// unscaled is a Deployment that does not say how many replicas it has.
func unscaled(name string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: web, image: registry.example/shop}]}`, name)
}

// somebody changes an object of the target as the administrator, under a name of their own.
func (p *place) somebody(ctx context.Context, object client.Object, merge string) {
	GinkgoHelper()
	object.SetNamespace(p.target.Namespace)
	change := client.RawPatch(types.MergePatchType, []byte(merge))
	Expect(scene.as(cluster.Admin).Patch(ctx, object, change, client.FieldOwner("somebody"))).To(Succeed())
}

func named[T client.Object](object T, name string) T {
	object.SetName(name)
	return object
}

// eventuallyInSync waits until production's condition InSync has a status and a reason.
func (p *place) eventuallyInSync(ctx context.Context, status metav1.ConditionStatus, reason string) *v1alpha1.Environment {
	GinkgoHelper()
	var found *v1alpha1.Environment
	By("waiting until the environment's InSync is " + string(status) + ", " + reason)
	Eventually(func(g Gomega) {
		found = p.environment(ctx)
		g.Expect(condition(found.Status.Conditions, v1alpha1.ConditionInSync)).To(And(HaveField("Status", status), HaveField("Reason", reason)))
	}).WithContext(ctx).Should(Succeed())
	return found
}

// alwaysInSync watches that production is in sync for as long as a comparison would take.
func (p *place) alwaysInSync(ctx context.Context) {
	GinkgoHelper()
	Consistently(func() metav1.ConditionStatus {
		return condition(p.environment(ctx).Status.Conditions, v1alpha1.ConditionInSync).Status
	}).WithContext(ctx).WithTimeout(5 * time.Second).Should(Equal(metav1.ConditionTrue))
}

// compared waits until what was rolled out has been compared once, which the requests tell, and nothing else does: two plans and a comparison.
func (p *place) compared(ctx context.Context, log *cluster.RequestLog, times int) {
	GinkgoHelper()
	By("waiting until it has been compared")
	Eventually(func() []cluster.Request { return p.dryRuns(log) }).WithContext(ctx).Should(HaveLen(times))
}

// dryRuns of the operator in the target.
func (p *place) dryRuns(log *cluster.RequestLog) []cluster.Request {
	GinkgoHelper()
	found, err := log.Answered(func(r cluster.Request) bool {
		return r.ByOperator() && r.Verb == "patch" && !r.Changes() && r.ObjectRef.Namespace == p.target.Namespace
	})
	Expect(err).NotTo(HaveOccurred())
	return found
}

// drifted is how an object that differs is shown.
func drifted(kind, name string, message string, fields ...string) OmegaMatcher {
	differing := HaveField("Fields", BeEmpty())
	if len(fields) > 0 {
		differing = HaveField("Fields", Equal(fields))
	}
	return And(HaveField("Kind", kind), HaveField("Name", name), HaveField("Message", message), differing)
}

var _ = Describe("what somebody else changes after a rollout", func() {
	It("is found with its fields and without its values, and is no drift any more once it is changed back", func(ctx context.Context) {
		p := newPlace(ctx)
		log := scene.requests()
		p.promoted(ctx, "one", deployment("web", "registry.example/shop:1"), configMap("settings", "one"), service("web"), secret("login"))
		p.compared(ctx, log, 3*4)
		Expect(p.environment(ctx).Status.Drifted).To(BeEmpty())

		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data":{"value":"two"}}`)
		Expect(scene.as(cluster.Admin).SubResource("scale").Update(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "web"}},
			client.WithSubResourceBody(&autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "web"}, Spec: autoscalingv1.ScaleSpec{Replicas: 2}}),
			&client.SubResourceUpdateOptions{UpdateOptions: client.UpdateOptions{FieldManager: "scaler"}})).To(Succeed())
		Expect(scene.as(cluster.Admin).Delete(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "web"}})).To(Succeed())
		p.somebody(ctx, named(&corev1.Secret{}, "login"), `{"data":{"password":"Y2hhbmdlZA=="}}`)
		var found *v1alpha1.Environment
		Eventually(func() []v1alpha1.DriftedObject {
			found = p.environment(ctx)
			return found.Status.Drifted
		}).WithContext(ctx).Should(ConsistOf(
			drifted("ConfigMap", "settings", `changed by "somebody"`, "data.value"),
			drifted("Deployment", "web", `changed by "scaler"`, "spec.replicas"),
			drifted("Service", "web", "is gone"),
			drifted("Secret", "login", `changed by "somebody"`, "data.password")))
		inSync := condition(found.Status.Conditions, v1alpha1.ConditionInSync)
		Expect(inSync).To(And(HaveField("Status", metav1.ConditionFalse), HaveField("Reason", v1alpha1.ReasonDrifted)))
		Expect(inSync.Message).To(And(HavePrefix("4 of 4 objects differ from what was approved: "), ContainSubstring(`ConfigMap "settings" in data.value: changed by "somebody"`),
			Not(ContainSubstring("Y2hhbmdlZA")), Not(ContainSubstring(sesame))))
		Expect(p.history(ctx)).To(HaveLen(2), "nothing was corrected")

		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data":{"value":"one"}}`)
		p.somebody(ctx, named(&appsv1.Deployment{}, "web"), `{"spec":{"replicas":1}}`)
		p.somebody(ctx, named(&corev1.Secret{}, "login"), `{"data":{"password":"`+sesame+`"}}`)
		Eventually(func() []v1alpha1.DriftedObject { return p.environment(ctx).Status.Drifted }).WithContext(ctx).
			Should(ConsistOf(drifted("Service", "web", "is gone")))
		By("promoting again")
		p.promoted(ctx, "two", deployment("web", "registry.example/shop:1"), configMap("settings", "one"), service("web"), secret("login"))
		Expect(p.eventuallyInSync(ctx, metav1.ConditionTrue, v1alpha1.ReasonRolledOut).Status.Drifted).To(BeEmpty())
	})

	It("is in the diff of what waits, made anew, whose approvals stand", func(ctx context.Context) {
		p := newPlace(ctx)
		log := scene.requests()
		p.promoted(ctx, "one", configMap("settings", "one"))
		p.compared(ctx, log, 3)
		onEnvironment(`{"spec":{"hold":{"reason":"incident 4711"}}}`)(ctx, p)
		waits := p.approved(ctx, "two", configMap("settings", "two"))
		approved := waits.Status.Plan.Digest
		Expect(waits.Status.Plan.Diff).To(And(ContainSubstring("-  value: one"), ContainSubstring("+  value: two")))

		for _, value := range []string{"by-hand", "by-hand-again"} {
			p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data":{"value":"`+value+`"}}`)
			eventually(ctx, waits, "shows what is there now", func(g Gomega) {
				g.Expect(waits.Status.Plan.Diff).To(And(ContainSubstring("-  value: "+value+"\n"), ContainSubstring("+  value: two")))
			})
		}
		Expect(waits.Status.Plan.Inputs.DriftDigest).To(Equal(p.environment(ctx).Status.DriftDigest))
		Expect(waits.Status.Plan.Digest).To(Equal(approved))
		onEnvironment(`{"spec":{"hold":null}}`)(ctx, p)
		await(ctx, waits, v1alpha1.ReasonSucceeded)
		Expect(waits.Status.Approvals.Counted).To(ConsistOf(HaveField("User", cluster.Alice)))
		Expect(p.awaitSettled(ctx).Status.DriftDigest).To(BeEmpty())
	})

	It("is no drift where the Release says nothing: an autoscaler's replicas, a label, a status", func(ctx context.Context) {
		p := newPlace(ctx)
		log := scene.requests()
		p.promoted(ctx, "one", unscaled("web"), configMap("settings", "one"))
		p.compared(ctx, log, 3*2)
		log = scene.requests()
		p.somebody(ctx, named(&appsv1.Deployment{}, "web"), `{"spec":{"replicas":3}}`)
		p.somebody(ctx, named(&appsv1.Deployment{}, "web"), `{"metadata":{"labels":{"seen":"by-somebody"}}}`)
		p.alwaysInSync(ctx)
		Expect(p.dryRuns(log)).To(BeEmpty(), "nobody has to compare anything")
	})

	It("is left alone and not looked at where the Environment says Ignore", func(ctx context.Context) {
		p := newPlace(ctx, onDrift(v1alpha1.DriftIgnore))
		p.promoted(ctx, "one", configMap("settings", "one"))
		log := scene.requests()
		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data":{"value":"two"}}`)
		p.alwaysInSync(ctx)
		Expect(p.dryRuns(log)).To(BeEmpty())
		Expect(p.value(ctx, "settings")).To(Equal("two"))
	})

	It("is found after a start of the operator if it happened while none ran", Serial, func(ctx context.Context) {
		p := newPlace(ctx)
		p.promoted(ctx, "one", configMap("settings", "one"))
		Expect(scene.operator.Stop()).To(Succeed())
		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data":{"value":"two"}}`)
		Expect(scene.operator.Start(ctx)).To(Succeed())
		p.eventuallyInSync(ctx, metav1.ConditionFalse, v1alpha1.ReasonDrifted)
	})

	It("cannot be told when what was approved cannot be rendered as it was", func(ctx context.Context) {
		p := newPlace(ctx)
		asked := p.promoted(ctx, "one", configMap("settings", "one"))
		release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: asked.Spec.Release}}
		Expect(scene.as(cluster.Admin).Delete(ctx, release)).To(Succeed())
		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data":{"value":"two"}}`)
		found := p.eventuallyInSync(ctx, metav1.ConditionUnknown, v1alpha1.ReasonDriftUnknown)
		Expect(condition(found.Status.Conditions, v1alpha1.ConditionInSync).Message).To(ContainSubstring(`release "shop-one" was deleted since`))
	})
})

var _ = Describe("an environment that corrects drift", func() {
	It("applies what was approved again, with the record before the write and in the promotion's name", func(ctx context.Context) {
		p := newPlace(ctx, onDrift(v1alpha1.DriftCorrect))
		asked := p.promoted(ctx, "one", configMap("settings", "one"), configMap("other", "one"), service("web"))
		log := scene.requests()
		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data":{"value":"two"}}`)
		Eventually(func() (string, error) { return p.value(ctx, "settings") }).WithContext(ctx).Should(Equal("one"))

		records := p.history(ctx)
		Expect(records).To(HaveLen(3))
		Expect(records[2].Spec).To(And(
			HaveField("Type", v1alpha1.AuditCorrected), HaveField("Promotion.UID", string(asked.UID)), HaveField("PlanDigest", asked.Status.Plan.Digest),
			HaveField("Release.Name", asked.Spec.Release), HaveField("Reason", ContainSubstring(`ConfigMap "settings" in data.value: changed by "somebody"`)),
			HaveField("Objects", ConsistOf(HaveField("Name", "settings")))))
		writes := p.writes(log)
		record := slices.IndexFunc(writes, func(r cluster.Request) bool { return r.ObjectRef.Resource == "auditrecords" })
		applied := slices.IndexFunc(writes, func(r cluster.Request) bool { return r.ObjectRef.Resource == "configmaps" })
		Expect(p.toTarget(writes)).To(HaveLen(1), "%s", writes)
		Expect(record).To(BeNumerically(">=", 0))
		Expect(writes[applied].Received).To(BeTemporally(">=", writes[record].Done))
		Expect(writes[applied].ImpersonatedUser.Extra).To(HaveKeyWithValue(v1alpha1.ExtraPromotion, ConsistOf(fmt.Sprintf("%s/%s/%s", asked.Namespace, asked.Name, asked.UID))))

		By("deleting an object")
		Expect(scene.as(cluster.Admin).Delete(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "web"}})).To(Succeed())
		Eventually(func() error {
			return scene.as(cluster.Admin).Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: "web"}, &corev1.Service{})
		}).WithContext(ctx).Should(Succeed())
		Expect(p.eventuallyInSync(ctx, metav1.ConditionTrue, v1alpha1.ReasonRolledOut).Status.Drifted).To(BeEmpty())
	})

	DescribeTable("leaves it alone on hold, and mends it afterwards", func(ctx context.Context, hold, resume func(context.Context, *place)) {
		p := newPlace(ctx, onDrift(v1alpha1.DriftCorrect))
		p.promoted(ctx, "one", configMap("settings", "one"))
		hold(ctx, p)
		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data":{"value":"two"}}`)
		found := p.eventuallyInSync(ctx, metav1.ConditionFalse, v1alpha1.ReasonDrifted)
		Expect(condition(found.Status.Conditions, v1alpha1.ConditionInSync).Message).To(HaveSuffix("; not corrected: held: incident 4711"))
		Expect(p.value(ctx, "settings")).To(Equal("two"))
		Expect(p.history(ctx)).To(HaveLen(2))
		resume(ctx, p)
		Eventually(func() (string, error) { return p.value(ctx, "settings") }).WithContext(ctx).Should(Equal("one"))
		p.eventuallyInSync(ctx, metav1.ConditionTrue, v1alpha1.ReasonRolledOut)
	},
		Entry("of the environment", onEnvironment(`{"spec":{"hold":{"reason":"incident 4711"}}}`), onEnvironment(`{"spec":{"hold":null}}`)),
		Entry("by an annotation of the environment", onEnvironment(`{"metadata":{"annotations":{"assent.dev/hold":"incident 4711"}}}`),
			onEnvironment(`{"metadata":{"annotations":{"assent.dev/hold":null}}}`)),
		Entry("of the project", onProject(`{"metadata":{"annotations":{"assent.dev/hold":"incident 4711"}}}`),
			onProject(`{"metadata":{"annotations":{"assent.dev/hold":null}}}`)),
	)

	It("does not fight for ever with somebody who changes it back", func(ctx context.Context) {
		p := newPlace(ctx, onDrift(v1alpha1.DriftCorrect))
		p.promoted(ctx, "one", configMap("settings", "one"))
		for i := range 5 {
			p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), fmt.Sprintf(`{"data":{"value":"again %d"}}`, i))
			Eventually(func() (string, error) { return p.value(ctx, "settings") }).WithContext(ctx).Should(Equal("one"))
		}
		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data":{"value":"at last"}}`)
		found := p.eventuallyInSync(ctx, metav1.ConditionFalse, v1alpha1.ReasonDrifted)
		Expect(condition(found.Status.Conditions, v1alpha1.ConditionInSync).Message).To(And(
			ContainSubstring(`changed by "somebody"`), ContainSubstring("it was corrected 5 times within an hour, and somebody keeps changing it")))
		Expect(p.value(ctx, "settings")).To(Equal("at last"))
		By("promoting again")
		p.promoted(ctx, "two", configMap("settings", "two"))
		p.eventuallyInSync(ctx, metav1.ConditionTrue, v1alpha1.ReasonRolledOut)
		p.somebody(ctx, named(&corev1.ConfigMap{}, "settings"), `{"data":{"value":"once more"}}`)
		Eventually(func() (string, error) { return p.value(ctx, "settings") }).WithContext(ctx).Should(Equal("two"))
	})
})

func onEnvironment(merge string) func(context.Context, *place) {
	return func(ctx context.Context, p *place) {
		GinkgoHelper()
		environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: p.project.Name, Name: production}}
		Expect(scene.as(cluster.Admin).Patch(ctx, environment, client.RawPatch(types.MergePatchType, []byte(merge)))).To(Succeed())
	}
}

func onProject(merge string) func(context.Context, *place) {
	return func(ctx context.Context, p *place) {
		GinkgoHelper()
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.project.Name}}
		Expect(scene.as(cluster.Admin).Patch(ctx, namespace, client.RawPatch(types.MergePatchType, []byte(merge)))).To(Succeed())
	}
}
