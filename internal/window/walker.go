// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window

// walker looks at a window day by day.
type walker struct {
	*window
	clock *clock

	// What it covers of ordinary days, as long as the wall clock has one offset from UTC: most days are like one of the days before.
	offset  int64
	covered [1 << daysAround]*coverage
}

// daysAround are the days on the wall that are, in part, within a day before a day of UTC or in it.
const daysAround = 3

// spanBefore is the latest of its spans that begins before an instant. There may be none, or one that has ended long since.
func (w *walker) spanBefore(instant int64) (span, bool) {
	if w.fixed != nil {
		return *w.fixed, w.fixed.begin < instant
	}
	reached := w.clock.reached(instant)
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
	begin := w.clock.instant(day*secondsOfDay + int64(minute)*secondsOfMinute)
	return span{begin, begin + w.duration}, true
}

// active is the span that an instant is in, if it is in one.
func (w *walker) active(instant int64) (span, bool) {
	latest, found := w.spanBefore(instant + 1)
	return latest, found && latest.contains(instant)
}

// cover adds what it covers of the day of UTC that begins at an instant.
func (w *walker) cover(midnight int64, covered *coverage) {
	if w.fixed != nil {
		covered.addSpan(w.fixed.begin-midnight, w.fixed.end-midnight)
		return
	}
	current := w.clock.season(midnight)
	if !w.isOrdinary(midnight, current) {
		w.coverDay(midnight, covered)
		return
	}
	if w.offset != current.offset {
		w.offset, w.covered = current.offset, [1 << daysAround]*coverage{}
	}
	kind := w.firesAround(midnight, current.offset)
	if w.covered[kind] == nil {
		w.covered[kind] = &coverage{}
		w.coverDay(midnight, w.covered[kind])
	}
	covered.add(w.covered[kind])
}

// isOrdinary tells whether all that covers a day begins within a day before or in it, and the wall clock was not changed for long.
func (w *walker) isOrdinary(midnight int64, current season) bool {
	return w.duration <= secondsOfDay && current.begin <= midnight-2*farthestOffset-secondsOfDay && current.end >= midnight+secondsOfDay
}

// firesAround has a bit for each of the days around: all that the coverage of an ordinary day depends on.
func (w *walker) firesAround(midnight, offset int64) int {
	first, fires := floorDivide(midnight-secondsOfDay+offset, secondsOfDay), 0
	for i := range daysAround {
		if w.schedule.matchesDay(first + int64(i)) {
			fires |= 1 << i
		}
	}
	return fires
}

func (w *walker) coverDay(midnight int64, covered *coverage) {
	end := midnight + secondsOfDay
	if earlier, found := w.spanBefore(midnight); found {
		if earlier.end >= end {
			covered.addAll()
			return
		}
		covered.addSpan(0, earlier.end-midnight)
	}
	for begin := midnight; begin < end; {
		current := w.clock.season(begin)
		w.coverSeason(midnight, span{begin, min(current.end, end)}, current.offset, covered)
		begin = current.end
	}
}

// coverSeason adds what begins in a part of a day in which the wall clock has one offset from UTC.
func (w *walker) coverSeason(midnight int64, part span, offset int64, covered *coverage) {
	reached, now := w.clock.reached(part.begin), part.begin+offset
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
