// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// guardPrefix begins the names of the admission policies and bindings that decide who may approve.
const guardPrefix = "assent-"

// forbidden says why an object can never be part of a Release, whatever its Environment allows and its deployer may: nothing that is
// promoted may change the rules by which it is promoted. It returns "" for all other objects.
func forbidden(object *unstructured.Unstructured) string {
	kind := object.GroupVersionKind()
	switch {
	case inOwnGroup(kind.Group):
		return "is an object of Assent itself: remove it from the Release; Assent's own objects are not promoted"
	case kind.Group == "admissionregistration.k8s.io" && strings.HasPrefix(object.GetName(), guardPrefix):
		return "has a name of Assent's guard: rename it so that it does not begin with \"" + guardPrefix + "\""
	case kind.Group == "apiextensions.k8s.io" && inOwnGroup(field(object, "spec", "group")),
		kind.Group == "apiregistration.k8s.io" && inOwnGroup(field(object, "spec", "group")):
		return "defines the API group \"" + v1alpha1.GroupName + "\": remove it from the Release; Assent is installed and upgraded on its own"
	}
	return ""
}

func inOwnGroup(group string) bool {
	return group == v1alpha1.GroupName || strings.HasSuffix(group, "."+v1alpha1.GroupName)
}

func field(object *unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedString(object.Object, path...)
	return value
}

// definedKinds are the kinds that custom resource definitions among the objects bring along.
func definedKinds(objects []*unstructured.Unstructured) map[schema.GroupVersionKind]meta.RESTScopeName {
	kinds := map[schema.GroupVersionKind]meta.RESTScopeName{}
	for _, object := range objects {
		kind := object.GroupVersionKind()
		if kind.Group != "apiextensions.k8s.io" || kind.Kind != "CustomResourceDefinition" {
			continue
		}
		scope := meta.RESTScopeNameRoot
		if field(object, "spec", "scope") == "Namespaced" {
			scope = meta.RESTScopeNameNamespace
		}
		versions, _, _ := unstructured.NestedSlice(object.Object, "spec", "versions")
		for _, version := range versions {
			content, _ := version.(map[string]any)
			name, _ := content["name"].(string)
			kinds[schema.GroupVersionKind{Group: field(object, "spec", "group"), Version: name, Kind: field(object, "spec", "names", "kind")}] = scope
		}
	}
	return kinds
}

// DefinedKinds are the kinds that custom resource definitions among the objects bring along; the cluster may not know them yet.
func DefinedKinds(objects []*unstructured.Unstructured) map[schema.GroupVersionKind]bool {
	kinds := map[schema.GroupVersionKind]bool{}
	for kind := range definedKinds(objects) {
		kinds[kind] = true
	}
	return kinds
}
