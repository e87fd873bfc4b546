// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// sourceOf is a package of one file, gate.go.
func sourceOf(t *testing.T, text string) *source {
	t.Helper()
	fset := token.NewFileSet()
	text = "package gate\n" + text
	tree, err := parser.ParseFile(fset, "gate.go", text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	p := &source{
		path: "example.org/gate", short: "gate", fset: fset, imports: importer.Default(), files: []*sourceFile{{name: "gate.go", text: []byte(text), tree: tree}},
		info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}},
	}
	if p.types, err = (&types.Config{}).Check(p.path, fset, []*ast.File{tree}, p.info); err != nil {
		t.Fatal(err)
	}
	return p
}

// summary is a site's mutants as `source: kind kind`.
func summary(m *mutated) []string {
	var all []string
	for _, site := range m.sites {
		kinds := make([]string, 0, len(site.kinds))
		for _, kind := range site.kinds {
			kinds = append(kinds, string(kind))
		}
		if len(kinds) > 0 {
			all = append(all, fmt.Sprintf("%s: %s", site.source, strings.Join(kinds, " ")))
		}
	}
	return all
}

func TestConditionsAreWrappedWhereTheyStand(t *testing.T) {
	for _, test := range []struct {
		name, text, becomes string
		mutants             []string
	}{
		{
			name: "an if", text: "func f(a int) int { if a > 1 { return 1 }; return 2 }",
			becomes: "func f(a int) int { if mutantTurn(1, a > 1) { return 1 }; return 2 }",
			mutants: []string{"a > 1: true false inverted"},
		},
		{
			name: "both operands of an `and`, beyond what the whole does", text: "func f(a, b bool) bool { return a && b }",
			becomes: "func f(a, b bool) bool { return mutantTurn(1, mutantTurn(2, a) && mutantTurn(3, b)) }",
			mutants: []string{"a && b: true false inverted", "a: true inverted", "b: true inverted"},
		},
		{
			name: "both operands of an `or` in parentheses", text: "func f(a, b, c bool) bool { return c && (a || b) }",
			becomes: "func f(a, b, c bool) bool { return mutantTurn(1, mutantTurn(2, c) && (mutantTurn(3, mutantTurn(4, a) || mutantTurn(5, b)))) }",
			mutants: []string{"c && (a || b): true false inverted", "c: true inverted", "a || b: true inverted", "a: false inverted", "b: false inverted"},
		},
		{
			name: "a negation, once", text: "func f(a bool) int { if !a { return 1 }; return 2 }",
			becomes: "func f(a bool) int { if mutantTurn(1, !a) { return 1 }; return 2 }",
			mutants: []string{"!a: true false inverted"},
		},
		{
			name: "a comparison that is given on", text: "func f(g func(bool) int, a int) { _ = g(a == 1) }",
			becomes: "func f(g func(bool) int, a int) { _ = g(mutantTurn(1, a == 1)) }",
			mutants: []string{"a == 1: true false inverted"},
		},
		{
			name: "over several lines, without another one", text: "func f(a, b bool) int {\n\tif a &&\n\t\tb {\n\t\treturn 1\n\t}\n\treturn 2\n}",
			becomes: "func f(a, b bool) int {\n\tif mutantTurn(1, mutantTurn(2, a) &&\n\t\tmutantTurn(3, b)) {\n\t\treturn 1\n\t}\n\treturn 2\n}",
			mutants: []string{"a && b: true false inverted", "a: true inverted", "b: true inverted"},
		},
		{
			name: "nothing about constants and texts", text: "const on = true\nfunc f(a string) (string, bool) { if on { return a, true }; return a + \"b\", false }",
			becomes: "const on = true\nfunc f(a string) (string, bool) { if on { return a, true }; return a + \"b\", false }",
		},
		{
			name: "the cases of a switch over conditions", text: "func f(a int) int { switch { case a > 1, a < -1: return 1; default: return 2 } }",
			becomes: "func f(a int) int { switch { case mutantTurn(1, a > 1), mutantTurn(2, a < -1): return 1; default: return 2 } }",
			mutants: []string{"a > 1: true false inverted", "a < -1: true false inverted"},
		},
		{
			name: "the cases of a switch over a name", text: "func f(a string) int { switch a { case \"b\", \"c\": return 1 }; return 2 }",
			becomes: "func f(a string) int { switch  { case mutantTurn(1, a == (\"b\")), mutantTurn(2, a == (\"c\")): return 1 }; return 2 }",
			mutants: []string{"case \"b\": true false", "case \"c\": true false"},
		},
		{
			name: "the cases of a switch over what has to be found first", text: "func f(a func() int) int { switch a() { case 1: return 1 }; return 2 }",
			becomes: "func f(a func() int) int { switch mutantValue47 := a();  { case mutantTurn(1, mutantValue47 == (1)): return 1 }; return 2 }",
			mutants: []string{"case 1: true false"},
		},
		{
			name: "no cases that do nothing", text: "func f(a int) int { switch a { case 1: return 1; case 2: }; return 2 }",
			becomes: "func f(a int) int { switch  { case mutantTurn(1, a == (1)): return 1; case mutantTurn(2, a == (2)): }; return 2 }",
			mutants: []string{"case 1: true false"},
		},
		{
			name: "no cases that do what is done without them", text: "func f(a int) int { switch a { case 1, 2: return 1; case 3: return 2 }; return 2 }",
			becomes: "func f(a int) int { switch  { case mutantTurn(1, a == (1)), mutantTurn(2, a == (2)): return 1; case mutantTurn(3, a == (3)): return 2 }; return 2 }",
			mutants: []string{"case 1: true false", "case 2: true false"},
		},
		{
			name: "what adds to a list", text: "func f(a []int) []int { a = append(a, 1); return a }",
			becomes: "func f(a []int) []int { if mutantKeeps(1) { a = append(a, 1) }; return a }",
			mutants: []string{"a = append(a, 1): dropped"},
		},
		{
			name: "calls of the module's own functions", text: "func f() { g(); panic(1) }\nfunc g() {}",
			becomes: "func f() { if mutantKeeps(1) { g() }; panic(1) }\nfunc g() {}",
			mutants: []string{"g(): dropped"},
		},
		{
			name: "in a variable and in a function within", text: "var f = func(a int) bool { return a == 1 }",
			becomes: "var f = func(a int) bool { return mutantTurn(1, a == 1) }",
			mutants: []string{"a == 1: true false inverted"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := mutate(sourceOf(t, test.text), []Entry{{Package: "gate"}})
			if err != nil {
				t.Fatal(err)
			}
			becomes := m.texts["gate.go"]
			if len(m.sites) == 0 {
				becomes = string(m.files[0].text)
			}
			if becomes != "package gate\n"+test.becomes {
				t.Errorf("became\n%s\nand not\n%s", becomes, test.becomes)
			}
			if found := summary(m); !slices.Equal(found, test.mutants) {
				t.Errorf("found\n%s\nand not\n%s", strings.Join(found, "\n"), strings.Join(test.mutants, "\n"))
			}
		})
	}
}

