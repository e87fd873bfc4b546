// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/health"
)

// rollout is what this process knows of a started promotion. All of it can be found out again: a new process reads the
// history, renders and compares.
type rollout struct {
	uid     types.UID
	intent  *v1alpha1.AuditRecord
	outcome *v1alpha1.AuditRecord
	// overridden and acknowledged say that the use of an override, and that somebody has taken note of it, are on record.
	overridden, acknowledged bool
	// back says that the rollout has failed, and that what follows is of what ran before.
	back bool
	// rendering of the plan; without objects until they have been rendered, and once they have all been applied.
	Rendering
	// refs name the objects; empty until they have been rendered.
	refs []v1alpha1.ObjectReference
	// where they are applied; nil before anything was.
	where *place
	// waves of the objects, of which so many have been applied; watched are the objects that were, for their health.
	waves, wave int
	watched     []health.Expected
	// failure that no retry mends.
	failure string
	// trouble that is being tried again.
	trouble string
	// prunes are left to delete.
	prunes []v1alpha1.ObjectReference
	// progressTime is when progress was last written to status.
	progressTime time.Time
}

// applied says that every object has been applied.
func (r *rollout) applied() bool { return r.waves > 0 && r.wave == r.waves }

// wayBack is what is known of a rollout that has failed once it goes back.
func (r *rollout) wayBack() *rollout {
	return &rollout{uid: r.uid, intent: r.intent, outcome: r.outcome, overridden: r.overridden, acknowledged: r.acknowledged, back: true}
}

// rollouts are the started promotions that this process works on.
type rollouts struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]*rollout
}

func newRollouts() *rollouts { return &rollouts{byKey: map[types.NamespacedName]*rollout{}} }

// get the rollout of a promotion; nil if this process has none.
func (r *rollouts) get(key types.NamespacedName, uid types.UID) *rollout {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found := r.byKey[key]; found != nil && found.uid == uid {
		return found
	}
	return nil
}

// of a promotion that may be gone, so that its UID is not known any more; nil if this process has none.
func (r *rollouts) of(key types.NamespacedName) *rollout {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byKey[key]
}

func (r *rollouts) put(key types.NamespacedName, rollout *rollout) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byKey[key] = rollout
}

func (r *rollouts) drop(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byKey, key)
}

// locks holds one lock for each key that somebody wants.
type locks struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]*lock
}

type lock struct {
	sync.Mutex
	wanted int
}

func newLocks() *locks { return &locks{byKey: map[types.NamespacedName]*lock{}} }

// lock waits for the key and returns what frees it.
func (l *locks) lock(key types.NamespacedName) (unlock func()) {
	l.mu.Lock()
	entry, found := l.byKey[key]
	if !found {
		entry = &lock{}
		l.byKey[key] = entry
	}
	entry.wanted++
	l.mu.Unlock()
	entry.Lock()
	return func() {
		entry.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if entry.wanted--; entry.wanted == 0 {
			delete(l.byKey, key)
		}
	}
}
