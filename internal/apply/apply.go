// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// Result is what a rollout has brought into the cluster, in the order of the objects.
type Result struct {
	Objects []Applied
}

// Changed is how many objects were written.
func (r Result) Changed() int {
	changed := 0
	for _, object := range r.Objects {
		if object.Changed {
			changed++
		}
	}
	return changed
}

// Applied is an object that now is as the plan says.
type Applied struct {
	// Ref names the object, Kind with the version that it was applied in.
	Ref  v1alpha1.ObjectReference
	Kind schema.GroupVersionKind
	// UID, Generation and ResourceVersion identify what the plan made of it: health counts for that and nothing older.
	UID             types.UID
	Generation      int64
	ResourceVersion string
	// Changed is false when it was like that before, and nothing was written.
	Changed bool
}

// Apply makes the objects run as they say, in waves. What runs so already is not written. Objects must have been placed (plan.Place) and
// sorted (plan.Sort). On an error the result holds what had been applied until then, and the later waves have not been begun.
//
// Found is what Compare has found of the same objects, if it was asked. An object that nobody has written since is not tried again, and one
// that differs, or is absent, is written without being read again. An object that cannot be changed is deleted and created again where that is allowed; see
// v1alpha1.AnnotationImmutable.
func (d *Deployer) Apply(ctx context.Context, objects []*unstructured.Unstructured, found ...Finding) (Result, error) {
	var result Result
	defined := newRelease(objects)
	known := make(map[v1alpha1.ObjectReference]Finding, len(found))
	for _, finding := range found {
		known[finding.Ref] = finding
	}
	for _, wave := range plan.Waves(objects) {
		applied, err := d.applyWave(ctx, wave, known)
		result.Objects = append(result.Objects, applied...)
		if err != nil {
			return result, err
		}
		if err := d.establish(ctx, wave, defined.kinds); err != nil {
			return result, err
		}
	}
	return result, nil
}

func (d *Deployer) applyWave(ctx context.Context, wave []*unstructured.Unstructured, known map[v1alpha1.ObjectReference]Finding) ([]Applied, error) {
	done := make([]*Applied, len(wave))
	vacant := newVacancies(wave, known)
	err := each(wave, func(i int, object *unstructured.Unstructured) *problem {
		applied, trouble := d.applyOne(ctx, object, known[plan.Reference(object)], vacant.certain(ctx, d, i, object))
		done[i] = applied
		return trouble
	})
	var applied []Applied
	for _, object := range done {
		if object != nil {
			applied = append(applied, *object)
		}
	}
	return applied, err
}

// attempts is how often an object is looked at again because somebody else has written it between the look and the write.
const attempts = 5

// applyOne brings one object into the cluster. Each write names the very version that it was decided on, so that nothing is written over
// that was not looked at: when somebody else has written in between, the object is looked at again.
func (d *Deployer) applyOne(ctx context.Context, object *unstructured.Unstructured, known Finding, vacant bool) (*Applied, *problem) {
	var trouble *problem
	for range attempts {
		var seen comparison
		if seen, trouble = d.decide(ctx, object, known, vacant); trouble != nil {
			return nil, trouble
		}
		known, vacant = Finding{}, false // used up: if the write fails it was not true any more
		var applied *Applied
		if applied, trouble = d.carryOut(ctx, object, seen); trouble == nil || !overtaken(trouble.cause) {
			return applied, trouble
		}
	}
	return nil, trouble
}

// overtaken tells that somebody else has written an object first.
func overtaken(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}

// decide what has to be done for an object. What was found to differ just before is not looked at again: the write says which version it
// is meant for. Nor is what is certainly vacant.
func (d *Deployer) decide(ctx context.Context, object *unstructured.Unstructured, known Finding, vacant bool) (comparison, *problem) {
	if vacant {
		return d.find(object, release{})
	}
	if known.Action == v1alpha1.ChangeUpdate {
		seen, trouble := d.find(object, release{})
		seen.Live = known.version()
		return seen, trouble
	}
	seen, trouble := d.look(ctx, object, release{})
	if trouble != nil && d.leavesForUs(seen) {
		if trouble = d.awaitGone(ctx, seen, func(ctx context.Context) error { return stillThere(ctx, seen) }); trouble == nil {
			seen, trouble = d.look(ctx, object, release{})
		}
	}
	if trouble != nil || seen.Live == nil {
		return seen, trouble
	}
	if known.stillTrue(seen.Live) {
		seen.same, seen.Recreate = known.Action == "", known.Action == v1alpha1.ChangeRecreate
		return seen, nil
	}
	return seen, d.ask(ctx, object, &seen, release{})
}

// leavesForUs tells whether an object that is being deleted is to be created again, as when an earlier process was stopped in between.
func (d *Deployer) leavesForUs(seen comparison) bool {
	return seen.Live != nil && seen.Live.GetDeletionTimestamp() != nil && d.decideRecreation(seen.desired, seen.Live, nil) == nil
}

// carryOut what was decided. The cause of its problem says whether somebody else was faster.
func (d *Deployer) carryOut(ctx context.Context, object *unstructured.Unstructured, seen comparison) (*Applied, *problem) {
	switch {
	case seen.Live == nil:
	case seen.Recreate:
		if trouble := d.remove(ctx, seen); trouble != nil {
			return nil, trouble
		}
	case seen.same:
		return newApplied(object, seen.Live, false), nil
	}
	writes, err := d.metadataOf(object.GroupVersionKind(), object.GetNamespace())
	if err != nil {
		return nil, d.explain(seen.Ref, "find the resource of", err)
	}
	var written *metav1.PartialObjectMetadata
	if seen.Live == nil || seen.Recreate {
		written, err = create(ctx, writes, seen.desired)
	} else {
		written, err = overwrite(ctx, writes, seen.desired, seen.Live)
	}
	if err != nil {
		return nil, d.explainWrite(object, "patch", err)
	}
	return newApplied(object, written, true), nil
}

func newApplied(object *unstructured.Unstructured, now metav1.Object, changed bool) *Applied {
	return &Applied{
		Ref: plan.Reference(object), Kind: object.GroupVersionKind(),
		UID: now.GetUID(), Generation: now.GetGeneration(), ResourceVersion: now.GetResourceVersion(),
		Changed: changed,
	}
}

// sameAsLive tells whether a write would change nothing: neither the object, nor which of its fields are Assent's. A field that Assent
// says but does not own would stay behind when a later release no longer has it.
func sameAsLive(live, merged *unstructured.Unstructured) bool {
	return plan.Pair{Live: live, Merged: merged}.Unchanged() && equality.Semantic.DeepEqual(ownFields(live), ownFields(merged))
}

func ownFields(object *unstructured.Unstructured) string {
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == v1alpha1.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" && entry.FieldsV1 != nil {
			return entry.APIVersion + " " + entry.FieldsV1.String()
		}
	}
	return ""
}
