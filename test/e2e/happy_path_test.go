// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/test/cluster"
)

// shop is an application in two versions.
func shop(version string) []string {
	return []string{configMap("settings", version), service("web"), deployment("web", "registry.example/shop:"+version)}
}

var _ = Describe("a promotion that is approved", func() {
	It("runs exactly the diff that the approver saw, and puts intent and outcome on record", func(ctx context.Context) {
		p := newPlace(ctx)
		first := p.promoted(ctx, "one", append(shop("1"), configMap("old", "goes"))...)
		before := p.live(ctx)

		requests := scene.requests()
		second := p.planned(ctx, "two", shop("2")...)
		seen := second.Status.Plan
		Expect(seen.Diff).To(And(
			ContainSubstring("-  value: \"1\"\n+  value: \"2\"\n"),
			ContainSubstring("-      - image: registry.example/shop:1\n+      - image: registry.example/shop:2\n"),
			Not(ContainSubstring("kind: Service")),
		))
		Expect(actions(seen.Changes)).To(ConsistOf("Update ConfigMap/settings", "Update Deployment/web", "Prune ConfigMap/old"))
		Expect(p.value(ctx, "settings")).To(Equal("1"), "nothing may run before the approval")

		approve(ctx, cluster.Alice, second)
		await(ctx, second, v1alpha1.ReasonSucceeded)
		environment := p.awaitSettled(ctx)

		Expect(plan.Diff(pairsOf(before, p.live(ctx)))).To(Equal(seen.Diff), "what changed must be what she saw")
		Expect(environment.Status.Current).To(And(
			HaveField("Release", "shop-two"), HaveField("Version", "two"), HaveField("Promotion", "two"), HaveField("Digest", seen.Digest)))
		Expect(environment.Status.Previous.Promotion).To(Equal(first.Name))
		Expect(names(environment.Status.Inventory)).To(ConsistOf("ConfigMap/settings", "Service/web", "Deployment/web"))
		Expect(condition(environment.Status.Conditions, v1alpha1.ConditionHealthy).Status).To(BeEquivalentTo("True"))
		p.expectOnRecord(ctx, second, seen)
		p.expectIntentFirst(second, requests)
	})
})

// expectOnRecord looks for an intent and an outcome that say who decided on what.
func (p *place) expectOnRecord(ctx context.Context, asked *v1alpha1.Promotion, seen v1alpha1.Plan) {
	GinkgoHelper()
	Expect(p.recordsOf(ctx, asked)).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditSucceeded}))
	records := p.history(ctx)
	intent := records[len(records)-2].Spec
	Expect(intent.PlanDigest).To(Equal(seen.Digest))
	Expect(intent.RenderedDigest).To(Equal(seen.RenderedDigest))
	Expect(intent.RequestedBy.Username).To(Equal(cluster.Bob))
	Expect(intent.Decisions).To(ConsistOf(And(
		HaveField("User", cluster.Alice), HaveField("Groups", ContainElement("shop-owners")), HaveField("Decision", v1alpha1.DecisionApproved))))
	Expect(intent.Target).To(Equal(p.target))
}

// expectIntentFirst looks in the API server's audit log: the intent was written before any object was, and each write says for whom.
func (p *place) expectIntentFirst(asked *v1alpha1.Promotion, requests *cluster.RequestLog) {
	GinkgoHelper()
	intents, err := requests.Answered(func(r cluster.Request) bool {
		return r.ByOperator() && r.Changes() && r.ObjectRef.Resource == "auditrecords" && r.ObjectRef.Namespace == p.project.Name &&
			strings.Contains(string(r.RequestObject), `"type":"Intent"`)
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(intents).To(HaveLen(1))
	all, err := requests.Answered(func(r cluster.Request) bool {
		return r.ImpersonatedUser.Username != "" && r.ObjectRef.Namespace == p.target.Namespace
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(all).NotTo(BeEmpty())
	written := 0
	for _, request := range all {
		Expect(request.ByOperator()).To(BeTrue(), request.String())
		Expect(request.ImpersonatedUser.Username).To(Equal(fmt.Sprintf("system:serviceaccount:%s:%s", p.target.Namespace, p.target.ServiceAccountName)))
		Expect(request.ImpersonatedUser.Extra).To(HaveKeyWithValue(v1alpha1.ExtraPromotion,
			[]string{fmt.Sprintf("%s/%s/%s", asked.Namespace, asked.Name, asked.UID)}), request.String())
		if request.Changes() {
			written++
			Expect(request.Received).To(BeTemporally(">", intents[0].Done), request.String())
		}
	}
	Expect(written).To(Equal(3))
	unasked, err := requests.Answered(func(r cluster.Request) bool {
		return r.ByOperator() && r.Changes() && r.ImpersonatedUser.Username == "" && r.ObjectRef.Namespace == p.target.Namespace
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(unasked).To(BeEmpty(), "the operator itself writes nothing in the target")
}

// live are the target's objects that belong to the Environment.
func (p *place) live(ctx context.Context) map[v1alpha1.ObjectReference]*unstructured.Unstructured {
	GinkgoHelper()
	found := map[v1alpha1.ObjectReference]*unstructured.Unstructured{}
	for _, kind := range []schema.GroupVersionKind{
		{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Service"}, {Group: "apps", Version: "v1", Kind: "Deployment"},
	} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		Expect(scene.as(cluster.Admin).List(ctx, list, client.InNamespace(p.target.Namespace), client.HasLabels{v1alpha1.LabelEnvironment})).To(Succeed())
		for i := range list.Items {
			object := &list.Items[i]
			if kind.Kind == "Deployment" { // counted by a controller after every rollout
				Expect(unstructured.SetNestedField(object.Object, "1", "metadata", "annotations", "deployment.kubernetes.io/revision")).To(Succeed())
			}
			found[plan.Reference(object)] = object
		}
	}
	return found
}

// pairsOf are the objects as they were and as they are, in the order in which a plan shows them.
func pairsOf(before, after map[v1alpha1.ObjectReference]*unstructured.Unstructured) []plan.Pair {
	var sorted []*unstructured.Unstructured
	for _, object := range after {
		sorted = append(sorted, object)
	}
	plan.Sort(sorted)
	var pairs []plan.Pair
	for _, object := range sorted {
		pairs = append(pairs, plan.Pair{Ref: plan.Reference(object), Live: before[plan.Reference(object)], Merged: object})
	}
	for ref, object := range before {
		if after[ref] == nil {
			pairs = append(pairs, plan.Pair{Ref: ref, Live: object})
		}
	}
	return pairs
}

// actions of a plan, as Action Kind/name.
func actions(changes []v1alpha1.Change) []string {
	var all []string
	for _, change := range changes {
		all = append(all, fmt.Sprintf("%s %s/%s", change.Action, change.Kind, change.Name))
	}
	return all
}