func TestWhatCannotBeChangedIsSaid(t *testing.T) {
	m, err := mutate(sourceOf(t, "type answer bool\nfunc f(a answer) int { if a { return 1 }; return 2 }"), []Entry{{Package: "gate"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.sites) > 0 || len(m.leftOut) != 1 || !strings.Contains(m.leftOut[0], "gate/gate.go:3 f: `a`") {
		t.Errorf("left out %q", m.leftOut)
	}
}

func TestOnlyTheFilesAndFunctionsInScopeAreMutated(t *testing.T) {
	p := sourceOf(t, "func f(a int) bool { return a == 1 }\ntype T struct{}\nfunc (*T) f(a int) bool { return a == 2 }")
	m, err := mutate(p, []Entry{{Package: "gate", Files: map[string][]string{"gate.go": {"T.f"}, "other.go": nil}}})
	if err != nil {
		t.Fatal(err)
	}
	if found := summary(m); !slices.Equal(found, []string{"a == 2: true false inverted"}) {
		t.Errorf("found %q", found)
	}
	for _, entry := range []Entry{
		{Package: "gate", Files: map[string][]string{"other.go": nil}},
		{Package: "gate", Files: map[string][]string{"gate.go": {"f"}}},
	} {
		if entry.missing(m) == nil {
			t.Errorf("a scope that names what is not there passes: %v", entry.Files)
		}
	}
}
