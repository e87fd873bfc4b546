// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// asked is a promotion of shop-1.4.0 to production that changes a NetworkPolicy, a Deployment and prunes a ConfigMap.
func asked() RuleInput {
	reference := func(group, kind, name string) v1alpha1.ObjectReference {
		return v1alpha1.ObjectReference{Group: group, Kind: kind, Namespace: "shop-prod", Name: name}
	}
	return RuleInput{
		Plan: v1alpha1.Plan{Digest: v1alpha1.Digest("sha256:" + strings.Repeat("a", 64)), Objects: ptr.To[int32](12)},
		Changes: []v1alpha1.Change{
			{ObjectReference: reference("networking.k8s.io", "NetworkPolicy", "allow-web"), Action: v1alpha1.ChangeCreate},
			{ObjectReference: reference("apps", "Deployment", "web"), Action: v1alpha1.ChangeUpdate},
			{ObjectReference: reference("", "ConfigMap", "old"), Action: v1alpha1.ChangePrune},
		},
		Release: &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Name: "shop-1.4.0", Labels: map[string]string{"risk": "high"}, Annotations: map[string]string{"ticket": "SHOP-12"}},
			Spec: v1alpha1.ReleaseSpec{
				Application: "shop", Version: "1.4.0",
				Images: []v1alpha1.ReleaseImage{{Name: "shop", NewName: "registry/shop", Digest: "sha256:0123"}},
				Build:  v1alpha1.ReleaseBuild{Author: "bob", Branch: "main"},
			},
		},
		Environment: &v1alpha1.Environment{
			ObjectMeta: metav1.ObjectMeta{Name: "production", Labels: map[string]string{"tier": "one"}},
			Spec:       v1alpha1.EnvironmentSpec{Application: "shop"},
		},
		Promotion: &v1alpha1.Promotion{
			ObjectMeta: metav1.ObjectMeta{Name: "to-production"},
			Spec: v1alpha1.PromotionSpec{
				Reason: "a fix", RequestedBy: v1alpha1.Person{Username: "bob", Groups: []string{"developers"}},
			},
		},
	}
}

func TestARuleSeesThePlanAndWhatItIsFor(t *testing.T) {
	for source, want := range map[string]bool{
		"plan.changes.exists(c, c.kind == 'NetworkPolicy')":                                            true,
		"plan.changes.exists(c, c.kind == 'NetworkPolicy' && c.group == 'networking.k8s.io')":          true,
		"plan.changes.exists(c, c.kind == 'Secret')":                                                   false,
		"plan.changes.exists(c, c.action == 'Prune' && c.name == 'old' && c.namespace == 'shop-prod')": true,
		"plan.changes.all(c, c.action == 'Update')":                                                    false,
		"plan.changes.filter(c, c.kind in ['Role', 'RoleBinding']).size() > 0":                         false,
		"plan.changes.exists_one(c, c.name.matches('^allow-[a-z]+$'))":                                 true,
		"sets.intersects(plan.changes.map(c, c.kind), ['Role', 'NetworkPolicy'])":                      true,
		"plan.changes.size() == 3 && plan.objects == 12":                                               true,
		"plan.changes == []":                                                                      false,
		"plan.digest.startsWith('sha256:')":                                                       true,
		"release.name == 'shop-1.4.0' && release.application == 'shop'":                           true,
		"release.version.split('.')[0] == '1'":                                                    true,
		"release.labels['risk'] == 'high' && release.annotations['ticket'].startsWith('SHOP-')":   true,
		"'team' in release.labels":                                                                false,
		"release.labels[?'team'].orValue('none') == 'none'":                                       true,
		"release.images.exists(i, i.newName == 'registry/shop' && i.digest == 'sha256:0123')":     true,
		"release.build.branch != 'main'":                                                          false,
		"has(release.build.author) && !has(release.build.commit)":                                 true,
		"environment.stage == 'production' && environment.name == 'production'":                   true,
		"environment.labels['tier'] == 'one' && environment.application == release.application":   true,
		"promotion.type == 'Promote' && promotion.name == 'to-production'":                        true,
		"promotion.reason.contains('fix')":                                                        true,
		"promotion.requestedBy.username == 'bob' && 'developers' in promotion.requestedBy.groups": true,
		"promotion.requestedBy.username.lowerAscii().trim() == release.build.author":              true,
		"plan.changes.exists(\n  c,\n  c.kind == 'NetworkPolicy')":                                true,
	} {
		rule, err := CompileRule(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := rule.Applies(asked()); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", source, got, err, want)
		}
	}
}

