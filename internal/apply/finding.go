// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// Finding is what Compare has found of one object, as far as a rollout needs it. It is small, so that it can be kept for as long as a
// promotion waits, and it stays true for as long as nobody writes the object.
type Finding struct {
	// Ref names the object.
	Ref v1alpha1.ObjectReference
	// UID and ResourceVersion are those of the object that was looked at; empty if there was none.
	UID             types.UID
	ResourceVersion string
	// Action is what a rollout does with the object; empty if it has nothing to write. An object that would look the same, but of which fields
	// are not yet Assent's, is updated.
	Action v1alpha1.ChangeAction

	// lookedAt is when that was asked for last; zero if it is not known.
	lookedAt time.Time
}

// LookedAt says of findings that they were asked for at that time, or later. What was absent a moment ago is created without another look.
func LookedAt(at time.Time, found []Finding) []Finding {
	found = slices.Clone(found)
	for i := range found {
		found[i].lookedAt = at
	}
	return found
}

// Findings are what the pairs of Compare say about the objects.
func Findings(pairs []plan.Pair) []Finding {
	found := make([]Finding, 0, len(pairs))
	for _, pair := range pairs {
		finding := Finding{Ref: pair.Ref, Action: v1alpha1.ChangeCreate}
		if pair.Live != nil {
			finding.UID, finding.ResourceVersion = pair.Live.GetUID(), pair.Live.GetResourceVersion()
			finding.Action = actionOn(pair)
		}
		found = append(found, finding)
	}
	return found
}

// actionOn an object that runs.
func actionOn(pair plan.Pair) v1alpha1.ChangeAction {
	switch {
	case pair.Recreate:
		return v1alpha1.ChangeRecreate
	case sameAsLive(pair.Live, pair.Merged):
		return ""
	}
	return v1alpha1.ChangeUpdate
}

// stillTrue tells whether nobody has written an object since it was looked at.
func (f Finding) stillTrue(live metav1.Object) bool {
	return f.UID != "" && f.UID == live.GetUID() && f.ResourceVersion == live.GetResourceVersion()
}

// version of the object that was looked at, which a write is meant for.
func (f Finding) version() *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{}}
	object.SetUID(f.UID)
	object.SetResourceVersion(f.ResourceVersion)
	return object
}
