// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// FuzzRenderedDigest looks for two contents of one digest, and for one content of two: who approves a digest approves one meaning, however it is written.
func FuzzRenderedDigest(f *testing.F) {
	for seed, text := range []string{
		`{"colour": "blue", "größe": "10", "on": true, "none": null, "many": [1, 2.5, -0, {"a": []}]}`,
		`{"a": 1, "A": 1e0, "ä": "\u00e4", "𝒳": "\ud835\udcb3", "": {"": ""}}`,
		`{"large": 9007199254740991, "small": 1e-7, "zero": -0.0, "huge": 1e300}`,
		`{"large": 9007199254740993}`,
		`["\u2028<&>", "\u0000", "\ufeff", "e\u0301", "é"]`,
		`"\ud800"`,
	} {
		f.Add(text, `{"colour": "green"}`, uint64(seed))
		f.Add(text, text, uint64(seed))
	}
	f.Fuzz(func(t *testing.T, one, two string, seed uint64) {
		content, parsed := parsedJSON(one)
		if !parsed {
			return
		}
		digest, err := plan.RenderedDigest(holding(content))
		if err != nil {
			if !strings.Contains(err.Error(), "is not exact in JSON") {
				t.Fatalf("%s: %v", one, err)
			}
			return
		}
		r := rand.New(rand.NewPCG(seed, seed))
		var again any
		if err := utiljson.Unmarshal([]byte(rewritten(content, r)), &again); err != nil {
			t.Fatal(err)
		}
		if same := digestOf(t, again); same != digest {
			t.Errorf("written in another way, %s has another digest", one)
		}
		if changed := altered(content, r); digestOf(t, changed) == digest {
			t.Errorf("%s and %v share a digest", one, changed)
		}
		other, parsed := parsedJSON(two)
		if !parsed {
			return
		}
		if second, err := plan.RenderedDigest(holding(other)); err == nil && (second == digest) != meansTheSame(content, other) {
			t.Errorf("%s and %s: the same digest %v", one, two, second == digest)
		}
	})
}

// parsedJSON is a JSON text, of a kind that an API server would take: valid UTF-8.
func parsedJSON(text string) (any, bool) {
	var content any
	return content, utf8.ValidString(text) && utiljson.Unmarshal([]byte(text), &content) == nil
}

func holding(content any) []*unstructured.Unstructured {
	return []*unstructured.Unstructured{{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "content": content}}}
}