// A rule that asks for labels first must not pass over an object because it has none: what a rule does not say is an error, which holds the promotion.
func TestLabelsCanBeAskedForWhereAnObjectHasNone(t *testing.T) {
	in := asked()
	in.Release.Labels, in.Release.Annotations, in.Environment.Labels = nil, nil, nil
	for source, want := range map[string]bool{
		"has(release.labels) && has(release.annotations) && has(environment.labels)": true,
		"release.labels == {} && environment.labels == {}":                           true,
		"'team' in release.labels":                                                   false,
		"release.annotations[?'team'].orValue('') == ''":                             true,
	} {
		rule, err := CompileRule(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := rule.Applies(in); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", source, got, err, want)
		}
	}
}

// The other list may be of whatever type: a comparison with a text or a number takes one step.
func TestListsOfTextsOrNumbersCanBeComparedAsSets(t *testing.T) {
	for source, want := range map[string]bool{
		"sets.contains([release.version], ['1.4.0'])":                                   true,
		"sets.contains([dyn(release.version)], ['1.4.0'])":                              true,
		"sets.contains(['1.4.0'], [dyn(release.version)])":                              true,
		"sets.intersects(plan.changes.map(c, dyn(c.kind)), ['Secret'])":                 false,
		"sets.equivalent(plan.changes.map(c, c.action), ['Create', 'Update', 'Prune'])": true,
	} {
		rule, err := CompileRule(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := rule.Applies(asked()); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", source, got, err, want)
		}
	}
	for _, function := range []string{"contains", "intersects", "equivalent"} {
		want := "function 'sets." + function + "' must be used with lists of texts or numbers"
		if _, err := CompileRule("sets." + function + "(plan.changes, plan.changes)"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", function, err)
		}
	}
}

func TestTheStageOfAnEnvironmentIsTheOneThatItNames(t *testing.T) {
	rule, err := CompileRule("environment.stage == 'live'")
	if err != nil {
		t.Fatal(err)
	}
	in := asked()
	in.Environment.Spec.Stage = "live"
	if applies, err := rule.Applies(in); err != nil || !applies {
		t.Errorf("%v, %v", applies, err)
	}
}

