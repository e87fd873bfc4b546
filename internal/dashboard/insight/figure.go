// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"math"
	"slices"
	"time"
)

// Enough is how many events a share or a time rests on at least.
const Enough = 5

const (
	day = 24 * time.Hour
	// week is what a frequency is said for; it rests on a day less at least, since today is not over.
	week = 7 * day
)

// Kind of figure.
type Kind string

// The figures, as the package's comment defines them.
const (
	Frequency   Kind = "frequency"
	LeadTime    Kind = "lead-time"
	FailureRate Kind = "failure-rate"
	Restore     Kind = "restore"
	Approve     Kind = "approve"
	Override    Kind = "override"
)

// Kinds in the order in which they are shown.
var Kinds = []Kind{Frequency, LeadTime, FailureRate, Restore, Approve, Override}

// Event is one thing that a figure counts.
type Event struct {
	Place
	Promotion, Release, Version string
	At                          time.Time
	// Took is how long it took, in figures that are times.
	Took time.Duration
	// Marked says that it counts for the share, in figures that are shares.
	Marked bool
}

// Figure of a period.
type Figure struct {
	Kind        Kind
	Now, Before Measure
	// Events of the period, the oldest first.
	Events []Event
	// Buckets of the period, the oldest first.
	Buckets []Bucket
	// Missing are events of the period whose beginning is not known, which are in no number. Open are incidents that nothing has ended yet.
	Missing, Open int
}

// Measure of the events of a period.
type Measure struct {
	// Events that it rests on, and how many of them are Marked.
	Events, Marked int
	// Enough says that the rest can be said.
	Enough bool
	// Rate is how many there are for each week, or the share of those that are marked, from 0 to 1.
	Rate float64
	// Median, and what nine of ten did not exceed.
	Median, Most time.Duration
}

// Bucket is a part of a period, from its beginning to before its end.
type Bucket struct {
	From, To      time.Time
	Total, Marked int
}

// period of time, from its beginning to before its end.
type period struct {
	from, to time.Time
	// until is how far it has come: its end, or now.
	until time.Time
	// known is since when anything is known; zero where nothing is.
	known time.Time
}

func (p period) holds(at time.Time) bool { return !at.Before(p.from) && at.Before(p.to) }

// spans is how long of it is known.
func (p period) spans() time.Duration {
	if p.known.IsZero() {
		return 0
	}
	from := p.from
	if p.known.After(from) {
		from = p.known
	}
	return max(0, p.until.Sub(from))
}

// of a period, the events.
func (p period) of(events []Event) []Event {
	var found []Event
	for _, event := range events {
		if p.holds(event.At) {
			found = append(found, event)
		}
	}
	slices.SortStableFunc(found, func(a, b Event) int { return a.At.Compare(b.At) })
	return found
}

// measure events of a period.
func (k Kind) measure(events []Event, of period) Measure {
	found := Measure{Events: len(events)}
	for _, event := range events {
		if event.Marked {
			found.Marked++
		}
	}
	switch k {
	case Frequency:
		spans := of.spans()
		if found.Enough = spans > 0 && spans >= min(week, of.to.Sub(of.from))-day; found.Enough {
			found.Rate = float64(found.Events) / (float64(spans) / float64(week))
		}
	case FailureRate, Override:
		if found.Enough = found.Events >= Enough; found.Enough {
			found.Rate = float64(found.Marked) / float64(found.Events)
		}
	case LeadTime, Restore, Approve:
		if found.Enough = found.Events >= Enough; found.Enough {
			found.Median, found.Most = ranked(events, 0.5), ranked(events, 0.9)
		}
	}
	return found
}

// ranked is the smallest span that a share of the events did not exceed.
func ranked(events []Event, share float64) time.Duration {
	spans := make([]time.Duration, 0, len(events))
	for _, event := range events {
		spans = append(spans, event.Took)
	}
	slices.Sort(spans)
	return spans[int(math.Ceil(share*float64(len(spans))))-1]
}

// most buckets that a period is cut into; a shorter one has a bucket for each day.
const mostBuckets = 30

// buckets of a period.
func (p period) buckets(events []Event, days int) []Bucket {
	count := min(days, mostBuckets)
	each := p.to.Sub(p.from) / time.Duration(count)
	found := make([]Bucket, count)
	for i := range found {
		found[i].From = p.from.Add(time.Duration(i) * each)
		found[i].To = found[i].From.Add(each)
	}
	found[count-1].To = p.to
	for _, event := range events {
		at := min(int(event.At.Sub(p.from)/each), count-1)
		found[at].Total++
		if event.Marked {
			found[at].Marked++
		}
	}
	return found
}
