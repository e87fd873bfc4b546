// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/assent-dev/assent/internal/source"
)

func walkFiles(root fs.FS, each func(name string, content []byte)) error {
	return fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		each(name, content)
		return err
	})
}

func TestKustomizationsThatLeaveTheArtifactAreRefused(t *testing.T) {
	component := "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	for name, row := range map[string]struct {
		kustomization string
		files         []string
		want          []string
	}{
		"a remote base over https":          {kustomization: "resources: ['https://github.com/x/y//deploy?ref=v1']", want: []string{"`resources`", "nothing is fetched"}},
		"a remote base over ssh":            {kustomization: "resources: ['git@github.com:x/y.git']", want: []string{"nothing is fetched"}},
		"a remote base by its short name":   {kustomization: "resources: ['github.com/x/y']", want: []string{"nothing is fetched"}},
		"a remote base in capitals":         {kustomization: "resources: ['HTTPS://Example.com/x']", want: []string{"nothing is fetched"}},
		"a remote base by the git prefix":   {kustomization: "resources: ['git::ssh://x/y']", want: []string{"nothing is fetched"}},
		"a repository on this machine":      {kustomization: "resources: ['file:///etc']", want: []string{"nothing is fetched"}},
		"a file named like a remote base":   {kustomization: "resources: ['github.com/x/y']", files: []string{"github.com/x/y", "a: [b"}, want: []string{"nothing is fetched"}},
		"a remote base, deprecated field":   {kustomization: "bases: ['https://x/y']", want: []string{"nothing is fetched"}},
		"a remote component":                {kustomization: "components: ['https://x/y']", want: []string{"`components`", "nothing is fetched"}},
		"a remote patch":                    {kustomization: "patches: [{path: 'https://x/y'}]", want: []string{"`patches`", "nothing is fetched"}},
		"a remote merge patch":              {kustomization: "patchesStrategicMerge: ['https://x/y']", want: []string{"`patchesStrategicMerge`", "nothing is fetched"}},
		"a remote merge patch in disguise":  {kustomization: "patchesStrategicMerge: ['http://x/{a: b}']", want: []string{"nothing is fetched"}},
		"a remote JSON patch":               {kustomization: "patchesJson6902: [{path: 'https://x/y', target: {kind: Service, version: v1, name: web}}]", want: []string{"`patchesJson6902`", "nothing is fetched"}},
		"a remote replacement":              {kustomization: "replacements: [{path: 'https://x/y'}]", want: []string{"`replacements`", "nothing is fetched"}},
		"a remote configuration":            {kustomization: "configurations: ['https://x/y']", want: []string{"`configurations`", "nothing is fetched"}},
		"a remote definition":               {kustomization: "crds: ['https://x/y']", want: []string{"`crds`", "nothing is fetched"}},
		"a remote file for a ConfigMap":     {kustomization: "configMapGenerator: [{name: a, files: ['k=https://x/y']}]", want: []string{"`configMapGenerator`", "nothing is fetched"}},
		"a remote file for a Secret":        {kustomization: "secretGenerator: [{name: a, envs: ['https://x/y']}]", want: []string{"`secretGenerator`", "nothing is fetched"}},
		"a remote env file, old field":      {kustomization: "secretGenerator: [{name: a, env: 'https://x/y'}]", want: []string{"`secretGenerator`", "nothing is fetched"}},
		"a file of the machine":             {kustomization: "configMapGenerator: [{name: a, files: [/etc/passwd]}]", want: []string{"must be a relative path"}},
		"a file out of the artifact":        {kustomization: "configMapGenerator: [{name: a, files: [../../etc/passwd]}]", want: []string{"leads out of the artifact"}},
		"a base out of the artifact":        {kustomization: "resources: [../../x]", want: []string{"leads out of the artifact"}},
		"a file beside the kustomization":   {kustomization: "resources: [../b.yaml]", files: []string{"b.yaml", webService}, want: []string{"not in or below the kustomization's folder"}},
		"a file that is not there":          {kustomization: "resources: [b.yaml]", want: []string{`"b.yaml"`, "add it, or correct the path"}},
		"a patch that is not there":         {kustomization: "patches: [{path: b.yaml}]", want: []string{"`patches` has \"b.yaml\", which is not in the artifact"}},
		"the folder above the artifact":     {kustomization: "resources: [../..]", want: []string{"leads out of the artifact"}},
		"a remote base with a folder in it": {kustomization: "resources: [x//y.yaml]", files: []string{"app/x/y.yaml", webService}, want: []string{"nothing is fetched"}},
		"configurations that are not YAML":  {kustomization: "configurations: [b.yaml]", files: []string{"app/b.yaml", "a: [b"}, want: []string{`file "app/b.yaml"`, "not valid YAML"}},
		"much text":                         {kustomization: strings.Repeat("#", maxKustomizeBytes+1), want: []string{"reads more than 33554432 bytes"}},
		"a file that is used often": {
			kustomization: "configMapGenerator: [{name: a, files: [b.bin" + strings.Repeat(", b.bin", 32) + "]}]", files: []string{"app/b.bin", strings.Repeat("x", 1<<20)},
			want: []string{"reads more than 33554432 bytes, each file counted as often as it is used"},
		},
		"too many objects that are deleted again": {
			kustomization: "resources: [b.yaml, c.yaml]\npatches: [{target: {name: 'c.*'}, patch: '$patch: delete\n\napiVersion: v1\n\nkind: Service\n\nmetadata: {name: c}'}]",
			files:         []string{"app/b.yaml", manifests(600, "---\napiVersion: v1\nkind: Service\nmetadata: {name: b%d}\n"), "app/c.yaml", manifests(600, "---\napiVersion: v1\nkind: Service\nmetadata: {name: c%d}\n")},
			want:          []string{"more than 1000 objects"},
		},
		"a patch that copies after one that does not": {
			kustomization: "resources: [b.yaml]\npatches: [{target: {kind: Service}, path: p.yaml}]",
			files:         []string{"app/b.yaml", webService, "app/p.yaml", "[]\n---\n" + strings.Repeat("- {op: copy, from: /metadata, path: /metadata/x}\n", 30)}, want: []string{`"copy"`},
		},
		"a chart":                           {kustomization: "helmCharts: [{name: x, repo: 'https://x'}]", want: []string{"`helmCharts` is not supported", "helm template"}},
		"a chart, older field":              {kustomization: "helmChartInflationGenerator: [{chartName: x}]", want: []string{"not supported"}},
		"charts of the machine":             {kustomization: "helmGlobals: {chartHome: /}", want: []string{"not supported"}},
		"a generator that runs a program":   {kustomization: "generators: [g.yaml]", files: []string{"app/g.yaml", "x"}, want: []string{"`generators` is not supported", "plugins are not run"}},
		"a transformer that runs a program": {kustomization: "transformers: [g.yaml]", want: []string{"`transformers` is not supported"}},
		"a validator that runs a program":   {kustomization: "validators: [g.yaml]", want: []string{"`validators` is not supported"}},
		"a schema of its own":               {kustomization: "openapi: {path: schema.json}", want: []string{"`openapi` is not supported"}},
		"variables":                         {kustomization: "vars: [{name: A, objref: {kind: Service, name: web, apiVersion: v1}}]", want: []string{"`vars` is not supported", "`replacements`"}},
		"itself":                            {kustomization: "resources: [../app]", want: []string{"leads back"}},
		"a way around to itself":            {kustomization: "resources: [../b]", files: []string{"b/kustomization.yaml", "resources: [../app]"}, want: []string{`file "b/kustomization.yaml"`, "leads back"}},
		"a chart in a base":                 {kustomization: "resources: [../b]", files: []string{"b/kustomization.yaml", "helmCharts: [{name: x}]"}, want: []string{`file "b/kustomization.yaml"`, "not supported"}},
		"a chart in a component":            {kustomization: "components: [../b]", files: []string{"b/kustomization.yaml", component + "helmCharts: [{name: x}]"}, want: []string{`file "b/kustomization.yaml"`, "not supported"}},
		"a component used as a base":        {kustomization: "resources: [../b]", files: []string{"b/kustomization.yaml", component}, want: []string{"listed under `components`"}},
		"an unknown field":                  {kustomization: "resourcse: [a.yaml]", want: []string{"resourcse", "is not a kustomization"}},
		"a key twice":                       {kustomization: "resources: []\nresources: []", want: []string{"twice", "line 2"}},
		"two documents":                     {kustomization: "resources: []\n---\nresources: []", want: []string{"must hold one YAML document"}},
		"a resource that is not YAML":       {kustomization: "resources: [b.yaml]", files: []string{"app/b.yaml", "a: [b"}, want: []string{`file "app/b.yaml"`, "not valid YAML"}},
		"a resource that is a bomb":         {kustomization: "resources: [b.yaml]", files: []string{"app/b.yaml", bomb(9)}, want: []string{"aliases"}},
		"a patch that is a bomb":            {kustomization: "patches: [{path: b.yaml}]", files: []string{"app/b.yaml", bomb(9)}, want: []string{"aliases"}},
		"a patch of something else":         {kustomization: "resources: [b.yaml]\npatches: [{patch: '[{op: remove, path: /x}]', target: {kind: Service}}]", files: []string{"app/b.yaml", webService}, want: []string{"kustomize cannot build it"}},
		"the same object twice":             {kustomization: "resources: [b.yaml, c.yaml]", files: []string{"app/b.yaml", webService, "app/c.yaml", webService}, want: []string{"kustomize cannot build it"}},
		"what kustomize does not expect": {
			kustomization: "resources: [b.yaml]\nreplacements: [{source: {kind: Service, fieldPath: metadata.name}, targets: [{select: {kind: Service}, reject: [null], fieldPaths: [spec.x]}]}]",
			files:         []string{"app/b.yaml", webService}, want: []string{"kustomize broke off"},
		},
		"an object that becomes deep": {
			kustomization: "resources: [b.yaml]\npatches:\n- target: {kind: Service}\n  patch: |\n" + deeper(60) + deeper(121) + deeper(243),
			files:         []string{"app/b.yaml", webService + "spec: " + strings.Repeat("{x: ", 60) + "{}" + strings.Repeat("}", 60) + "\n"}, want: []string{`file "app/kustomization.yaml": is nested deeper`},
		},
		"a patch that copies and copies": {
			kustomization: "resources: [b.yaml]\npatches:\n- target: {kind: Service}\n  patch: |\n" + strings.Repeat("    - {op: copy, from: /metadata, path: /metadata/x}\n", 30),
			files:         []string{"app/b.yaml", webService}, want: []string{`"copy"`},
		},
		"replacements that feed each other": {
			kustomization: "resources: [b.yaml]\nreplacements:\n" + strings.Repeat("- {source: {kind: Service, fieldPath: metadata.labels.a}, "+
				"targets: [{select: {kind: Service}, fieldPaths: [metadata.labels.a], options: {delimiter: '-', index: -1}}]}\n", 30),
			files: []string{"app/b.yaml", webService + "  labels: {a: b}\n"}, want: []string{"that read what replacements write"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tree := treeOf(append([]string{"app/kustomization.yaml", row.kustomization}, row.files...)...)
			_, err := Render(tree, Options{Path: "app"})
			expectError(t, err, row.want...)
		})
	}
}