func TestAnErrorPointsIntoTheRule(t *testing.T) {
	for source, want := range map[string]string{
		"plam.changes.exists(c, c.kind == 'NetworkPolicy')":         "undeclared reference to 'plam' (line 1, column 1): plam.changes.exists(c, c.kind == 'Networ…",
		"plan.chnges.exists(c, true)":                               "undefined field 'chnges' (line 1, column 5): .chnges.exists(c, true)",
		"plan.changes.exists(c, c.knd == 'Secret')":                 "undefined field 'knd' (line 1, column 25): .knd == 'Secret')",
		"plan.objects > 'a'":                                        "found no matching overload for '_>_' applied to '(int, string)' (line 1, column 14): > 'a'",
		"plan == 'a'":                                               "found no matching overload for '_==_' applied to '(plan, string)' (line 1, column 6): == 'a'",
		"plan.objects >":                                            "Syntax error: mismatched input '<EOF>' (line 1, column 15, at the end of the line)",
		"plan.objects > 1 &&\n  release.versions == '1'":            "undefined field 'versions' (line 2, column 10): .versions == '1'",
		"'größe 🎉' == release.version && plam == 1":                 "undeclared reference to 'plam' (line 1, column 33): plam == 1",
		"release.labels['größe'] == 'ü' && 'é' == plam":             "undeclared reference to 'plam' (line 1, column 42): plam",
		"release.version.matches('[a-')":                            "invalid regular expression (RE2) (line 1, column 25): '[a-')",
		"release.version.matches(release.name)":                     "the pattern of 'matches' must be written out (line 1, column 24): (release.name)",
		"matches(release.version, release.name)":                    "the pattern of 'matches' must be written out (line 1, column 8): (release.version, release.name)",
		"timestamp('now') < timestamp('2026-01-01T00:00:00Z')":      "invalid timestamp argument (line 1, column 11): 'now') < timestamp('2026-01-01T00:00:00Z…",
		"plan.objects":                                              "must be true or false: its type is int and must be bool",
		"dyn(plan.objects)":                                         "must be true or false: its type is dyn and must be bool",
		" \n":                                                       "must not be empty",
		"'\xff' == ''":                                              "must be valid UTF-8",
		"body.state == 'x'":                                         "undeclared reference to 'body' (line 1, column 1): body.state == 'x'",
		"now() > release.build":                                     "undeclared reference to 'now' (line 1, column 4): () > release.build",
		"'" + strings.Repeat("a", 2047) + "'":                       "must not be longer than 2048 bytes: it has 2049",
		strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60):  "expression recursion limit exceeded: 50",
		strings.Repeat("!(", 60) + "true" + strings.Repeat(")", 60): "expression recursion limit exceeded: 50",
		"release.version.replace('', release.name) == ''":           "function 'replace' must not be used: its result can become too large (line 1, column 24): ('', release.name) == ''",
		"lists.range(1000000000).size() > 0":                        "function 'lists.range' must not be used: its result can become too large (line 1, column 12): (1000000000).size() > 0",
		"release.version.indexOf('-rc') > 0":                        "function 'indexOf' must not be used: it can take too long: use `contains` (line 1, column 24): ('-rc') > 0",
		"[1, 2].map(a, [a, a]).map(a, [a, a]).exists(x, x == x)":    "lists, maps and objects must not be compared as a whole, and of two values of unknown type one must be converted, such as by string() (line 1, column 50): == x)",
		"[[1]].map(a, a + a).size() > 0":                            "lists must not be joined by '+', and of two values of unknown type one must be converted, such as by string() (line 1, column 16): + a).size() > 0",
		"plan.changes[0] in plan.changes":                           "what is looked for by 'in' must not be of unknown type: convert it, such as by string() (line 1, column 17): in plan.changes",
		"sets.contains(plan.changes, plan.changes)":                 "function 'sets.contains' must be used with lists of texts or numbers (line 1, column 14): (plan.changes, plan.changes)",
		"plan.changes.exists(c, plan.changes.exists(d, d.name == c.name))": "must be simplified: it can cost 256 times what is allowed: " +
			"go through a list once and not inside of another, and compare with `==`, `in` or `startsWith` instead of `matches`",
		"plan.changes.exists(a, plan.changes.exists(b, plan.changes.exists(c, plan.changes.exists(d, true))))": "must be simplified: it can cost more than a million times what is allowed: " +
			"go through a list once and not inside of another, and compare with `==`, `in` or `startsWith` instead of `matches`",
		"plan.changes.exists(c, c.name.matches('" + strings.Repeat("(a*)*", 60) + "'))": "must be simplified: it can cost 4.9 times what is allowed: " +
			"go through a list once and not inside of another, and compare with `==`, `in` or `startsWith` instead of `matches`",
	} {
		_, err := CompileRule(source)
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", source, err, want)
		}
		if known := (*Error)(nil); !errors.As(err, &known) {
			t.Errorf("%q: the error is a %T", source, err)
		}
	}
}

