// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// story is what was stored when. Versions are the API server's resource versions: the store counts them over all objects, so that they say what came
// before what.
type story struct {
	*Evidence
	// promotions by UID.
	promotions map[string]*told[v1alpha1.Promotion]
	// environments by name.
	environments map[string]*told[v1alpha1.Environment]
	// histories by Environment, in the order of their sequence numbers.
	histories map[string][]*record
}

// told is how an object was stored, from one write to the next.
type told[T any] struct {
	states []state[T]
	// gone says that it is not there at the end.
	gone bool
}

// state of an object after one write.
type state[T any] struct {
	version int64
	object  T
	// by is the request that has written it; nil if the log does not have it.
	by *cluster.Request
}

// before is the last state before a version; nil if there is none.
func (t *told[T]) before(version int64) *state[T] {
	if t == nil {
		return nil
	}
	var last *state[T]
	for i := range t.states {
		if t.states[i].version < version {
			last = &t.states[i]
		}
	}
	return last
}

// record is one audit record.
type record struct {
	v1alpha1.AuditRecord
	// raw is its spec as it was stored first.
	raw map[string]any
	// version at its creation.
	version int64
	// by is its creation; nil if the log does not have it.
	by *cluster.Request
	// last is its spec at the end; nil if it is not there any more.
	last map[string]any
}

// done is when its creation was answered. If the log does not have it, it is the second in which it was stored.
func (r *record) done() time.Time {
	if r.by != nil {
		return r.by.Done
	}
	return r.CreationTimestamp.Time
}

func (r *record) String() string {
	return fmt.Sprintf("record %q (%s of promotion %q)", r.Name, r.Spec.Type, r.Spec.Promotion.Name)
}

// outcome says whether the record ends a rollout.
func (r *record) outcome() bool {
	return slices.Contains([]v1alpha1.AuditType{v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditRolledBack, v1alpha1.AuditCancelled}, r.Spec.Type)
}

// tell puts what was stored in order.
func (e *Evidence) tell() (*story, error) {
	s := &story{
		Evidence: e, promotions: map[string]*told[v1alpha1.Promotion]{}, environments: map[string]*told[v1alpha1.Environment]{}, histories: map[string][]*record{},
	}
	for i := range e.Requests {
		request := &e.Requests[i]
		object := &unstructured.Unstructured{}
		if !request.Granted() || request.ObjectRef.APIGroup != v1alpha1.GroupName || json.Unmarshal(request.ResponseObject, &object.Object) != nil {
			continue
		}
		if err := s.stored(object, request); err != nil {
			return nil, fmt.Errorf("reading what was stored by %s: %w", request, err)
		}
	}
	for _, each := range s.promotions {
		each.gone = true
	}
	for i := range e.Objects {
		if err := s.stored(&e.Objects[i], nil); err != nil {
			return nil, fmt.Errorf("reading %s %q: %w", e.Objects[i].GetKind(), e.Objects[i].GetName(), err)
		}
	}
	s.sort()
	s.unanswered()
	s.sort()
	return s, nil
}

// stored takes note of an object as it was after a request; without one, at the end.
func (s *story) stored(object *unstructured.Unstructured, by *cluster.Request) error {
	version, err := strconv.ParseInt(cmp.Or(object.GetResourceVersion(), "0"), 10, 64)
	if err != nil {
		return err
	}
	switch object.GetKind() {
	case "Promotion":
		return note(s.promotions, string(object.GetUID()), object, version, by)
	case "Environment":
		return note(s.environments, object.GetName(), object, version, by)
	case "AuditRecord":
		return s.recorded(object, version, by)
	}
	return nil
}

// note a state, unless it was noted before: a write that changes nothing keeps the version.
func note[T any](all map[string]*told[T], key string, object *unstructured.Unstructured, version int64, by *cluster.Request) error {
	found := all[key]
	if found == nil {
		found = &told[T]{}
		all[key] = found
	}
	found.gone = found.gone && by != nil
	if slices.ContainsFunc(found.states, func(s state[T]) bool { return s.version == version }) {
		return nil
	}
	next := state[T]{version: version, by: by}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &next.object); err != nil {
		return err
	}
	found.states = append(found.states, next)
	return nil
}

// recorded takes note of an audit record. What is not its creation is what is there at the end.
func (s *story) recorded(object *unstructured.Unstructured, version int64, by *cluster.Request) error {
	next := &record{version: version, by: by}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &next.AuditRecord); err != nil {
		return err
	}
	next.raw, _ = object.Object["spec"].(map[string]any)
	history := s.histories[next.Spec.Environment]
	same := slices.IndexFunc(history, func(r *record) bool { return r.Name == next.Name && r.UID == next.UID })
	switch {
	case by != nil && by.Verb != "create":
		return nil
	case by == nil && same >= 0:
		history[same].last = next.raw
		return nil
	case by == nil:
		next.last = next.raw
	}
	s.histories[next.Spec.Environment] = append(history, next)
	return nil
}

func (s *story) sort() {
	for _, each := range s.promotions {
		slices.SortStableFunc(each.states, func(a, b state[v1alpha1.Promotion]) int { return cmp.Compare(a.version, b.version) })
	}
	for _, each := range s.environments {
		slices.SortStableFunc(each.states, func(a, b state[v1alpha1.Environment]) int { return cmp.Compare(a.version, b.version) })
	}
	for _, each := range s.histories {
		slices.SortStableFunc(each, func(a, b *record) int { return cmp.Compare(a.Spec.Sequence, b.Spec.Sequence) })
	}
}

// records of a promotion, in their order.
func (s *story) recordsOf(uid string) []*record {
	var found []*record
	for _, name := range sorted(s.histories) {
		for _, each := range s.histories[name] {
			if each.Spec.Promotion.UID == uid {
				found = append(found, each)
			}
		}
	}
	return found
}

// sorted are the keys of a map, so that violations are told in the same order each time.
func sorted[T any](all map[string]T) []string {
	keys := make([]string, 0, len(all))
	for key := range all {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
