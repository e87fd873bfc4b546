// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/clock"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Expected is an object that a rollout has applied.
type Expected struct {
	// Ref names the object, Kind with the version that it was applied in.
	Ref  v1alpha1.ObjectReference
	Kind schema.GroupVersionKind
	// UID and Generation are what the API server returned when it was applied: an older observation does not count. Without a UID, any object of that
	// name counts, as it is: that is for what was applied long ago, and may have been changed or made anew since.
	UID        types.UID
	Generation int64
	// ResourceVersion is the one that the API server returned then; empty if it is not known. Watching begins with what is not older.
	ResourceVersion string
}

// Report is how far a rollout has become healthy. It is healthy as a whole when Healthy equals Total.
type Report struct {
	// Healthy of Total objects.
	Healthy, Total int
	// Failing are the objects that are not healthy, in the order in which they were given, and what each waits for.
	Failing []v1alpha1.FailingObject
	// Failed says that at least one of them has given up: it will not become healthy by waiting.
	Failed bool
	// Unseen says that nobody has looked at some of the failing ones yet: whether they are there is not known.
	Unseen bool
}

// Tracker watches the objects of the rollouts in progress, and nothing else. It is safe for concurrent use.
type Tracker struct {
	operator dynamic.Interface
	mapper   meta.RESTMapper
	clock    clock.WithDelayedExecution
	notify   func(types.NamespacedName)

	mutex    sync.Mutex
	rollouts map[types.NamespacedName]*rollout
	watches  map[watchKey]*sharedWatch
}

// NewTracker makes a Tracker that reads as the operator. It calls notify with a promotion when the health of one of its objects has changed,
// and not again until the promotion's Report has been taken; notify must not block. By the timer it begins to watch what workloads consist of.
func NewTracker(operator dynamic.Interface, mapper meta.RESTMapper, timer clock.WithDelayedExecution, notify func(promotion types.NamespacedName)) *Tracker {
	return &Tracker{
		operator: operator, mapper: mapper, clock: timer, notify: notify,
		rollouts: map[types.NamespacedName]*rollout{}, watches: map[watchKey]*sharedWatch{},
	}
}

// Start ends all watches when the context ends. It makes the Tracker a part of the operator's manager.
func (t *Tracker) Start(ctx context.Context) error {
	<-ctx.Done()
	t.mutex.Lock()
	promotions := slices.Collect(maps.Keys(t.rollouts))
	t.mutex.Unlock()
	for _, promotion := range promotions {
		t.Stop(promotion)
	}
	return nil
}

// Track begins to watch the objects of a promotion's rollout. The reader is the deployer's client, for kinds that the operator may not read.
// Tracking the same objects again changes nothing; tracking others replaces them. The error says that a kind is not known to the cluster.
func (t *Tracker) Track(promotion types.NamespacedName, objects []Expected, reader dynamic.Interface) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	previous := t.rollouts[promotion]
	if previous != nil && reflect.DeepEqual(previous.expected, objects) {
		return nil
	}
	next, err := t.newRollout(promotion, objects, reader)
	if err != nil {
		return err
	}
	// The new watches are taken before the old ones are given back, so that those which both need go on.
	t.rollouts[promotion] = next
	t.release(previous)
	if next.consistsOfMore() {
		next.later = t.clock.AfterFunc(explainAfter, func() { t.lookCloser(next) })
	}
	return nil
}

// Report tells how healthy a promotion's objects are now; false when it is not tracked.
func (t *Tracker) Report(promotion types.NamespacedName) (Report, bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	tracked := t.rollouts[promotion]
	if tracked == nil {
		return Report{}, false
	}
	tracked.notified = false
	return tracked.report(), true
}

// Stop ends the watches that only this promotion needs.
func (t *Tracker) Stop(promotion types.NamespacedName) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	tracked := t.rollouts[promotion]
	delete(t.rollouts, promotion)
	t.release(tracked)
}
