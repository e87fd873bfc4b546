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
	endless  bool  // whether it begins again at every end, as long as the wall clock is not changed
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

// addSpan adds a span in seconds since the day began.
func (c *coverage) addSpan(begin, end int64) {
	begin, end = max(begin, 0), min(end, secondsOfDay)
	if begin >= end {
		return
	}
	c.whole.addRange(int((begin+secondsOfMinute-1)/secondsOfMinute), int(end/secondsOfMinute))
	c.touched.addRange(int(begin/secondsOfMinute), int((end+secondsOfMinute-1)/secondsOfMinute))
}

// endlessly tells whether a schedule that fires each day leaves no second uncovered.
func endlessly(schedule cron, duration int64) bool {
	if !schedule.everyDay() {
		return false
	}
	first, last := schedule.minutes.first(0), schedule.minutes.last(minutesOfDay)
	if int64(first+minutesOfDay-last)*secondsOfMinute > duration {
		return false
	}
	covered := schedule.minutes.lasting(duration / secondsOfMinute)
	covered.addRange(0, first)
	covered.addRange(last, minutesOfDay)
	var all minutes
	all.addAll()
	return covered == all
}

// spanBefore is the latest of its spans that begins before an instant. There may be none, or one that has ended long since.
func (w *window) spanBefore(c *clock, instant int64) (span, bool) {
	if w.fixed != nil {
		return *w.fixed, w.fixed.begin < instant
	}
	reached := c.reached(instant)
	day := floorDivide(reached, secondsOfDay)
	// What begins earlier has ended, even if the clock was changed in between.
	oldest := day - w.duration/secondsOfDay - 2*farthestOffset/secondsOfDay
	minute := w.schedule.minutes.last(minutesUntil(reached - day*secondsOfDay))
	if minute < 0 || !w.schedule.matchesDay(day) {
		var found bool
		if day, found = w.schedule.dayBefore(day, oldest); !found {
			return span{}, false
		}
		minute = w.schedule.minutes.last(minutesOfDay)
	}
	begin := c.instant(day*secondsOfDay + int64(minute)*secondsOfMinute)
	return span{begin, begin + w.duration}, true
}

// active is the span that an instant is in, if it is in one.
func (w *window) active(c *clock, instant int64) (span, bool) {
	latest, found := w.spanBefore(c, instant+1)
	return latest, found && latest.contains(instant)
}

// cover adds what it covers of the day of UTC that begins at an instant.
func (w *window) cover(c *clock, midnight int64, covered *coverage) {
	if w.fixed != nil {
		covered.addSpan(w.fixed.begin-midnight, w.fixed.end-midnight)
		return
	}
	end := midnight + secondsOfDay
	if current := c.season(midnight); w.endless && current.begin <= midnight-2*secondsOfDay && end <= current.end {
		covered.addAll()
		return
	}
	if earlier, found := w.spanBefore(c, midnight); found {
		if earlier.end >= end {
			covered.addAll()
			return
		}
		covered.addSpan(0, earlier.end-midnight)
	}
	for begin := midnight; begin < end; {
		current := c.season(begin)
		w.coverSeason(c, midnight, span{begin, min(current.end, end)}, current.offset, covered)
		begin = current.end
	}
}

// coverSeason adds what begins in a part of a day in which the wall clock has one offset from UTC.
func (w *window) coverSeason(c *clock, midnight int64, part span, offset int64, covered *coverage) {
	reached, now := c.reached(part.begin), part.begin+offset
	if w.beginsBetween(reached, now) { // skipped times
		covered.addSpan(part.begin-midnight, part.begin-midnight+w.duration)
	}
	from, to := max(reached, now), part.end+offset
	for day := floorDivide(from, secondsOfDay); day*secondsOfDay < to; day++ {
		if !w.schedule.matchesDay(day) {
			continue
		}
		shift := day*secondsOfDay - offset - midnight
		if shift%secondsOfMinute != 0 { // a historic time zone: too rare to be quick
			covered.touched.addAll()
			continue
		}
		begins := w.schedule.minutes
		if first, last := minutesUntil(from-day*secondsOfDay), minutesUntil(to-day*secondsOfDay); first > 0 || last < minutesOfDay {
			begins.keepRange(first, last)
		}
		begins = begins.shifted(int(shift / secondsOfMinute))
		whole := begins.lasting(w.duration / secondsOfMinute)
		covered.whole.add(&whole)
		if w.duration%secondsOfMinute != 0 {
			whole = begins.lasting(w.duration/secondsOfMinute + 1)
		}
		covered.touched.add(&whole)
	}
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
