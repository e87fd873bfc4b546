// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// expensive are policies that make a search go far, or look at much.
func expensive() map[string]v1alpha1.WindowPolicy {
	many := func(count int, w func(i int) v1alpha1.Window) []v1alpha1.Window {
		var windows []v1alpha1.Window
		for i := range count {
			windows = append(windows, w(i))
		}
		return windows
	}
	office := many(16, func(i int) v1alpha1.Window { return recurring(fmt.Sprintf("%d 9 * * 1-4", i), 8*hour, "Europe/Zurich") })
	return map[string]v1alpha1.WindowPolicy{
		"office hours":                  allow(office[0]),
		"every minute, a year long":     freeze(many(64, func(int) v1alpha1.Window { return recurring("* * * * *", 366*day, "Europe/Zurich") })...),
		"every minute, a minute long":   freeze(many(64, func(int) v1alpha1.Window { return recurring("* * * * *", minute, "Europe/Zurich") })...),
		"each minute by another freeze": freeze(many(60, func(i int) v1alpha1.Window { return recurring(fmt.Sprintf("%d * * * *", i), minute, "Asia/Kathmandu") })...),
		"every other minute":            both(allow(office...), freeze(many(64, func(i int) v1alpha1.Window { return recurring(fmt.Sprintf("%d-59/2 * * * *", i%2), minute, "UTC") })...)),
		"16 allow windows, 64 freezes by night": both(allow(office...), freeze(many(64, func(i int) v1alpha1.Window {
			return recurring(fmt.Sprintf("%d 20 * * *", i%60), 9*hour, "America/New_York")
		})...)),
		"leap days":                             both(allow(many(16, func(i int) v1alpha1.Window { return recurring(fmt.Sprintf("%d 0 29 2 *", i), hour, "UTC") })...), freeze(many(64, func(i int) v1alpha1.Window { return recurring(fmt.Sprintf("%d 0 29 2 *", i%60), 366*day, "UTC") })...)),
		"an allow window that is always frozen": both(allow(office...), freeze(recurring("0 8 * * *", 12*hour, "Europe/Zurich"))),
		"tails of minutes":                      both(allow(recurring("0 * * * *", 90, "UTC")), freeze(recurring("0 * * * *", 100, "UTC"))),
		"fixed freezes":                         freeze(slices.Repeat([]v1alpha1.Window{fixed("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")}, 64)...),
	}
}

func TestNoPolicyIsTooExpensiveToBeJudged(t *testing.T) {
	for name, policy := range expensive() {
		t.Run(name, func(t *testing.T) {
			parsed, began := parse(t, policy), time.Now()
			parsed.At(instant("2026-03-06T20:00:00Z"))
			// It takes milliseconds. Without sets of bits it would be minutes.
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func BenchmarkAt(b *testing.B) {
	at := instant("2026-03-06T20:00:00Z")
	for name, policy := range expensive() {
		parsed := parse(b, policy)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				parsed.At(at)
			}
		})
	}
}
