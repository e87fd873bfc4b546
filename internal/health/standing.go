// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"reflect"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// MostDeployerWatches is how many watches Standing keeps in all with the rights of deployers. What finds no place any more is not watched.
const MostDeployerWatches = 500

// Readers read with somebody's rights.
type Readers struct {
	// Objects as a whole, and Metadata alone.
	Objects  dynamic.Interface
	Metadata metadata.Interface
}

// StandingReport is how an Environment's objects are doing now.
type StandingReport struct {
	Report
	// Changes counts what has happened to what was applied: it is another number after somebody has changed, deleted or made anew an object.
	Changes uint64
	// Writes counts every write of their specs and metadata, by whomever and of whatever.
	Writes uint64
}

// Standing watches over what was applied long ago, in all Environments at once, whatever comes of their number.
//
// There is one watch for each kind in the whole cluster, of the objects that carry the label of an Environment, with the operator's rights. Of each
// object a mark and its health are kept, and nothing else. Kinds of which health says nothing are watched by their metadata alone. Where the operator
// may not watch a kind, such as Secrets, a watch of the target namespace with the deployer's rights takes its place, for at most MostDeployerWatches.
//
// Pods are not watched. Why an object fails is looked up when it is asked for: see Explain. It is safe for concurrent use.
type Standing struct {
	operator Readers
	mapper   meta.RESTMapper
	notify   func(types.NamespacedName)
	marks    marks
	access   *access

	mutex        sync.Mutex
	environments map[types.NamespacedName]*standingEnvironment
	watches      map[standingKey]*standingWatch
	// borrowed counts the watches with the rights of deployers.
	borrowed int
}

// standingEnvironment is what is watched for one Environment.
type standingEnvironment struct {
	expected []Expected
	// watches bring the objects, in the order of expected; nil for what nobody watches.
	watches []*standingWatch
	changes uint64
	writes  uint64
	// attentive says that every write is told.
	attentive bool
	// notified is set from a notification to the next report.
	notified bool
}

// NewStanding makes a Standing that reads as the operator. It calls notify with an Environment when one of its objects has become healthy or
// unhealthy, or was changed, and not again until the Environment's Report has been taken; notify must not block.
func NewStanding(operator Readers, mapper meta.RESTMapper, notify func(environment types.NamespacedName)) *Standing {
	return &Standing{
		operator: operator, mapper: mapper, notify: notify, marks: marks{maphash.MakeSeed()}, access: newAccess(operator.Objects),
		environments: map[types.NamespacedName]*standingEnvironment{}, watches: map[standingKey]*standingWatch{},
	}
}

// Start ends all watches when the context ends. It makes Standing a part of the operator's manager.
func (s *Standing) Start(ctx context.Context) error {
	<-ctx.Done()
	s.mutex.Lock()
	environments := slices.Collect(maps.Keys(s.environments))
	s.mutex.Unlock()
	for _, environment := range environments {
		s.Stop(environment)
	}
	return nil
}

// Track begins to watch what was applied in an Environment. Deployer is asked for the deployer's readers if they are needed, each time anew; it is kept for
// as long as they may be, and should hold little. Tracking the same objects again changes nothing; tracking others replaces them. The error says that a kind
// is not known to the cluster, or that it could not be asked.
func (s *Standing) Track(ctx context.Context, environment types.NamespacedName, objects []Expected, deployer func() (Readers, error)) error {
	if s.tracks(environment, objects) {
		return nil
	}
	keys := make([]standingKey, len(objects))
	for i, object := range objects {
		var err error
		if keys[i], err = s.keyOf(ctx, environment, object); err != nil {
			return fmt.Errorf("watch %s %q: %w", object.Ref.Kind, object.Ref.Name, err)
		}
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	previous := s.environments[environment]
	next := &standingEnvironment{expected: slices.Clone(objects), watches: make([]*standingWatch, len(objects))}
	if previous != nil {
		next.changes, next.writes, next.attentive = previous.changes+1, previous.writes, previous.attentive
	}
	held := map[standingKey]*standingWatch{}
	for i, key := range keys {
		if _, found := held[key]; !found {
			held[key] = s.acquire(key, deployer) //nolint:contextcheck // the watches outlive this call; Stop ends them
		}
		next.watches[i] = held[key]
	}
	// The new watches are taken before the old ones are given back, so that those which both need go on.
	s.environments[environment] = next
	s.release(previous)
	return nil
}

func (s *Standing) tracks(environment types.NamespacedName, objects []Expected) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	known := s.environments[environment]
	return known != nil && reflect.DeepEqual(known.expected, objects)
}

// keyOf says which watch brings an object.
func (s *Standing) keyOf(ctx context.Context, environment types.NamespacedName, object Expected) (standingKey, error) {
	mapping, err := s.mapper.RESTMapping(object.Kind.GroupKind(), object.Kind.Version)
	if err != nil {
		return standingKey{}, err
	}
	key := standingKey{resource: mapping.Resource, kind: object.Kind, whole: watchOf(object.Kind) != noWatch}
	allowed, err := s.access.toWatch(ctx, mapping.Resource)
	if err != nil || allowed {
		return key, err
	}
	key.environment = environment
	if key.namespace = object.Ref.Namespace; key.namespace == "" {
		// A right to one object by its name is enough to watch that object.
		key.name = object.Ref.Name
	}
	return key, nil
}

// Report tells how what was applied in an Environment is doing now; false when it is not tracked. Attentive has every write told from now on, until it
// is asked for without: that is for an Environment whose objects differ from what was approved, and may be set right by any write.
func (s *Standing) Report(environment types.NamespacedName, attentive bool) (StandingReport, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	known := s.environments[environment]
	if known == nil {
		return StandingReport{}, false
	}
	known.notified, known.attentive = false, attentive
	report := StandingReport{Report: Report{Total: len(known.expected)}, Changes: known.changes, Writes: known.writes}
	for i, object := range known.expected {
		now := known.watches[i].judge(object)
		switch now.status {
		case healthy:
			report.Healthy++
			continue
		case failed:
			report.Failed = true
		case unseen:
			report.Unseen = true
			if !known.watches[i].key.whole {
				continue // it cannot be unhealthy; whether it has drifted is not known yet
			}
		case waiting:
		}
		report.Failing = append(report.Failing, v1alpha1.FailingObject{ObjectReference: object.Ref, Message: bounded(now.message)})
	}
	return report, true
}

// Stop ends the watches that only this Environment needs.
func (s *Standing) Stop(environment types.NamespacedName) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	known := s.environments[environment]
	delete(s.environments, environment)
	s.release(known)
}

// Watches is how many watches run, and how many of them with the rights of deployers.
func (s *Standing) Watches() (all, borrowed int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.watches), s.borrowed
}

// kindOf is the kind in which an Environment's object was applied.
func (s *Standing) kindOf(environment types.NamespacedName, ref v1alpha1.ObjectReference) (schema.GroupVersionKind, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	known := s.environments[environment]
	if known == nil {
		return schema.GroupVersionKind{}, false
	}
	i := slices.IndexFunc(known.expected, func(e Expected) bool { return e.Ref == ref })
	if i < 0 {
		return schema.GroupVersionKind{}, false
	}
	return known.expected[i].Kind, true
}
