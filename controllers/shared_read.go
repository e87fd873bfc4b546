// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"sync"
	"time"
)

// sharedReadTimeout ends a read that hangs; whoever waited tries again.
const sharedReadTimeout = 30 * time.Second

// sharedRead makes one read answer all who ask for the same at about the same time. Nobody is given what was read before they asked: who asks
// while a read is under way waits for the next one, which begins when that has ended. So a live read stays a live read, and a thousand
// promotions that start at once cost one read after the other, not a thousand beside each other.
type sharedRead[T any] struct {
	read func(context.Context) (T, error)

	mu      sync.Mutex
	busy    bool
	waiting *answer[T]
}

// answer is what a read has found, once it is ready.
type answer[T any] struct {
	ready chan struct{}
	value T
	err   error
}

func newSharedRead[T any](read func(context.Context) (T, error)) *sharedRead[T] {
	return &sharedRead[T]{read: read}
}

// get what a read finds that begins now or later. The context ends the wait, not the read: others wait for it too.
func (s *sharedRead[T]) get(ctx context.Context) (T, error) {
	wanted := s.join(ctx)
	select {
	case <-wanted.ready:
		return wanted.value, wanted.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (s *sharedRead[T]) join(ctx context.Context) *answer[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = &answer[T]{ready: make(chan struct{})}
	}
	wanted := s.waiting
	if !s.busy {
		s.busy = true
		go s.work(context.WithoutCancel(ctx))
	}
	return wanted
}

// work reads until nobody waits.
func (s *sharedRead[T]) work(ctx context.Context) {
	for {
		s.mu.Lock()
		wanted := s.waiting
		s.waiting, s.busy = nil, wanted != nil
		s.mu.Unlock()
		if wanted == nil {
			return
		}
		s.answer(ctx, wanted)
	}
}

// answer all who wait. One read that hangs must not hold them, and those after them, for ever.
func (s *sharedRead[T]) answer(ctx context.Context, wanted *answer[T]) {
	ctx, cancel := context.WithTimeout(ctx, sharedReadTimeout)
	defer cancel()
	wanted.value, wanted.err = s.read(ctx)
	close(wanted.ready)
}
