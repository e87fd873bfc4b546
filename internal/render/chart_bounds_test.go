// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"slices"
	"time"
)

var farAway = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)

func contains(all []string, one string) bool { return slices.Contains(all, one) }