func digestOf(t *testing.T, content any) v1alpha1.Digest {
	t.Helper()
	digest, err := plan.RenderedDigest(holding(content))
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// rewritten is the same JSON with its keys in another order, with space in between, and with characters written as escapes.
func rewritten(content any, r *rand.Rand) string {
	space := strings.Repeat(" \n", r.IntN(2))
	switch v := content.(type) {
	case map[string]any:
		var parts []string
		for key, value := range v { // in whatever order
			parts = append(parts, escaped(key, r)+space+":"+rewritten(value, r))
		}
		return "{" + space + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, value := range v {
			parts = append(parts, rewritten(value, r)+space)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case string:
		return escaped(v, r)
	}
	text, _ := json.Marshal(content)
	return string(text)
}

func escaped(text string, r *rand.Rand) string {
	var out strings.Builder
	for _, c := range text {
		if r.IntN(2) == 0 && c < 0x10000 && c != utf8.RuneError {
			out.WriteString(`\u` + hex4(c))
			continue
		}
		plain, _ := json.Marshal(string(c))
		out.Write(plain[1 : len(plain)-1])
	}
	return `"` + out.String() + `"`
}

func hex4(c rune) string {
	const digits = "0123456789ABCDEF"
	return string([]byte{digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15]})
}

// altered means something else than the content, by one value.
func altered(content any, r *rand.Rand) any {
	switch v := content.(type) {
	case map[string]any:
		changed := map[string]any{}
		for key, value := range v {
			changed[key] = value
		}
		for key, value := range v {
			if r.IntN(3) == 0 {
				delete(changed, key)
			} else {
				changed[key] = altered(value, r)
			}
			return changed
		}
		return map[string]any{"": nil}
	case []any:
		if len(v) == 0 {
			return []any{nil}
		}
		changed := append([]any{}, v...)
		at := r.IntN(len(v))
		changed[at] = altered(v[at], r)
		return changed
	case string:
		return v + "\u0301"
	case bool:
		return !v
	}
	text, _ := json.Marshal(content)
	return string(text) // a number, or null, that has become a string
}

// meansTheSame compares what was read of JSON. Numbers are the same whether they are written as 1 or as 1.0.
func meansTheSame(one, two any) bool {
	return reflect.DeepEqual(plainNumbers(one), plainNumbers(two))
}

func plainNumbers(content any) any {
	switch v := content.(type) {
	case map[string]any:
		plain := map[string]any{}
		for key, value := range v {
			plain[key] = plainNumbers(value)
		}
		return plain
	case []any:
		plain := []any{}
		for _, value := range v {
			plain = append(plain, plainNumbers(value))
		}
		return plain
	case int64:
		return float64(v)
	}
	return content
}

// hidden begins every value of the Secrets that FuzzDiff makes. Its length is a multiple of three, so that its base64 begins theirs.
const hidden = "s3cr3t-t0k3n"

// FuzzDiff looks for a value of a Secret that people get to see, and for a diff that leaves something out, hides it, or is too long to be kept.
func FuzzDiff(f *testing.F) {
	f.Add(`{"spec": {"replicas": 2}}`, `{"spec": {"replicas": 3}}`, "x", uint64(1))
	f.Add(`{"type": "Opaque"}`, `{"type": "Opaque"}`, "\u202e", uint64(2))
	f.Add(`{"data": "`+hidden+`"}`, `{"stringData": ["`+hidden+`"]}`, "\n", uint64(3))
	f.Add(`{"data": null}`, `{"data": {"a": null}}`, "", uint64(4))
	f.Add(`{"metadata": {"annotations": []}}`, `{"metadata": "none"}`, strings.Repeat("long\n", 1000), uint64(5))
	f.Fuzz(func(t *testing.T, live, merged, text string, seed uint64) {
		r := rand.New(rand.NewPCG(seed, seed))
		secret := r.IntN(2) == 0
		pair := plan.Pair{Live: fuzzed(live, text, secret, r), Merged: fuzzed(merged, text, secret, r), Recreate: r.IntN(8) == 0}
		switch {
		case pair.Merged != nil:
			pair.Ref = plan.Reference(pair.Merged)
		case pair.Live != nil:
			pair.Ref = plan.Reference(pair.Live)
		}
		pairs := []plan.Pair{pair}
		first := plan.Diff(pairs)
		if second := plan.Diff(pairs); second != first {
			t.Fatalf("two diffs of the same pair:\n%s\n%s", first, second)
		}
		if changes := len(plan.Changes(pairs)); (changes > 0) != (first != "") || (changes > 0) == pair.Unchanged() {
			t.Errorf("%d changes, unchanged %v, and the diff:\n%s", changes, pair.Unchanged(), first)
		}
		if len(first) > plan.MaxDiffBytes || !utf8.ValidString(first) || strings.ContainsFunc(first, deceives) {
			t.Errorf("%d bytes that are not fit for a status:\n%q", len(first), first)
		}
		if secret && (strings.Contains(first, hidden) || strings.Contains(first, base64.StdEncoding.EncodeToString([]byte(hidden)))) {
			t.Errorf("a value of a Secret is shown:\n%s", first)
		}
	})
}

func deceives(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r)) && r != '\u00ad'
}

// fuzzed is an object of some content, or none; if it is a Secret, one whose values all begin with what must be hidden.
func fuzzed(content, text string, secret bool, r *rand.Rand) *unstructured.Unstructured {
	var object map[string]any
	if r.IntN(6) == 0 || utiljson.Unmarshal([]byte(content), &object) != nil || object == nil {
		return nil
	}
	metadata, isMap := object["metadata"].(map[string]any)
	if !isMap {
		metadata = map[string]any{}
	}
	metadata["name"], object["metadata"], object["apiVersion"], object["kind"] = "web", metadata, "v1", "ConfigMap"
	if !secret {
		return &unstructured.Unstructured{Object: object}
	}
	object = without(hidden, object).(map[string]any) //nolint:forcetypeassert // a map stays one
	metadata, object["kind"] = object["metadata"].(map[string]any), "Secret"
	for _, field := range []string{"data", "stringData"} {
		if r.IntN(3) > 0 {
			object[field] = confidential(text, r, 2)
		}
	}
	if r.IntN(2) == 0 {
		metadata["annotations"] = map[string]any{"kubectl.kubernetes.io/last-applied-configuration": confidential(text, r, 1), "a": "b"}
	}
	return &unstructured.Unstructured{Object: object}
}

