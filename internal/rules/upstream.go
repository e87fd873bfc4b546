// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Upstreams are the problems with the `after` of an Environment: it names one that does not exist, one of another application, or one that waits
// for this one in turn. Project are the Environments of the project by name.
func Upstreams(environment *v1alpha1.Environment, project map[string]*v1alpha1.Environment) []Problem {
	var problems []Problem
	for i, name := range environment.Spec.After {
		field := fmt.Sprintf("spec.after[%d]", i)
		switch before := project[name]; {
		case before == nil:
			problems = append(problems, Problem{Field: field, Message: fmt.Sprintf(
				"environment %q does not exist in project %q: create it, or correct the name", name, environment.Namespace)})
		case before.Spec.Application != environment.Spec.Application:
			problems = append(problems, Problem{Field: field, Message: fmt.Sprintf(
				"environment %q is of application %q, and this one of %q: no release can succeed in both; name an environment of the same application",
				name, before.Spec.Application, environment.Spec.Application)})
		}
	}
	if cycle := Cycle(environment.Name, project); len(cycle) > 0 {
		problems = append(problems, Problem{Field: "spec.after", Message: fmt.Sprintf(
			"the environments wait for each other, so that no release can be first: %s; take one of them out of the `spec.after` of the one before it",
			strings.Join(cycle, " -> "))})
	}
	return problems
}

// Cycle is the shortest way by which an Environment waits for itself, through the `after` of each: its name, those in between, and its name again.
// It is empty if there is none. Project are the Environments of the project by name.
func Cycle(name string, project map[string]*v1alpha1.Environment) []string {
	ways := [][]string{{name}}
	seen := map[string]bool{}
	for len(ways) > 0 {
		way := ways[0]
		ways = ways[1:]
		at := project[way[len(way)-1]]
		if at == nil {
			continue
		}
		for _, next := range at.Spec.After {
			if next == name {
				return append(way, name)
			}
			if !seen[next] {
				seen[next] = true
				ways = append(ways, append(slices.Clone(way), next))
			}
		}
	}
	return nil
}
