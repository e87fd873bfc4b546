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

// set the only timer of an object: it rings so long after the time that was looked at, even if that is over by now; zero for none.
func (t *timers) set(key types.NamespacedName, from time.Time, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(key)
	if after > 0 {
		t.add(key, from.Add(after))
	}
}

// sooner sets the timer of an object, unless it rings before that anyway; zero changes nothing.
func (t *timers) sooner(key types.NamespacedName, from time.Time, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := from.Add(after)
	if previous := t.byKey[key]; after > 0 && (previous == nil || at.Before(previous.at)) {
		t.drop(key)
		t.add(key, at)
	}
}

// soon is sooner, from now on.
func (t *timers) soon(key types.NamespacedName, after time.Duration) {
	t.sooner(key, t.clock.Now(), after)
}

// stop the timer of an object.
func (t *timers) stop(key types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(key)
}

// drop the timer of an object. The caller holds the lock.
func (t *timers) drop(key types.NamespacedName) {
	if previous := t.byKey[key]; previous != nil {
		previous.timer.Stop()
		delete(t.byKey, key)
	}
}

// add a timer to an object that has none. The caller holds the lock.
func (t *timers) add(key types.NamespacedName, at time.Time) {
	next := &timer{at: at}
	t.byKey[key] = next
	// Not in the clock's own goroutine: a clock may hold its lock while it calls, and waits for it in set.
	ring := func() { go t.fire(key, next) }
	next.timer = t.clock.AfterFunc(at.Sub(t.clock.Now()), ring)
	if !t.clock.Now().Before(at) { // it was over already, or the clock was set meanwhile
		ring()
	}
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
