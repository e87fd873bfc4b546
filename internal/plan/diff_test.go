// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// pair is an object as it runs and as it would; "" where there is none.
func pair(t *testing.T, live, merged string) plan.Pair {
	t.Helper()
	made := plan.Pair{}
	if live != "" {
		made.Live = object(t, live)
		made.Ref = plan.Reference(made.Live)
	}
	if merged != "" {
		made.Merged = object(t, merged)
		made.Ref = plan.Reference(made.Merged)
	}
	return made
}

const (
	webBefore = `
apiVersion: apps/v1
kind: Deployment
metadata:
  {name: web, namespace: shop, generation: 4, resourceVersion: "7", uid: u, creationTimestamp: "2026-11-22T00:00:00Z", managedFields: [{manager: x}]}
spec: {replicas: 2, paused: false}
status: {readyReplicas: 2}`
	webAfter = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, generation: 5, resourceVersion: "7", uid: u, managedFields: [{manager: y}]}
spec: {replicas: 3, paused: false}
status: {readyReplicas: 1}`
)

func TestChangesListWhatIsCreatedUpdatedAndPruned(t *testing.T) {
	g := NewWithT(t)
	same := pair(t, webBefore, strings.Replace(webAfter, "replicas: 3", "replicas: 2", 1))
	ref := v1alpha1.ObjectReference{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}
	g.Expect(plan.Changes([]plan.Pair{same, pair(t, "", webAfter), pair(t, webBefore, webAfter), pair(t, webBefore, "")})).To(Equal([]v1alpha1.Change{
		{ObjectReference: ref, Action: v1alpha1.ChangeCreate},
		{ObjectReference: ref, Action: v1alpha1.ChangeUpdate},
		{ObjectReference: ref, Action: v1alpha1.ChangePrune},
	}))
	recreated := same
	recreated.Recreate = true
	g.Expect(plan.Changes([]plan.Pair{recreated})).To(ConsistOf(HaveField("Action", v1alpha1.ChangeRecreate)), "even if it comes back as it was")
	g.Expect(plan.Changes([]plan.Pair{{Ref: ref, Merged: same.Merged, Recreate: true}})).To(ConsistOf(HaveField("Action", v1alpha1.ChangeCreate)))
	g.Expect(plan.Changes([]plan.Pair{same})).To(BeEmpty())
	g.Expect(plan.Diff([]plan.Pair{same})).To(BeEmpty())
}

func TestDiffShowsWhatPeopleDecideOn(t *testing.T) {
	g := NewWithT(t)
	g.Expect(plan.Diff([]plan.Pair{
		pair(t, webBefore, webAfter),
		pair(t, "", "{apiVersion: v1, kind: ConfigMap, metadata: {name: new, namespace: shop}, data: {a: b}}"),
		pair(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: old, namespace: shop}, data: {a: b}}", ""),
	})).To(Equal(`--- live/Deployment.apps/shop/web
+++ plan/Deployment.apps/shop/web
@@ -5,4 +5,4 @@
   namespace: shop
 spec:
   paused: false
