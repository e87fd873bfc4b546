// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

// Style is how text is set off. Without colours nothing is.
type Style struct {
	Colours bool
}

func (s Style) with(code, text string) string {
	if !s.Colours || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold is for names and headings.
func (s Style) Bold(text string) string { return s.with("1", text) }

// Good is for what has come true and what is added.
func (s Style) Good(text string) string { return s.with("32", text) }

// Bad is for what has failed and what is taken away.
func (s Style) Bad(text string) string { return s.with("31", text) }

// Waiting is for what waits.
func (s Style) Waiting(text string) string { return s.with("33", text) }

// Place is for where in a diff a change is.
func (s Style) Place(text string) string { return s.with("36", text) }
