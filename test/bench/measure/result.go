// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"fmt"
	"slices"
)

// Result is what one case of one benchmark has measured.
type Result struct {
	// Benchmark is its short name, such as B1.
	Benchmark string `json:"benchmark"`
	// Case tells several results of a benchmark apart, such as creating and updating; empty where there is one.
	Case string `json:"case,omitempty"`
	// What was measured, in words.
	What string `json:"what"`
	// Unit of the values.
	Unit Unit `json:"unit"`
	// Series of each contender. They have equally many values: the i-th of each are of the same run.
	Series []Series `json:"series"`
	// Notes that belong to the figures, as sentences.
	Notes []string `json:"notes,omitempty"`
}

// Name of the result: the benchmark's, with its case.
func (r Result) Name() string {
	if r.Case == "" {
		return r.Benchmark
	}
	return r.Benchmark + " " + r.Case
}

// Of are the values of a contender; false if it was not measured.
func (r Result) Of(contender Contender) ([]float64, bool) {
	i := slices.IndexFunc(r.Series, func(s Series) bool { return s.Contender == contender })
	if i < 0 {
		return nil, false
	}
	return r.Series[i].Values, true
}

// Ratios of a contender's values to another's, run by run.
func (r Result) Ratios(of, to Contender) ([]float64, error) {
	return r.pair(of, to, func(a, b float64) float64 { return a / b })
}

// Differences of a contender's values from another's, run by run, in the result's unit.
func (r Result) Differences(of, from Contender) ([]float64, error) {
	return r.pair(of, from, func(a, b float64) float64 { return a - b })
}

func (r Result) pair(of, with Contender, compare func(a, b float64) float64) ([]float64, error) {
	ours, found := r.Of(of)
	theirs, foundToo := r.Of(with)
	if !found || !foundToo || len(ours) != len(theirs) || len(ours) == 0 {
		return nil, fmt.Errorf("%s has no pairs of %q and %q: %d and %d values", r.Name(), of, with, len(ours), len(theirs))
	}
	compared := make([]float64, len(ours))
	for i := range ours {
		compared[i] = compare(ours[i], theirs[i])
	}
	return compared, nil
}