// deeper puts a copy of a spec at the end of it, so many fields deep.
func deeper(fields int) string {
	return "    - {op: copy, from: /spec, path: /spec" + strings.Repeat("/x", fields) + "/x}\n"
}

func TestNothingIsFetchedWhileRendering(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer server.Close()
	for _, field := range []string{
		"resources: [%q]", "bases: [%q]", "components: [%q]", "crds: [%q]", "configurations: [%q]", "patchesStrategicMerge: [%q]",
		"patches: [{path: %q}]", "replacements: [{path: %q}]", "configMapGenerator: [{name: a, files: [%q]}]", "openapi: {path: %q}",
		"generators: [%q]", "transformers: [%q]", "validators: [%q]",
	} {
		for _, address := range []string{server.URL + "/x.yaml", strings.ToUpper(server.URL[:4]) + server.URL[4:], " " + server.URL, server.URL + "/{a: b}"} {
			_, err := Render(treeOf("kustomization.yaml", fmt.Sprintf(field, address)), Options{})
			expectError(t, err)
		}
	}
	if asked > 0 {
		t.Errorf("the network was asked %d times", asked)
	}
}

func TestEachReferenceOfManyIsLookedAt(t *testing.T) {
	const address = "https://x/y"
	files := treeOf(
		"good.yaml", webService, "good.txt", "a=b\n", "patch.yaml", webService+"spec: {}\n", "replacement.yaml", "[]", "conf.yaml", "namePrefix: []\n", "crd.json", "{}",
		"comp/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
	)
	for _, fields := range []string{
		"resources: [good.yaml, %q]", "components: [comp, %q]", "crds: [crd.json, %q]", "configurations: [conf.yaml, %q]",
		"configMapGenerator: [{name: a, files: [good.txt, %q]}]", "configMapGenerator: [{name: a, envs: [good.txt]}, {name: b, envs: [%q]}]",
		"secretGenerator: [{name: a, envs: [good.txt]}, {name: b, files: [%q]}]", "resources: [good.yaml]\npatches: [{path: patch.yaml}, {path: %q}]",
		"resources: [good.yaml]\npatchesStrategicMerge: [patch.yaml, %q]", "replacements: [{path: replacement.yaml}, {path: %q}]",
	} {
		t.Run(fields, func(t *testing.T) {
			tree := maps.Clone(files)
			tree["kustomization.yaml"] = fmt.Appendf(nil, fields, address)
			_, err := Render(tree, Options{})
			expectError(t, err, "nothing is fetched")
		})
	}
}

