// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"strings"
	"unicode"
)

// Visible spells out the characters that reorder or hide text on a screen, or that a terminal obeys, so that a text reads the way it is. Lines and tabs stay.
// What is visible already comes back as it is.
func Visible(text string) string {
	if !strings.ContainsFunc(text, deceiving) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		switch {
		case !deceiving(r):
			out.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&out, "\\U%08x", r)
		default:
			fmt.Fprintf(&out, "\\u%04x", r)
		}
	}
	return out.String()
}

func deceiving(r rune) bool {
	if unicode.IsControl(r) {
		return r != '\n' && r != '\t'
	}
	// Format characters, and the separators that some programs show as the end of a line, others as nothing, and YAML as either.
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}
