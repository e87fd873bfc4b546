// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/source"
)

const twoWebs = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {tier: front, app: web}}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - {name: web, image: web, env: [{name: A, value: a}, {name: B, value: b}]}
      - {name: proxy, image: proxy}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker, labels: {tier: back}}
spec: {template: {spec: {containers: [{name: worker, image: web}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {tier: front}}
spec: {ports: [{port: 80, name: http}]}
---
apiVersion: shop.example/v1
kind: Order
metadata: {name: web}
spec: {items: [{name: a, count: 1}, {name: b}], large: 9007199254740993, on: "on"}
`

func patch(text string) v1alpha1.OverlayPatch { return v1alpha1.OverlayPatch{Patch: text} }

func patchFor(target v1alpha1.OverlayTarget, text string) v1alpha1.OverlayPatch {
	return v1alpha1.OverlayPatch{Target: target, Patch: text}
}

func patches(all ...v1alpha1.OverlayPatch) v1alpha1.Overlay { return v1alpha1.Overlay{Patches: all} }

func deployments() v1alpha1.OverlayTarget { return v1alpha1.OverlayTarget{Kind: "Deployment"} }

func TestAnOverlayChangesObjects(t *testing.T) {
	overlay := v1alpha1.Overlay{
		Patches: []v1alpha1.OverlayPatch{
			patch("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations: {assent.dev/wave: \"2\"}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        env: [{name: B, value: \"on\"}, {name: C, value: \"3\"}]\n      - {name: proxy, $patch: delete}\n"),
			patchFor(v1alpha1.OverlayTarget{Kind: "Deployment", LabelSelector: "tier in (front, back)"}, "- {op: add, path: /spec/template/spec/priorityClassName, value: high}\n"),
			patchFor(v1alpha1.OverlayTarget{Name: "we.", Group: "shop.example"}, "metadata: {name: whatever}\nspec: {large: 9007199254740995, items: [{name: c}]}\n"),
			patchFor(v1alpha1.OverlayTarget{Kind: "Service", Version: "v1"}, "spec:\n  ports:\n  - {port: 80, nodePort: 30080}\n"),
		},
		Replicas: []v1alpha1.OverlayReplicas{{Name: "worker", Count: ptr.To(int32(0))}, {Name: "web", Count: ptr.To(int32(7))}},
		Labels:   map[string]string{"team": "shop", "tier": "all"},
	}
	var first []byte
	for range 5 {
		objects, err := Render(treeOf("a.yaml", twoWebs), Options{Overlay: overlay})
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
	golden(t, filepath.Join("testdata", "overlay.golden.json"), first)
}

func TestPatchesFindTheirObjects(t *testing.T) {
	for name, row := range map[string]struct {
		target v1alpha1.OverlayTarget
		want   []string
	}{
		"by kind":                        {target: deployments(), want: []string{"Deployment/web", "Deployment/worker"}},
		"by a whole name":                {target: v1alpha1.OverlayTarget{Name: "web"}, want: []string{"Deployment/web", "Service/web", "Order/web"}},
		"by a name's beginning, not":     {target: v1alpha1.OverlayTarget{Name: "work", Kind: "Deployment"}},
		"by an expression":               {target: v1alpha1.OverlayTarget{Name: "w.*r|none"}, want: []string{"Deployment/worker"}},
		"by group":                       {target: v1alpha1.OverlayTarget{Group: "apps"}, want: []string{"Deployment/web", "Deployment/worker"}},
		"by group and another version":   {target: v1alpha1.OverlayTarget{Group: "apps", Version: "v1beta1"}},
		"by labels":                      {target: v1alpha1.OverlayTarget{LabelSelector: "tier=front"}, want: []string{"Deployment/web", "Service/web"}},
		"by a label that is not there":   {target: v1alpha1.OverlayTarget{LabelSelector: "!tier"}, want: []string{"Order/web"}},
		"by everything together":         {target: v1alpha1.OverlayTarget{Group: "apps", Version: "v1", Kind: "Deployment", Name: "web", LabelSelector: "tier"}, want: []string{"Deployment/web"}},
		"by a kind in another spelling":  {target: v1alpha1.OverlayTarget{Kind: "deployment"}},
		"by a label selector of nothing": {target: v1alpha1.OverlayTarget{LabelSelector: "tier=none"}},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := Render(treeOf("a.yaml", twoWebs), Options{Overlay: patches(patchFor(row.target, "metadata: {annotations: {found: here}}"))})
			if row.want == nil {
				expectError(t, err, "`spec.overlay.patches[0]` matches nothing")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, object := range objects {
				if object.GetAnnotations()["found"] != "" {
					got = append(got, object.GetKind()+"/"+object.GetName())
				}
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

// copies of all that there is, each of which makes it twice as large.
func copies(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, ", {op: copy, from: /spec, path: /spec/y%d}", i)
	}
	return text.String()
}

func TestMergePatchesTakeAwayAndReplace(t *testing.T) {
	objects, err := Render(treeOf("a.yaml", twoWebs), Options{Overlay: patches(
		patchFor(v1alpha1.OverlayTarget{Kind: "Deployment", Name: "web"}, "metadata: {labels: {tier: null}}\nspec: {replicas: null, template: {spec: {$patch: replace, hostNetwork: true, priority: 3, weight: 0.5}}}"),
	)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "labels": map[string]any{"app": "web"}},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"hostNetwork": true, "priority": int64(3), "weight": 0.5}}},
	}
	if !reflect.DeepEqual(objects[0].Object, want) {
		t.Errorf("got %v", objects[0].Object)
	}
}

func TestAPatchMayDeleteAnObject(t *testing.T) {
	objects, err := Render(treeOf("a.yaml", twoWebs), Options{Overlay: patches(
		patchFor(v1alpha1.OverlayTarget{Kind: "Service"}, "$patch: delete"),
		patch("{apiVersion: apps/v1, kind: Deployment, metadata: {name: worker}, $patch: delete}"),
	)})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(objects); !reflect.DeepEqual(got, []string{"Deployment/web", "Order/web"}) {
		t.Errorf("got %v", got)
	}
	_, err = Render(treeOf("a.yaml", twoWebs), Options{Overlay: patches(patchFor(v1alpha1.OverlayTarget{Name: ".*"}, "$patch: delete"))})
	expectError(t, err, "`spec.overlay.patches` delete every object")
	_, err = Render(treeOf("a.yaml", twoWebs), Options{Overlay: patches(
		patchFor(v1alpha1.OverlayTarget{Kind: "Service"}, "$patch: delete"), patchFor(v1alpha1.OverlayTarget{Kind: "Service"}, "spec: {}"))})
	expectError(t, err, "`spec.overlay.patches[1]` matches nothing", "the release has no Service")
}

func TestMistakesInAnOverlayNameTheFieldAndTheRemedy(t *testing.T) {
	for name, row := range map[string]struct {
		overlay v1alpha1.Overlay
		want    []string
	}{
		"a patch of what is not there":       {overlay: patches(patchFor(deployments(), "spec: {}"), patch("{apiVersion: v1, kind: Service, metadata: {name: none}}")), want: []string{"`spec.overlay.patches[1]` matches nothing", "Service web", "correct the target"}},
		"a patch of another version":         {overlay: patches(patch("{apiVersion: apps/v1beta1, kind: Deployment, metadata: {name: web}}")), want: []string{"matches nothing"}},
		"a patch of another namespace":       {overlay: patches(patch("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: other}}")), want: []string{"matches nothing"}},
		"a patch of a field that is not":     {overlay: patches(patchFor(deployments(), "[{op: remove, path: /spec/none}]")), want: []string{`Deployment "web"`, "`spec.overlay.patches[0]` cannot be applied", "/spec/none"}},
		"a test that fails":                  {overlay: patches(patchFor(deployments(), "[{op: test, path: /spec/replicas, value: 9}]")), want: []string{"cannot be applied"}},
		"another name":                       {overlay: patches(patchFor(deployments(), "[{op: replace, path: /metadata/name, value: other}]")), want: []string{"changes the object's kind, name or namespace"}},
		"another kind":                       {overlay: patches(patchFor(deployments(), "[{op: replace, path: /kind, value: DaemonSet}]")), want: []string{"changes the object's kind"}},
		"another group":                      {overlay: patches(patchFor(deployments(), "[{op: replace, path: /apiVersion, value: x/v1}]")), want: []string{"changes the object's kind"}},
		"another namespace":                  {overlay: patches(patchFor(deployments(), "[{op: add, path: /metadata/namespace, value: kube-system}]")), want: []string{"changes the object's kind, name or namespace"}},
		"no name":                            {overlay: patches(patchFor(deployments(), "[{op: remove, path: /metadata}]")), want: []string{"changes the object's kind, name or namespace"}},
		"an object of nothing":               {overlay: patches(patchFor(deployments(), `[{op: replace, path: /metadata/labels, value: [a]}]`)), want: []string{"after `spec.overlay.patches[0]`", "`metadata.labels` must be a map"}},
		"owners":                             {overlay: patches(patchFor(deployments(), `metadata: {ownerReferences: [{uid: a}]}`)), want: []string{"after `spec.overlay.patches[0]`", "`metadata.ownerReferences`"}},
		"an object that grows too large":     {overlay: patches(patchFor(deployments(), "[{op: add, path: /spec/x, value: "+strings.Repeat("x", 9000)+"}"+copies(8)+"]")), want: []string{"at most 1048576"}},
		"too many copies":                    {overlay: patches(patchFor(deployments(), "[{op: add, path: /spec/x, value: x}"+copies(9)+"]")), want: []string{"`spec.overlay.patches[0].patch`", "at most 8"}},
		"a patch that is not YAML":           {overlay: patches(patchFor(deployments(), "a: [b")), want: []string{"`spec.overlay.patches[0].patch`", "is not valid YAML"}},
		"a patch that is a bomb":             {overlay: patches(patchFor(deployments(), bomb(9))), want: []string{"aliases"}},
		"a patch that is text":               {overlay: patches(patchFor(deployments(), "text")), want: []string{"`spec.overlay.patches[0].patch` must be a map", "is text"}},
		"a patch of nothing":                 {overlay: patches(patchFor(deployments(), "# nothing")), want: []string{"`spec.overlay.patches[0].patch` must be a map", "is null"}},
		"two patches in one":                 {overlay: patches(patchFor(deployments(), "a: b\n---\na: c\n")), want: []string{"must be one YAML document and has 2"}},
		"a patch without a target":           {overlay: patches(patch("spec: {}")), want: []string{"`spec.overlay.patches[0].target` is missing"}},
		"operations without a target":        {overlay: patches(patch("[{op: remove, path: /spec}]")), want: []string{"`spec.overlay.patches[0].target` is missing", "names no object itself"}},
		"no operations":                      {overlay: patches(patchFor(deployments(), "[]")), want: []string{"has no operations"}},
		"an operation that is text":          {overlay: patches(patchFor(deployments(), "[remove]")), want: []string{"operation [0] that is text"}},
		"an operation that is not known":     {overlay: patches(patchFor(deployments(), "[{op: remove, path: /a}, {op: delete, path: /a}]")), want: []string{"operation [1]", `"delete"`}},
		"an operation without a value":       {overlay: patches(patchFor(deployments(), "[{op: add, path: /a}]")), want: []string{"without `value`"}},
		"an operation without a source":      {overlay: patches(patchFor(deployments(), "[{op: move, path: /a}]")), want: []string{"without `from`"}},
		"an operation without a path":        {overlay: patches(patchFor(deployments(), "[{op: remove}]")), want: []string{"does not begin with"}},
		"a path that is none":                {overlay: patches(patchFor(deployments(), "[{op: remove, path: spec/a}]")), want: []string{`"spec/a"`, "does not begin with"}},
		"a name that is no expression":       {overlay: patches(patchFor(v1alpha1.OverlayTarget{Name: "a("}, "spec: {}")), want: []string{"`spec.overlay.patches[0].target.name`", "is not a regular expression"}},
		"a selector whose key is none":       {overlay: patches(patchFor(v1alpha1.OverlayTarget{LabelSelector: "."}, "spec: {}")), want: []string{"is not a label selector (unable to parse requirement: Invalid value: \".\""}},
		"a selector that is none":            {overlay: patches(patchFor(v1alpha1.OverlayTarget{LabelSelector: "a=b=c"}, "spec: {}")), want: []string{"`spec.overlay.patches[0].target.labelSelector`", "is not a label selector"}},
		"replicas of what is not there":      {overlay: v1alpha1.Overlay{Replicas: []v1alpha1.OverlayReplicas{{Name: "web", Count: ptr.To(int32(1))}, {Name: "wep", Count: ptr.To(int32(1))}}}, want: []string{"`spec.overlay.replicas[1]` \"wep\" matches nothing", `"web", "worker"`}},
		"replicas without a count":           {overlay: v1alpha1.Overlay{Replicas: []v1alpha1.OverlayReplicas{{Name: "web"}}}, want: []string{"`spec.overlay.replicas[0].count` is missing"}},
		"a label of Assent's own":            {overlay: v1alpha1.Overlay{Labels: map[string]string{"assent.dev/environment": "x"}}, want: []string{"`spec.overlay.labels[assent.dev/environment]`", "Assent's own"}},
		"a label of a domain of Assent's":    {overlay: v1alpha1.Overlay{Labels: map[string]string{"x.assent.dev/a": "x"}}, want: []string{"Assent's own"}},
		"a label that is none":               {overlay: v1alpha1.Overlay{Labels: map[string]string{"a b": "x"}}, want: []string{"is not a label's key"}},
		"a label with a value that none has": {overlay: v1alpha1.Overlay{Labels: map[string]string{"a": "x y"}}, want: []string{"which no label can have"}},
		"values that are no map":             {overlay: v1alpha1.Overlay{Labels: map[string]string{"a": "b"}, Values: &apiextensionsv1.JSON{Raw: []byte("[1]")}}, want: []string{"`spec.overlay.values` must be a map"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Render(treeOf("a.yaml", twoWebs), Options{Overlay: row.overlay})
			expectError(t, err, row.want...)
		})
	}
}

func TestAnOverlayWithoutProblemsHasNone(t *testing.T) {
	overlay := v1alpha1.Overlay{
		Patches:  []v1alpha1.OverlayPatch{patchFor(deployments(), "[{op: remove, path: /spec/a}]"), patch("{apiVersion: v1, kind: Service, metadata: {name: a}}")},
		Replicas: []v1alpha1.OverlayReplicas{{Name: "a", Count: ptr.To(int32(0))}},
		Labels:   map[string]string{"team.example/name": "a", "myassent.dev/x": ""}, Values: &apiextensionsv1.JSON{Raw: []byte(`{"a": 1}`)},
	}
	if problems := OverlayProblems(overlay); len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
	wrong := v1alpha1.Overlay{Patches: []v1alpha1.OverlayPatch{patch("x"), patch("spec: {}")}, Labels: map[string]string{"assent.dev/x": "", "assent.dev/y": ""}}
	var fields []string
	for _, problem := range OverlayProblems(wrong) {
		fields = append(fields, problem.Field)
	}
	want := []string{"spec.overlay.patches[0].patch", "spec.overlay.patches[1].target", "spec.overlay.labels[assent.dev/x]", "spec.overlay.labels[assent.dev/y]"}
	if !reflect.DeepEqual(fields, want) {
		t.Errorf("got %v, want %v", fields, want)
	}
}

func TestAnOverlayGoesOverAChartAndItsHooks(t *testing.T) {
	options := chartOptions()
	options.Images = []v1alpha1.ReleaseImage{{Name: "registry.example/shop/api", Digest: pinned}}
	options.Overlay = patches(
		patchFor(v1alpha1.OverlayTarget{Kind: "Job", Name: ".*-migrate"}, "spec: {backoffLimit: 1}"),
		patchFor(deployments(), "[{op: test, path: /spec/template/spec/containers/0/image, value: 'registry.example/shop/api@"+string(pinned)+"'}]"),
	)
	options.Overlay.Patches[1].Target.Name = ".*-api"
	objects, err := Render(readTree(t, "charts/shop"), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetName() == "shop-migrate" {
			if limit, _, err := unstructured.NestedInt64(object.Object, "spec", "backoffLimit"); limit != 1 || err != nil {
				t.Errorf("got %d and %v", limit, err)
			}
		}
	}
}

func TestObjectsOfSeveralReleasesAreChangedTogether(t *testing.T) {
	render := func(text string) []*unstructured.Unstructured {
		objects, err := Render(treeOf("a.yaml", text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return objects
	}
	overlay := patches(patchFor(v1alpha1.OverlayTarget{Kind: "Secret"}, "stringData: {a: b}"))
	all := append(render(twoWebs), render("apiVersion: v1\nkind: Secret\nmetadata: {name: other}\n")...)
	changed, err := Change(all, []v1alpha1.ReleaseImage{{Name: "web", Digest: pinned}}, overlay)
	if err != nil {
		t.Fatal(err)
	}
	text := string(encoded(t, changed))
	if strings.Count(text, "web@"+string(pinned)) != 2 || !strings.Contains(text, "stringData") {
		t.Errorf("got %s", text)
	}
	services := func(name string) []*unstructured.Unstructured {
		return render(manifests(600, "---\napiVersion: v1\nkind: Service\nmetadata: {name: "+name+"%d}\n"))
	}
	_, err = Change(append(services("a"), services("b")...), nil, v1alpha1.Overlay{})
	expectError(t, err, "more than 1000 objects")
	large := services("a")[:33]
	for _, one := range large {
		one.Object["data"] = strings.Repeat("x", MaxObjectBytes-1000)
	}
	_, err = Change(large, nil, v1alpha1.Overlay{})
	expectError(t, err, "larger than 33554432 bytes together")
	_, err = Change(append(render(twoWebs), render(twoWebs)...), nil, v1alpha1.Overlay{})
	expectError(t, err, `Deployment "web"`, "is there twice", "bundle")
	_, err = Change(render(twoWebs), []v1alpha1.ReleaseImage{{Name: "none", Digest: pinned}}, v1alpha1.Overlay{})
	expectError(t, err, "matches no image")
}

// A thousand objects and an overlay of all that is allowed take seconds on a busy machine, and minutes where each object is compared with each.
func TestAnOverlayOverAThousandObjectsIsFast(t *testing.T) {
	tree := source.Tree{"a.yaml": []byte(manifests(1000, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a%d, labels: {tier: web}}\n"+
		"spec: {template: {spec: {containers: [{name: a, image: a, env: [{name: A, value: b}]}]}}}\n"))}
	overlay := patches(
		patchFor(deployments(), "spec: {template: {spec: {containers: [{name: a, env: [{name: B, value: c}]}]}}}"),
		patchFor(v1alpha1.OverlayTarget{LabelSelector: "tier=web"}, "[{op: add, path: /spec/paused, value: false}]"),
		patchFor(v1alpha1.OverlayTarget{Name: "a5"}, "metadata: {annotations: {a: b}}"),
	)
	for i := range 29 {
		overlay.Patches = append(overlay.Patches, patch(fmt.Sprintf("{apiVersion: apps/v1, kind: Deployment, metadata: {name: a%d}, spec: {replicas: 3}}", i)))
	}
	for i := range 64 {
		overlay.Replicas = append(overlay.Replicas, v1alpha1.OverlayReplicas{Name: fmt.Sprintf("a%d", i), Count: ptr.To(int32(2))})
	}
	overlay.Labels = map[string]string{"team": "shop"}
	started := time.Now()
	plain, err := Render(tree, Options{})
	if err != nil {
		t.Fatal(err)
	}
	middle := time.Now()
	objects, err := Render(tree, Options{Overlay: overlay})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("without the overlay %s, with it %s", middle.Sub(started), time.Since(middle))
	if len(objects) != len(plain) || time.Since(middle) > 30*time.Second {
		t.Errorf("got %d objects in %s", len(objects), time.Since(middle))
	}
}
