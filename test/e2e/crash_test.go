// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/controllers"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// rounds that the operator is killed at each moment: where exactly it dies differs.
	rounds = 2
	// crowd is how many ConfigMaps the release of these tests holds.
	crowd = 60
)

// moment is when the operator is killed: by an event of a watch, never by a clock.
type moment struct {
	name string
	// list of the objects to watch, in the project or in the target.
	list     func() client.ObjectList
	inTarget bool
	// come says whether it has come, with the objects that were seen so far.
	come func(seen map[string]client.Object) bool
}

var moments = []moment{
	{
		name: "right after the decisions are closed",
		list: func() client.ObjectList { return &v1alpha1.PromotionList{} },
		come: func(seen map[string]client.Object) bool {
			for _, object := range seen {
				if !object.(*v1alpha1.Promotion).Status.StartTime.IsZero() {
					return true
				}
			}
			return false
		},
	},
	{name: "right after the intent is on record", list: recordList, come: recorded(v1alpha1.AuditIntent)},
	{
		name: "in the middle of applying", list: func() client.ObjectList { return &corev1.ConfigMapList{} }, inTarget: true,
		come: func(seen map[string]client.Object) bool {
			changed := 0
			for _, object := range seen {
				if object.(*corev1.ConfigMap).Data["value"] == "2" {
					changed++
				}
			}
			return changed >= crowd/3
		},
	},
	{name: "right after the outcome is on record", list: recordList, come: recorded(v1alpha1.AuditSucceeded)},
}

func recordList() client.ObjectList { return &v1alpha1.AuditRecordList{} }

func recorded(kind v1alpha1.AuditType) func(map[string]client.Object) bool {
	return func(seen map[string]client.Object) bool {
		for _, object := range seen {
			if record := object.(*v1alpha1.AuditRecord); record.Spec.Type == kind && record.Spec.Promotion.Name == "two" {
				return true
			}
		}
		return false
	}
}

// killAt kills the operator when the moment has come.
func (p *place) killAt(ctx context.Context, m moment) (killed <-chan error) {
	GinkgoHelper()
	namespace := p.project.Name
	if m.inTarget {
		namespace = p.target.Namespace
	}
	events, err := scene.as(cluster.Admin).Watch(ctx, m.list(), client.InNamespace(namespace))
	Expect(err).NotTo(HaveOccurred())
	done := make(chan error, 1)
	go func() {
		defer events.Stop()
		seen := map[string]client.Object{}
		for event := range events.ResultChan() {
			object, is := event.Object.(client.Object)
			if !is || event.Type == watch.Deleted {
				continue
			}
			seen[object.GetName()] = object
			if m.come(seen) {
				done <- scene.operator.Kill()
				return
			}
		}
		done <- fmt.Errorf("the watch ended before the moment came: %w", ctx.Err())
	}()
	return done
}

func crowdOf(version string) []string {
	return append(configMaps(crowd, version), deployment("web", "registry.example/shop:"+version), deployment("worker", "registry.example/worker:"+version))
}

// content of the target, without what differs from one target to another.
func (p *place) content(ctx context.Context) map[string]any {
	GinkgoHelper()
	found := map[string]any{}
	for ref, object := range p.live(ctx) {
		kept := map[string]any{"spec": object.Object["spec"], "data": object.Object["data"]}
		labels := object.GetLabels()
		delete(labels, v1alpha1.LabelProject)
		kept["labels"] = labels
		kept["annotations"] = object.GetAnnotations()
		unstructured.RemoveNestedField(kept, "spec", "clusterIP")
		unstructured.RemoveNestedField(kept, "spec", "clusterIPs")
		found[ref.Kind+"/"+ref.Name] = kept
	}
	return found
}

// expectOneEnd looks at everything that must be as if the operator had never died.
func (p *place) expectOneEnd(ctx context.Context, asked *v1alpha1.Promotion, undisturbed map[string]any) {
	GinkgoHelper()
	await(ctx, asked, v1alpha1.ReasonSucceeded)
	environment := p.awaitSettled(ctx)
	Expect(p.content(ctx)).To(Equal(undisturbed))
	Expect(p.recordsOf(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditSucceeded}))
	Expect(environment.Status.Current.Promotion).To(Equal(asked.Name))
	Expect(environment.Status.Inventory).To(HaveLen(crowd + 2))
	Expect(condition(asked.Status.Conditions, v1alpha1.ConditionReconciling)).To(BeZero())
	Expect(asked.Status.CompletionTime.IsZero()).To(BeFalse())
}

