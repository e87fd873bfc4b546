// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/internal/plan"
)

// mostNames is how many users or groups a blocker names; the API's bound.
const mostNames = 16

// moment is a time as messages show it.
func moment(at time.Time) string { return at.UTC().Format("Monday 2006-01-02 15:04:05 MST") }

// span is a length of time as messages show it: 1h30m, and not 1h30m0s.
func span(length time.Duration) string {
	text := length.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func sentence(parts []string) string { return strings.Join(parts, "; ") }

// named are the names that a blocker can list, without repetition.
func named(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), mostNames)]
}

// quoted names, at most five, with a word in between.
func quoted(names []string, word string) string {
	const most = 5
	var parts []string
	for i, name := range names {
		if i == most {
			parts = append(parts, fmt.Sprintf("%d more", len(names)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%q", name))
	}
	return strings.Join(parts, " "+word+" ")
}

// clip keeps a message within the bounds of the API. The API server would store invalid UTF-8 as something else, and
// every comparison with it would find a change.
func clip(message string) string {
	const most = 1900
	return Clip(message, most+len(" …"))
}

// Clip keeps a message within a number of bytes, and free of what people cannot see: it may quote what anybody wrote.
func Clip(message string, most int) string {
	message = plan.Visible(strings.ToValidUTF8(message, "\uFFFD"))
	if len(message) <= most {
		return message
	}
	cut := most - len(" …")
	for cut > 0 && message[cut]&0xC0 == 0x80 { // not in the middle of a rune
		cut--
	}
	return message[:cut] + " …"
}
