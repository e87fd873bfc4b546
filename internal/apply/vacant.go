// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

const (
	// partSize is for how many objects of a wave one list is made: few, so that little time passes between the list and the writes.
	partSize = 64
	// worthAList is how many objects of a kind cost less to list than to get.
	worthAList = 3
	// vacantFor is how long an object that was absent counts as absent. The first objects of a rollout that begins at once are created within it; a list would
	// wait, up to a tenth of a second, for the API server's own cache to see what the rollout has just written.
	vacantFor = 500 * time.Millisecond
	// mostListed bounds what one list brings; where more is there, objects are read one by one.
	mostListed = 1000
)

// vacancies know which objects of a wave need not be read before they are created: those that were absent when they were looked at, and that
// no Environment has applied since. There is no apply that only creates; what others than Environments have made since is a conflict,
// because a create takes no fields away (see create), but all Environments are the same field manager.
type vacancies struct {
	parts []vacantPart
}

type vacantPart struct {
	list sync.Once
	// absent objects, by kind, and when the first of them was looked at.
	absent  map[schema.GroupVersionKind][]v1alpha1.ObjectReference
	since   time.Time
	certain map[v1alpha1.ObjectReference]bool
}

func newVacancies(wave []*unstructured.Unstructured, known map[v1alpha1.ObjectReference]Finding) *vacancies {
	parts := make([]vacantPart, (len(wave)+partSize-1)/partSize)
	for i, object := range wave {
		ref := plan.Reference(object)
		part := &parts[i/partSize]
		if found, looked := known[ref]; looked && found.UID == "" {
			if part.absent == nil {
				part.absent, part.since = map[schema.GroupVersionKind][]v1alpha1.ObjectReference{}, found.lookedAt
			}
			part.absent[object.GroupVersionKind()] = append(part.absent[object.GroupVersionKind()], ref)
			if found.lookedAt.Before(part.since) {
				part.since = found.lookedAt
			}
		}
	}
	return &vacancies{parts: parts}
}

// certain tells whether the object at an index of the wave can be created without being read. When it is first asked about a part whose objects were not looked
// at just before, it lists.
func (v *vacancies) certain(ctx context.Context, d *Deployer, index int, object *unstructured.Unstructured) bool {
	part := &v.parts[index/partSize]
	part.list.Do(func() {
		part.certain = map[v1alpha1.ObjectReference]bool{}
		lately := time.Since(part.since) <= vacantFor
		for kind, refs := range part.absent {
			var taken map[string]bool
			known := lately
			if !lately && len(refs) >= worthAList {
				taken, known = d.takenNames(ctx, kind, refs[0].Namespace)
			}
			for _, ref := range refs {
				part.certain[ref] = known && !taken[ref.Name]
			}
		}
	})
	return part.certain[plan.Reference(object)]
}

// takenNames are the names of all objects of a kind that any Environment has applied. They cannot be listed when the deployer may not, or when
// there are too many.
func (d *Deployer) takenNames(ctx context.Context, kind schema.GroupVersionKind, namespace string) (map[string]bool, bool) {
	resource, err := d.metadataOf(kind, namespace)
	if err != nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	list, err := resource.List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelEnvironment, Limit: mostListed})
	if err != nil || list.Continue != "" {
		return nil, false
	}
	taken := make(map[string]bool, len(list.Items))
	for i := range list.Items {
		taken[list.Items[i].Name] = true
	}
	return taken, true
}
