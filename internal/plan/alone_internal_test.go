// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func objectOf(apiVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name}}}
	if spec != nil {
		object.Object["spec"] = spec
	}
	return object
}

func TestOnlyWhatTouchesAssentItselfIsForbiddenWhateverTheEnvironmentAllows(t *testing.T) {
	ours, theirs := map[string]any{"group": "assent.dev"}, map[string]any{"group": "example.org"}
	for _, test := range []struct {
		object *unstructured.Unstructured
		says   string
	}{
		{objectOf("assent.dev/v1alpha1", "Promotion", "a", nil), "an object of Assent itself"},
		{objectOf("extra.assent.dev/v1", "Thing", "a", nil), "an object of Assent itself"},
		{objectOf("notassent.dev/v1", "Thing", "a", nil), ""},
		{objectOf("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "assent-promotions", nil), "a name of Assent's guard"},
		{objectOf("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "shop", nil), ""},
		{objectOf("v1", "ConfigMap", "assent-promotions", nil), ""},
		{objectOf("apiextensions.k8s.io/v1", "CustomResourceDefinition", "a", ours), "defines the API group"},
		{objectOf("apiextensions.k8s.io/v1", "CustomResourceDefinition", "a", theirs), ""},
		{objectOf("apiregistration.k8s.io/v1", "APIService", "a", ours), "defines the API group"},
		{objectOf("apiregistration.k8s.io/v1", "APIService", "a", theirs), ""},
		{objectOf("example.org/v1", "Thing", "a", ours), ""},
	} {
		found := forbidden(test.object)
		g := NewWithT(t)
		g.Expect(found).To(ContainSubstring(test.says))
		if test.says == "" {
			g.Expect(found).To(BeEmpty(), Describe(Reference(test.object)))
		}
	}
}

func TestOnlyDefinitionsBringKindsAlong(t *testing.T) {
	brings := map[string]any{
		"group": "example.org", "scope": "Namespaced", "names": map[string]any{"kind": "Thing"}, "versions": []any{map[string]any{"name": "v1"}},
	}
	g := NewWithT(t)
	g.Expect(DefinedKinds([]*unstructured.Unstructured{objectOf("apiextensions.k8s.io/v1", "CustomResourceDefinition", "a", brings)})).To(HaveLen(1))
	g.Expect(DefinedKinds([]*unstructured.Unstructured{
		objectOf("example.org/v1", "CustomResourceDefinition", "a", brings), objectOf("apiextensions.k8s.io/v1", "Other", "a", brings),
	})).To(BeEmpty())
}

func TestANumberIsInexactBeyondTwoToThe53(t *testing.T) {
	const limit = 1<<53 - 1
	for _, test := range []struct {
		value any
		want  string
	}{
		{int64(limit), ""}, {int64(-limit), ""}, {int64(limit + 1), "spec.n"}, {int64(-limit - 1), "spec.n"},
		{float64(limit), ""}, {float64(-limit), ""}, {float64(limit + 1), "spec.n"}, {float64(-limit - 1), "spec.n"}, {1.5, ""}, {"text", ""},
	} {
		found := inexactNumber(map[string]any{"spec": map[string]any{"n": test.value}})
		NewWithT(t).Expect(found).To(Equal(test.want), fmt.Sprint(test.value))
	}
	found := inexactNumber(map[string]any{"a.b": int64(limit + 1)})
	NewWithT(t).Expect(found).To(Equal(`["a.b"]`))
}

func serviceWith(clusterIP string, asks ...string) *unstructured.Unstructured {
	service := objectOf("v1", "Service", "shop", map[string]any{"clusterIP": clusterIP, "clusterIPs": []any{clusterIP}})
	var entries []metav1.ManagedFieldsEntry
	for _, fields := range asks {
		entry := metav1.ManagedFieldsEntry{Manager: "assent", Operation: metav1.ManagedFieldsOperationApply}
		if fields != "" {
			entry.FieldsV1 = metav1.NewFieldsV1(fields)
		}
		entries = append(entries, entry)
	}
	service.SetManagedFields(entries)
	return service
}

func TestAnAddressIsLeftOutOnlyWhereADryRunHasMadeItUp(t *testing.T) {
	ofGroup := serviceWith("10.0.0.1")
	ofGroup.SetAPIVersion("example.org/v1")
	ofKind := serviceWith("10.0.0.1")
	ofKind.SetKind("Gateway")
	odd := objectOf("v1", "Service", "shop", nil)
	odd.Object["spec"] = "odd"
	for name, test := range map[string]struct {
		merged, live *unstructured.Unstructured
		shown        bool
	}{
		"of a new Service":                    {merged: serviceWith("10.0.0.1")},
		"of one that asks for nothing":        {merged: serviceWith("10.0.0.1", `{"f:spec":{}}`)},
		"of one whose fields nobody has said": {merged: serviceWith("10.0.0.1", "")},
		"of one that asks for it":             {merged: serviceWith("10.0.0.1", "", `{"f:spec":{"f:clusterIP":{}}}`), shown: true},
		"of one that is there":                {merged: serviceWith("10.0.0.1"), live: serviceWith("10.0.0.1"), shown: true},
		"of none":                             {merged: serviceWith("None"), shown: true},
		"of another group's Service":          {merged: ofGroup, shown: true},
		"of another kind":                     {merged: ofKind, shown: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, after := masked(Pair{Ref: Reference(test.merged), Live: test.live, Merged: test.merged})
			_, shown, _ := unstructured.NestedFieldNoCopy(after, "spec", "clusterIP")
			NewWithT(t).Expect(shown).To(Equal(test.shown))
		})
	}
	_, after := masked(Pair{Ref: Reference(odd), Merged: odd})
	NewWithT(t).Expect(after["spec"]).To(Equal("odd"))
	before, after := masked(Pair{Ref: Reference(odd), Live: odd})
	NewWithT(t).Expect(before["spec"]).To(Equal("odd"))
	NewWithT(t).Expect(after).To(BeNil())
	before, after = masked(Pair{Ref: Reference(odd)})
	NewWithT(t).Expect(before).To(BeNil())
	NewWithT(t).Expect(after).To(BeNil())
}

func secretOf(fields map[string]any) *unstructured.Unstructured {
	secret := objectOf("v1", "Secret", "login", nil)
	for name, value := range fields {
		secret.Object[name] = value
	}
	return secret
}

func TestASecretIsMaskedHoweverItIsWritten(t *testing.T) {
	for name, test := range map[string]struct {
		live, merged map[string]any
		before       any
		after        any
	}{
		"the same value, in another way": {
			live: map[string]any{"stringData": map[string]any{"a": "x"}}, merged: map[string]any{"data": map[string]any{"a": "eA=="}},
			before: map[string]any{"a": maskSame}, after: map[string]any{"a": maskSame},
		},
		"a text over other data": {
			live: map[string]any{"data": map[string]any{"b": "eA=="}, "stringData": map[string]any{"a": "x"}}, merged: map[string]any{"data": map[string]any{"a": "eQ==", "b": "eA=="}},
			before: map[string]any{"a": maskBefore, "b": maskSame}, after: map[string]any{"a": maskAfter, "b": maskSame},
		},
		"a value that is no text": {
			live: map[string]any{"stringData": map[string]any{"a": int64(1)}}, merged: map[string]any{"data": map[string]any{"a": int64(2)}},
			before: map[string]any{"a": maskBefore}, after: map[string]any{"a": maskAfter},
		},
		"the same value that is no text": {
			live: map[string]any{"stringData": map[string]any{"a": int64(1)}}, merged: map[string]any{"data": map[string]any{"a": int64(1)}},
			before: map[string]any{"a": maskSame}, after: map[string]any{"a": maskSame},
		},
		"data that is no map any more": {
			live: map[string]any{"data": "secret"}, merged: map[string]any{"data": map[string]any{"a": "eA=="}}, before: maskBefore, after: maskAfter,
		},
		"data that was a map": {
			live: map[string]any{"data": map[string]any{"a": "eA=="}}, merged: map[string]any{"data": "secret"}, before: maskBefore, after: maskAfter,
		},
	} {
		t.Run(name, func(t *testing.T) {
			live, merged := secretOf(test.live), secretOf(test.merged)
			before, after := masked(Pair{Ref: Reference(live), Live: live, Merged: merged})
			g := NewWithT(t)
			g.Expect(before["data"]).To(Equal(test.before))
			g.Expect(after["data"]).To(Equal(test.after))
			g.Expect(fmt.Sprint(before, after)).NotTo(Or(ContainSubstring("eA=="), ContainSubstring("secret")))
		})
	}
}

func TestLabelsAreSetWhereThereIsAPlaceForThem(t *testing.T) {
	labels := map[string]any{"a": "b"}
	for name, test := range map[string]struct {
		content, labels map[string]any
		becomes         map[string]any
	}{
		"nothing to set":          {content: map[string]any{"metadata": "odd"}, becomes: map[string]any{"metadata": "odd"}},
		"nothing to set anywhere": {content: map[string]any{}, becomes: map[string]any{}},
		"no metadata":             {content: map[string]any{}, labels: labels, becomes: map[string]any{"metadata": map[string]any{"labels": labels}}},
		"metadata that is no map": {content: map[string]any{"metadata": "odd"}, labels: labels, becomes: map[string]any{"metadata": "odd"}},
		"labels that are no map": {
			content: map[string]any{"metadata": map[string]any{"labels": "odd"}}, labels: labels, becomes: map[string]any{"metadata": map[string]any{"labels": "odd"}},
		},
		"labels beside them": {
			content: map[string]any{"metadata": map[string]any{"labels": map[string]any{"c": "d"}}}, labels: labels,
			becomes: map[string]any{"metadata": map[string]any{"labels": map[string]any{"a": "b", "c": "d"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			setLabels(test.content, test.labels)
			g.Expect(test.content).To(Equal(test.becomes))
		})
	}
}

func TestWhatHasNoPlaceForLabelsIsRefused(t *testing.T) {
	for name, change := range map[string]func(*unstructured.Unstructured){
		"on the object": func(object *unstructured.Unstructured) { object.Object["metadata"] = "odd" },
		"in its template": func(object *unstructured.Unstructured) {
			object.Object["spec"] = map[string]any{"template": map[string]any{"metadata": "odd"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := objectOf("apps/v1", "Deployment", "shop", nil)
			change(object)
			p := &placement{PlaceOptions: PlaceOptions{Project: "shop", Environment: "production", Lock: true}}
			if name == "on the object" {
				p.label(object)
			} else {
				p.labelTemplates(object)
			}
			NewWithT(t).Expect(p.problems).To(ConsistOf(ContainSubstring("metadata.labels` that are not a map: correct them")))
		})
	}
}

func TestOnlyItsOwnAnnotationsOfAssentsDomainAreLeftOnAnObject(t *testing.T) {
	for name, test := range map[string]struct {
		key     string
		value   any
		own     map[string]any
		refused bool
	}{
		"of somebody else":              {key: "example.org/hold", value: "x"},
		"of nobody":                     {key: "hold", value: "x"},
		"the domain itself":             {key: "assent.dev", value: "x"},
		"a wave":                        {key: "assent.dev/wave", value: "1"},
		"one that gives a right":        {key: "assent.dev/source-hosts", value: "x", refused: true},
		"one without a value":           {key: "assent.dev/source-hosts", refused: true},
		"what the rollout has written":  {key: "assent.dev/promotion-uid", value: "u1", own: map[string]any{"assent.dev/promotion-uid": "u1"}},
		"other than the rollout writes": {key: "assent.dev/promotion-uid", value: "u2", own: map[string]any{"assent.dev/promotion-uid": "u1"}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			object := objectOf("v1", "ConfigMap", "shop", nil)
			object.Object["metadata"] = map[string]any{"name": "shop", "annotations": map[string]any{test.key: test.value}}
			p := &placement{}
			p.checkAnnotations(object, object.Object, "", test.own)
			refused := len(p.problems) > 0
			NewWithT(t).Expect(refused).To(Equal(test.refused), "%v", p.problems)
		})
	}
}

func TestAJobIsMarkedWithThePromotionOnlyWhereThereIsOne(t *testing.T) {
	for uid, marked := range map[types.UID]bool{"": false, "u1": true} {
		job := objectOf("batch/v1", "Job", "migrate", nil)
		job.SetAnnotations(map[string]string{v1alpha1.AnnotationRerun: v1alpha1.RerunAlways})
		p := &placement{PlaceOptions: PlaceOptions{PromotionUID: uid}}
		p.instruct(job)
		_, found := job.GetAnnotations()[v1alpha1.AnnotationPromotionUID]
		g := NewWithT(t)
		g.Expect(p.problems).To(BeEmpty())
		g.Expect(found).To(Equal(marked))
	}
}

func TestObjectsWithoutANameAreNotCalledTheSame(t *testing.T) {
	p := &placement{seen: map[v1alpha1.ObjectReference]bool{}}
	for _, name := range []string{"", "", "a", "b"} {
		p.checkDuplicate(objectOf("v1", "ConfigMap", name, nil))
	}
	NewWithT(t).Expect(p.problems).To(BeEmpty())
	p.checkDuplicate(objectOf("v1", "ConfigMap", "a", nil))
	NewWithT(t).Expect(p.problems).To(HaveLen(1))
}
