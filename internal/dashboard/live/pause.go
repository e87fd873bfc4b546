// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is how long to wait before something that fails again and again.
type backoff struct {
	first, most time.Duration
	waits       time.Duration
}

// next is twice as long as the one before, up to the most; a part of it is left to chance, so that not all come back at once.
func (b *backoff) next() time.Duration {
	b.waits = min(max(b.first, 2*b.waits), b.most)
	return b.waits/2 + jitter(b.waits/2)
}

func (b *backoff) reset() { b.waits = 0 }

func jitter(most time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(most) + 1)) //nolint:gosec // it only spreads requests
}

// rest for a time, or until the context ends.
func (h *Hub) rest(ctx context.Context, length time.Duration) {
	if length <= 0 {
		return
	}
	timer := h.clock.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C():
	}
}
