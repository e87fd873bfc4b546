// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"fmt"
	"slices"
)

// Values that one contestant was measured to have in one run, by case. A benchmark with one case uses the empty name.
type Values map[string]float64

// Contestant is somebody to measure.
type Contestant struct {
	// Contender that it is.
	Contender Contender
	// Measure it once. Run counts from 0, which is the one that is thrown away.
	Measure func(ctx context.Context, run int) (Values, error)
}

// Interleave measures each contestant in each run: once to warm everything up, which is thrown away, and then as often as said. The runs begin
// with another contestant each time, so that what one leaves behind burdens the others equally. Progress is told as lines of text.
//
// It returns the series of each case, in the order of the contestants.
func Interleave(ctx context.Context, runs int, progress func(string), contestants ...Contestant) (map[string][]Series, error) {
	measured := map[string][]Series{}
	for run := range runs + 1 {
		for turn := range contestants {
			place := (run + turn) % len(contestants)
			contestant := contestants[place]
			values, err := contestant.Measure(ctx, run)
			if err != nil {
				return nil, fmt.Errorf("run %d of %d of %q: %w", run, runs, contestant.Contender, err)
			}
			progress(fmt.Sprintf("%s %s: %s", runName(run, runs), contestant.Contender, values))
			if run == 0 {
				continue
			}
			for name, value := range values {
				measured[name] = add(measured[name], contestants, place, value)
			}
		}
	}
	for name := range measured {
		measured[name] = slices.DeleteFunc(measured[name], func(s Series) bool { return len(s.Values) == 0 })
	}
	return measured, nil
}

func add(series []Series, contestants []Contestant, place int, value float64) []Series {
	if series == nil {
		for _, contestant := range contestants {
			series = append(series, Series{Contender: contestant.Contender})
		}
	}
	series[place].Values = append(series[place].Values, value)
	return series
}

func runName(run, runs int) string {
	if run == 0 {
		return "warm-up"
	}
	return fmt.Sprintf("run %d of %d", run, runs)
}

// String shows the values by case.
func (v Values) String() string {
	text := ""
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if text != "" {
			text += ", "
		}
		if name != "" {
			text += name + " "
		}
		text += Number(v[name])
	}
	return text
}
