// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window

import "github.com/assent-dev/assent/api/v1alpha1"

// span is a time from begin, inclusive, to end, exclusive, in seconds since 1970.
type span struct{ begin, end int64 }

func (s span) contains(instant int64) bool { return s.begin <= instant && instant < s.end }

// window is one of a Policy, parsed.
type window struct {
	source v1alpha1.Window
	zone   int // which of the Policy's locations its times are said in

	fixed *span // nil if it recurs

	schedule cron
	duration int64 // seconds
}

// coverage is what one or more windows cover of a day of UTC.
type coverage struct {
	whole   minutes // that are covered from their first to their last second
	touched minutes // that may be covered in part
}

func (c *coverage) addAll() {
	c.whole.addAll()
	c.touched.addAll()
}

func (c *coverage) add(other *coverage) {
	c.whole.add(&other.whole)
	c.touched.add(&other.touched)
}

// addSpan adds a span in seconds since the day began.
func (c *coverage) addSpan(begin, end int64) {
	begin, end = max(begin, 0), min(end, secondsOfDay)
	c.whole.addRange(int((begin+secondsOfMinute-1)/secondsOfMinute), int(end/secondsOfMinute))
	c.touched.addRange(int(begin/secondsOfMinute), int((end+secondsOfMinute-1)/secondsOfMinute))
}

// beginsBetween tells whether the schedule names a wall time from one, inclusive, to another, exclusive.
func (w *window) beginsBetween(from, to int64) bool {
	for day := floorDivide(from, secondsOfDay); day*secondsOfDay < to; day++ {
		minute := w.schedule.minutes.first(minutesUntil(from - day*secondsOfDay))
		if minute >= 0 && day*secondsOfDay+int64(minute)*secondsOfMinute < to && w.schedule.matchesDay(day) {
			return true
		}
	}
	return false
}

// minutesUntil is how many minutes of a day begin before so many of its seconds have passed.
func minutesUntil(seconds int64) int {
	return int((min(max(seconds, 0), secondsOfDay) + secondsOfMinute - 1) / secondsOfMinute)
}

func floorDivide(a, b int64) int64 {
	quotient := a / b
	if a%b < 0 {
		quotient--
	}
	return quotient
}