var _ = Describe("an operator that is killed", Serial, Ordered, func() {
	var undisturbed map[string]any

	BeforeAll(func(ctx context.Context) {
		p := newPlace(ctx)
		p.promoted(ctx, "one", append(crowdOf("1"), configMap("old", "1"))...)
		p.promoted(ctx, "two", crowdOf("2")...)
		undisturbed = p.content(ctx)
		Expect(undisturbed).To(HaveLen(crowd + 2))
	})

	for _, m := range moments {
		for round := range rounds {
			It(fmt.Sprintf("%s ends with the same objects and one outcome (%d)", m.name, round+1), func(ctx context.Context) {
				p := newPlace(ctx)
				p.promoted(ctx, "one", append(crowdOf("1"), configMap("old", "1"))...)
				asked := p.planned(ctx, "two", crowdOf("2")...)
				killed := p.killAt(ctx, m)
				approve(ctx, cluster.Alice, asked)
				By("waiting for the moment to kill the operator: " + m.name)
				Eventually(ctx, killed).Should(Receive(BeNil()))
				DeferCleanup(restart)
				By(fmt.Sprintf("starting it again, with %v on record", p.recordsOf(ctx, asked)))
				restart(ctx)
				p.expectOneEnd(ctx, asked, undisturbed)
			})
		}
	}

	It("before it could put its intent on record applies nothing until it has", func(ctx context.Context) {
		p := newPlace(ctx)
		p.promoted(ctx, "one", append(crowdOf("1"), configMap("old", "1"))...)
		asked := p.planned(ctx, "two", crowdOf("2")...)
		allow := p.refuseIntents(ctx)
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonRollingOut)
		Expect(scene.operator.Kill()).To(Succeed())
		DeferCleanup(restart)
		Expect(p.recordsOf(ctx, asked)).To(BeEmpty())
		Expect(p.value(ctx, "cm-000")).To(Equal("1"), "nothing is applied without an intent on record")
		restart(ctx)
		Expect(decide(ctx, cluster.Carol, asked, v1alpha1.DecisionRejected, "too late")).To(MatchError(ContainSubstring("(G8)")))
		allow(ctx)
		p.expectOneEnd(ctx, asked, undisturbed)
	})
})

// restart the operator if it does not run.
func restart(ctx context.Context) {
	GinkgoHelper()
	if !scene.operator.Running() {
		Expect(scene.operator.Start(ctx)).To(Succeed())
	}
}

// refuseIntents lets nobody create an audit record in the project until allow is called.
func (p *place) refuseIntents(ctx context.Context) (allow func(context.Context)) {
	GinkgoHelper()
	name := "refuse-records-" + p.project.Name
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{v1alpha1.GroupName}, APIVersions: []string{"*"}, Resources: []string{"auditrecords"}},
				}}},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: fmt.Sprintf("request.namespace != %q", p.project.Name), Message: "refused by the test"}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	admin := scene.as(cluster.Admin)
	Expect(admin.Create(ctx, policy)).To(Succeed())
	Expect(admin.Create(ctx, binding)).To(Succeed())
	allow = func(ctx context.Context) {
		Expect(client.IgnoreNotFound(admin.Delete(ctx, binding))).To(Succeed())
		Expect(client.IgnoreNotFound(admin.Delete(ctx, policy))).To(Succeed())
	}
	DeferCleanup(allow)
	By("waiting until no audit record can be created")
	Eventually(func() error { return p.createRecord(ctx) }).WithContext(ctx).Should(MatchError(ContainSubstring("refused by the test")))
	return allow
}

// createRecord tries to, as the operator and as a dry run: anybody else is refused by the guard already.
func (p *place) createRecord(ctx context.Context) error {
	digest := v1alpha1.Digest("sha256:" + strings.Repeat("a", 64))
	record := &v1alpha1.AuditRecord{
		ObjectMeta: metav1.ObjectMeta{Name: production + "-0000000099", Namespace: p.project.Name},
		Spec: v1alpha1.AuditRecordSpec{
			Environment: production, Sequence: 99, Hash: digest, Type: v1alpha1.AuditIntent, Time: metav1.Now(),
			Promotion: v1alpha1.ObjectIdentity{Name: "probe", UID: "probe"},
		},
	}
	return scene.as(operator).Create(ctx, record, client.DryRunAll)
}

