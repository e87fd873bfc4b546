// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Pair is an object as it runs now and as it would run.
type Pair struct {
	// Ref names the object.
	Ref v1alpha1.ObjectReference
	// Live is the object as it runs now; nil when it would be created.
	Live *unstructured.Unstructured
	// Merged is the object as it would run; nil when it would be pruned.
	Merged *unstructured.Unstructured
	// Recreate says that the object is deleted and created again: it differs in fields that cannot be changed, or is a Job that each
	// promotion runs anew. Only an object that runs can be recreated.
	Recreate bool
}

// Changes lists what the pairs would do: create, update, recreate or prune. Unchanged objects are left out.
func Changes(pairs []Pair) []v1alpha1.Change {
	var changes []v1alpha1.Change
	for _, pair := range pairs {
		if action := pair.action(); action != "" {
			changes = append(changes, v1alpha1.Change{ObjectReference: pair.Ref, Action: action})
		}
	}
	return changes
}

// Unchanged says that the object would run as it runs now.
func (p Pair) Unchanged() bool {
	return p.action() == ""
}

func (p Pair) action() v1alpha1.ChangeAction {
	switch {
	case p.Live == nil && p.Merged == nil:
		return ""
	case p.Live == nil:
		return v1alpha1.ChangeCreate
	case p.Merged == nil:
		return v1alpha1.ChangePrune
	case p.Recreate:
		return v1alpha1.ChangeRecreate
	case equality.Semantic.DeepEqual(withoutNoise(p.Live).Object, withoutNoise(p.Merged).Object):
		return ""
	}
	return v1alpha1.ChangeUpdate
}

// withoutNoise copies an object without what the API server writes and no release says.
func withoutNoise(object *unstructured.Unstructured) *unstructured.Unstructured {
	// A shallow copy of the two levels that are changed: the objects themselves may be large.
	content := make(map[string]any, len(object.Object))
	for key, value := range object.Object {
		content[key] = value
	}
	delete(content, "status")
	if metadata, ok := content["metadata"].(map[string]any); ok {
		kept := make(map[string]any, len(metadata))
		for key, value := range metadata {
			kept[key] = value
		}
		for _, field := range serverFields {
			delete(kept, field)
		}
		content["metadata"] = kept
	}
	return &unstructured.Unstructured{Object: content}
}

// serverFields of an object's metadata are written by the API server alone.
var serverFields = []string{
	"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds",
}
