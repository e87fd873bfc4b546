// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestANoteFitsIntoAnEvent(t *testing.T) {
	for _, message := range []string{"short", strings.Repeat("a", 1024), strings.Repeat("ü", 1024), strings.Repeat("🎉", 500)} {
		got := note(message)
		if len(got) > 1024 || !utf8.ValidString(got) || (len(message) <= 1024 && got != message) {
			t.Errorf("a message of %d bytes became a note of %d: %q", len(message), len(got), got)
		}
	}
}
