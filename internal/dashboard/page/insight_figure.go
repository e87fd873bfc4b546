// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/internal/dashboard/insight"
)

// figureWords are what a figure is called. What it is exactly stands in the comment of package insight.
var figureWords = map[insight.Kind]struct {
	title string
	// event is what it counts, events are several, and marked what of them makes its share.
	event, events, marked string
	// what it is, in a sentence.
	what string
}{
	insight.Frequency:   {"Deployment frequency", "success", "successes", "", "Rollouts that have succeeded, without rollbacks."},
	insight.LeadTime:    {"Lead time", "release", "releases", "", "From the creation of a Release to its first success. The build before it is not in it."},
	insight.FailureRate: {"Change failure rate", "change", "changes", "failed or taken back", "Rollouts that failed, went back by themselves, or were taken back within 24 hours."},
	insight.Restore:     {"Time to restore", "incident", "incidents", "", "From a failure, or the request to roll back, to the next success there."},
	insight.Approve:     {"Time to approve", "decision", "decisions", "", "From the request to the last approval that counted."},
	insight.Override:    {"Override rate", "start", "starts", "with gates opened", "Rollouts that started through gates that an override had opened."},
}

// figureShown is a figure with its picture and its table.
type figureShown struct {
	Kind        insight.Kind
	Title, What string
	Enough      bool
	Value, Most string
	Rests       string
	Comparison  string
	Notes       []string
	Marked      string
	Bars        *barChart
	Dots        *dotChart
	Buckets     []bucketShown
	Events      []eventShown
	MoreEvents  int
	Period      string
}

// bucketShown is a row of the table beside bars.
type bucketShown struct {
	From, To      time.Time
	Days          bool
	Total, Marked int
}

// eventShown is a row of the table beside dots.
type eventShown struct {
	At                                time.Time
	Took                              string
	Application, Environment, Version string
	Promotion, ToPromotion, ToEnv     string
}

// mostEvents is how many are in the table beside a picture.
const mostEvents = 25

func (c Context) figureShown(figure insight.Figure, found insight.Found, days int) figureShown {
	words := figureWords[figure.Kind]
	shown := figureShown{
		Kind: figure.Kind, Title: words.title, What: words.what, Enough: figure.Now.Enough, Value: figureValue(figure.Kind, figure.Now), Marked: words.marked,
		Rests: restsOn(figure), Comparison: compared(figure, days), Period: counted(days, "day"),
	}
	if figure.Kind == insight.Restore && figure.Open > 0 {
		shown.Notes = append(shown.Notes, eventsOf(figure.Kind, figure.Open)+" that nothing has ended yet, in no time above.")
	}
	if figure.Missing > 0 {
		of := map[insight.Kind]string{insight.LeadTime: "whose Release is not there any more", insight.Approve: "whose Promotion is not there any more"}[figure.Kind]
		shown.Notes = append(shown.Notes, fmt.Sprintf("%s %s: nobody knows when it began.", eventsOf(figure.Kind, figure.Missing), of))
	}
	switch figure.Kind {
	case insight.Frequency, insight.FailureRate, insight.Override:
		shown.Bars = barsOf(figure)
		for _, bucket := range figure.Buckets {
			if bucket.Total > 0 {
				shown.Buckets = append(shown.Buckets, bucketShown{bucket.From, bucket.To.Add(-time.Second), bucket.To.Sub(bucket.From) > 24*time.Hour, bucket.Total, bucket.Marked})
			}
		}
	case insight.LeadTime, insight.Restore, insight.Approve:
		if figure.Now.Enough {
			shown.Most = "nine of ten within " + spanText(figure.Now.Most)
		}
		shown.Dots = dotsOf(figure, found.From, found.To)
		for _, event := range slices.Backward(figure.Events) {
			if len(shown.Events) == mostEvents {
				shown.MoreEvents = len(figure.Events) - mostEvents
				break
			}
			shown.Events = append(shown.Events, eventShown{
				At: event.At, Took: spanText(event.Took), Application: event.Application, Environment: event.Environment, Version: event.Version, Promotion: event.Promotion,
				ToPromotion: c.Promotion(event.Project, event.Promotion), ToEnv: c.Environment(event.Project, event.Environment),
			})
		}
	}
	return shown
}

// figureValue is the number, or that there is none.
func figureValue(kind insight.Kind, of insight.Measure) string {
	if !of.Enough {
		return "not enough to say"
	}
	switch kind {
	case insight.Frequency:
		return decimal(of.Rate) + " a week"
	case insight.FailureRate, insight.Override:
		return decimal(100*of.Rate) + " %"
	case insight.LeadTime, insight.Restore, insight.Approve:
	}
	return spanText(of.Median)
}

// decimal number with no more digits than it deserves.
func decimal(number float64) string {
	if number >= 9.95 {
		return fmt.Sprintf("%.0f", number)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", number), ".0")
}

// eventsOf a figure, so many.
func eventsOf(kind insight.Kind, number int) string {
	words := figureWords[kind]
	if number == 1 {
		return "1 " + words.event
	}
	return fmt.Sprintf("%d %s", number, words.events)
}

// restsOn says how many events a number rests on.
func restsOn(figure insight.Figure) string {
	events := eventsOf(figure.Kind, figure.Now.Events)
	switch figure.Kind {
	case insight.FailureRate, insight.Override:
		return fmt.Sprintf("%d of %s", figure.Now.Marked, events)
	case insight.LeadTime, insight.Restore, insight.Approve:
		if figure.Now.Enough {
			return "median of " + events
		}
	case insight.Frequency:
	}
	return events
}

// compared with the period before.
func compared(figure insight.Figure, days int) string {
	before := fmt.Sprintf("the %d days before", days)
	switch {
	case !figure.Before.Enough:
		return "Not enough to say of " + before + "."
	case !figure.Now.Enough:
		return fmt.Sprintf("It was %s in %s.", figureValue(figure.Kind, figure.Before), before)
	}
	if change := changed(figure.Kind, figure.Now, figure.Before); change != "" {
		return fmt.Sprintf("%s in %s.", change, before)
	}
	return fmt.Sprintf("As in %s.", before)
}

// changed says in which direction, and from where; it is empty where people see no difference.
func changed(kind insight.Kind, now, before insight.Measure) string {
	was := figureValue(kind, before)
	a, b := now.Rate, before.Rate
	switch kind {
	case insight.LeadTime, insight.Restore, insight.Approve:
		a, b = float64(now.Median), float64(before.Median)
	case insight.Frequency, insight.FailureRate, insight.Override:
	}
	switch {
	case was == figureValue(kind, now):
		return ""
	case a > b:
		return "▲ Up from " + was
	}
	return "▼ Down from " + was
}
