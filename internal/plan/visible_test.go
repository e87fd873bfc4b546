// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"testing"

	"github.com/assent-dev/assent/internal/plan"
)

func TestWhatCannotBeSeenIsSpelledOut(t *testing.T) {
	for text, want := range map[string]string{
		"a sentence, über zwei\n\tZeilen: 日本 👍": "a sentence, über zwei\n\tZeilen: 日本 👍",
		"a\x1b[31mred\x07\r\x00\x7f":            `a\u001b[31mred\u0007\u000d\u0000\u007f`,
		"\u202eabc\u2066":                       `\u202eabc\u2066`,
		"a\u200bb\ufeffc\u00ad":                 `a\u200bb\ufeffc\u00ad`,
		"a\u2028b\u0085c":                       `a\u2028b\u0085c`,
		"tag\U000e0041":                         `tag\U000e0041`,
	} {
		got := plan.Visible(text)
		if got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
		if again := plan.Visible(got); again != got {
			t.Errorf("what is visible is shown as %q, and then as %q", got, again)
		}
	}
}