// without what the fuzzer has learnt to write itself, where it would be no secret.
func without(token string, content any) any {
	text, _ := json.Marshal(content)
	var cleaned any
	_ = utiljson.Unmarshal([]byte(strings.ReplaceAll(string(text), token, "-")), &cleaned)
	return cleaned
}

// confidential is a value in which every string begins with what must be hidden: of a form that a Secret has, or should not have.
func confidential(text string, r *rand.Rand, depth int) any {
	value := hidden + text
	switch n := r.IntN(8); {
	case depth == 0 || n == 0:
		return value
	case n == 1:
		return base64.StdEncoding.EncodeToString([]byte(value))
	case n == 2:
		return []any{value, confidential(text, r, depth-1)}
	}
	values := map[string]any{}
	for _, key := range []string{"password", "", "kind", "\u202ekey", text} {
		if r.IntN(2) == 0 {
			values[strings.ReplaceAll(key, hidden, "-")] = confidential(text, r, depth-1)
		}
	}
	return values
}

// FuzzPlace looks for an object that gets where it must not, or that is another one when it is placed again.
func FuzzPlace(f *testing.F) {
	f.Add(twoObjects, false)
	f.Add("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {metadata: {labels: null}}}", true)
	f.Add("apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {jobTemplate: {spec: {template: []}}}", true)
	f.Add("apiVersion: assent.dev/v1\nkind: Promotion\nmetadata: {name: web}", true)
	f.Add("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec: {group: x, scope: Cluster, names: {kind: Secret}, versions: [{name: v1}, 3]}", false)
	f.Add("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop-prod, annotations: {assent.dev/wave: '1', \"a\\nb\": 9007199254740993}}", true)
	f.Add("apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {assent.dev/rerun: Always}}\nspec: {ttlSecondsAfterFinished: 1e3}", false)
	f.Fuzz(func(t *testing.T, text string, lock bool) {
		objects := parsedYAML(text)
		if objects == nil {
			return
		}
		options := everything()
		options.Lock, options.PromotionUID = lock, "7d0a"
		if err := plan.Place(objects, options); err != nil {
			expectFit(t, err)
			return
		}
		plan.Sort(objects)
		placed := expectPlaced(t, objects, options)
		if err := plan.Place(objects, options); err != nil {
			t.Fatalf("what was placed is refused when it is placed again: %v", err)
		}
		if again := expectPlaced(t, objects, options); again != placed {
			t.Fatal("what is placed again has another digest")
		}
		if steps := plan.Steps(objects); len(steps) == 0 {
			t.Fatal("there are objects, and no steps")
		}
	})
}

func parsedYAML(text string) []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	for _, part := range strings.Split(text, "\n---\n") {
		var content map[string]any
		encoded, err := yaml.YAMLToJSON([]byte(part))
		if err != nil || utiljson.Unmarshal(encoded, &content) != nil || content == nil || len(objects) == 20 {
			return nil
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects
}

// expectFit expects a refusal that fits into a condition's message and can be read there.
func expectFit(t *testing.T, err error) {
	t.Helper()
	var invalid *plan.InvalidError
	if text := err.Error(); errors.As(err, &invalid) && (!utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > 32768) {
		t.Fatalf("%d bytes that are not fit for a status: %q", len(text), text)
	}
}

func expectPlaced(t *testing.T, objects []*unstructured.Unstructured, options plan.PlaceOptions) v1alpha1.Digest {
	t.Helper()
	for _, object := range objects {
		group := object.GroupVersionKind().Group
		if at := object.GetNamespace(); at != "" && at != options.Target.Namespace || group == v1alpha1.GroupName {
			t.Fatalf("it is placed where it must not be: %v", object.Object)
		}
		if labels := object.GetLabels(); labels != nil && (labels[v1alpha1.LabelProject] != "shop" || labels[v1alpha1.LabelEnvironment] != "production") {
			t.Fatalf("it does not say whose it is: %v", object.Object)
		}
	}
	digest, err := plan.RenderedDigest(objects)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}