-  replicas: 2
+  replicas: 3
--- /dev/null
+++ plan/ConfigMap/shop/new
@@ -0,0 +1,7 @@
+apiVersion: v1
+data:
+  a: b
+kind: ConfigMap
+metadata:
+  name: new
+  namespace: shop
--- live/ConfigMap/shop/old
+++ /dev/null
@@ -1,7 +0,0 @@
-apiVersion: v1
-data:
-  a: b
-kind: ConfigMap
-metadata:
-  name: old
-  namespace: shop
`))
}

func TestDiffSaysWhatIsRecreated(t *testing.T) {
	g := NewWithT(t)
	recreated := pair(t, webBefore, webAfter)
	recreated.Recreate = true
	g.Expect(plan.Diff([]plan.Pair{recreated})).To(HavePrefix("--- live/Deployment.apps/shop/web\n+++ plan/Deployment.apps/shop/web (deleted and created again)\n@@"))
	same := pair(t, webBefore, webBefore)
	same.Recreate = true
	g.Expect(plan.Diff([]plan.Pair{same})).To(Equal("--- live/Deployment.apps/shop/web\n+++ plan/Deployment.apps/shop/web (deleted and created again)\n"))
}

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func secret(metadata, content string) string {
	return "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: shop" + metadata + "}, " + content + "}"
}

func TestDiffNeverShowsWhatASecretHolds(t *testing.T) {
	before, after := encoded("hunter2"), encoded("correct horse")
	tests := []struct {
		name         string
		live, merged string
		shows        []string
		hides        []string
	}{
		{"changed values", secret("", "data: {password: "+before+", same: "+before+"}"), secret("", "data: {password: "+after+", same: "+before+"}"),
			[]string{"-  password: '*** (before)'\n+  password: '*** (after)'\n   same: '***'"}, nil},
		{"added and removed keys", secret("", "data: {old: "+before+"}"), secret("", "data: {new: "+after+"}"),
			[]string{"-  old: '***'\n", "+  new: '***'\n"}, nil},
		{"a new Secret", "", secret("", "stringData: {password: hunter2}"), []string{"+  password: '***'"}, []string{"stringData"}},
		{"a pruned Secret", secret("", "data: {password: "+before+"}"), "", []string{"-  password: '***'"}, nil},
		{"the same value in `data` and `stringData`", secret("", "data: {password: "+before+"}, type: a"), secret("", "stringData: {password: hunter2}, type: b"),
			[]string{"-type: a\n+type: b\n"}, []string{"before", "after", "+  password", "-  password"}},
		{"what kubectl last applied", secret(", annotations: {kubectl.kubernetes.io/last-applied-configuration: 'hunter2'}", "type: a"),
			secret(", annotations: {kubectl.kubernetes.io/last-applied-configuration: 'correct horse'}", "type: b"),
			[]string{"'*** (before)'", "'*** (after)'"}, nil},
		{"what kubectl applied to a Secret that is pruned", secret(", annotations: {kubectl.kubernetes.io/last-applied-configuration: 'hunter2'}", "type: a"), "",
			[]string{"-    kubectl.kubernetes.io/last-applied-configuration: '***'"}, nil},
		{"data that is not a map", "", secret("", "data: hunter2"), []string{"+data: '***'"}, nil},
		{"string data that is not a map", "", secret("", "stringData: [hunter2]"), []string{"+stringData: '***'"}, nil},
		{"data that stops being a map", secret("", "data: {password: "+before+"}"), secret("", "data: hunter2"), []string{"-data: '*** (before)'", "+data: '*** (after)'"}, nil},
		{"values that are no strings", "", secret("", "stringData: {password: {deep: hunter2}}"), []string{"password: '***'"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := NewWithT(t)
			subject := pair(t, test.live, test.merged)
			diff := plan.Diff([]plan.Pair{subject})
			for _, text := range test.shows {
				g.Expect(diff).To(ContainSubstring(text))
			}
			for _, text := range append(test.hides, "hunter2", "correct horse", before, after) {
				g.Expect(diff).NotTo(ContainSubstring(text))
			}
			again := pair(t, test.live, test.merged)
			g.Expect(subject).To(Equal(again), "masking must not reach what is applied")
		})
	}
}

func TestDiffIsCutAtALineAndSaysSo(t *testing.T) {
	g := NewWithT(t)
	var pairs []plan.Pair
	for i := range 40 {
		pairs = append(pairs, pair(t, "", fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: m%d}, data: {a: %q}}", i, strings.Repeat("ä ", 2500))))
	}
	diff := plan.Diff(pairs)
	g.Expect(len(diff)).To(And(BeNumerically("<=", plan.MaxDiffBytes), BeNumerically(">", plan.MaxDiffBytes-10000)))
	lines := strings.Split(strings.TrimSuffix(diff, "\n"), "\n")
	g.Expect(lines[len(lines)-1]).To(ContainSubstring("the diff is longer than 128 KiB and is cut here"))
	full := plan.Diff(pairs[:2])
	g.Expect(diff).To(HavePrefix(full))
	for _, line := range lines[:len(lines)-1] {
		g.Expect(line).To(MatchRegexp(`^(---|\+|@@)`))
	}
	one := pair(t, "", fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {a: %q}}", strings.Repeat("x", 200000)))
	g.Expect(len(plan.Diff([]plan.Pair{one}))).To(BeNumerically("<", 1000), "a line that is too long is left out as a whole")
}

func TestDiffSpellsOutCharactersThatDeceive(t *testing.T) {
	g := NewWithT(t)
	evil := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"},
		"data": map[string]any{"a": "safe\u202e\u200bevil", "b": "\x1b[2Jgone", "c": "größe"}}}
	diff := plan.Diff([]plan.Pair{{Ref: plan.Reference(evil), Merged: evil}})
	g.Expect(diff).To(ContainSubstring(`safe\u202e\u200bevil`))
	g.Expect(diff).NotTo(ContainSubstring("\x1b"))
	g.Expect(diff).To(ContainSubstring("größe"))
}
