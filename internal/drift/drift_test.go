// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package drift_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/drift"
	"github.com/assent-dev/assent/internal/plan"
)

// object of a kind with the rest of its content as YAML.
func object(t testing.TB, kind, content string) *unstructured.Unstructured {
	t.Helper()
	json, err := yaml.YAMLToJSON([]byte("apiVersion: v1\nkind: " + kind + "\n" + content))
	if err != nil {
		t.Fatal(err)
	}
	made := &unstructured.Unstructured{}
	if err := made.UnmarshalJSON(json); err != nil {
		t.Fatal(err)
	}
	made.SetName("one")
	made.SetNamespace("shop")
	return made
}

// find compares one object.
func find(t testing.TB, kind, desired, live, merged string) []v1alpha1.DriftedObject {
	t.Helper()
	wants := object(t, kind, desired)
	pair := plan.Pair{Ref: plan.Reference(wants), Live: object(t, kind, live), Merged: object(t, kind, merged)}
	return drift.Find([]*unstructured.Unstructured{wants}, []plan.Pair{pair}).Shown()
}

func TestDriftIsWhatDiffersFromWhatWasApplied(t *testing.T) {
	const containers = "spec: {template: {spec: {containers: [{name: web, image: %s, env: [{name: LEVEL, value: %s}]}, {name: side, image: s}]}}}"
	for _, test := range []struct {
		name                         string
		kind, desired, live, applied string
		want                         []string
	}{
		{"nothing differs", "ConfigMap", "data: {a: x}", "data: {a: x}", "data: {a: x}", nil},
		{"another value", "ConfigMap", "data: {a: x, b: x}", "data: {a: y, b: x}", "data: {a: x, b: x}", []string{"data.a"}},
		{"a value that was taken away", "ConfigMap", "data: {a: x}", "data: {}", "data: {a: x}", []string{"data.a"}},
		{"everything taken away", "ConfigMap", "data: {a: x, b: x}", "", "data: {a: x, b: x}", []string{"data"}},
		{"a value that somebody has added", "ConfigMap", "data: {a: x}", "data: {a: x, mine: y}", "data: {a: x, mine: y}", nil},
		{"what the API server fills in", "Service", "spec: {ports: [{port: 80}]}", "spec: {type: NodePort, ports: [{port: 80}]}", "spec: {type: ClusterIP, ports: [{port: 80}]}", nil},
		{"an autoscaler's replicas", "Deployment", "spec: {paused: false}", "spec: {paused: false, replicas: 7}", "spec: {paused: false, replicas: 7}", nil},
		{"replicas that the Release sets", "Deployment", "spec: {replicas: 2}", "spec: {replicas: 7}", "spec: {replicas: 2}", []string{"spec.replicas"}},
		{"a status", "Deployment", "status: {replicas: 1}", "status: {replicas: 2}", "status: {replicas: 1}", nil},
		{"a value that is written in another way", "Pod", "spec: {cpu: 1000m}", "spec: {cpu: '1'}", "spec: {cpu: '1'}", nil},
		{"an image and a variable", "Deployment", fmt.Sprintf(containers, "a", "info"), fmt.Sprintf(containers, "b", "debug"), fmt.Sprintf(containers, "a", "info"),
			[]string{"spec.template.spec.containers[name=web].env[name=LEVEL].value", "spec.template.spec.containers[name=web].image"}},
		{"a container that somebody has added", "Deployment", "spec: {containers: [{name: web}]}", "spec: {containers: [{name: mine}, {name: web}]}",
			"spec: {containers: [{name: mine}, {name: web}]}", nil},
		{"a container that was taken away", "Deployment", "spec: {containers: [{name: web}, {name: side}]}", "spec: {containers: [{name: web}]}",
			"spec: {containers: [{name: web}, {name: side}]}", []string{"spec.containers[name=side]"}},
		{"a port by its number", "Service", "spec: {ports: [{port: 80, targetPort: 1}]}", "spec: {ports: [{port: 80, targetPort: 2}]}",
			"spec: {ports: [{port: 80, targetPort: 1}]}", []string{"spec.ports[port=80].targetPort"}},
		{"a list without names", "Pod", "spec: {args: [a, b]}", "spec: {args: [a]}", "spec: {args: [a, b]}", []string{"spec.args"}},
		{"a list whose names are there twice", "Service", "spec: {ports: [{port: 53, protocol: TCP}, {port: 53, protocol: UDP}]}", "spec: {ports: [{port: 53, protocol: TCP}]}",
			"spec: {ports: [{port: 53, protocol: TCP}, {port: 53, protocol: UDP}]}", []string{"spec.ports"}},
		{"a label", "ConfigMap", "metadata: {labels: {app.kubernetes.io/name: shop}}", "metadata: {labels: {app.kubernetes.io/name: mine}}",
			"metadata: {labels: {app.kubernetes.io/name: shop}}", []string{`metadata.labels["app.kubernetes.io/name"]`}},
		{"a label that somebody has added", "ConfigMap", "metadata: {labels: {app: shop}}", "metadata: {labels: {app: shop, mine: x}}", "metadata: {labels: {app: shop, mine: x}}", nil},
		{"a Secret's text", "Secret", "stringData: {password: open}", "data: {password: c2h1dA==}", "data: {password: b3Blbg==}", []string{"data.password"}},
		{"another kind of value", "ConfigMap", "data: {a: x}", "data: text", "data: {a: x}", []string{"data"}},
		{"another kind of value, when it is applied", "Pod", "spec: {a: {b: x}}", "spec: {a: {b: x}}", "spec: {a: text}", []string{"spec.a"}},
		{"a text where fields are", "Pod", "spec: {a: text}", "spec: {a: {b: x}}", "spec: {a: {b: y}}", []string{"spec.a"}},
		{"a text where items are", "Pod", "spec: {a: text}", "spec: {a: [{name: x}]}", "spec: {a: [{name: y}]}", []string{"spec.a"}},
		{"items where a text is", "Pod", "spec: {a: [{name: x}]}", "spec: {a: text}", "spec: {a: [{name: x}]}", []string{"spec.a"}},
		{"items where a text would be", "Pod", "spec: {a: [{name: x}]}", "spec: {a: [{name: x}]}", "spec: {a: text}", []string{"spec.a"}},
		{"items of which the Release names none", "Pod", "spec: {a: [{b: x}]}", "spec: {a: [{name: x}]}", "spec: {a: [{name: y}]}", []string{"spec.a"}},
		{"items that run without names", "Pod", "spec: {a: [{name: x}]}", "spec: {a: [{b: x}]}", "spec: {a: [{name: x}]}", []string{"spec.a"}},
		{"items that would have no names", "Pod", "spec: {a: [{name: x}]}", "spec: {a: [{name: x}]}", "spec: {a: [{b: x}]}", []string{"spec.a"}},
		{"a value that the API server does not take", "Pod", "spec: {a: x}", "spec: {a: y}", "spec: {}", nil},
		{"what only a Secret has", "ConfigMap", "stringData: {a: x}", "data: {a: y}", "data: {a: x}", nil},
		{"what a Secret has beside its texts", "Secret", "data: {a: eA==}\nstringData: {b: open}", "data: {a: eQ==, b: b3Blbg==}", "data: {a: eA==, b: b3Blbg==}", []string{"data.a"}},
		{"names that could be misread", "ConfigMap", "data: {'a:b': x, 'a[b': x, 'a{b': x, '': x, a-b_C9: x}", "data: {}", "data: {'a:b': x, 'a[b': x, 'a{b': x, '': x, a-b_C9: x}",
			[]string{`data[""]`, "data.a-b_C9", `data["a:b"]`, `data["a[b"]`, `data["a{b"]`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := NewWithT(t)
			found := find(t, test.kind, test.desired, test.live, test.applied)
			if test.want == nil {
				g.Expect(found).To(BeEmpty())
				return
			}
			g.Expect(found).To(HaveExactElements(And(HaveField("Fields", Equal(test.want)), HaveField("Kind", test.kind), HaveField("Name", "one"))))
		})
	}
}

