// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/source"
)

// treeOf is a tree of file names and contents in turn.
func treeOf(namesAndContents ...string) source.Tree {
	tree := source.Tree{}
	for i := 0; i < len(namesAndContents); i += 2 {
		tree[namesAndContents[i]] = []byte(namesAndContents[i+1])
	}
	return tree
}

func readTree(t *testing.T, folder string) source.Tree {
	t.Helper()
	tree := source.Tree{}
	root := os.DirFS(filepath.Join("testdata", folder))
	err := walkFiles(root, func(name string, content []byte) { tree[name] = content })
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

const (
	webService = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n"
	configMap  = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n"
)

func names(objects []*unstructured.Unstructured) []string {
	result := make([]string, 0, len(objects))
	for _, object := range objects {
		result = append(result, object.GetKind()+"/"+object.GetName())
	}
	return result
}

func TestAPathMayBeAFileAFolderOrAKustomization(t *testing.T) {
	tree := treeOf(
		"README.md", "# not a manifest",
		"plain/b.yaml", webService,
		"plain/a.yml", "---\n# nothing but a comment\n---\n"+configMap+"---\n---\n"+strings.ReplaceAll(configMap, "web", "second"),
		"plain/deep/c.json", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"größe"}}`,
		"plain/.hidden/x.yaml", "not: an object",
		"overlay/kustomization.yaml", "resources: [../base]\nnamePrefix: eu-\n",
		"base/kustomization.yml", "resources: [service.yaml]\n",
		"base/service.yaml", webService,
		"base/unused.yaml", "not: used",
	)
	for wanted, want := range map[string][]string{
		"plain":              {"ConfigMap/web", "ConfigMap/second", "Service/web", "Secret/größe"},
		"./plain/":           {"ConfigMap/web", "ConfigMap/second", "Service/web", "Secret/größe"},
		"plain/b.yaml":       {"Service/web"},
		"plain/deep/c.json":  {"Secret/größe"},
		"overlay":            {"Service/eu-web"},
		"overlay/../base/./": {"Service/web"},
	} {
		t.Run(wanted, func(t *testing.T) {
			objects, err := Render(tree, Options{Path: wanted})
			if err != nil {
				t.Fatal(err)
			}
			if got := names(objects); !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestTheSameInputGivesTheSameBytes(t *testing.T) {
	options := Options{
		Path: "overlays/production", Labels: map[string]string{"b": "2", "a": "1"},
		Images: []v1alpha1.ReleaseImage{{Name: "registry.example/shop", Digest: pinned}},
	}
	var first []byte
	for range 5 {
		objects, err := Render(readTree(t, "shop"), options)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := json.MarshalIndent(objects, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = encoded
		}
		if string(encoded) != string(first) {
			t.Fatal("two renderings differ")
		}
	}
	golden(t, filepath.Join("testdata", "shop.golden.json"), first)
}

// golden compares with a file, and writes it where ASSENT_UPDATE_GOLDEN is set.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	got = append(got, '\n')
	if os.Getenv("ASSENT_UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(name, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got\n%s\nwant what %s has", got, name)
	}
}

func TestRenderingLeavesTheTreeAsItWas(t *testing.T) {
	tree, again := readTree(t, "shop"), readTree(t, "shop")
	if _, err := Render(tree, Options{Path: "overlays/production"}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(tree, again) {
		t.Error("the tree was changed")
	}
}

func TestValuesKeepTheirTypes(t *testing.T) {
	const manifest = webService + "spec:\n  whole: 80\n  large: 9007199254740993\n  fraction: 0.5\n  text: \"80\"\n  on: true\n  nothing: null\n  list: [1, a]\n"
	for name, tree := range map[string]source.Tree{
		"as a file":          treeOf("a.yaml", manifest),
		"through kustomize":  treeOf("a.yaml", manifest, "kustomization.yaml", "resources: [a.yaml]\n"),
		"in a list of items": treeOf("a.yaml", "apiVersion: v1\nkind: List\nitems:\n- "+strings.ReplaceAll(strings.TrimSpace(manifest), "\n", "\n  ")+"\n"),
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := Render(tree, Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"whole": int64(80), "large": int64(9007199254740993), "fraction": 0.5, "text": "80", "true": true, "nothing": nil, "list": []any{int64(1), "a"},
			}
			if name == "through kustomize" {
				want["on"] = want["true"]
				delete(want, "true")
			}
			if got := objects[0].Object["spec"]; !reflect.DeepEqual(got, want) {
				t.Errorf("got %#v, want %#v", got, want)
			}
		})
	}
}

func TestWhatOnlyTheServerSetsIsDropped(t *testing.T) {
	objects, err := Render(treeOf("a.yaml", webService+`  namespace: shop
  uid: abc
  resourceVersion: "1"
  generation: 2
  creationTimestamp: null
  selfLink: /x
  managedFields: [{manager: x}]
  finalizers: [example.dev/x]
  annotations: {a: b}
spec: {}
status: {loadBalancer: {}}
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"apiVersion": "v1", "kind": "Service", "spec": map[string]any{}, "metadata": map[string]any{
			"name": "web", "namespace": "shop", "finalizers": []any{"example.dev/x"}, "annotations": map[string]any{"a": "b"},
		},
	}
	if !reflect.DeepEqual(objects[0].Object, want) {
		t.Errorf("got %#v", objects[0].Object)
	}
}

