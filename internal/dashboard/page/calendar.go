// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"slices"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/window"
)

const (
	// calendarDays are how many days a calendar shows, from today on.
	calendarDays = 14
	// mostTurns is how often windows may open or close in it: more than any calendar that could be read has.
	mostTurns   = 2000
	minutesADay = 24 * 60
)

// calendarState says whether a rollout may start.
type calendarState string

const (
	calendarOpen   calendarState = "open"
	calendarFrozen calendarState = "frozen"
	calendarClosed calendarState = "closed"
)

// calendar is when rollouts may start in the next days, in a time zone.
type calendar struct {
	// Zone is the name of the time zone that it is in, and Zones says that windows name others as well.
	Zone  string
	Zones bool
	Days  []calendarDay
	// Any says that there are no windows: a rollout may start at any time.
	Any bool
	// Problems are why the windows cannot be carried out.
	Problems []string
}

// calendarDay is one day of a calendar, by the clock on the wall.
type calendarDay struct {
	Label string
	Spans []calendarSpan
}

// calendarSpan is a part of a day, in minutes since it began.
type calendarSpan struct {
	State calendarState
	// At and Width are minutes.
	At, Width int
	// From and To are times on the wall, such as 09:00.
	From, To string
	// Reason of a freeze.
	Reason string
}

// calendarOf is made of the windows by the package that judges them at the start of a rollout, and so says the same.
func calendarOf(policy v1alpha1.WindowPolicy, now time.Time) calendar {
	if len(policy.Allow) == 0 && len(policy.Freeze) == 0 {
		return calendar{Any: true}
	}
	allow, problems := window.Parse(v1alpha1.WindowPolicy{Allow: policy.Allow})
	freeze, more := window.Parse(v1alpha1.WindowPolicy{Freeze: policy.Freeze})
	shown := calendar{}
	for _, problem := range slices.Concat(problems, more) {
		shown.Problems = append(shown.Problems, problem.Field+" "+problem.Message)
	}
	if len(shown.Problems) > 0 {
		return shown
	}
	var zone *time.Location
	shown.Zone, shown.Zones, zone = calendarZone(policy)
	local := now.In(zone)
	begin := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)
	end := begin.AddDate(0, 0, calendarDays)
	allowed, frozen := turnsOf(allow, begin, end), turnsOf(freeze, begin, end)
	for day := range calendarDays {
		from, to := begin.AddDate(0, 0, day), begin.AddDate(0, 0, day+1)
		shown.Days = append(shown.Days, calendarDay{Label: from.Format("Mon 2 Jan"), Spans: spansOf(allowed, frozen, from, to)})
	}
	return shown
}

// calendarZone is the time zone of the first window that recurs; fixed windows carry their own times.
func calendarZone(policy v1alpha1.WindowPolicy) (name string, several bool, zone *time.Location) {
	for _, each := range slices.Concat(policy.Allow, policy.Freeze) {
		if each.Schedule == "" {
			continue
		}
		of := cmp.Or(each.TimeZone, "UTC")
		several = several || (name != "" && name != of)
		name = cmp.Or(name, of)
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" {
		return "UTC", several, time.UTC
	}
	return name, several, zone
}

// turn is a time from which on a policy is open, or closed.
type turn struct {
	at     time.Time
	open   bool
	reason string
}

// turnsOf a policy from a time on, which is the first of them.
func turnsOf(policy *window.Policy, begin, end time.Time) []turn {
	var turns []turn
	for at := begin; len(turns) < mostTurns; {
		verdict := policy.At(at)
		this := turn{at: at, open: verdict.Open}
		next := verdict.Opens
		if verdict.Open {
			next = verdict.Closes
		}
		if verdict.Freeze != nil {
			this.reason = verdict.Freeze.Reason
		}
		turns = append(turns, this)
		if !next.After(at) || !next.Before(end) { // zero, where it stays so
			break
		}
		at = next
	}
	return turns
}

// turnAt is the one that holds at a time.
func turnAt(turns []turn, at time.Time) turn {
	next := slices.IndexFunc(turns, func(t turn) bool { return t.at.After(at) })
	if next < 0 {
		return turns[len(turns)-1]
	}
	return turns[max(0, next-1)]
}

// spansOf a day: from each turn to the next. Those that are alike are one.
func spansOf(allowed, frozen []turn, from, to time.Time) []calendarSpan {
	cuts := []time.Time{from}
	for _, each := range slices.Concat(allowed, frozen) {
		if each.at.After(from) && each.at.Before(to) {
			cuts = append(cuts, each.at.In(from.Location()))
		}
	}
	slices.SortFunc(cuts, time.Time.Compare)
	cuts = append(slices.CompactFunc(cuts, time.Time.Equal), to)
	var spans []calendarSpan
	for i := range len(cuts) - 1 {
		span := calendarSpan{State: calendarOpen, At: wall(cuts[i]), From: cuts[i].Format("15:04"), To: cuts[i+1].Format("15:04")}
		end := wall(cuts[i+1])
		if i == len(cuts)-2 {
			end, span.To = minutesADay, "24:00"
		}
		if freeze := turnAt(frozen, cuts[i]); !freeze.open {
			span.State, span.Reason = calendarFrozen, freeze.reason
		} else if !turnAt(allowed, cuts[i]).open {
			span.State = calendarClosed
		}
		// An hour that the clock shows twice takes no more room than any other.
		span.Width = max(0, end-span.At)
		if last := len(spans) - 1; last >= 0 && spans[last].State == span.State && spans[last].Reason == span.Reason {
			spans[last].To, spans[last].Width = span.To, spans[last].Width+span.Width
			continue
		}
		spans = append(spans, span)
	}
	return spans
}

// wall is the minute of the day that the clock on the wall shows.
func wall(at time.Time) int { return at.Hour()*60 + at.Minute() }

// Words say of a day when rollouts may start; the picture beside them shows no more.
func (d calendarDay) Words() []string {
	var words []string
	for _, span := range d.Spans {
		whole := span.Width == minutesADay
		switch {
		case span.State == calendarFrozen:
			text := "frozen " + span.From + "–" + span.To
			if whole {
				text = "frozen"
			}
			if span.Reason != "" {
				text += ": " + span.Reason
			}
			words = append(words, text)
		case span.State == calendarOpen && whole:
			words = append(words, "all day")
		case span.State == calendarOpen:
			words = append(words, span.From+"–"+span.To)
		}
	}
	if len(words) == 0 {
		return []string{"closed"}
	}
	return words
}
