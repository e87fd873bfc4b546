// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/clock"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// rollout is what is known about the objects of one promotion.
type rollout struct {
	promotion types.NamespacedName
	expected  []Expected
	// objects in the order of expected.
	objects []*trackedObject
	// watches that it holds, each once.
	watches []watchKey
	// notified is set from a notification to the next report.
	notified bool
	// later is when its workloads are looked at more closely; nil if that is not to come.
	later clock.Timer
}

// trackedObject is one object of a rollout.
type trackedObject struct {
	Expected
	// watch that brings the object; nil for kinds that are healthy once applied.
	watch *sharedWatch
	// pods and replicaSets bring what the object consists of; nil for other kinds than workloads, and before they have been looked at more closely.
	pods, replicaSets *sharedWatch
	// inherited is the failure that the object showed when it was first seen: it may be that of an earlier rollout.
	inherited string
	observed  bool
	health    objectHealth
}

// newRollout takes the watches that the objects need.
func (t *Tracker) newRollout(promotion types.NamespacedName, expected []Expected, reader dynamic.Interface) (*rollout, error) {
	next := &rollout{promotion: promotion, expected: expected}
	for _, object := range expected {
		tracked := &trackedObject{Expected: object, health: objectHealth{status: healthy}}
		next.objects = append(next.objects, tracked)
		if err := t.watchFor(next, tracked, reader); err != nil {
			t.release(next)
			return nil, fmt.Errorf("watch %s %q: %w", object.Ref.Kind, object.Ref.Name, err)
		}
	}
	for _, tracked := range next.objects {
		tracked.observe()
	}
	return next, nil
}

func (t *Tracker) watchFor(next *rollout, tracked *trackedObject, reader dynamic.Interface) error {
	wants := watchOf(tracked.Kind)
	if wants == noWatch {
		return nil
	}
	mapping, err := t.mapper.RESTMapping(tracked.Kind.GroupKind(), tracked.Kind.Version)
	if err != nil {
		return err
	}
	key := watchKey{resource: mapping.Resource, namespace: tracked.Ref.Namespace}
	client := t.operator
	if wants == deployersWatch {
		// What one deployer may see is nothing to another.
		key.promotion, client = next.promotion, reader
		if tracked.Ref.Namespace == "" {
			// A right to one object by its name is enough to watch that object.
			key.name = tracked.Ref.Name
		}
	}
	tracked.watch = t.acquire(next, key, client, tracked.ResourceVersion)
	if tracked.Kind.Kind == "Job" && wants == operatorsWatch { // what fails at once does so in its pods
		t.acquirePods(next, tracked)
	}
	return nil
}

// explainAfter is how long workloads may take before their pods are watched as well. These only tell why a workload is not ready; while all goes well, most of what
// happens happens to them.
const explainAfter = time.Second

// consistsOfMore says whether any object is a workload.
func (r *rollout) consistsOfMore() bool {
	return slices.ContainsFunc(r.objects, func(o *trackedObject) bool { return hasPods(o.Kind) })
}

// lookCloser at the workloads unless all is well: what comes of it tells what they wait for.
func (t *Tracker) lookCloser(at *rollout) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.rollouts[at.promotion] != at || len(at.report().Failing) == 0 {
		return
	}
	for _, tracked := range at.objects {
		if !hasPods(tracked.Kind) {
			continue
		}
		t.acquirePods(at, tracked)
	}
}

// acquirePods takes the watches of what a workload consists of. The caller holds the Tracker's lock.
func (t *Tracker) acquirePods(holder *rollout, tracked *trackedObject) {
	tracked.pods = t.acquire(holder, watchKey{resource: podResource, namespace: tracked.Ref.Namespace}, t.operator, "")
	if hasReplicaSets(tracked.Kind) {
		tracked.replicaSets = t.acquire(holder, watchKey{resource: replicaSetResource, namespace: tracked.Ref.Namespace}, t.operator, "")
	}
}

func (r *rollout) report() Report {
	report := Report{Total: len(r.objects)}
	for _, object := range r.objects {
		switch object.health.status {
		case healthy:
			report.Healthy++
			continue
		case failed:
			report.Failed = true
		case unseen:
			report.Unseen = true
		case waiting:
		}
		report.Failing = append(report.Failing, v1alpha1.FailingObject{ObjectReference: object.Ref, Message: bounded(object.health.message)})
	}
	return report
}

// observe judges the object again and tells whether its health has changed.
func (o *trackedObject) observe() bool {
	if o.watch == nil {
		return false
	}
	before := o.health
	o.health = o.judge()
	return o.health != before
}

func (o *trackedObject) judge() objectHealth {
	live, seen := o.watch.get(o.Ref)
	if !seen {
		return o.judgeMissing()
	}
	switch {
	case o.another(live) && o.observed:
		return objectHealth{waiting, "was replaced by somebody else after it was applied: promote again to apply it once more"}
	case o.another(live), live.GetGeneration() < o.Generation:
		return objectHealth{waiting, "waiting to see the object as it was applied"}
	}
	now := o.describe(live)
	if !o.observed {
		o.observed = true
		if now.status == failed && mayRecover(o.Kind) {
			o.inherited = failureMark(live)
		}
	}
	if now.status == failed && o.inherited != "" && failureMark(live) == o.inherited {
		now.status = waiting
	}
	return now
}

// another says whether an object has taken the place of the one that was applied.
func (o *trackedObject) another(live *unstructured.Unstructured) bool {
	return o.UID != "" && live.GetUID() != o.UID
}

func (o *trackedObject) judgeMissing() objectHealth {
	if err := o.watch.failure(); err != nil {
		return objectHealth{waiting, o.watch.explain(o.Kind, err)}
	}
	listed := o.watch.informer.HasSynced()
	if o.observed || (listed && o.UID == "") {
		return objectHealth{waiting, "was deleted by somebody else after it was applied: promote again to apply it once more"}
	}
	if !listed {
		return objectHealth{unseen, "waiting to see the object as it was applied"}
	}
	return objectHealth{waiting, "waiting to see the object as it was applied"}
}

// describe judges the live object and adds what its pods say.
func (o *trackedObject) describe(live *unstructured.Unstructured) objectHealth {
	now := compute(live)
	if now.status == healthy {
		return now
	}
	now.message = withDetails(now.message, o.details(live))
	return now
}
