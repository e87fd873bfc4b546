// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// RetryAfter is how long a cluster that could not be reached is left alone.
const RetryAfter = 15 * time.Second

// memory of why a cluster could not be reached.
type memory struct {
	clock clock.PassiveClock

	mutex sync.Mutex
	// problem is nil while the cluster answers, as far as is known.
	problem *Error
	// until when the problem is taken to last.
	until time.Time
	// trying says that one request is finding out whether it still does.
	trying bool
}

// enter says whether a request may be made: not while the problem is remembered, and after that by one at a time. Whoever may has to leave again.
func (m *memory) enter() (trial bool, err error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	switch {
	case m.problem == nil:
		return false, nil
	case m.trying || m.clock.Now().Before(m.until):
		return false, m.problem
	}
	m.trying = true
	return true, nil
}

// recall is the problem that is remembered, for those who would only ask whether there is one; nil when it is time to try again.
func (m *memory) recall() *Error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.problem != nil && m.clock.Now().Before(m.until) {
		return m.problem
	}
	return nil
}

// outcome of a request, as far as reaching the cluster goes.
type outcome int

const (
	// unknown: the request ended for a reason of its own.
	unknown outcome = iota
	// answered: the cluster can be reached.
	answered
	// failed: it cannot.
	failed
)

// leave takes note of how a request went.
func (m *memory) leave(trial bool, how outcome, problem *Error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if trial {
		m.trying = false
	}
	switch how {
	case answered:
		m.problem = nil
	case failed:
		m.problem, m.until = problem, m.clock.Now().Add(RetryAfter)
	case unknown:
	}
}
