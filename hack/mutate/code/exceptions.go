// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"fmt"
	"slices"
)

// Exception is a mutant that no test can notice, or that none needs to.
type Exception struct {
	Package  string `json:"package"`
	Function string `json:"function"`
	// Source is the text of the condition or statement, on one line. Lines have no numbers here: they would change with every edit.
	Source string `json:"source"`
	// Kinds that are excepted.
	Kinds []Kind `json:"kinds"`
	// Nth of the places where the text stands in the function, from 1, where it stands there more than once.
	Nth int `json:"nth,omitempty"`
	// Reason why nobody has to notice.
	Reason string `json:"reason"`
}

// Exceptions by name.
type Exceptions struct {
	Exceptions []Exception `json:"exceptions"`
}

// places in the function where the text stands, in their order.
func (e Exception) places(mutants []*mutant) []*site {
	var found []*site
	for _, m := range mutants {
		if e.Package == m.in.short && e.Function == m.site.function && e.Source == m.site.source && !slices.Contains(found, m.site) {
			found = append(found, m.site)
		}
	}
	return found
}

// except marks the mutants that are excepted. An exception for what is not there any more is an error, so that the list says what is true.
// Those of packages that this run does not look at are left alone.
func except(exceptions []Exception, mutants []*mutant, packages []string) error {
	for _, e := range exceptions {
		if !slices.Contains(packages, e.Package) {
			continue
		}
		places := e.places(mutants)
		if e.Nth == 0 && len(places) > 1 {
			return fmt.Errorf("exceptions: %s: the text stands there %d times: say with `nth` which one is meant", e, len(places))
		}
		at := max(e.Nth, 1) - 1
		if at >= len(places) {
			return fmt.Errorf("exceptions: %s: it stands there %d times: mend the exception, or take it out", e, len(places))
		}
		for _, kind := range e.Kinds {
			i := slices.IndexFunc(mutants, func(m *mutant) bool { return m.site == places[at] && m.kind == kind })
			if i < 0 {
				return fmt.Errorf("exceptions: %s: there is no such mutant of kind %q", e, kind)
			}
			mutants[i].excepted = e.Reason
		}
		if e.Reason == "" {
			return fmt.Errorf("exceptions: %s: say the reason", e)
		}
	}
	return nil
}

// String names it.
func (e Exception) String() string {
	return fmt.Sprintf("package %q, function %q, `%s`", e.Package, e.Function, e.Source)
}
