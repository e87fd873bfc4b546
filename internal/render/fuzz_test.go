// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// FuzzRender renders any files, with any kustomization over them or none.
func FuzzRender(f *testing.F) {
	f.Add(webService, "", "")
	f.Add(workloads, "resources: [a.yaml]\n", configMap)
	f.Add(configMap, "resources: [a.yaml, b.yaml]\nnamePrefix: x-\nimages: [{name: '[', newTag: a}]\n", webService)
	f.Add("apiVersion: v1\nkind: List\nitems: [{}]\n", "patches: [{path: a.yaml}]", "---\n...\n")
	f.Add(bomb(3), "configMapGenerator: [{name: a, files: [a.yaml]}]", "a: &a {b: *a}")
	f.Add("{\"a\": 1e999}", "resources: ['https://127.0.0.1:1/x']", "? [a]\n: b")
	f.Fuzz(func(t *testing.T, a, kustomization, b string) {
		tree := treeOf("a.yaml", a, "b.yaml", b)
		if kustomization != "" {
			tree["kustomization.yaml"] = []byte(kustomization)
		}
		first, err := Render(tree, Options{Labels: map[string]string{"x": "y"}})
		if err != nil {
			expectFit(t, err)
			return
		}
		second, err := Render(tree, Options{Labels: map[string]string{"x": "y"}})
		if err != nil {
			t.Fatal("what was rendered once is refused the second time:", err)
		}
		expectSame(t, first, second)
		expectBounds(t, first)
	})
}

// FuzzChart renders any template with any values.
func FuzzChart(f *testing.F) {
	for _, text := range languageFeatures {
		f.Add(text, "a: 1\n")
	}
	f.Add(`{{ range until 1000000 }}{{ . }}{{ end }}`, "a: [b]")
	f.Add(`{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`, "")
	f.Add(`{{ randAlphaNum 5 }}`, "{}")
	f.Add("{{-\n/* x */ -}}{ {{- 1 }}", "a: {b: null}")
	f.Fuzz(func(t *testing.T, text, values string) {
		tree := chartOf("templates/a.yaml", text, "templates/b.yaml", configMap, "values.yaml", values)
		first, err := Render(tree, chartOptions())
		if err != nil {
			expectFit(t, err)
			return
		}
		second, err := Render(tree, chartOptions())
		if err != nil {
			t.Fatal("what was rendered once is refused the second time:", err)
		}
		expectSame(t, first, second)
		expectBounds(t, first)
	})
}

// FuzzOverlay puts any overlay over the same objects, and looks for one whose effect is not the same each time, or that makes other objects of them.
func FuzzOverlay(f *testing.F) {
	f.Add("patches: [{target: {kind: Deployment}, patch: '[{op: replace, path: /spec/replicas, value: 3}]'}]\nlabels: {a: b}")
	f.Add("patches: [{patch: 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: null, template: {$patch: delete}}'}]")
	f.Add("patches: [{target: {name: 'web|worker', labelSelector: 'tier in (front)'}, patch: '{$patch: delete}'}]")
	f.Add("patches: [{target: {name: '(a*)*b'}, patch: '[{op: copy, from: /spec, path: /spec/a}, {op: test, path: /x}]'}]")
	f.Add("replicas: [{name: web, count: 0}, {name: worker, count: 10000}]\nlabels: {'assent.dev/x': y}")
	f.Add("patches: [{target: {kind: Service}, patch: 'metadata: {name: other, namespace: other}'}]")
	f.Add("patches: [{target: {kind: Order}, patch: '{spec: {items: {$patch: replace}, large: 1e999}}'}]")
	f.Fuzz(func(t *testing.T, text string) {
		var overlay v1alpha1.Overlay
		if yaml.Unmarshal([]byte(text), &overlay) != nil {
			return
		}
		options := Options{Labels: map[string]string{"x": "y"}, Overlay: overlay}
		first, err := Render(treeOf("a.yaml", twoWebs), options)
		expectFit(t, err)
		second, again := Render(treeOf("a.yaml", twoWebs), options)
		if (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("it is refused with %v and then with %v", err, again)
		}
		expectSame(t, first, second)
		known := map[string]bool{"Deployment web": true, "Deployment worker": true, "Service web": true, "Order web": true}
		for _, object := range first {
			if name := object.GetKind() + " " + object.GetName(); !known[name] || object.GetNamespace() != "" {
				t.Fatalf("the overlay made another object: %v", object.Object)
			}
		}
	})
}

// expectFit expects nothing of what is accepted, and of a refusal that it can stand in a status.
func expectFit(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var mistake *Error
	if text := err.Error(); !errors.As(err, &mistake) || mistake.Message == "" || !utf8.ValidString(text) || strings.Contains(text, "\x00") || len(text) > 32768 {
		t.Fatalf("the error %q is not fit for a status", text)
	}
}

func expectSame(t *testing.T, first, second []*unstructured.Unstructured) {
	t.Helper()
	one, errOne := json.Marshal(first)
	two, errTwo := json.Marshal(second)
	if errOne != nil || errTwo != nil || string(one) != string(two) {
		t.Fatalf("two renderings differ:\n%s\n%s", one, two)
	}
}

// expectBounds expects objects that can be named, and no more of them than the bounds say.
func expectBounds(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	total := 0
	for _, object := range objects {
		if object.GetName() == "" || object.GetKind() == "" || object.GetAPIVersion() == "" {
			t.Fatalf("an object without identity: %v", object.Object)
		}
		encoded, err := object.MarshalJSON()
		if err != nil || len(encoded) > MaxObjectBytes+100 {
			t.Fatalf("%s %q has %d bytes (%v)", object.GetKind(), object.GetName(), len(encoded), err)
		}
		total += len(encoded)
	}
	if len(objects) > MaxObjects || total > MaxTotalBytes {
		t.Fatalf("%d objects of %d bytes", len(objects), total)
	}
}
