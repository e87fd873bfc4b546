// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"math"
	"time"

	"github.com/assent-dev/assent/internal/dashboard/insight"
)

// The place that pictures are drawn in, in a view box of 320 by 108 with room for the scales.
const (
	chartLeft, chartRight = 34, 318
	chartTop, chartBottom = 8, 92
)

// chartLine of a picture, with what it stands for.
type chartLine struct {
	Y    string
	Text string
}

// chartBar is a bucket. The marked part stands at its foot.
type chartBar struct {
	X, Width, Y, Height, MarkedY, MarkedHeight string
	Marked                                     bool
}

type barChart struct {
	Bars []chartBar
	Grid []chartLine
}

// chartDot is an event that took its time.
type chartDot struct{ X, Y string }

type dotChart struct {
	Dots []chartDot
	Grid []chartLine
	// Median is where its line is; empty where there is none.
	Median string
	// More is how many events have no dot.
	More int
}

// coordinate in a picture.
func coordinate(number float64) string { return fmt.Sprintf("%.1f", number) }

// barsOf the buckets of a figure.
func barsOf(figure insight.Figure) *barChart {
	highest := 0
	for _, bucket := range figure.Buckets {
		highest = max(highest, bucket.Total)
	}
	if highest == 0 {
		return nil
	}
	top := niceTop(highest)
	unit := float64(chartBottom-chartTop) / float64(top)
	step := float64(chartRight-chartLeft) / float64(len(figure.Buckets))
	chart := &barChart{Grid: []chartLine{{coordinate(chartTop), fmt.Sprint(top)}}}
	if top%2 == 0 {
		chart.Grid = append(chart.Grid, chartLine{coordinate(chartTop + float64(top/2)*unit), fmt.Sprint(top / 2)})
	}
	for i, bucket := range figure.Buckets {
		if bucket.Total == 0 {
			continue
		}
		height, marked := float64(bucket.Total)*unit, float64(bucket.Marked)*unit
		chart.Bars = append(chart.Bars, chartBar{
			X: coordinate(chartLeft + (float64(i)+0.12)*step), Width: coordinate(step * 0.76), Y: coordinate(chartBottom - height), Height: coordinate(height),
			MarkedY: coordinate(chartBottom - marked), MarkedHeight: coordinate(marked), Marked: bucket.Marked > 0,
		})
	}
	return chart
}

// niceTop is a round number that a scale ends at.
func niceTop(highest int) int {
	for power := 1; ; power *= 10 {
		for _, of := range []int{1, 2, 4, 6, 10} {
			if of*power >= highest {
				return of * power
			}
		}
	}
}

// mostDots that a picture has.
const mostDots = 300

// spanMarks are the spans that a scale of time names.
var spanMarks = []struct {
	of   time.Duration
	text string
}{
	{time.Minute, "1 min"}, {10 * time.Minute, "10 min"}, {time.Hour, "1 h"}, {6 * time.Hour, "6 h"}, {24 * time.Hour, "1 d"}, {7 * 24 * time.Hour, "7 d"},
	{30 * 24 * time.Hour, "30 d"}, {365 * 24 * time.Hour, "1 y"},
}

// dotsOf the events of a figure. The scale is logarithmic: minutes and weeks stand beside each other.
func dotsOf(figure insight.Figure, from, to time.Time) *dotChart {
	if len(figure.Events) == 0 {
		return nil
	}
	longest := 10 * time.Minute
	for _, event := range figure.Events {
		longest = max(longest, event.Took)
	}
	high := func(took time.Duration) float64 {
		share := math.Log1p(took.Minutes()) / math.Log1p(longest.Minutes()*1.15)
		return chartBottom - share*(chartBottom-chartTop)
	}
	chart := &dotChart{}
	events := figure.Events
	if len(events) > mostDots {
		chart.More, events = len(events)-mostDots, events[len(events)-mostDots:]
	}
	for _, event := range events {
		share := float64(event.At.Sub(from)) / float64(to.Sub(from))
		chart.Dots = append(chart.Dots, chartDot{coordinate(chartLeft + 4 + share*(chartRight-chartLeft-8)), coordinate(high(event.Took))})
	}
	last := float64(chartBottom)
	for _, mark := range spanMarks {
		if y := high(mark.of); mark.of <= longest && last-y >= 13 && y >= chartTop {
			chart.Grid, last = append(chart.Grid, chartLine{coordinate(y), mark.text}), y
		}
	}
	if figure.Now.Enough {
		chart.Median = coordinate(high(figure.Now.Median))
	}
	return chart
}
