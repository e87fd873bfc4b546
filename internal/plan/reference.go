// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Reference names an object.
func Reference(object *unstructured.Unstructured) v1alpha1.ObjectReference {
	kind := object.GroupVersionKind()
	return v1alpha1.ObjectReference{Group: kind.Group, Kind: kind.Kind, Namespace: object.GetNamespace(), Name: object.GetName()}
}

// Describe names an object in a message: its kind, with the group where it is not the core group, and its quoted name.
// Kind and name come from a Release and may hold anything: they are quoted and cut.
func Describe(ref v1alpha1.ObjectReference) string {
	return describeKind(ref) + " " + quote(ref.Name)
}

func describeKind(ref v1alpha1.ObjectReference) string {
	kind := ref.Kind
	if ref.Group != "" {
		kind += "." + ref.Group
	}
	if !plainKind(kind) {
		return "kind " + quote(kind)
	}
	return kind
}

func plainKind(kind string) bool {
	if kind == "" || len(kind) > 128 {
		return false
	}
	for _, r := range kind {
		plain := r == '.' || r == '-' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
		if !plain {
			return false
		}
	}
	return true
}

func quote(s string) string {
	const most = 253
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// shownValue is a value of any kind in a message.
func shownValue(value any) string {
	return quote(fmt.Sprint(value))
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
