// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEveryFieldOfEveryKindIsCoveredAndTheSameSeedMakesTheSame(t *testing.T) {
	kinds, err := Kinds()
	if err != nil || len(kinds) != 4 {
		t.Fatalf("got %d kinds and %v", len(kinds), err)
	}
	for i := range kinds {
		kind := &kinds[i]
		inputs, again := Inputs(kind, Surroundings{}, 20, 7), Inputs(kind, Surroundings{}, 20, 7)
		covered := map[string]bool{}
		for at := range inputs {
			covered[inputs[at].Field] = true
			if inputs[at].Name != again[at].Name {
				t.Fatalf("%q is %q the second time", inputs[at].Name, again[at].Name)
			}
		}
		everyField(nil, &kind.spec, func(at field, _ *schema) {
			if !covered[at.String()] {
				t.Errorf("%s: nothing is made for `%s`", kind.Name, at)
			}
		})
	}
}

func TestWhatIsPutIntoASpecificationIsThere(t *testing.T) {
	kinds, err := Kinds()
	if err != nil {
		t.Fatal(err)
	}
	for i := range kinds {
		if kinds[i].Name != "Environment" {
			continue
		}
		at := field{"windows", "freeze", element, "startTime"}
		spec, _ := json.Marshal(put(map[string]any{"application": "shop"}, &kinds[i].spec, at, "x"))
		want := `{"application":"shop","windows":{"freeze":[{"endTime":"2030-01-02T00:00:00Z","startTime":"x"}]}}`
		if string(spec) != want || at.String() != "spec.windows.freeze[0].startTime" {
			t.Errorf("`%s` makes %s", at, spec)
		}
	}
}

func TestARefusalIsAProblemWhenNobodyCouldUseIt(t *testing.T) {
	input := Input{Field: "spec.approval.rules[0].name"}
	for name, row := range map[string]struct {
		code    int
		message string
		problem string
	}{
		"names the field":              {422, `spec.approval.rules[0].name: Invalid value: ""`, ""},
		"names what holds the field":   {422, "spec.approval.rules: Too many: 17", ""},
		"is of the guard":              {403, "you must hold the verb `promote` (G1)", ""},
		"names another field":          {422, "spec.target.namespace: Required value", "does not name"},
		"is the server's own fault":    {500, "spec.approval.rules[0].name", "500"},
		"says nothing":                 {422, " ", "without a word"},
		"shows a rule that has failed": {422, "spec.approval.rules[0].name: no such key: name", "inside of a program"},
		"is a format that went wrong":  {422, "spec.approval.rules[0].name: %!d(string=x)", "inside of a program"},
		"reverses text":                {422, "spec.approval.rules[0].name: \u202e", "U+202E"},
		"is endless":                   {422, "spec.approval.rules[0].name: " + strings.Repeat("x", 20_000), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			got := input.Refusal(row.code, metav1.Status{Message: row.message})
			if (got == "") != (row.problem == "") || !strings.Contains(got, row.problem) {
				t.Errorf("got the problem %q, want %q", got, row.problem)
			}
		})
	}
}

func TestAMergePatchLeadsFromOneObjectToTheOther(t *testing.T) {
	from := map[string]any{"a": "1", "b": map[string]any{"c": "2", "d": "3"}, "e": []any{"f"}}
	to := map[string]any{"b": map[string]any{"c": "4"}, "e": []any{}}
	patch, _ := json.Marshal(MergePatch(from, to))
	if want := `{"a":null,"b":{"c":"4","d":null},"e":[]}`; string(patch) != want {
		t.Errorf("got %s, want %s", patch, want)
	}
}
