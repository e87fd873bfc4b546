// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/google/cel-go/cel"
)

const (
	// maxMessage and maxExcerpt bound what an error holds, in characters, so that it fits into a status.
	maxMessage = 300
	maxExcerpt = 40
)

// Error says why an expression cannot be used, and points into it.
type Error struct {
	// Message says what is wrong.
	Message string
	// Line and Column of the place, in characters, both from 1 on. They are 0 when the whole expression is meant.
	Line, Column int
	// Excerpt is the expression from that place on, at most 40 characters of that line.
	Excerpt string
}

// Error is one line: the message, the place, and what stands there.
func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return e.Message
	case e.Excerpt == "":
		return fmt.Sprintf("%s (line %d, column %d, at the end of the line)", e.Message, e.Line, e.Column)
	default:
		return fmt.Sprintf("%s (line %d, column %d): %s", e.Message, e.Line, e.Column, e.Excerpt)
	}
}

// whole is an error about the expression as a whole.
func whole(format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...)}
}

// firstIssue is the first of what the compiler found, in the order of the text: the others are often its consequences.
func firstIssue(source string, issues *cel.Issues) *Error {
	found := issues.Errors()
	if len(found) == 0 {
		return whole("%s", oneLine(issues.String(), maxMessage))
	}
	first := slices.MinFunc(found, func(a, b *cel.Error) int {
		return cmp.Or(cmp.Compare(a.Location.Line(), b.Location.Line()), cmp.Compare(a.Location.Column(), b.Location.Column()))
	})
	return at(source, first.Location.Line(), first.Location.Column(), plain(first.Message))
}

// plain leaves out of CEL's messages what says nothing to people: these expressions have no containers, their types belong to one package,
// and what the grammar would have allowed is a long list.
func plain(message string) string {
	message, _, _ = strings.Cut(message, " expecting {")
	if strings.HasSuffix(message, "'(double, int)'") || strings.HasSuffix(message, "'(int, double)'") {
		message += ": write the whole number with its point, such as 1.0"
	}
	return strings.NewReplacer(" (in container '')", "", "expression.", "", "invalid matches argument", "invalid regular expression (RE2)").Replace(message)
}

// at makes an error that points into the source; the column counts from 0 on, as CEL's do.
func at(source string, line, column int, message string) *Error {
	made := &Error{Message: oneLine(message, maxMessage)}
	lines := strings.Split(source, "\n")
	if line < 1 || line > len(lines) || column < 0 {
		return made
	}
	made.Line, made.Column = line, column+1
	if characters := []rune(lines[line-1]); column < len(characters) {
		made.Excerpt = oneLine(string(characters[column:]), maxExcerpt)
	}
	return made
}

// oneLine makes a text fit for one line of a status: no control characters, at most so many characters.
func oneLine(text string, limit int) string {
	characters := []rune(strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)))
	if len(characters) > limit {
		return string(characters[:limit]) + "…"
	}
	return string(characters)
}
