// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

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
			var mistake *Error
			if !errors.As(err, &mistake) || !utf8.ValidString(err.Error()) || strings.Contains(err.Error(), "\x00") {
				t.Fatalf("the error %q is not fit for a status", err.Error())
			}
			return
		}
		second, err := Render(tree, Options{Labels: map[string]string{"x": "y"}})
		if err != nil {
			t.Fatal("what was rendered once is refused the second time:", err)
		}
		one, errOne := json.Marshal(first)
		two, errTwo := json.Marshal(second)
		if errOne != nil || errTwo != nil || string(one) != string(two) {
			t.Fatalf("two renderings differ:\n%s\n%s", one, two)
		}
		for _, object := range first {
			if object.GetName() == "" || object.GetKind() == "" || object.GetAPIVersion() == "" {
				t.Fatalf("an object without identity: %v", object.Object)
			}
		}
	})
}

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
			var mistake *Error
			if !errors.As(err, &mistake) || !utf8.ValidString(err.Error()) || strings.Contains(err.Error(), "\x00") {
				t.Fatalf("the error %q is not fit for a status", err.Error())
			}
			return
		}
		second, err := Render(tree, chartOptions())
		if err != nil {
			t.Fatal("what was rendered once is refused the second time:", err)
		}
		one, errOne := json.Marshal(first)
		two, errTwo := json.Marshal(second)
		if errOne != nil || errTwo != nil || string(one) != string(two) {
			t.Fatalf("two renderings differ:\n%s\n%s", one, two)
		}
	})
}
