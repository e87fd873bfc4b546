// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"fmt"
	"math"
	"slices"
)

// Contender is who or what a value was measured of.
type Contender string

const (
	// Assent is the operator, as it is shipped.
	Assent Contender = "assent"
	// Floor is a program that does only what is necessary: nothing that does the same can be faster.
	Floor Contender = "floor"
	// Kubectl is `kubectl apply --server-side`.
	Kubectl Contender = "kubectl apply"
	// Helm is `helm upgrade --install --wait`.
	Helm Contender = "helm upgrade"
)

// Unit of a value.
type Unit string

const (
	// Milliseconds of wall-clock time.
	Milliseconds Unit = "ms"
	// Mebibytes of memory: 1,048,576 bytes each.
	Mebibytes Unit = "MiB"
	// Writes to the API server.
	Writes Unit = "writes"
	// Requests to the API server, reads included.
	Requests Unit = "requests"
	// PercentOfCore is processor time over wall-clock time, of one core.
	PercentOfCore Unit = "% of a core"
	// Times is one value over another.
	Times Unit = "x"
	// Count of anything else; the benchmark's text says of what.
	Count Unit = ""
)

// Series is the values of one contender, one for each run, in the order of the runs.
type Series struct {
	Contender Contender `json:"contender"`
	Values    []float64 `json:"values"`
}

// Spread sums values up.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	// MAD is the median of the absolute deviations from the median: how far a usual value is from the middle.
	MAD float64 `json:"mad"`
}

// SpreadOf sums values up; of none, everything is not a number.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{Median: math.NaN(), Min: math.NaN(), Max: math.NaN(), MAD: math.NaN()}
	}
	middle := Quantile(values, 0.5)
	deviations := make([]float64, len(values))
	for i, value := range values {
		deviations[i] = math.Abs(value - middle)
	}
	return Spread{Median: middle, Min: slices.Min(values), Max: slices.Max(values), MAD: Quantile(deviations, 0.5)}
}

// Quantile of values, from 0 for the least to 1 for the greatest; between two values it is taken on the straight line between them.
func Quantile(values []float64, at float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	place := at * float64(len(sorted)-1)
	below := int(math.Floor(place))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (sorted[above]-sorted[below])*(place-float64(below))
}

// String shows the median with its range and deviation.
func (s Spread) String() string {
	return fmt.Sprintf("%s (%s to %s, ±%s)", Number(s.Median), Number(s.Min), Number(s.Max), Number(s.MAD))
}

// Number shows a value with three significant digits, and no more than whole numbers from 100 on.
func Number(value float64) string {
	switch size := math.Abs(value); {
	case math.IsNaN(value):
		return "–"
	case value == math.Trunc(value) || size >= 100:
		return fmt.Sprintf("%.0f", value)
	case size >= 10:
		return fmt.Sprintf("%.1f", value)
	default:
		return fmt.Sprintf("%.2f", value)
	}
}
