// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// asCreated is how an object will look when it is created again, as far as that can be known: nothing of its name can be tried while the old
// one is there. It is what the release says, and what the API server has filled in on the old one: the fields that nobody owns. Without those
// people would be shown dozens of defaults as if they were taken away. Refused fields are not filled in.
func asCreated(live, desired *unstructured.Unstructured, refused []string) *unstructured.Unstructured {
	created := desired.DeepCopy()
	owned := map[string]any{}
	for _, entry := range live.GetManagedFields() {
		var fields map[string]any
		if entry.FieldsV1 != nil && json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) == nil {
			unite(owned, fields)
		}
	}
	filling := filling{refused: refused}
	if live.GetKind() == "Service" && live.GroupVersionKind().Group == "" {
		filling.given = []string{"clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort"}
	}
	for _, key := range slices.Sorted(maps.Keys(live.Object)) {
		if key == "metadata" || key == "status" {
			continue
		}
		filling.field(created.Object, live.Object, owned, key, key)
	}
	return created
}

// filling copies fields that nobody owns.
type filling struct {
	// refused are paths of fields that cannot be kept.
	refused []string
	// given are fields for which a new object gets another value.
	given []string
}

// field fills one field of `into` from that of `from`. Owned is a set of fields in the form of FieldsV1.
func (f filling) field(into, from, owned map[string]any, key, path string) {
	mine, isOwned := owned["f:"+key]
	below, _ := mine.(map[string]any)
	if _, said := into[key]; !said {
		if !isOwned && !slices.Contains(f.given, key) && !f.isRefused(path) {
			into[key] = runtime.DeepCopyJSONValue(from[key])
		}
		return
	}
	switch value := into[key].(type) {
	case map[string]any:
		f.fields(value, from[key], below, path)
	case []any:
		f.items(value, from[key], below, path)
	}
}

func (f filling) fields(into map[string]any, from any, owned map[string]any, path string) {
	old, isMap := from.(map[string]any)
	if !isMap {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		f.field(into, old, owned, key, path+"."+key)
	}
}

// items fills the items of a list that the API server tells apart by keys, such as a container's name.
func (f filling) items(into []any, from any, owned map[string]any, path string) {
	old, _ := from.([]any)
	for selector, below := range owned {
		var keys map[string]any
		text, isKey := strings.CutPrefix(selector, "k:")
		if !isKey || json.Unmarshal([]byte(text), &keys) != nil {
			continue
		}
		was, is := itemWith(old, keys, false), itemWith(into, keys, true)
		fields, _ := below.(map[string]any)
		if was != nil && is != nil {
			f.fields(is, was, fields, path+"[]")
		}
	}
}

// itemWith finds an item by its keys. A release may leave out those that have defaults, such as a port's protocol.
func itemWith(items []any, keys map[string]any, mayLack bool) map[string]any {
	for _, item := range items {
		content, _ := item.(map[string]any)
		matches := content != nil
		for key, want := range keys {
			has, found := content[key]
			matches = matches && ((mayLack && !found) || sameKey(has, want))
		}
		if matches {
			return content
		}
	}
	return nil
}

// sameKey compares a value of an object with one of a selector, whose numbers are floating point.
func sameKey(has, want any) bool {
	if number, isInteger := has.(int64); isInteger {
		has = float64(number)
	}
	return equality.Semantic.DeepEqual(has, want)
}

// isRefused tells whether a path is one that the API server has named, which may have added an index.
func (f filling) isRefused(path string) bool {
	return slices.ContainsFunc(f.refused, func(refused string) bool {
		plain, _, _ := strings.Cut(refused, "[")
		return plain == path
	})
}

// unite adds the second set of fields to the first.
func unite(into, more map[string]any) {
	for key, value := range more {
		below, _ := value.(map[string]any)
		if _, known := into[key]; !known {
			into[key] = map[string]any{}
		}
		if known, isMap := into[key].(map[string]any); isMap {
			unite(known, below)
		}
	}
}
