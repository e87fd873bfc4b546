// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// strangeMetadata is metadata that most people would not write. The name is filled in where there is none.
func strangeMetadata() map[string]map[string]any {
	owner := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "3c1f5a0e-0000-4000-8000-000000000000"}
	large := map[string]any{}
	for i := range 2000 {
		large[distinct("assent.example/a", i+1)] = strings.Repeat("v", 100)
	}
	labels := map[string]any{}
	for i := range 300 {
		labels[distinct("a", i+1)] = "v"
	}
	found := map[string]map[string]any{
		"300 labels":                       {"labels": labels},
		"a label that is no label":         {"labels": map[string]any{"a b": "\u202e"}},
		"annotations of 200 KiB":           {"annotations": large},
		"annotations that are no texts":    {"annotations": map[string]any{"a": int64(1)}},
		"annotations that are null":        {"annotations": nil},
		"a finalizer":                      {"finalizers": []any{"assent.dev/rollout"}},
		"an owner":                         {"ownerReferences": []any{owner}},
		"a UID, a generation and a time":   {"uid": "a", "generation": int64(99), "creationTimestamp": "2001-01-01T00:00:00Z", "deletionTimestamp": "2001-01-01T00:00:00Z"},
		"a resource version":               {"resourceVersion": "1"},
		"managed fields of somebody else":  {"managedFields": []any{map[string]any{"manager": "assent", "operation": "Apply", "fieldsV1": map[string]any{"f:spec": "x"}}}},
		"a name of 253 characters":         {"name": strings.Repeat("n", 253)},
		"a name of 254 characters":         {"name": strings.Repeat("n", 254)},
		"a name with a slash":              {"name": "a/b"},
		"a name in upper case":             {"name": "ABC"},
		"a name with dots":                 {"name": "a.b.c"},
		"no name":                          {"name": ""},
		"another namespace":                {"namespace": "kube-system"},
		"the labels of an applied object":  {"labels": map[string]any{v1alpha1.LabelEnvironment: "production", v1alpha1.LabelProject: "a", v1alpha1.LabelLock: "a"}},
		"annotations that Assent looks at": {"annotations": map[string]any{v1alpha1.AnnotationRerunChecks: strings.Repeat("\u202e", 3000), v1alpha1.AnnotationWave: "x"}},
		"a hold without a reason":          {"annotations": map[string]any{v1alpha1.AnnotationHold: ""}},
		"a hold of 60 KiB":                 {"annotations": map[string]any{v1alpha1.AnnotationHold: strings.Repeat("\u65e5\x00", 15<<10)}},
	}
	return found
}

// anotherKind is named in a body that Kubernetes takes all the same, for every custom resource: it goes by where it is sent to.
const anotherKind = "another kind"

// strangeBodies are requests that hold no object, or one that can be read in two ways.
func strangeBodies(kind, spec string) map[string]string {
	head := `{"apiVersion": "` + v1alpha1.SchemeGroupVersion.String() + `", "kind": "` + kind + `", "metadata": {"name": "NAME", "namespace": "NAMESPACE"}`
	return map[string]string{
		"empty":                          " ",
		"null":                           "null",
		"a list":                         "[]",
		"cut off":                        head + `, "spec": {`,
		"not JSON":                       "spec: a",
		anotherKind:                      strings.Replace(head, `"`+kind+`"`, `"ConfigMap"`, 1) + `, "spec": ` + spec + "}",
		"another version":                strings.Replace(head, "v1alpha1", "v9", 1) + `, "spec": ` + spec + "}",
		"a field twice":                  head + `, "spec": ` + spec + `, "spec": ` + spec + "}",
		"a field that there is not":      head + `, "spec": ` + spec + `, "surprise": 1}`,
		"a number that is too large":     head + `, "spec": ` + spec + `, "surprise": 1e400}`,
		"a half of a character":          head + `, "spec": ` + spec + `, "surprise": "\ud800"}`,
		"what is not UTF-8":              head + ", \"spec\": " + spec + ", \"surprise\": \"\xff\xfe\"}",
		"nested ten thousand times":      head + `, "spec": ` + spec + `, "surprise": ` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}",
		"nested a hundred times, uneven": head + `, "spec": ` + strings.Repeat(`{"a":`, 100) + "}",
		"of four megabytes":              head + `, "spec": ` + spec + `, "surprise": "` + strings.Repeat("a", 4<<20) + `"}`,
	}
}

// exclusive tells a choice of exactly one property from one of at least one.
func exclusive(of *schema) bool {
	for _, rule := range of.XValidations {
		if counted.MatchString(rule.Rule) {
			return true
		}
	}
	return false
}
