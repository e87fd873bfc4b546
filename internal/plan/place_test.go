// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// scopes is a small cluster.
func scopes(kind schema.GroupVersionKind) (meta.RESTScopeName, error) {
	switch kind.Kind {
	case "ConfigMap", "Secret", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod", "Job", "CronJob", "Role", "RoleBinding", "Promotion":
		return meta.RESTScopeNameNamespace, nil
	case "Namespace", "ClusterRole", "CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "APIService":
		return meta.RESTScopeNameRoot, nil
	case "Unreachable":
		return "", errors.New("connection refused")
	}
	return "", &meta.NoKindMatchError{GroupKind: kind.GroupKind(), SearchedVersions: []string{kind.Version}}
}

func production(clusterScoped ...v1alpha1.GroupKind) plan.PlaceOptions {
	return plan.PlaceOptions{
		Target:             v1alpha1.Target{Namespace: "shop-prod", ServiceAccountName: "deployer"},
		ClusterScopedKinds: clusterScoped, Project: "shop", Environment: "production", Scope: scopes,
	}
}

// everything allows the cluster-scoped kinds that must be refused all the same.
func everything() plan.PlaceOptions {
	return production(
		v1alpha1.GroupKind{Kind: "Namespace"},
		v1alpha1.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"},
		v1alpha1.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"},
		v1alpha1.GroupKind{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy"},
		v1alpha1.GroupKind{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicyBinding"},
		v1alpha1.GroupKind{Group: "apiregistration.k8s.io", Kind: "APIService"},
	)
}

func TestPlaceRefuses(t *testing.T) {
	tests := []struct {
		name    string
		objects string
		options plan.PlaceOptions
		message string
	}{
		{"an object of another namespace", `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: kube-system}}`, everything(),
			"ConfigMap \"a\" sets `metadata.namespace` to \"kube-system\": remove the field, or set it to the Environment's `spec.target.namespace` \"shop-prod\""},
		{"a cluster-scoped kind that is not allowed", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a}}`, production(),
			"ClusterRole.rbac.authorization.k8s.io \"a\" is cluster-scoped: remove it from the Release, or add its kind to `spec.rollout.clusterScopedKinds` of Environment \"production\""},
		{"a cluster-scoped kind that is allowed in another group only", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a}}`,
			production(v1alpha1.GroupKind{Group: "example.com", Kind: "ClusterRole"}), "is cluster-scoped"},
		{"a namespace that is not allowed", `{apiVersion: v1, kind: Namespace, metadata: {name: shop-prod}}`, production(),
			`Namespace "shop-prod" is cluster-scoped`},
		{"an object of Assent", `{apiVersion: assent.dev/v1alpha1, kind: Promotion, metadata: {name: a}}`, everything(),
			`Promotion.assent.dev "a" is an object of Assent itself: remove it from the Release`},
		{"an object of a group below Assent's", `{apiVersion: x.assent.dev/v1, kind: Promotion, metadata: {name: a}}`, everything(), "is an object of Assent itself"},
		{"a policy of the guard", `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: assent-promotions}}`, everything(),
			`"assent-promotions" has a name of Assent's guard: rename it`},
		{"a binding of the guard", `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: assent-x}}`, everything(), "has a name of Assent's guard"},
		{"a definition of Assent's kinds", `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: promotions.assent.dev}, spec: {group: assent.dev}}`, everything(),
			`defines the API group "assent.dev"`},
		{"a server for Assent's kinds", `{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1beta1.assent.dev}, spec: {group: assent.dev}}`, everything(),
			`defines the API group "assent.dev"`},
		{"the same object twice", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop-prod}}", everything(),
			`ConfigMap "a" is there more than once: remove all but one`},
		{"the same object in two versions", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}\n---\n{apiVersion: apps/v1beta1, kind: Deployment, metadata: {name: a}}", everything(),
			`Deployment.apps "a" is there more than once`},
		{"a kind that the cluster does not know", `{apiVersion: example.com/v1, kind: Widget, metadata: {name: a}}`, everything(),
			`kind "Widget" of "example.com/v1" is not known to this cluster (object "a"): install its CustomResourceDefinition first`},
		{"an object without a name", `{apiVersion: v1, kind: ConfigMap, metadata: {generateName: a-}}`, everything(), "has no `metadata.name`: give it one"},
		{"labels that say whose the object is", `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {assent.dev/environment: staging}}}`, everything(),
			`ConfigMap "a" sets the label "assent.dev/environment": remove it`},
		{"labels that are no map", `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: [x]}}`, everything(), "`metadata.labels` that are not a map"},
		{"a number that two contents would share", `{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, spec: {sizes: [1, 9007199254740993]}}`, everything(),
			"has in `spec.sizes[1]` a number that JSON does not keep exactly"},
		{"an object that no cluster keeps", `{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: "` + strings.Repeat("x", 1600<<10) + `"}}`, everything(),
			`ConfigMap "a" is 1600 KiB large: split it into several objects; a cluster keeps none over 1536 KiB`},
		{"a kind that would break the message", `{apiVersion: v1, kind: "Evil\nkind", metadata: {name: "a\u202eb"}}`, everything(), `kind "Evil\nkind" of "v1" is not known to this cluster (object "a\u202eb")`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := NewWithT(t)
			err := plan.Place(objects(t, test.objects), test.options)
			invalid := &plan.InvalidError{}
			g.Expect(errors.As(err, &invalid)).To(BeTrue())
			g.Expect(invalid).To(MatchError(ContainSubstring(test.message)))
			g.Expect(invalid.Problems).To(HaveLen(1))
		})
	}
}