var _ = Describe("an operator that takes over a rollout", Serial, func() {
	DescribeTable("applies nothing of another release that has taken the name meanwhile", func(ctx context.Context, images []v1alpha1.ReleaseImage, objects ...string) {
		p := newPlace(ctx)
		asked := p.stuck(ctx, "one")
		Expect(scene.operator.Kill()).To(Succeed())
		DeferCleanup(restart)
		Expect(scene.as(cluster.Admin).Delete(ctx, cluster.NewRelease(p.project.Name, "shop-one", "", ""))).To(Succeed())
		other := cluster.NewRelease(p.project.Name, "shop-one", "one", manifests(objects...))
		other.Spec.Images = images
		Expect(scene.as(cluster.Bob).Create(ctx, other)).To(Succeed())
		before := p.content(ctx)
		restart(ctx)
		await(ctx, asked, v1alpha1.ReasonFailed)
		Expect(message(asked)).To(ContainSubstring("digest"))
		Expect(p.content(ctx)).To(Equal(before))
		Expect(p.recordsOf(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditFailed}))
		p.awaitSettled(ctx)
	},
		Entry("with other content", nil, configMap("settings", "never approved")),
		Entry("with the same content, rendered with another image",
			[]v1alpha1.ReleaseImage{{Name: "registry.example/shop", Digest: v1alpha1.Digest("sha256:" + strings.Repeat("e", 64))}},
			configMap("settings", "one"), stuckDeployment("web")),
	)

	It("starts nothing before the outcome of one that was deleted meanwhile is on record", func(ctx context.Context) {
		p := newPlace(ctx)
		first := p.stuck(ctx, "one")
		second := p.approved(ctx, "two", configMap("settings", "two"))
		await(ctx, second, v1alpha1.ReasonQueued)
		Expect(scene.operator.Kill()).To(Succeed())
		DeferCleanup(restart)
		Expect(scene.as(cluster.Bob).Delete(ctx, first)).To(Succeed())
		restart(ctx)
		await(ctx, second, v1alpha1.ReasonSucceeded)
		p.awaitSettled(ctx)
		var told []string
		for _, record := range p.history(ctx) {
			told = append(told, fmt.Sprintf("%s of %s", record.Spec.Type, record.Spec.Promotion.Name))
		}
		Expect(told).To(Equal([]string{"Intent of one", "Cancelled of one", "Intent of two", "Succeeded of two"}))
	})

	It("lets the environment know of an outcome whose promotion was deleted before it did, and then goes on", func(ctx context.Context) {
		p := newPlace(ctx)
		asked := p.stuck(ctx, "one")
		next := p.approved(ctx, "two", configMap("settings", "two"))
		await(ctx, next, v1alpha1.ReasonQueued)
		Expect(scene.operator.Kill()).To(Succeed())
		DeferCleanup(restart)
		By("putting the outcome on record, as a process does that dies right after")
		Expect(scene.as(cluster.Admin).Delete(ctx, asked)).To(Succeed())
		outcome := p.history(ctx)[0].Spec
		outcome.Type, outcome.Reason, outcome.Decisions, outcome.DecidedBy, outcome.Objects = v1alpha1.AuditCancelled, "it was deleted", nil, "", nil
		into := controllers.NewLedger(scene.as(operator), scene.as(operator), io.Discard)
		Expect(into.Append(ctx, p.project.Name, v1alpha1.AuditHead{}, outcome)).NotTo(BeNil())
		restart(ctx)
		await(ctx, next, v1alpha1.ReasonSucceeded)
		environment := p.awaitSettled(ctx)
		Expect(names(environment.Status.Inventory)).To(ConsistOf("ConfigMap/settings"))
		p.expectGone(ctx, &v1alpha1.ObjectReference{Kind: "Deployment", Group: "apps", Name: "web"})
	})

	It("finishes one whose release and environment were deleted meanwhile, with an outcome on record", func(ctx context.Context) {
		p := newPlace(ctx)
		asked := p.stuck(ctx, "one")
		Expect(scene.operator.Kill()).To(Succeed())
		DeferCleanup(restart)
		Expect(scene.as(cluster.Admin).Delete(ctx, cluster.NewRelease(p.project.Name, "shop-one", "", ""))).To(Succeed())
		Expect(scene.as(cluster.Admin).Delete(ctx, p.environment(ctx))).To(Succeed())
		restart(ctx)
		await(ctx, asked, v1alpha1.ReasonFailed)
		Expect(message(asked)).To(ContainSubstring("release was deleted"))
		Expect(p.recordsOf(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditFailed}))
	})
})