func TestAnObjectThatIsNotThereIsGone(t *testing.T) {
	g := NewWithT(t)
	wants := object(t, "Service", "spec: {}")
	pairs := []plan.Pair{{Ref: plan.Reference(wants), Merged: wants}}
	g.Expect(drift.Find([]*unstructured.Unstructured{wants}, pairs).Shown()).To(HaveExactElements(And(HaveField("Message", "is gone"), HaveField("Fields", BeEmpty()))))
	g.Expect(drift.Find([]*unstructured.Unstructured{wants}, nil).Total()).To(BeZero(), "nobody has looked")
}

func TestTheDigestIsOfWhatIsThereInsteadAndNotOfWhatASecretHolds(t *testing.T) {
	digest := func(kind, live string) v1alpha1.Digest {
		wants := object(t, kind, "data: {a: eA==, b: eA==}")
		pair := plan.Pair{Ref: plan.Reference(wants), Merged: wants}
		if live != "" {
			pair.Live = object(t, kind, live)
		}
		return drift.Find([]*unstructured.Unstructured{wants}, []plan.Pair{pair}).Digest()
	}
	g := NewWithT(t)
	g.Expect(digest("ConfigMap", "data: {a: eA==, b: eA==}")).To(BeEmpty())
	one := digest("ConfigMap", "data: {a: eQ==, b: eA==}")
	g.Expect(string(one)).To(MatchRegexp("^sha256:[0-9a-f]{64}$"))
	g.Expect(digest("ConfigMap", "data: {a: eQ==, b: eA==, c: mine}")).To(Equal(one), "what others add does not differ")
	for name, other := range map[string]v1alpha1.Digest{
		"another value":          digest("ConfigMap", "data: {a: eg==, b: eA==}"),
		"another field":          digest("ConfigMap", "data: {a: eA==, b: eQ==}"),
		"one more field":         digest("ConfigMap", "data: {a: eQ==, b: eQ==}"),
		"a value that is not":    digest("ConfigMap", "data: {b: eA==}"),
		"an object that is gone": digest("ConfigMap", ""),
		"another kind":           digest("Secret", "data: {a: eQ==, b: eA==}"),
	} {
		g.Expect(other).NotTo(Equal(one), name)
	}
	g.Expect(digest("Secret", "data: {a: eQ==, b: eA==}")).To(Equal(digest("Secret", "data: {a: eg==, b: eA==}")))
	g.Expect(digest("Secret", "data: {a: eQ==, b: eA==}")).NotTo(Equal(digest("Secret", "data: {a: eA==, b: eQ==}")))
}

