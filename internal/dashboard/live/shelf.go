// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// place is the project and the name of an object.
type place = types.NamespacedName

func compare(a, b place) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

// shelf has the objects of one kind in their order. What it has handed out is never changed: a change copies pointers, and no object.
type shelf[T client.Object] struct {
	objects map[place]T
	// sorted is what was handed out last, and changed are the places that differ from it since.
	sorted  []T
	changed map[place]struct{}
}

func newShelf[T client.Object]() *shelf[T] {
	return &shelf[T]{objects: map[place]T{}, changed: map[place]struct{}{}}
}

func (s *shelf[T]) put(object T) {
	at := client.ObjectKeyFromObject(object)
	before, there := s.objects[at]
	if there && before.GetUID() == object.GetUID() && before.GetResourceVersion() == object.GetResourceVersion() {
		return
	}
	s.objects[at] = object
	s.changed[at] = struct{}{}
}

func (s *shelf[T]) take(at place) {
	if _, there := s.objects[at]; there {
		delete(s.objects, at)
		s.changed[at] = struct{}{}
	}
}

// become has what another one has, and keeps of its own what is the same.
func (s *shelf[T]) become(other *shelf[T]) {
	for at := range s.objects {
		if _, there := other.objects[at]; !there {
			s.take(at)
		}
	}
	for _, object := range other.objects {
		s.put(object)
	}
}

// handOut the objects in their order, and say whether they differ from what was handed out last.
func (s *shelf[T]) handOut() (sorted []T, differ bool) {
	if len(s.changed) == 0 {
		return s.sorted, false
	}
	changed := slices.SortedFunc(maps.Keys(s.changed), compare)
	next := make([]T, 0, len(s.objects))
	rest := s.sorted
	for _, at := range changed {
		before, found := slices.BinarySearchFunc(rest, at, func(object T, at place) int { return compare(client.ObjectKeyFromObject(object), at) })
		next = append(next, rest[:before]...)
		if found {
			before++
		}
		rest = rest[before:]
		if object, there := s.objects[at]; there {
			next = append(next, object)
		}
	}
	next = append(next, rest...)
	s.sorted = next
	clear(s.changed)
	return s.sorted, true
}