func TestWhatSaysNothingInMetadataIsNoMistake(t *testing.T) {
	objects, err := Render(treeOf("a.yaml", webService+"  namespace: null\n  labels: null\n  annotations: null\n  generateName: \"\"\n  ownerReferences: null\n", "b.yaml", configMap+"  namespace: \"\"\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]any{{"name": "web", "generateName": "", "ownerReferences": nil}, {"name": "web", "namespace": ""}} {
		if got := objects[i].Object["metadata"]; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestKeysThatOnlyLookTheSameAreTwo(t *testing.T) {
	objects, err := Render(treeOf("a.yaml", configMap+"data: {\"yes\": a, \"true\": b, '010': c, \"8\": d}\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"yes": "a", "true": "b", "010": "c", "8": "d"}; !reflect.DeepEqual(objects[0].Object["data"], want) {
		t.Errorf("got %v, want %v", objects[0].Object["data"], want)
	}
}

func TestLabelsAreAddedToTheObjectAlone(t *testing.T) {
	objects, err := Render(treeOf("a.yaml", `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web, team: old}}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}}
`, "b.yaml", webService), Options{Labels: map[string]string{"team": "new"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := objects[0].GetLabels(); !reflect.DeepEqual(got, map[string]string{"app": "web", "team": "new"}) {
		t.Errorf("got the labels %v", got)
	}
	if got := objects[1].GetLabels(); !reflect.DeepEqual(got, map[string]string{"team": "new"}) {
		t.Errorf("got the labels %v", got)
	}
	want := map[string]any{
		"selector": map[string]any{"matchLabels": map[string]any{"app": "web"}},
		"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "web"}}},
	}
	if !reflect.DeepEqual(objects[0].Object["spec"], want) {
		t.Errorf("got the spec %v", objects[0].Object["spec"])
	}
}

// manifests repeats a template with a number in it.
func manifests(count int, template string) string {
	var all strings.Builder
	for i := range count {
		fmt.Fprintf(&all, template, i)
	}
	return all.String()
}

func bomb(levels int) string {
	var text strings.Builder
	text.WriteString(configMap + "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range levels {
		fmt.Fprintf(&text, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 9), i)
	}
	return text.String()
}

func TestMistakesInManifestsNameThePlaceAndTheRemedy(t *testing.T) {
	for name, row := range map[string]struct {
		tree source.Tree
		path string
		want []string
	}{
		"nothing at all":                   {tree: treeOf(), want: []string{"no Kubernetes object was found", ".yaml"}},
		"nothing but comments":             {tree: treeOf("a.yaml", "# nothing\n---\n"), want: []string{"no Kubernetes object was found"}},
		"an empty list":                    {tree: treeOf("a.yaml", "apiVersion: v1\nkind: List\nitems: []\n"), want: []string{"no Kubernetes object was found"}},
		"a path that is not there":         {tree: treeOf("deploy/a.yaml", webService, "b.yaml", webService), path: "größe", want: []string{`"größe" is not in the source`, `"b.yaml", "deploy/"`}},
		"a path out of the source":         {tree: treeOf("a.yaml", webService), path: "../x", want: []string{"must stay inside"}},
		"a path out and in again":          {tree: treeOf("a.yaml", webService), path: "x/../../a.yaml", want: []string{"must stay inside"}},
		"an absolute path":                 {tree: treeOf("a.yaml", webService), path: "/a.yaml", want: []string{"must be relative"}},
		"a file that is not YAML":          {tree: treeOf("a.yaml", webService+"---\nx: [1\ny: 2\n"), want: []string{`file "a.yaml", document 2`, "line ", "is not valid YAML"}},
		"a file that is not UTF-8":         {tree: treeOf("a.yaml", "a: \xff"), want: []string{"not UTF-8"}},
		"a tab for indentation":            {tree: treeOf("a.yaml", "a:\n\tb: 1\n"), want: []string{`file "a.yaml", line 2: is not valid YAML (found`}},
		"a document that is text":          {tree: treeOf("a.yaml", "just text"), want: []string{"is text", "set `path`"}},
		"a document that is a list":        {tree: treeOf("a.yaml", "- a\n"), want: []string{"is a list"}},
		"a document that goes on":          {tree: treeOf("a.yaml", webService+"...\n"+configMap), want: []string{"goes on after the end"}},
		"a key that is there twice":        {tree: treeOf("a.yaml", webService+"kind: Secret\n"), want: []string{`the key "kind" twice`, "line 5", "first in line 2"}},
		"a key twice in another form":      {tree: treeOf("a.yaml", configMap+"data:\n  1: a\n  \"1\": b\n"), want: []string{`the key "1" twice`, "line 7"}},
		"a key twice as truth":             {tree: treeOf("a.yaml", configMap+"data: {yes: a, \"true\": b}\n"), want: []string{`the key "true" twice`}},
		"a key twice by an alias":          {tree: treeOf("a.yaml", configMap+"data: {&a x: a, *a : b}\n"), want: []string{`the key "x" twice`}},
		"a key twice as a long number":     {tree: treeOf("a.yaml", configMap+"data: {1"+strings.Repeat("0", 40)+".0: a, \"1e+40\": b}\n"), want: []string{`the key "1e+40" twice`}},
		"a long key twice":                 {tree: treeOf("a.yaml", configMap+"data: {"+strings.Repeat("a", 400)+": a, "+strings.Repeat("a", 400)+": b}\n"), want: []string{strings.Repeat("a", maxShown) + `…" twice`}},
		"a value of another type":          {tree: treeOf("a.yaml", configMap+"data: {a: !!binary '?'}\n"), want: []string{"base64"}},
		"a key that is no text":            {tree: treeOf("a.yaml", configMap+"data: {[a]: b}\n"), want: []string{"a key that is not text"}},
		"a bomb of aliases":                {tree: treeOf("a.yaml", bomb(9)), want: []string{"once its aliases are followed"}},
		"an alias of itself":               {tree: treeOf("a.yaml", configMap+"data: &a [*a]\n"), want: []string{`file "a.yaml"`}},
		"nesting that is too deep":         {tree: treeOf("a.yaml", configMap+"data: "+strings.Repeat("[", 65)+strings.Repeat("]", 65)), want: []string{`ConfigMap "web"`, "deeper than 64"}},
		"nesting that is far too deep":     {tree: treeOf("a.yaml", configMap+"data: "+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)), want: []string{"deeper than 64"}},
		"no apiVersion":                    {tree: treeOf("a.yaml", "kind: Service\nmetadata: {name: a}\n"), want: []string{`Service "a"`, "`apiVersion` is missing"}},
		"an apiVersion that is none":       {tree: treeOf("a.yaml", "apiVersion: a/b/c\nkind: Service\nmetadata: {name: a}\n"), want: []string{"GROUP/VERSION"}},
		"an apiVersion without a version":  {tree: treeOf("a.yaml", "apiVersion: apps/\nkind: Service\nmetadata: {name: a}\n"), want: []string{"GROUP/VERSION"}},
		"a group beyond its bound":         {tree: treeOf("a.yaml", "apiVersion: "+strings.Repeat("a", 254)+"/v1\nkind: Service\nmetadata: {name: a}\n"), want: []string{"GROUP/VERSION"}},
		"a namespace that is a number":     {tree: treeOf("a.yaml", webService+"  namespace: 1\n"), want: []string{"`metadata.namespace`"}},
		"no kind":                          {tree: treeOf("a.yaml", "apiVersion: v1\nmetadata: {name: a}\n"), want: []string{"`kind` is missing"}},
		"a kind that is none":              {tree: treeOf("a.yaml", "apiVersion: v1\nkind: Größe\nmetadata: {name: a}\n"), want: []string{"`kind` \"Größe\" must be"}},
		"no metadata":                      {tree: treeOf("a.yaml", "apiVersion: v1\nkind: Service\n"), want: []string{"`metadata` is missing"}},
		"no name":                          {tree: treeOf("a.yaml", webService+"---\napiVersion: v1\nkind: Service\nmetadata: {}\n"), want: []string{"document 2, line 5, Service", "`metadata.name` is missing"}},
		"a name that is a number":          {tree: treeOf("a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: 1}\n"), want: []string{"put numbers in quotes"}},
		"a name with a slash":              {tree: treeOf("a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a/b}\n"), want: []string{"`metadata.name` must be"}},
		"a name beyond its bound":          {tree: treeOf("a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: "+strings.Repeat("é", 127)+"}\n"), want: []string{"at most 253 bytes"}},
		"a generated name":                 {tree: treeOf("a.yaml", "apiVersion: v1\nkind: Job\nmetadata: {generateName: a-}\n"), want: []string{"`metadata.generateName`", "set `metadata.name`"}},
		"owners":                           {tree: treeOf("a.yaml", webService+"  ownerReferences: [{uid: a}]\n"), want: []string{"`metadata.ownerReferences`", "take them out"}},
		"a namespace that is none":         {tree: treeOf("a.yaml", webService+"  namespace: Größe\n"), want: []string{"`metadata.namespace`"}},
		"a label that is a number":         {tree: treeOf("a.yaml", webService+"  labels: {a: 1}\n"), want: []string{"`metadata.labels` \"a\" must be text and is a number: put it in quotes"}},
		"annotations that are a list":      {tree: treeOf("a.yaml", webService+"  annotations: [a]\n"), want: []string{"`metadata.annotations` must be a map and is a list"}},
		"the same object twice":            {tree: treeOf("a.yaml", webService, "b.yaml", configMap+"---\n"+webService), want: []string{`file "b.yaml", document 2`, `Service "web"`, `"a.yaml" line 1`}},
		"the same object in two versions":  {tree: treeOf("a.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n---\napiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a}\n"), want: []string{"keep one"}},
		"a list with something else in it": {tree: treeOf("a.yaml", "apiVersion: v1\nkind: List\nitems: [a]\n"), want: []string{"`items[0]` must be an object and is text"}},
		"lists in lists in lists":          {tree: treeOf("a.json", strings.Repeat(`{"apiVersion":"v1","kind":"List","items":[`, 70)+strings.Repeat(`]}`, 70)), want: []string{"nested deeper"}},
		"a kustomization further down":     {tree: treeOf("a.yaml", webService, "deploy/kustomization.yaml", "resources: []"), want: []string{`set ` + "`path`", `"deploy"`}},
		"a path to a kustomization file":   {tree: treeOf("deploy/kustomization.yaml", "resources: []"), path: "deploy/kustomization.yaml", want: []string{"name its folder"}},
		"an object that is too large":      {tree: treeOf("a.yaml", configMap+"data: {a: "+strings.Repeat("x", MaxObjectBytes)+"}\n"), want: []string{`ConfigMap "web"`, "at most 1048576"}},
		"too many objects":                 {tree: treeOf("a.yaml", manifests(1001, "---\napiVersion: v1\nkind: Service\nmetadata: {name: a%d}\n")), want: []string{"more than 1000 objects"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Render(row.tree, Options{Path: row.path})
			expectError(t, err, row.want...)
		})
	}
}

func TestBoundsThemselvesAreAllowed(t *testing.T) {
	tree := treeOf(
		"a.yaml", manifests(998, "---\napiVersion: v1\nkind: Service\nmetadata: {name: a%d}\n"),
		"b.yaml", configMap+"data: "+strings.Repeat("[", 64)+strings.Repeat("]", 64),
		"c.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: "+strings.Repeat("x", 253)+"}\ndata: {a: "+strings.Repeat("x", MaxObjectBytes-400)+"}\n",
	)
	objects, err := Render(tree, Options{})
	if err != nil || len(objects) != 1000 {
		t.Errorf("got %d objects and %v", len(objects), err)
	}
}

func expectError(t *testing.T, err error, words ...string) {
	t.Helper()
	var failed *Error
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want an *Error", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the message %q must have %q", err.Error(), word)
		}
	}
	if len(err.Error()) > 2048 || !utf8.ValidString(err.Error()) {
		t.Errorf("the message %q is not fit for a status", err.Error())
	}
}