func TestAnOverlayMayUseFilesOfEveryKind(t *testing.T) {
	objects, err := Render(treeOf(
		"app/kustomization.yaml", "namePrefix: x-\nresources: [a.yaml]\ncomponents: [../comp]\nconfigurations: [conf.yaml]\ncrds: [crd.json]\n"+
			"patches: [{path: patch.yaml}]\npatchesStrategicMerge: [merge.yaml]\nreplacements: [{path: replacement.yaml}]\n",
		"app/a.yaml", webService+"spec: {type: ClusterIP}\n", "app/conf.yaml", "namePrefix: []\n", "app/crd.json", "{}",
		"app/patch.yaml", webService+"spec: {externalName: b}\n", "app/merge.yaml", webService+"spec: {clusterIP: None}\n",
		"app/replacement.yaml", "source: {kind: Service, fieldPath: spec.clusterIP}\ntargets: [{select: {kind: Service}, fieldPaths: [spec.type]}]\n",
		"comp/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nlabels: [{pairs: {a: b}}]\n",
	), Options{Path: "app"})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"type": "None", "externalName": "b", "clusterIP": "None"}; !reflect.DeepEqual(objects[0].Object["spec"], want) || objects[0].GetLabels()["a"] != "b" {
		t.Errorf("got %v", objects[0].Object)
	}
}

