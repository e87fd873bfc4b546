// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"slices"
	"strings"
)

// matching makes the mutants of the requests that a policy meets: each resource, subresource and operation, and each selector.
func (s *source) matching() error {
	constraints := []any{"spec", "matchConstraints"}
	for _, rules := range []string{"resourceRules", "excludeResourceRules"} {
		for i := range entries(s.object, append(constraints, rules)...) {
			if err := s.resourceRule(rules, i); err != nil {
				return err
			}
		}
	}
	for _, selector := range []string{"namespaceSelector", "objectSelector"} {
		if value, err := at(s.object.Object, append(constraints, selector)...); err != nil || value == nil {
			continue
		}
		if err := s.mutant(matching, "without the "+selector, s.rulesOf[""], nil, append(constraints, selector)...); err != nil {
			return err
		}
	}
	return nil
}

// resourceRule leaves out each of what it lists; and the whole rule where it lists only one, since a list may not be empty.
func (s *source) resourceRule(rules string, i int) error {
	path := []any{"spec", "matchConstraints", rules, i}
	names := map[string]string{"resourceRules": "rule", "excludeResourceRules": "exclusion"}
	if len(entries(s.object, path[:3]...)) > 1 {
		if err := s.mutant(matching, fmt.Sprintf("without %s %d", names[rules], i+1), s.rulesOf[""], nil, path...); err != nil {
			return err
		}
	} else if rules == "excludeResourceRules" {
		if err := s.mutant(matching, "without exclusions", s.rulesOf[""], nil, path[:3]...); err != nil {
			return err
		}
	}
	for _, field := range []string{"operations", "resources"} {
		listed := entries(s.object, append(slices.Clone(path), field)...)
		if len(listed) < 2 {
			continue
		}
		for j, entry := range listed {
			what := fmt.Sprintf("%s %d without %v", names[rules], i+1, entry)
			if err := s.mutant(matching, what, s.rulesOf[""], nil, append(slices.Clone(path), field, j)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// binding makes the mutants of a binding: none at all, and one that only warns.
func (s *source) binding() error {
	s.policy = strings.TrimPrefix(text(s.object.Object, "spec", "policyName"), "assent-")
	s.into.add(mutant{
		name: s.policy + "/binding removed", kind: bound, policy: s.policy, changed: s.manifest.without(s.index), before: s.object.GetName(), after: "(removed)",
	}, fmt.Sprint(s.index))
	for i, action := range entries(s.object, "spec", "validationActions") {
		if action != "Deny" {
			continue
		}
		if err := s.mutant(bound, "binding without Deny", nil, nil, "spec", "validationActions", i); err != nil {
			return err
		}
	}
	return nil
}

// remoteCluster makes the mutants of what a remote cluster gets of the guard: its kustomization deletes the policies that are not about locks, by
// a pattern of their names.
func (s *source) remoteCluster() error {
	path := []any{"patches", 0, "target", "name"}
	pattern := text(s.object.Object, path...)
	inside := strings.TrimSuffix(strings.TrimPrefix(pattern, "assent-("), ")")
	if inside == pattern || inside == "" {
		return fmt.Errorf("do not know the pattern %q of what a remote cluster does not get", pattern)
	}
	left := strings.Split(inside, "|")
	for i, policy := range left {
		rest := strings.Join(slices.Delete(slices.Clone(left), i, i+1), "|")
		if err := s.mutant(remote, "with "+policy, nil, "assent-("+rest+")", path...); err != nil {
			return err
		}
	}
	for _, policy := range []string{"locks", "scaling", "targets"} {
		if err := s.mutant(remote, "without "+policy, nil, "assent-("+inside+"|"+policy+")", path...); err != nil {
			return err
		}
	}
	return nil
}