// by are the managers of an object's fields, each a name and what it has.
func by(managers ...string) string {
	text := "\nmetadata:\n  managedFields:\n"
	for _, manager := range managers {
		text += "  - {fieldsType: FieldsV1, manager: " + manager + "}\n"
	}
	return text
}

func TestTheMessageNamesWhoHasChangedIt(t *testing.T) {
	const managed = `
metadata:
  managedFields:
  - {manager: assent, operation: Apply, apiVersion: v1, fieldsType: FieldsV1, time: "2026-01-03T00:00:00Z", fieldsV1: {"f:data": {"f:b": {}}}}
  - {manager: before, operation: Update, apiVersion: v1, fieldsType: FieldsV1, time: "2026-01-01T00:00:00Z", fieldsV1: {"f:data": {"f:a": {}}}}
  - {manager: kubectl-edit, operation: Update, apiVersion: v1, fieldsType: FieldsV1, time: "2026-01-02T00:00:00Z", fieldsV1: {"f:data": {".": {}, "f:a": {}}}}
  - {manager: other, operation: Update, apiVersion: v1, fieldsType: FieldsV1, time: "2026-01-02T00:00:00Z", fieldsV1: {"f:data": {"f:c": {}}}}
`
	for _, test := range []struct{ name, kind, desired, live, applied, want string }{
		{"the last one first", "ConfigMap", "data: {a: x}", "data: {a: y}" + managed, "data: {a: x}", `changed by "kubectl-edit", "before"`},
		{"whose fields they are not", "ConfigMap", "data: {d: x}", "data: {d: y}" + managed, "data: {d: x}", "was changed by somebody else"},
		{"nobody", "ConfigMap", "data: {a: x}", "data: {a: y}", "data: {a: x}", "was changed by somebody else"},
		{"inside of a list", "Pod", "spec: {containers: [{name: web, image: a}]}", `
spec: {containers: [{name: web, image: b}]}
metadata:
  managedFields:
  - {manager: bad, operation: Update, fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:containers": {'k:{"name":"side"}': {"f:image": {}}}}}}
  - {manager: good, operation: Update, fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}}}
`, "spec: {containers: [{name: web, image: a}]}", `changed by "good"`},
		{"not the operator, for what it has applied", "ConfigMap", "data: {a: x}", "data: {a: y}" + by(`assent, operation: Apply, fieldsV1: {"f:data": {"f:a": {}}}`), "data: {a: x}",
			"was changed by somebody else"},
		{"whoever calls themselves the operator", "ConfigMap", "data: {a: x}", "data: {a: y}" + by(`assent, operation: Update, fieldsV1: {"f:data": {"f:a": {}}}`), "data: {a: x}", `changed by "assent"`},
		{"whoever else applies", "ConfigMap", "data: {a: x}", "data: {a: y}" + by(`flux, operation: Apply, fieldsV1: {"f:data": {"f:a": {}}}`), "data: {a: x}", `changed by "flux"`},
		{"whoever has the whole of it", "ConfigMap", "data: {a: {b: x}}", "data: {a: {b: y}}" + by(`all, operation: Update, fieldsV1: {"f:data": {}}`), "data: {a: {b: x}}", `changed by "all"`},
		{"nobody without a name, and nobody without fields", "ConfigMap", "data: {a: x}", "data: {a: y}" + by(`"", operation: Update, fieldsV1: {"f:data": {"f:a": {}}}`, `status, operation: Update`), "data: {a: x}",
			"was changed by somebody else"},
		{"each once, and three at most", "ConfigMap", "data: {a: x}", "data: {a: y}" + by(
			`one, operation: Update, fieldsV1: {"f:data": {"f:a": {}}}`, `one, operation: Apply, fieldsV1: {"f:data": {"f:a": {}}}`, `two, operation: Update, fieldsV1: {"f:data": {"f:a": {}}}`,
			`three, operation: Update, fieldsV1: {"f:data": {"f:a": {}}}`, `four, operation: Update, fieldsV1: {"f:data": {"f:a": {}}}`), "data: {a: x}", `changed by "one", "two", "three"`},
		{"not whoever has an item that is named by something else", "Pod", "spec: {containers: [{name: web, image: a}]}", "spec: {containers: [{name: web, image: b}]}" + by(
			`bad, operation: Update, fieldsV1: {"f:spec": {"f:containers": {'k:{"port":80}': {"f:image": {}}, 'v:"web"': {"f:image": {}}, 'k:web': {"f:image": {}}}}}`),
			"spec: {containers: [{name: web, image: a}]}", "was changed by somebody else"},
		{"with a name that is too long", "ConfigMap", "data: {a: x}", `
data: {a: y}
metadata: {managedFields: [{manager: ` + strings.Repeat("m", 500) + `, operation: Update, fieldsType: FieldsV1, fieldsV1: {"f:data": {"f:a": {}}}}]}
`, "data: {a: x}", `changed by "` + strings.Repeat("m", 125) + `…"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(find(t, test.kind, test.desired, test.live, test.applied)).To(HaveExactElements(HaveField("Message", test.want)))
		})
	}
}

func TestValuesAreNeverTold(t *testing.T) {
	g := NewWithT(t)
	found := find(t, "Secret", "data: {password: b3Blbg==}", "data: {password: c2h1dA==}", "data: {password: b3Blbg==}")
	text := fmt.Sprint(found) + drift.Describe(found, 1, 1)
	g.Expect(text).To(ContainSubstring("data.password"))
	g.Expect(text).NotTo(Or(ContainSubstring("b3Blbg"), ContainSubstring("c2h1dA"), ContainSubstring("open"), ContainSubstring("shut")))
}

func TestWhatIsToldIsBoundedAndInOrder(t *testing.T) {
	g := NewWithT(t)
	var desired []*unstructured.Unstructured
	var pairs []plan.Pair
	wants, runs := []string{}, []string{}
	for i := range 40 {
		wants = append(wants, fmt.Sprintf("%s-%02d: x", strings.Repeat("k", 600), i))
		runs = append(runs, fmt.Sprintf("%s-%02d: y", strings.Repeat("k", 600), i))
	}
	for i := range 40 {
		wanted := object(t, "ConfigMap", "data: {"+strings.Join(wants, ", ")+"}")
		running := object(t, "ConfigMap", "data: {"+strings.Join(runs, ", ")+"}")
		for _, one := range []*unstructured.Unstructured{wanted, running} {
			one.SetName(fmt.Sprintf("settings-%02d", 39-i))
		}
		desired, pairs = append(desired, wanted), append(pairs, plan.Pair{Ref: plan.Reference(wanted), Live: running, Merged: wanted})
	}
	found := drift.Find(desired, pairs)
	g.Expect(found.Total()).To(Equal(40))
	g.Expect(found.References()).To(HaveLen(40))
	shown := found.Shown()
	g.Expect(shown).To(HaveLen(drift.MostObjects))
	g.Expect(shown[0].Name).To(Equal("settings-39"), "in the order of the plan")
	g.Expect(shown[0].Fields).To(And(HaveLen(drift.MostFields), HaveEach(Satisfy(func(path string) bool { return len(path) <= 512 }))))
	g.Expect(shown[0].Message).To(HaveSuffix("; 24 more fields differ"))
	g.Expect(len(drift.Describe(shown, 40, 40))).To(BeNumerically("<=", 4096))

	slices.Reverse(pairs)
	g.Expect(drift.Find(desired, pairs)).To(Equal(found), "whatever the order of the answers")
}

func TestDriftIsDescribedInASentence(t *testing.T) {
	g := NewWithT(t)
	shown := []v1alpha1.DriftedObject{
		{ObjectReference: v1alpha1.ObjectReference{Kind: "ConfigMap", Name: "settings"}, Fields: []string{"data.a", "data.b", "data.c", "data.d", "data.e"}, Message: `changed by "me"`},
		{ObjectReference: v1alpha1.ObjectReference{Kind: "Service", Name: "web"}, Message: "is gone"},
	}
	g.Expect(drift.Describe(shown, 3, 12)).To(Equal(
		`3 of 12 objects differ from what was approved: ConfigMap "settings" in data.a, data.b, data.c, data.d and 1 more: changed by "me"; Service "web" is gone; and 1 more`))
}
