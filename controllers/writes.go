// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// writes remembers which version of an object this process wrote last, until the cache has it. Working on an older one would
// end in a conflict, after work in vain. It saves work and decides nothing: the API server refuses a write to an old version.
type writes struct {
	mu   sync.Mutex
	last map[types.UID]string
}

func newWrites() *writes { return &writes{last: map[types.UID]string{}} }

// wrote remembers an object as the API server returned it.
func (w *writes) wrote(object client.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last[object.GetUID()] = object.GetResourceVersion()
}

// ahead says whether this process wrote a newer version than this one from the cache. The newer one is on its way, and its
// event brings the reconciler back.
func (w *writes) ahead(cached client.Object) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, found := w.last[cached.GetUID()]
	if !found {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(cached.GetResourceVersion(), last)
	if err == nil && order < 0 {
		return true
	}
	delete(w.last, cached.GetUID())
	return false
}