func TestBasesInsideOfEachOtherAreBounded(t *testing.T) {
	tree := source.Tree{"l0/kustomization.yaml": []byte("resources: [a.yaml]"), "l0/a.yaml": []byte(webService)}
	for i := range maxKustomizeDepth + 1 {
		tree[fmt.Sprintf("l%d/kustomization.yaml", i+1)] = fmt.Appendf(nil, "resources: [../l%d]", i)
	}
	if _, err := Render(tree, Options{Path: fmt.Sprintf("l%d", maxKustomizeDepth)}); err != nil {
		t.Error(err)
	}
	_, err := Render(tree, Options{Path: fmt.Sprintf("l%d", maxKustomizeDepth+1)})
	expectError(t, err, "more than 32 inside of each other", "flatten it")
}

func TestATreeIsShownWithItsFolders(t *testing.T) {
	files := newTreeFiles(treeOf("a/b/c.yaml", "x", "a/b/d/e.yaml", "y"))
	for folder, want := range map[string][]string{"/": {"a"}, "/a": {"b"}, "a/b": {"c.yaml", "d"}, "/a/b/d/": {"e.yaml"}} {
		if got, err := files.ReadDir(folder); err != nil || !reflect.DeepEqual(got, want) || !files.IsDir(folder) || !files.Exists(folder) {
			t.Errorf("%s holds %v (%v), want %v", folder, got, err, want)
		}
	}
	if content, err := files.ReadFile("/a/b/c.yaml"); err != nil || string(content) != "x" || !files.Exists("/a/b/c.yaml") || files.IsDir("/a/b/c.yaml") {
		t.Errorf("the file holds %q (%v)", content, err)
	}
	_, noFolder := files.ReadDir("/none")
	_, noFile := files.ReadFile("/none")
	_, _, nothing := files.CleanedAbs("/none")
	for _, err := range []error{noFolder, noFile, nothing} {
		if !errors.Is(err, fs.ErrNotExist) || files.Exists("/none") {
			t.Errorf("what is not there is said to be: %v", err)
		}
	}
}

