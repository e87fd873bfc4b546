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
	// Times that the text stands in the function, where that is not once: the exception is for all of them.
	Times int `json:"times,omitempty"`
	// Reason why nobody has to notice.
	Reason string `json:"reason"`
}

// Exceptions by name.
type Exceptions struct {
	Exceptions []Exception `json:"exceptions"`
}

func (e Exception) matches(m *mutant) bool {
	return e.Package == m.in.short && e.Function == m.site.function && e.Source == m.site.source && slices.Contains(e.Kinds, m.kind)
}

// except marks the mutants that are excepted. An exception for what is not there any more is an error, so that the list says what is true.
// Those of packages that this run does not look at are left alone.
func except(exceptions []Exception, mutants []*mutant, packages []string) error {
	for _, e := range exceptions {
		if !slices.Contains(packages, e.Package) {
			continue
		}
		found := 0
		for _, m := range mutants {
			if e.matches(m) {
				m.excepted = e.Reason
				found++
			}
		}
		if want := max(e.Times, 1) * len(e.Kinds); found != want {
			return fmt.Errorf("exceptions: package %q, function %q, `%s`, %v: there are %d such mutants, and not %d: mend the exception, or take it out",
				e.Package, e.Function, e.Source, e.Kinds, found, want)
		}
		if e.Reason == "" {
			return fmt.Errorf("exceptions: package %q, function %q, `%s`: say the reason", e.Package, e.Function, e.Source)
		}
	}
	return nil
}
