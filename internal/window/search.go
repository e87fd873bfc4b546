// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"cmp"
	"slices"
	"time"
)

// horizon is how far a search goes: past two leap days.
const horizon = 8 * 366 * secondsOfDay

// search looks for changes of a Policy. It remembers what it has seen, so that a Policy itself can be used by many at once.
type search struct {
	allow, freeze []walker
}

func (p *Policy) search() *search {
	clocks := make([]clock, len(p.locations))
	for i, location := range p.locations {
		clocks[i].location = location
	}
	walkers := func(windows []window) []walker {
		walkers := make([]walker, len(windows))
		for i := range windows {
			walkers[i].window, walkers[i].clock = &windows[i], &clocks[windows[i].zone]
		}
		return walkers
	}
	return &search{allow: walkers(p.allow), freeze: walkers(p.freeze)}
}

// next is the first instant, not before from, at which the windows are open, or closed.
func (s *search) next(from int64, open bool) (int64, bool) {
	if open {
		from = s.afterFixedFreezes(from)
	}
	for midnight := floorDivide(from, secondsOfDay) * secondsOfDay; midnight < from+horizon; midnight += secondsOfDay {
		candidates := s.candidates(midnight, open)
		for minute := candidates.first(minutesUntil(from + 1 - secondsOfMinute - midnight)); minute >= 0; minute = candidates.first(minute + 1) {
			begin := midnight + int64(minute)*secondsOfMinute
			if found, ok := s.nextWithin(span{max(from, begin), begin + secondsOfMinute}, open); ok {
				return found, true
			}
		}
	}
	return 0, false
}

// afterFixedFreezes is the first instant, not before from, at which no fixed freeze is active, however far that is.
func (s *search) afterFixedFreezes(from int64) int64 {
	for range s.freeze {
		for i := range s.freeze {
			if fixed := s.freeze[i].fixed; fixed != nil && fixed.contains(from) {
				from = fixed.end
			}
		}
	}
	return from
}

// candidates are the minutes of a day that may have an instant at which the windows are open, or closed. All others surely have none.
func (s *search) candidates(midnight int64, open bool) minutes {
	allowed := s.allowed(midnight)
	if open {
		return s.touchedAndNotFrozen(midnight, allowed.touched)
	}
	var found minutes
	found.addAll()
	found.remove(&allowed.whole)
	var frozen coverage
	for i := range s.freeze {
		s.freeze[i].cover(midnight, &frozen)
	}
	found.add(&frozen.touched)
	return found
}

func (s *search) allowed(midnight int64) coverage {
	var allowed coverage
	if len(s.allow) == 0 {
		allowed.addAll()
	}
	for i := range s.allow {
		s.allow[i].cover(midnight, &allowed)
	}
	return allowed
}

// touchedAndNotFrozen looks at no more freezes than are needed to find out that nothing is left.
func (s *search) touchedAndNotFrozen(midnight int64, left minutes) minutes {
	for i := range s.freeze {
		if left.isEmpty() {
			break
		}
		var frozen coverage
		s.freeze[i].cover(midnight, &frozen)
		left.remove(&frozen.whole)
	}
	return left
}

// nextWithin is the first instant of a minute, or of a part of it, at which the windows are open, or closed.
func (s *search) nextWithin(part span, open bool) (int64, bool) {
	allow := spansWithin(s.allow, part)
	freeze := spansWithin(s.freeze, part)
	instants := []int64{part.begin}
	for _, each := range slices.Concat(allow, freeze) {
		instants = append(instants, each.begin, each.end)
	}
	slices.Sort(instants)
	for _, instant := range slices.Compact(instants) {
		contains := func(each span) bool { return each.contains(instant) }
		isOpen := (len(s.allow) == 0 || slices.ContainsFunc(allow, contains)) && !slices.ContainsFunc(freeze, contains)
		if part.contains(instant) && isOpen == open {
			return instant, true
		}
	}
	return 0, false
}

// spansWithin are the spans of windows that a part of a minute is in, or a part of it.
func spansWithin(windows []walker, part span) []span {
	var spans []span
	for i := range windows {
		instant := part.end
		for instant > part.begin {
			found, ok := windows[i].spanBefore(instant)
			if !ok || found.end <= part.begin {
				break
			}
			spans = append(spans, found)
			instant = found.begin
		}
	}
	return spans
}

// endOf is when a window that is active at an instant ends, with all that begins before it has ended.
func endOf(w *walker, from int64) (int64, bool) {
	if w.fixed != nil {
		return w.fixed.end, true
	}
	if w.duration >= secondsOfDay {
		return endOfLong(w, from)
	}
	alone := search{allow: []walker{{window: w.window, clock: w.clock}}}
	return alone.next(from, false)
}

// endOfLong goes from span to span, each of which lasts for days.
func endOfLong(w *walker, from int64) (int64, bool) {
	for instant := from; instant < from+horizon; {
		latest, found := w.active(instant)
		if !found {
			return instant, true
		}
		instant = latest.end
	}
	return 0, false
}

// lastFreeze is the freeze that is active at an instant and ends last, and when; the end is zero if that is beyond the horizon.
func (s *search) lastFreeze(instant int64) (last *walker, end time.Time) {
	var lastEnd int64
	for i := range s.freeze {
		freeze := &s.freeze[i]
		if _, active := freeze.active(instant); !active {
			continue
		}
		ends, found := endOf(freeze, instant)
		if !found {
			return freeze, time.Time{}
		}
		if last == nil || cmp.Less(lastEnd, ends) {
			last, lastEnd = freeze, ends
		}
	}
	if last == nil {
		return nil, time.Time{}
	}
	return last, time.Unix(lastEnd, 0).UTC()
}