func TestBasesThatMultiplyAreBounded(t *testing.T) {
	tree := source.Tree{"l0/kustomization.yaml": []byte("resources: [a.yaml]"), "l0/a.yaml": []byte(webService)}
	for i := 1; i < 10; i++ {
		for _, side := range []string{"a", "b"} {
			tree[fmt.Sprintf("l%d%s/kustomization.yaml", i, side)] = fmt.Appendf(nil, "namePrefix: %s\nresources: [../l%d]", side, i-1)
		}
		tree[fmt.Sprintf("l%d/kustomization.yaml", i)] = fmt.Appendf(nil, "resources: [../l%da, ../l%db]", i, i)
	}
	_, err := Render(tree, Options{Path: "l9"})
	expectError(t, err, "uses more than 200 kustomizations", "flatten it")
}

func TestManyObjectsInManyOverlaysAreBounded(t *testing.T) {
	const service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: a%d}\n"
	tree := source.Tree{"l0/kustomization.yaml": []byte("resources: [a.yaml]"), "l0/a.yaml": []byte(manifests(500, service))}
	for i := 1; i < 20; i++ {
		tree[fmt.Sprintf("l%d/kustomization.yaml", i)] = fmt.Appendf(nil, "resources: [../l%d]", i-1)
	}
	_, err := Render(tree, Options{Path: "l19"})
	expectError(t, err, `file "l16/kustomization.yaml"`, "fewer overlays")
}

func TestGeneratorsReadFilesAndNoEnvironment(t *testing.T) {
	t.Setenv("SECRET_OF_THE_OPERATOR", "leaked")
	objects, err := Render(treeOf(
		"kustomization.yaml", "configMapGenerator: [{name: a, envs: [e.env], files: [k=größe.txt], literals: [l=1]}]\ngeneratorOptions: {disableNameSuffixHash: true}",
		"e.env", "SECRET_OF_THE_OPERATOR\nA=b\n", "größe.txt", "ö",
	), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"SECRET_OF_THE_OPERATOR": "", "A": "b", "k": "ö", "l": "1"}
	if got := objects[0].Object["data"]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
