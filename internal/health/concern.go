// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// concernedBy says whether an event of a watch can change how the object is doing. A rollout may have a thousand workloads, and each of them some ten events:
// judging all of them at each would take minutes. Without an object the event may concern any.
func (o *trackedObject) concernedBy(shared *sharedWatch, event *unstructured.Unstructured) bool {
	switch shared {
	case nil:
		return false // kinds that are healthy once applied have no watch
	case o.watch:
		return event == nil || (event.GetName() == o.Ref.Name && event.GetNamespace() == o.Ref.Namespace)
	case o.pods, o.replicaSets:
		// What an object consists of only explains why it is not healthy.
		return o.health.status != healthy && (event == nil || o.consistsOf(event))
	default:
		return false
	}
}

// consistsOf says whether a pod or a ReplicaSet is the object's, directly or through a ReplicaSet.
func (o *trackedObject) consistsOf(part *unstructured.Unstructured) bool {
	live, seen := o.watch.get(o.Ref)
	return seen && slices.Contains(o.ownersOf(part), live.GetUID())
}

// ownersOf a pod or a ReplicaSet: its controller, and that one's controller if it is a ReplicaSet that has been seen. If it has not, its own event is yet to come.
func (o *trackedObject) ownersOf(part *unstructured.Unstructured) []types.UID {
	owner := metav1.GetControllerOf(part)
	if owner == nil {
		return nil
	}
	owners := []types.UID{owner.UID}
	if o.replicaSets == nil || owner.Kind != "ReplicaSet" {
		return owners
	}
	set, seen := o.replicaSets.get(v1alpha1.ObjectReference{Namespace: part.GetNamespace(), Name: owner.Name})
	if !seen {
		return owners
	}
	if next := metav1.GetControllerOf(set); next != nil {
		owners = append(owners, next.UID)
	}
	return owners
}
