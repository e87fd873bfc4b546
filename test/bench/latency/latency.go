// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package latency measures one promotion: how long it takes from the approval on, and how many writes.
//
// Everything is timed by the API server's audit log, where there are requests to time: from the moment at which the approval was answered to that at which
// the last object was. The operator rests while the others are measured.
package latency

import (
	"github.com/assent-dev/assent/test/bench/scene"
)

// Benchmarks of this package.
func Benchmarks() []scene.Benchmark {
	return []scene.Benchmark{
		{ID: "B1", Title: "approval to last object visible, 50 objects", Run: lastObject},
		{ID: "B2", Title: "approval to ready, 10 Deployments", Run: ready},
		{ID: "B4", Title: "writes of the operator for each promotion", Run: writes},
		{ID: "B7", Title: "the guard's cost on an approval", Run: guard},
		{ID: "B10", Title: "1,000 objects in one promotion", Run: thousand},
	}
}
