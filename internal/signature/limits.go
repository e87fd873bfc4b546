// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import "time"

// Limits bound what a verification may cost. A limit that is zero has its default.
type Limits struct {
	// Bundles that are looked at for one digest, default 32.
	Bundles int
	// BundleBytes of one bundle, default 1 MiB.
	BundleBytes int64
	// Timeout of the verification of one digest, default 30 seconds.
	Timeout time.Duration
	// Concurrent verifications of one list of images, default 4.
	Concurrent int
	// Remembered verifications, default 4,096, of some 200 bytes each.
	Remembered int
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Bundles:     orDefault(l.Bundles, 32),
		BundleBytes: orDefault(l.BundleBytes, 1<<20),
		Timeout:     orDefault(l.Timeout, 30*time.Second),
		Concurrent:  orDefault(l.Concurrent, 4),
		Remembered:  orDefault(l.Remembered, 4096),
	}
}

func orDefault[T int | int64 | time.Duration](value, byDefault T) T {
	if value <= 0 {
		return byDefault
	}
	return value
}
