// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// files of the guard, from the repository's root.
var files = []string{
	"config/guard/promotions.yaml", "config/guard/objects.yaml", "config/guard/projects.yaml", "config/guard/locks.yaml", "config/guard/scaling.yaml",
	"config/guard/targets.yaml", "config/guard/bindings.yaml", "config/guard/stamping/policy.yaml", "config/guard/stamping/binding.yaml",
	"config/remote/lock/kustomization.yaml",
}

// read is the guard as it is shipped.
func read(root string) ([]manifest, error) {
	manifests := make([]manifest, 0, len(files))
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return nil, fmt.Errorf("reading the guard: %w", err)
		}
		parsed, err := parseManifest(file, content)
		if err != nil {
			return nil, err
		}
		manifests = append(manifests, parsed)
	}
	return manifests, nil
}

// generate makes the mutants of the guard, in the order of the files.
func generate(manifests []manifest) ([]mutant, error) {
	all := newCollection()
	for _, m := range manifests {
		for i, object := range m.objects {
			source := &source{manifest: m, index: i, object: object, policy: strings.TrimPrefix(object.GetName(), "assent-"), into: all}
			if err := source.mutants(); err != nil {
				return nil, fmt.Errorf("%s: %w", m.path, err)
			}
		}
	}
	return ofAllRules(all.mutants), nil
}

// ofAllRules gives those that stop a policy altogether all rules of that policy.
func ofAllRules(mutants []mutant) []mutant {
	rules := map[string][]string{}
	for _, m := range mutants {
		if m.kind == validationRemoved && !slices.Contains(rules[m.policy], m.rules[0]) {
			rules[m.policy] = append(rules[m.policy], m.rules[0])
		}
	}
	for i, m := range mutants {
		if m.kind == bound {
			mutants[i].rules = rules[m.policy]
		}
	}
	return mutants
}

// source is one object of the guard, of which mutants are made.
type source struct {
	manifest manifest
	index    int
	object   *unstructured.Unstructured
	policy   string
	into     *collection
	// rulesOf are those that depend on a variable; under "" all of the policy.
	rulesOf map[string][]string
	// boolean variables.
	boolean map[string]bool
}

func (s *source) mutants() error {
	switch kind := s.object.GetKind(); kind {
	case "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicyBinding":
		return s.binding()
	case "Kustomization":
		s.policy = "remote"
		return s.remoteCluster()
	case "ValidatingAdmissionPolicy", "MutatingAdmissionPolicy":
		if err := s.study(); err != nil {
			return err
		}
		for _, part := range []func() error{s.matching, s.conditions, s.variables, s.validations, s.annotations, s.mutations, s.failing} {
			if err := part(); err != nil {
				return err
			}
		}
		return nil
	default:
		return fmt.Errorf("do not know how to mutate a %q", kind)
	}
}

// mutant with one field of the object changed, or removed if there is no value.
func (s *source) mutant(k kind, what string, rules []string, value any, path ...any) error {
	changed := s.manifest.copy()
	before, err := at(changed.objects[s.index].Object, path...)
	if err != nil {
		return err
	}
	if err := set(changed.objects[s.index], value, path...); err != nil {
		return err
	}
	after := "(removed)"
	if value != nil {
		after = fmt.Sprint(value)
	}
	s.into.add(mutant{
		name: s.policy + "/" + called(what), kind: k, policy: s.policy, rules: rules, changed: changed, before: fmt.Sprint(before), after: after,
	}, fmt.Sprint(s.index, path))
	return nil
}

