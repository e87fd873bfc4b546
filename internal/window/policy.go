// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package window judges when a rollout may start: inside of an allow window, if there are any, and outside of every freeze.
//
// A recurring window is a cron expression, a duration and a time zone. It begins when the clock on the wall of that zone first shows a time that the
// expression names or, where daylight saving skips that time, when the clock jumps over it. A time that is shown twice begins it once, the first time. It
// lasts for the seconds of its duration, whatever the clock does. Windows of one schedule may overlap; they are then one.
//
//	the wall clock       what begins
//	01:59 -> 03:00       "30 2 * * *" begins at 03:00
//	02:59 -> 02:00       "30 2 * * *" has begun half an hour before, and does not begin again half an hour later
//
// Both follow from one rule. Let reached(t) be the highest time that the wall clock has shown before t. Then a window that is named w has begun before t if
// w < reached(t), and it begins at the first t for which the wall clock shows w or more. The cron libraries at hand do it otherwise: they skip times that
// do not exist, or begin twice, and one of them reads "day of month and day of week" as both. So this package reads the expressions itself.
//
// The next opening is looked for day by day of UTC, for eight years. Of each day every window says which minutes it covers as a whole, and which it touches,
// as sets of bits that are made from its schedule's minutes by shifting; so the effort does not depend on how often a window begins. A minute that may be
// open (touched by an allow window, not wholly frozen) is then looked at exactly, to the second.
package window

import (
	"time"

	// The operator runs from an image without a time zone database.
	_ "time/tzdata"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Policy is the parsed windows of an Environment. It does not change and may be used by many at once. The zero Policy and nil are always open.
type Policy struct {
	allow, freeze []window
	locations     []*time.Location
}

// Verdict is whether a rollout may start at a time.
type Verdict struct {
	// Open tells whether a rollout may start.
	Open bool
	// Freeze is the active freeze that ends last, the first of them if several do. It is nil if none is active: if it is closed nevertheless, it is because
	// no allow window is open.
	Freeze *v1alpha1.Window
	// Opens is when a rollout may start next. It is zero if it is open, and if that is never, or not in the next eight years.
	// It stays the same until then.
	Opens time.Time
	// Closes is when no rollout may start any more. It is zero if it is closed, and if that is never, or not in the next eight years.
	Closes time.Time

	freezeEnds time.Time // zero if never
	// In which the sentence says the times: that of the freeze for its end, that of the window that opens or closes for the others.
	freezeZone, zone *time.Location
}

// At judges a time, to the second.
func (p *Policy) At(t time.Time) Verdict {
	if p == nil || (len(p.allow) == 0 && len(p.freeze) == 0) {
		return Verdict{Open: true}
	}
	s, now := p.search(), t.Unix()
	if _, open := s.nextWithin(span{now, now + 1}, true); open {
		verdict := Verdict{Open: true, zone: zoneOf(s.allow, now)}
		if closes, found := s.next(now, false); found {
			verdict.Closes = time.Unix(closes, 0).UTC()
			if len(p.allow) == 0 {
				verdict.zone = zoneOf(s.freeze, closes)
			}
		}
		return verdict
	}
	verdict := Verdict{zone: time.UTC}
	if freeze, ends := s.lastFreeze(now); freeze != nil {
		verdict.Freeze, verdict.freezeEnds, verdict.freezeZone = freeze.source.DeepCopy(), ends, freeze.clock.location
		verdict.zone = verdict.freezeZone
	}
	if opens, found := s.next(now, true); found {
		verdict.Opens = time.Unix(opens, 0).UTC()
		if len(p.allow) > 0 {
			verdict.zone = zoneOf(s.allow, opens)
		}
	}
	return verdict
}

// zoneOf is the time zone of the first of some windows that is active at an instant.
func zoneOf(windows []walker, instant int64) *time.Location {
	for i := range windows {
		if _, active := windows[i].active(instant); active {
			return windows[i].clock.location
		}
	}
	return time.UTC
}

// Message says why it is closed and until when, or until when it is open, in the time zone of the window concerned. It depends on nothing but the Verdict's
// times, so it stays the same as long as they do.
func (v Verdict) Message() string {
	switch {
	case v.Open && v.Closes.IsZero():
		return "the windows are open"
	case v.Open:
		return "the windows are open until " + show(v.Closes, v.zone)
	case v.Freeze != nil:
		return v.freezeMessage()
	case v.Opens.IsZero():
		return "outside the allow windows, and none opens in the next eight years; change `spec.windows`"
	default:
		return "outside the allow windows; the next opens " + show(v.Opens, v.zone)
	}
}

func (v Verdict) freezeMessage() string {
	reason := ""
	if v.Freeze.Reason != "" {
		reason = ": " + v.Freeze.Reason
	}
	switch {
	case v.Opens.IsZero():
		return "a freeze lasts" + reason + "; no opening follows in the next eight years; change `spec.windows`"
	case v.freezeEnds.IsZero() || v.Opens.Equal(v.freezeEnds):
		return "a freeze lasts until " + show(v.Opens, v.freezeZone) + reason
	default:
		return "a freeze lasts until " + show(v.freezeEnds, v.freezeZone) + reason + "; the next opening is " + show(v.Opens, v.zone)
	}
}

// show writes a time to the minute, or to the second if it is not at the beginning of one.
func show(t time.Time, zone *time.Location) string {
	layout := "Monday 2006-01-02 15:04 MST"
	if t.Second() != 0 {
		layout = "Monday 2006-01-02 15:04:05 MST"
	}
	if zone == nil { // in a Verdict that was not made by At
		zone = time.UTC
	}
	return t.In(zone).Format(layout)
}
