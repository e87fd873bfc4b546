// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// recoveries remembers since when Environments that are said to be unhealthy have been healthy again. A new process begins to count anew.
type recoveries struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]time.Time
}

func newRecoveries() *recoveries { return &recoveries{byKey: map[types.NamespacedName]time.Time{}} }

// since when it has been healthy again: since now, if it was not the last time.
func (r *recoveries) since(key types.NamespacedName, now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, found := r.byKey[key]; !found {
		r.byKey[key] = now
	}
	return r.byKey[key]
}

// forget that it has become healthy: it has not, or that has been said.
func (r *recoveries) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byKey, key)
}
