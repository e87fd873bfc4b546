// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// timers ring for objects that wait for a time: the opening of a window, the end of a soak. There is one timer at most for each object,
// by the same clock that the decisions are made by.
type timers struct {
	clock clock.WithDelayedExecution
	ring  func(types.NamespacedName)

	mu    sync.Mutex
	byKey map[types.NamespacedName]*timer
}

type timer struct {
	at    time.Time
	timer clock.Timer
}

func newTimers(passing clock.WithDelayedExecution, ring func(types.NamespacedName)) *timers {
	return &timers{clock: passing, ring: ring, byKey: map[types.NamespacedName]*timer{}}
}

// set the only timer of an object; zero for none.
func (t *timers) set(key types.NamespacedName, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.replace(key, after)
}

// sooner sets the timer of an object, unless it rings before that anyway; zero changes nothing.
func (t *timers) sooner(key types.NamespacedName, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if previous := t.byKey[key]; after > 0 && (previous == nil || t.clock.Now().Add(after).Before(previous.at)) {
		t.replace(key, after)
	}
}

// replace the timer of an object. The caller holds the lock.
func (t *timers) replace(key types.NamespacedName, after time.Duration) {
	if previous := t.byKey[key]; previous != nil {
		previous.timer.Stop()
		delete(t.byKey, key)
	}
	if after <= 0 {
		return
	}
	next := &timer{at: t.clock.Now().Add(after)}
	t.byKey[key] = next
	// Not in the clock's own goroutine: a clock may hold its lock while it calls, and waits for it in set.
	next.timer = t.clock.AfterFunc(after, func() { go t.fire(key, next) })
}

// fire rings, unless another timer has taken this one's place.
func (t *timers) fire(key types.NamespacedName, fired *timer) {
	t.mu.Lock()
	current := t.byKey[key] == fired
	if current {
		delete(t.byKey, key)
	}
	t.mu.Unlock()
	if current {
		t.ring(key)
	}
}
