// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

var seeds = []string{
	"", "true", "plan.changes.exists(c, c.kind == 'NetworkPolicy')", "release.labels[?'x'].orValue('') == ''", "body.items.map(i, i.name).exists(n, n == 'x')",
	"text.matches('^a(b|c)*$')", "[1].map(a, [a, a]).exists(x, x == [1, 1])", "{'a': 1}.a == 1", "expression.plan{objects: 1}.objects == 1", "'\\u00fc' == \"ü\"",
	"b'\\xff' == b''", "timestamp('2026-01-01T00:00:00Z').getHours('Europe/Zurich') > 3", "duration('1h') > duration('1s')", "type(plan) == type(1)",
	"sets.contains(plan.changes.map(c, c.kind), ['a'])", "((((((((1))))))))", "plan.changes.sortBy(c, c.name)[0].name == ''", "@result == 1", "size(result) > 0 && result.all(r, r.value < 0.01)", "math.isNaN(result[0].value)", "a ? b : c", "\x00\n\t// comment",
}

// compiles checks what holds for every expression, whatever is in it: an error is one short line that points into the source.
func compiles(t *testing.T, source string, err error) bool {
	if err == nil {
		return true
	}
	known := (*Error)(nil)
	if !errors.As(err, &known) {
		t.Fatalf("%q: the error is a %T", source, err)
	}
	text := err.Error()
	if strings.ContainsAny(text, "\n\r\t\x00") || !utf8.ValidString(text) || utf8.RuneCountInString(text) > 500 || known.Message == "" {
		t.Fatalf("%q: %q does not fit into a status", source, text)
	}
	lines := strings.Split(source, "\n")
	if known.Line < 0 || known.Line > len(lines) || known.Line > 0 && (known.Column < 1 || known.Column > utf8.RuneCountInString(lines[known.Line-1])+1) {
		t.Fatalf("%q: line %d, column %d is not in it", source, known.Line, known.Column)
	}
	return false
}

// FuzzCompileRule compiles anything, and evaluates what compiles.
func FuzzCompileRule(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		rule, err := CompileRule(source)
		if !compiles(t, source, err) {
			return
		}
		first, firstErr := rule.Applies(asked())
		second, secondErr := rule.Applies(asked())
		if first != second || (firstErr == nil) != (secondErr == nil) || first && firstErr != nil {
			t.Fatalf("%q: %v, %v and then %v, %v", source, first, firstErr, second, secondErr)
		}
	})
}

// FuzzCompileAnswer compiles anything, and evaluates what compiles.
func FuzzCompileAnswer(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		answer, err := CompileAnswer(source)
		if !compiles(t, source, err) {
			return
		}
		first, firstErr := answer.Passes(200, headers, ticket, "text")
		second, secondErr := answer.Passes(200, headers, ticket, "text")
		if first != second || (firstErr == nil) != (secondErr == nil) || first && firstErr != nil {
			t.Fatalf("%q: %v, %v and then %v, %v", source, first, firstErr, second, secondErr)
		}
	})
}

// FuzzCompileMeasurement compiles anything, and evaluates what compiles.
func FuzzCompileMeasurement(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		measurement, err := CompileMeasurement(source)
		if !compiles(t, source, err) {
			return
		}
		for _, result := range [][]Series{measured, unknown, nil} {
			first, firstErr := measurement.Passes(result)
			second, secondErr := measurement.Passes(result)
			if first != second || (firstErr == nil) != (secondErr == nil) || first && firstErr != nil {
				t.Fatalf("%q: %v, %v and then %v, %v", source, first, firstErr, second, secondErr)
			}
		}
	})
}