func TestPlaceGivesObjectsTheirPlaceAndOwner(t *testing.T) {
	g := NewWithT(t)
	placed := objects(t, `
apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: {app: web}, creationTimestamp: null, resourceVersion: "5", uid: x, managedFields: [{}]}
status: {x: 1}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a, namespace: left-over}}`)
	g.Expect(plan.Place(placed, everything())).To(Succeed())
	own := map[string]any{"assent.dev/project": "shop", "assent.dev/environment": "production"}
	g.Expect(placed[0].Object).To(Equal(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{
		"name": "a", "namespace": "shop-prod", "labels": map[string]any{"app": "web", "assent.dev/project": "shop", "assent.dev/environment": "production"},
	}}))
	g.Expect(placed[1].Object).To(Equal(map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": map[string]any{
		"name": "a", "labels": own,
	}}))
	again := []*unstructured.Unstructured{placed[0].DeepCopy(), placed[1].DeepCopy()}
	g.Expect(plan.Place(again, everything())).To(Succeed(), "placing twice is placing once")
	g.Expect(again).To(Equal(placed))
}

func TestPlaceLeavesLabelsToTheAPIServerThatAreNoStrings(t *testing.T) {
	g := NewWithT(t)
	placed := objects(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {version: 1}}}`)
	g.Expect(plan.Place(placed, production())).To(Succeed())
	labels, _, _ := unstructured.NestedMap(placed[0].Object, "metadata", "labels")
	g.Expect(labels).To(HaveKeyWithValue("version", BeNumerically("==", 1)))
}

func TestPlaceKnowsKindsThatTheReleaseBringsAlong(t *testing.T) {
	for scope, namespace := range map[string]string{"Namespaced": "shop-prod", "Cluster": ""} {
		t.Run(scope, func(t *testing.T) {
			g := NewWithT(t)
			placed := objects(t, fmt.Sprintf(`
{apiVersion: example.com/v1, kind: Widget, metadata: {name: a}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec: {group: example.com, scope: %s, names: {kind: Widget}, versions: [{name: v1}]}`, scope))
			options := everything()
			options.ClusterScopedKinds = append(options.ClusterScopedKinds, v1alpha1.GroupKind{Group: "example.com", Kind: "Widget"})
			g.Expect(plan.Place(placed, options)).To(Succeed())
			g.Expect(placed[0].GetNamespace()).To(Equal(namespace))
			placed[0].SetAPIVersion("example.com/v2")
			g.Expect(plan.Place(placed, options)).To(MatchError(ContainSubstring(`kind "Widget" of "example.com/v2" is not known`)))
		})
	}
}

func TestPlaceListsAllProblemsAndStaysReadable(t *testing.T) {
	g := NewWithT(t)
	var many []string
	for i := range 37 {
		many = append(many, fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: "%d-%s", namespace: other}}`, i, strings.Repeat("ö", 5000)))
	}
	err := plan.Place(objects(t, strings.Join(many, "\n---\n")), production())
	invalid := &plan.InvalidError{}
	g.Expect(errors.As(err, &invalid)).To(BeTrue())
	g.Expect(invalid.Problems).To(HaveLen(37))
	g.Expect(err.Error()).To(HaveSuffix("; and 27 more"))
	g.Expect(len(err.Error())).To(BeNumerically("<", 32768), "a condition's message holds no more")
}

func TestPlaceTellsAnUnreachableClusterFromABadRelease(t *testing.T) {
	g := NewWithT(t)
	err := plan.Place(objects(t, `{apiVersion: v1, kind: Unreachable, metadata: {name: a}}`), production())
	g.Expect(err).To(MatchError(ContainSubstring("connection refused")))
	g.Expect(errors.As(err, new(*plan.InvalidError))).To(BeFalse())
}