// within makes the mutants of parts of an expression.
func (s *source) within(what string, rules []string, path ...any) error {
	parsed, err := parse(text(s.object.Object, path...))
	if err != nil {
		return err
	}
	changes, err := parsed.changes()
	if err != nil {
		return err
	}
	for _, change := range changes {
		if err := s.mutant(withinExpression, what+": "+change.what, rules, change.text, path...); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) validations() error {
	for i, name := range s.validationNames() {
		rules := []string{rule(name)}
		if err := s.mutant(validationRemoved, name+" removed", rules, nil, "spec", "validations", i); err != nil {
			return err
		}
		path := []any{"spec", "validations", i, "expression"}
		if err := s.mutant(validationNegated, name+" negated", rules, "!("+text(s.object.Object, path...)+")", path...); err != nil {
			return err
		}
		if err := s.within(name, rules, path...); err != nil {
			return err
		}
	}
	return nil
}

var ruleAtEnd = regexp.MustCompile(`\((G[0-9]+)\)$`)

// validationNames are the rule that each is for, and its place among those for the same rule: G9.2.
func (s *source) validationNames() []string {
	places := map[string]int{}
	var names []string
	for i := range entries(s.object, "spec", "validations") {
		found := ruleAtEnd.FindStringSubmatch(strings.TrimSpace(text(s.object.Object, "spec", "validations", i, "message")))
		number := "G0"
		if found != nil {
			number = found[1]
		}
		places[number]++
		names = append(names, fmt.Sprintf("%s.%d", number, places[number]))
	}
	return names
}

func rule(validation string) string {
	number, _, _ := strings.Cut(validation, ".")
	return number
}

func (s *source) variables() error {
	for i := range entries(s.object, "spec", "variables") {
		name := text(s.object.Object, "spec", "variables", i, "name")
		path := []any{"spec", "variables", i, "expression"}
		if s.boolean[name] {
			for _, value := range []string{"true", "false"} {
				if err := s.mutant(variableFixed, name+" is "+value, s.rulesOf[name], value, path...); err != nil {
					return err
				}
			}
		}
		if err := s.within(name, s.rulesOf[name], path...); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) conditions() error {
	for i := range entries(s.object, "spec", "matchConditions") {
		name := text(s.object.Object, "spec", "matchConditions", i, "name")
		path := []any{"spec", "matchConditions", i, "expression"}
		err := s.mutant(conditionRemoved, name+" removed", s.rulesOf[""], nil, "spec", "matchConditions", i)
		if err != nil {
			return err
		}
		if err := s.mutant(conditionRemoved, name+" negated", s.rulesOf[""], "!("+text(s.object.Object, path...)+")", path...); err != nil {
			return err
		}
		if err := s.within(name, s.rulesOf[""], path...); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) annotations() error {
	for i := range entries(s.object, "spec", "auditAnnotations") {
		key := text(s.object.Object, "spec", "auditAnnotations", i, "key")
		if err := s.mutant(recorded, "annotation "+key+" removed", s.rulesOf[""], nil, "spec", "auditAnnotations", i); err != nil {
			return err
		}
		if err := s.within("annotation "+key, s.rulesOf[""], "spec", "auditAnnotations", i, "valueExpression"); err != nil {
			return err
		}
	}
	return nil
}

var stampedPath = regexp.MustCompile(`path: (variables\.path \+ )?"([^"]+)"`)

// mutations are lists of patches that are added up: each term is a stamp, by the name of what it patches.
func (s *source) mutations() error {
	places := map[string]int{}
	for i := range entries(s.object, "spec", "mutations") {
		path := []any{"spec", "mutations", i, "jsonPatch", "expression"}
		parsed, err := parse(text(s.object.Object, path...))
		if err != nil {
			return err
		}
		stamps, err := parsed.terms()
		if err != nil {
			return err
		}
		for _, stamp := range stamps {
			name := stampName(stamp.text)
			places[name]++
			if err := s.stamp(stamp, fmt.Sprintf("%s.%d", name, places[name]), path...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *source) stamp(stamp term, name string, path ...any) error {
	if err := s.mutant(stamped, name+" removed", nil, stamp.removed, path...); err != nil {
		return err
	}
	for _, change := range stamp.changes {
		if err := s.mutant(withinExpression, name+": "+change.what, nil, change.text, path...); err != nil {
			return err
		}
	}
	return nil
}

// stampName is the field that a stamp patches.
func stampName(text string) string {
	found := stampedPath.FindStringSubmatch(text)
	switch {
	case found == nil:
		return "mutation"
	case found[1] != "":
		return "spec/approvals/mine/" + strings.TrimPrefix(found[2], "/")
	default:
		return strings.TrimPrefix(found[2], "/")
	}
}

func (s *source) failing() error {
	inverted := map[string]string{"Fail": "Ignore", "Ignore": "Fail"}[text(s.object.Object, "spec", "failurePolicy")]
	return s.mutant(failing, "failurePolicy "+inverted, s.rulesOf[""], inverted, "spec", "failurePolicy")
}

// study finds out which variables are boolean, and which rules depend on which.
func (s *source) study() error {
	s.boolean, s.rulesOf = map[string]bool{}, map[string][]string{}
	reads := map[string][]string{}
	for i := range entries(s.object, "spec", "variables") {
		name := text(s.object.Object, "spec", "variables", i, "name")
		parsed, err := parse(text(s.object.Object, "spec", "variables", i, "expression"))
		if err != nil {
			return err
		}
		s.boolean[name] = isBoolean(parsed.root, s.boolean)
		reads[name] = parsed.reads()
	}
	for i, name := range s.validationNames() {
		parsed, err := parse(text(s.object.Object, "spec", "validations", i, "expression"))
		if err != nil {
			return err
		}
		s.concerns(rule(name), append(parsed.reads(), ""), reads)
	}
	return nil
}

// concerns notes that a rule depends on variables, and on those that they read.
func (s *source) concerns(rule string, variables []string, reads map[string][]string) {
	for _, name := range variables {
		if !slices.Contains(s.rulesOf[name], rule) {
			s.rulesOf[name] = append(s.rulesOf[name], rule)
			s.concerns(rule, reads[name], reads)
		}
	}
}
