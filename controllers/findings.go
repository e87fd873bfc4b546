// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"container/list"
	"crypto/sha256"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
)

// mostFindings bounds for how many objects findings are kept, at about 300 bytes each. Those of the promotion that was planned longest ago are
// forgotten first, and looked for again at its start.
const mostFindings = 20_000

// findings are what was found when plans were made: how the objects run, and what a rollout would do to them. They spare a start the dry runs
// of a plan that is still true, which is asked at the start. Losing them costs time only.
type findings struct {
	mu     sync.Mutex
	byKey  map[types.NamespacedName]*list.Element
	recent *list.List
	held   int
}

// planFindings belong to one plan of one promotion.
type planFindings struct {
	promotion types.NamespacedName
	uid       types.UID
	// rendered, where and target are what was looked at, and for.
	rendered v1alpha1.Digest
	where    *place
	target   v1alpha1.Target
	// diff is the digest of the diff that people were shown of them.
	diff    [sha256.Size]byte
	objects []apply.Finding
	// changes that the objects make, and what would be pruned beside them.
	changes, prunes []v1alpha1.Change
}

func newFindings() *findings {
	return &findings{byKey: map[types.NamespacedName]*list.Element{}, recent: list.New()}
}

// keep what was found for a plan.
func (f *findings) keep(found planFindings) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(f.byKey[found.promotion])
	f.byKey[found.promotion] = f.recent.PushFront(found)
	f.held += len(found.objects)
	for f.held > mostFindings && f.recent.Len() > 1 {
		f.drop(f.recent.Back())
	}
}

// of the plan that a promotion's status shows, if it was made of these objects for this target.
func (f *findings) of(p *v1alpha1.Promotion, rendered v1alpha1.Digest, where *place, target v1alpha1.Target) (planFindings, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	element := f.byKey[keyOf(p)]
	if element == nil {
		return planFindings{}, false
	}
	found, _ := element.Value.(planFindings)
	fits := found.uid == p.UID && found.rendered == rendered && found.where == where && found.target == target && found.diff == sha256.Sum256([]byte(p.Status.Plan.Diff))
	return found, fits
}

// forget a promotion.
func (f *findings) forget(promotion types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(f.byKey[promotion])
}

func (f *findings) drop(element *list.Element) {
	if element == nil {
		return
	}
	if found, is := f.recent.Remove(element).(planFindings); is {
		f.held -= len(found.objects)
		delete(f.byKey, found.promotion)
	}
}