func TestWhatGoesWrongWithARuleIsAnErrorAndNeverFalse(t *testing.T) {
	for source, want := range map[string]string{
		"release.labels['team'] == 'web'":           "evaluate: no such key: team",
		"plan.changes[7].kind == 'Secret'":          "evaluate: index out of bounds: 7",
		"int(release.labels['risk']) > 3":           "evaluate: type conversion error from 'string' to 'int'",
		"plan.objects / (plan.objects - 12) == 0":   "evaluate: division by zero",
		"release.version.split('.')[3] == '0'":      "evaluate: index out of bounds: 3",
		"optional.none().value() == 1":              "evaluate: optional.none() dereference",
		"!(release.labels['team'] == 'web')":        "evaluate: no such key: team",
		"release.labels['team'] == 'a' && 1/0 == 1": "evaluate: no such key: team",
	} {
		rule, err := CompileRule(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if applies, err := rule.Applies(asked()); err == nil || applies || err.Error() != want {
			t.Errorf("%s:\n got %v, %v\nwant %s", source, applies, err, want)
		}
	}
}

func TestARuleNeedsEverythingThatItSpeaksOf(t *testing.T) {
	rule, err := CompileRule("true")
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*RuleInput){
		"no release":           func(in *RuleInput) { in.Release = nil },
		"no environment":       func(in *RuleInput) { in.Environment = nil },
		"no promotion":         func(in *RuleInput) { in.Promotion = nil },
		"too many changes":     func(in *RuleInput) { in.Changes = make([]v1alpha1.Change, maxChanges+1) },
		"too many annotations": func(in *RuleInput) { in.Release.Annotations = many(maxLabels + 1) },
		"too many labels":      func(in *RuleInput) { in.Environment.Labels = many(maxLabels + 1) },
	} {
		in := asked()
		spoil(&in)
		if applies, err := rule.Applies(in); err == nil || applies {
			t.Errorf("%s: %v, %v", name, applies, err)
		}
	}
}

func many(count int) map[string]string {
	made := map[string]string{}
	for i := range count {
		made[fmt.Sprint(i)] = ""
	}
	return made
}

// What is estimated when the rule is written bounds what it costs when it is evaluated: a rule that was accepted does not fail for its cost.
func TestARuleThatWasAcceptedCanBeEvaluatedOnTheLargestPlan(t *testing.T) {
	in := asked()
	in.Changes = slices.Repeat([]v1alpha1.Change{{
		ObjectReference: v1alpha1.ObjectReference{
			Group: strings.Repeat("g", 253), Kind: strings.Repeat("k", 63), Namespace: strings.Repeat("n", 63), Name: strings.Repeat("a", 253),
		},
		Action: v1alpha1.ChangeUpdate,
	}}, maxChanges)
	in.Promotion.Spec.RequestedBy.Groups = slices.Repeat([]string{strings.Repeat("g", 253)}, 512)
	for _, source := range []string{
		"plan.changes.all(c, c.name.matches('^a+$') && c.group.contains('ggg') && c.kind.startsWith('k') && c.action in ['Create', 'Update'])",
		"plan.changes.map(c, c.name + c.group).filter(n, n.endsWith('g')).size() == 3000",
		"sets.contains(plan.changes.map(c, c.kind), [plan.changes[0].kind])",
		"promotion.requestedBy.groups.all(g, g.lowerAscii().startsWith('g'))",
	} {
		rule, err := CompileRule(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		began := time.Now()
		if applies, err := rule.Applies(in); err != nil || !applies {
			t.Errorf("%s: %v, %v", source, applies, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %s", source, took)
		}
	}
}

func TestARuleThatWasCompiledOnceCanBeEvaluatedByManyAtOnce(t *testing.T) {
	rule, err := CompileRule("plan.changes.exists(c, c.kind == 'NetworkPolicy')")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for range 8 {
		go func() {
			applies, err := rule.Applies(asked())
			if err == nil && !applies {
				err = errors.New("it does not apply")
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
