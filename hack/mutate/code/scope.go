// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Scope is what is mutated, and what has to notice.
type Scope struct {
	Packages []Entry `json:"packages"`
	// Replace texts in test files while mutants run, such as how long a test waits: a mutant that makes it wait in vain is noticed sooner.
	Replace []Replacement `json:"replace,omitempty"`
}

// Entry is a package in scope.
type Entry struct {
	// Package is its path below the module.
	Package string `json:"package"`
	// Files that are mutated, with the functions; no functions: all of them. No files: the whole package.
	Files map[string][]string `json:"files,omitempty"`
	// Kinds of mutants; none: all. Suites that take seconds for each mutant are better asked for two kinds than for three.
	Kinds []Kind `json:"kinds,omitempty"`
	// Tests that have to notice, in the order in which they are asked.
	Tests []Tests `json:"tests"`
	// Slice says that the short slice in `make test` takes from this package.
	Slice bool `json:"slice,omitempty"`
}

// Tests of a package.
type Tests struct {
	// Package is its path below the module.
	Package string `json:"package"`
	// Without is the name of a test that is not asked, such as one that needs a cluster.
	Without string `json:"without,omitempty"`
	// Suite is the test that runs a Ginkgo suite on a cluster. Empty: the package's tests need none.
	Suite string `json:"suite,omitempty"`
	// Focus is a regular expression for the suite's specs; empty for all.
	Focus string `json:"focus,omitempty"`
}

// Replacement of a text in a file, where it must stand exactly once.
type Replacement struct {
	File string `json:"file"`
	From string `json:"from"`
	To   string `json:"to"`
}

// readYAML reads a file strictly: what it does not know is an error.
func readYAML(path string, into any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (e Entry) has(file, function string) bool {
	functions, named := e.Files[file]
	return len(e.Files) == 0 || named && (len(functions) == 0 || slices.Contains(functions, function))
}

func (e Entry) hasKind(kind Kind) bool {
	return len(e.Kinds) == 0 || slices.Contains(e.Kinds, kind)
}

// missing names the first file or function in scope that the package does not have, or in which there is nothing to mutate.
func (e Entry) missing(m *mutated) error {
	for name, functions := range e.Files {
		in := func(function string) bool {
			return slices.ContainsFunc(m.sites, func(s *site) bool { return s.file.name == name && (function == "" || s.function == function) })
		}
		if !in("") {
			return fmt.Errorf("scope: package %q has nothing to mutate in file %q: take it out, or mend its name", e.Package, name)
		}
		for _, function := range functions {
			if !in(function) {
				return fmt.Errorf("scope: package %q has nothing to mutate in function %q of file %q: take it out, or mend its name", e.Package, function, name)
			}
		}
	}
	return nil
}

// apply a replacement to a file, or to what earlier replacements have made of it.
func (r Replacement) apply(path, text string) (string, error) {
	if text == "" {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		text = string(content)
	}
	if found := strings.Count(text, r.From); found != 1 {
		return "", fmt.Errorf("scope: %q stands %d times in %s: it must stand there once to be replaced", r.From, found, r.File)
	}
	return strings.Replace(text, r.From, r.To, 1), nil
}
