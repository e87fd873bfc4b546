// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestPeopleAreSeatedSoThatAsManySeatsAsPossibleAreTaken(t *testing.T) {
	owners := v1alpha1.ApprovalRule{Name: "owners", Groups: []string{"owners"}}
	two := v1alpha1.ApprovalRule{Name: "owners", Required: ptr.To[int32](2), Groups: []string{"owners"}}
	security := v1alpha1.ApprovalRule{Name: "security", Groups: []string{"security"}}
	anyone := v1alpha1.ApprovalRule{Name: "anyone"}
	none := v1alpha1.ApprovalRule{Name: "none", Required: ptr.To[int32](0)}
	named := v1alpha1.ApprovalRule{Name: "named", Users: []string{"carol"}}
	alice, carol := person{"alice", []string{"owners", "security"}}, person{"carol", []string{"owners"}}
	for _, c := range []struct {
		what   string
		rules  []v1alpha1.ApprovalRule
		people []person
		many   bool
		lacks  string
	}{
		{what: "nobody is needed", rules: []v1alpha1.ApprovalRule{none}},
		{what: "nobody is there", rules: []v1alpha1.ApprovalRule{anyone}, lacks: "anyone"},
		{what: "whoever fits two rules moves on", rules: []v1alpha1.ApprovalRule{owners, security}, people: []person{alice, carol}},
		{what: "in whatever order", rules: []v1alpha1.ApprovalRule{security, owners}, people: []person{carol, alice}},
		{what: "one person takes one seat", rules: []v1alpha1.ApprovalRule{owners, security}, people: []person{alice}, lacks: "security"},
		{what: "one person takes one seat of a rule", rules: []v1alpha1.ApprovalRule{two}, people: []person{alice}, lacks: "owners"},
		{what: "one person fills both rules where that is allowed", rules: []v1alpha1.ApprovalRule{owners, security}, people: []person{alice}, many: true},
		{what: "but not both places of one", rules: []v1alpha1.ApprovalRule{two}, people: []person{alice}, many: true, lacks: "owners"},
		{what: "three rules, two people", rules: []v1alpha1.ApprovalRule{owners, security, anyone}, people: []person{alice, carol}, lacks: "anyone"},
		{what: "a rule for one user", rules: []v1alpha1.ApprovalRule{named, owners}, people: []person{carol, alice}},
		{what: "a rule for somebody else", rules: []v1alpha1.ApprovalRule{named}, people: []person{alice}, lacks: "named"},
	} {
		found := lacks(c.rules, c.people, !c.many)
		if (c.lacks == "") != (found == "") || !strings.Contains(found, c.lacks) {
			t.Errorf("%s: lacks %q, want %q", c.what, found, c.lacks)
		}
	}
}

func TestTheSceneKnowsMoreThanTheLog(t *testing.T) {
	e := load(t)
	e.each("Environment", "production", rule("security", "when", "false"))
	e.each("Promotion", "one", decision("dave", set(other, "planDigest")))
	if found := e.Violations(); len(found) != 1 || found[0].Rule != RuleApprovals {
		t.Errorf("of a rule of which nobody knows whether it applies: %v", found)
	}
	e.Scene.Applies = map[string]bool{"security": false}
	if found := e.Violations(); len(found) != 0 {
		t.Errorf("of a rule that does not apply: %v", found)
	}

	e = load(t)
	i := e.index("patch", "promotions", "one", "dave", 0)
	e.Requests = append(e.Requests[:i:i], e.Requests[i+1:]...)
	e.Scene.Lossy = true
	if found := e.Violations(); len(found) != 0 {
		t.Errorf("of a log that may lack something: %v", found)
	}
}

func TestADifferenceIsToldByItsField(t *testing.T) {
	want := map[string]any{"ConfigMap/a": map[string]any{"data": map[string]any{"x": "1", "y": "2"}}, "ConfigMap/b": "b"}
	have := map[string]any{"ConfigMap/a": map[string]any{"data": map[string]any{"x": "3", "y": "2"}}, "ConfigMap/c": "c"}
	const told = `.ConfigMap/a.data.x: want "1", have "3"` + "\n" + `.ConfigMap/b: missing: "b"` + "\n" + `.ConfigMap/c: not wanted: "c"`
	if found := Difference(want, have); found != told {
		t.Errorf("told:\n%s\nwant:\n%s", found, told)
	}
	if found := Difference(want, want); found != "" {
		t.Errorf("of the same: %s", found)
	}
}

func TestAPromotionCostsItsObjectsAndAtMostSixWritesMore(t *testing.T) {
	costs, err := load(t).Costs()
	if err != nil || len(costs) != 3 {
		t.Fatalf("found %v, %v", costs, err)
	}
	one := costs[0]
	if one.Promotion != "one" || one.Objects != 3 || one.Records != 3 || one.Status != 4 { // with the correction, and with a second approval
		t.Errorf("found %s", one)
	}
}
