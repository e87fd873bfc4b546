// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/source"
)

func capabilities() Capabilities {
	return Capabilities{KubeVersion: "v1.37.2", APIVersions: []string{"v1", "networking.k8s.io/v1", "apps/v1"}}
}

func chartOptions(values ...map[string]any) Options {
	return Options{Chart: &Chart{ReleaseName: "shop", Namespace: "shop-dev", Values: values, Capabilities: capabilities()}}
}

// chartOf is a chart with files beside its Chart.yaml, which are names and contents in turn.
func chartOf(namesAndContents ...string) source.Tree {
	tree := treeOf("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
	maps.Copy(tree, treeOf(namesAndContents...))
	return tree
}

// templated is a chart of one ConfigMap whose data come from a template.
func templated(text string) source.Tree {
	return chartOf("templates/a.yaml", configMap+"data:\n  a: |\n    "+text+"\n")
}

func encoded(t *testing.T, objects []*unstructured.Unstructured) []byte {
	t.Helper()
	text, err := json.MarshalIndent(objects, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAChartIsRenderedWithItsChartsHooksAndDefinitions(t *testing.T) {
	for name, upgrade := range map[string]bool{"install": false, "upgrade": true} {
		t.Run(name, func(t *testing.T) {
			options := chartOptions(map[string]any{"replicas": 3})
			options.Chart.Upgrade = upgrade
			options.Images = []v1alpha1.ReleaseImage{{Name: "registry.example/shop/api", Digest: pinned}}
			var first []byte
			for range 10 {
				objects, err := Render(readTree(t, "charts/shop"), options)
				if err != nil {
					t.Fatal(err)
				}
				again := encoded(t, objects)
				if first == nil {
					first = again
				}
				if string(first) != string(again) {
					t.Fatal("two renderings differ")
				}
			}
			golden(t, filepath.Join("testdata", "charts", "shop-"+name+".golden.json"), first)
		})
	}
}

func TestAChartMayLieInAFolderOfItsName(t *testing.T) {
	tree := source.Tree{}
	for name, content := range readTree(t, "charts/shop") {
		tree["shop/"+name] = content
	}
	inFolder, err := Render(tree, chartOptions())
	if err != nil {
		t.Fatal(err)
	}
	atRoot, err := Render(readTree(t, "charts/shop"), chartOptions())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(inFolder, atRoot) {
		t.Error("the folder makes a difference")
	}
}

func TestWhatLiesBesideAChartIsNoPartOfIt(t *testing.T) {
	tree := treeOf("templates/b.yaml", webService, "values.yaml", "a: [b")
	for name, content := range chartOf("templates/a.yaml", configMap) {
		tree["shop/"+name] = content
	}
	objects, err := Render(tree, chartOptions())
	if err != nil {
		t.Fatal(err)
	}
	if got := names(objects); !reflect.DeepEqual(got, []string{"ConfigMap/web"}) {
		t.Errorf("got %v", got)
	}
	for path, want := range map[string]string{"templates": "no chart was found", "../shop": "must stay inside"} {
		options := chartOptions()
		options.Path = path
		_, err = Render(tree, options)
		expectError(t, err, want)
	}
}

func TestSubchartsAreTurnedOffByConditionsAndTags(t *testing.T) {
	for name, row := range map[string]struct {
		values map[string]any
		want   []string
	}{
		"as the chart has it": {want: []string{"shop-cache", "shop-sessions"}},
		"by a condition":      {values: map[string]any{"cache": map[string]any{"enabled": false}}, want: []string{"shop-sessions"}},
		"by a tag":            {values: map[string]any{"tags": map[string]any{"sessions": false}}, want: []string{"shop-cache"}},
		"and on":              {values: map[string]any{"metrics": map[string]any{"enabled": true}}, want: []string{"shop-cache", "shop-metrics", "shop-sessions"}},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := Render(readTree(t, "charts/shop"), chartOptions(row.values))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, object := range objects {
				if name := object.GetName(); slices.Contains([]string{"shop-cache", "shop-sessions", "shop-metrics"}, name) {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

func TestValuesGoOverEachOther(t *testing.T) {
	tree := chartOf("values.yaml", "a: chart\nb: chart\nc: chart\nd: {kept: 2, over: 1}\ngone: chart\n",
		"templates/a.yaml", configMap+"data: {{ .Values | toJson }}\n")
	objects, err := Render(tree, chartOptions(
		map[string]any{"b": "first", "c": "first", "d": map[string]any{"over": 3}}, map[string]any{"c": "second", "gone": nil}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": "chart", "b": "first", "c": "second", "d": map[string]any{"over": int64(3), "kept": int64(2)}}
	if got := objects[0].Object["data"]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWhatHelmLetsPassInValuesPasses(t *testing.T) {
	objects, err := Render(chartOf("values.yaml", "a: 1\na: 2\n", "templates/a.yaml", configMap+"data: {{ .Values | toJson }}\n"), chartOptions())
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"a": int64(2)}; !reflect.DeepEqual(objects[0].Object["data"], want) {
		t.Errorf("got %v", objects[0].Object["data"])
	}
}

func TestRenderingChangesNeitherTreeNorValues(t *testing.T) {
	tree := chartOf("values.yaml", "a: {b: 1}\n", "templates/a.yaml", configMap+`{{ $_ := set .Values.a "b" 2 }}{{ $_ := set .Values "c" 2 }}`+"\n")
	values := map[string]any{"a": map[string]any{"x": int64(1)}}
	if _, err := Render(tree, chartOptions(values)); err != nil {
		t.Fatal(err)
	}
	if want := (map[string]any{"a": map[string]any{"x": int64(1)}}); !reflect.DeepEqual(values, want) {
		t.Errorf("the values are %v", values)
	}
	if strings.Contains(string(tree["templates/a.yaml"]), "assent") {
		t.Error("the tree was changed")
	}
}

func TestImagesArePinnedInAChart(t *testing.T) {
	options := chartOptions()
	options.Images = []v1alpha1.ReleaseImage{
		{Name: "registry.example/shop/api", Digest: pinned}, {Name: "registry.example/cache", NewName: "mirror.example/cache", Digest: pinned},
	}
	objects, err := Render(readTree(t, "charts/shop"), options)
	if err != nil {
		t.Fatal(err)
	}
	text := string(encoded(t, objects))
	if got := strings.Count(text, `"registry.example/shop/api@`+string(pinned)); got != 4 {
		t.Errorf("the interface's image is pinned in %d places, want those of a Deployment, a CronJob and two Jobs", got)
	}
	if got := strings.Count(text, `"mirror.example/cache@`+string(pinned)); got != 2 {
		t.Errorf("the cache's image is pinned in %d places, want 2", got)
	}
	options.Images = []v1alpha1.ReleaseImage{{Name: "registry.example/other", Digest: pinned}}
	_, err = Render(readTree(t, "charts/shop"), options)
	expectError(t, err, "`spec.images[0]`", "matches no image", "registry.example/shop/api")
}

func TestAChartIsCheckedWithoutValues(t *testing.T) {
	if err := CheckChart(readTree(t, "charts/shop")); err != nil {
		t.Error(err)
	}
	if err := CheckChart(templated(`{{ required "a value" .Values.none }}`)); err != nil {
		t.Error("what depends on values is no mistake of the chart:", err)
	}
	expectError(t, CheckChart(treeOf("a.yaml", configMap)), "no chart was found")
	expectError(t, CheckChart(templated(`{{ if }}`)), "is not a template")
}
