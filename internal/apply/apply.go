// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

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
	// Live is the object as the API server returned it.
	Live *unstructured.Unstructured
}

// Apply makes the objects run as they say, in waves. What runs so already is not written. Objects must have been placed (plan.Place) and
// sorted (plan.Sort). On an error the result holds what had been applied until then, and the later waves have not been begun.
//
// Looked is what Compare has found of the same objects, if it was asked. An object that nobody has written since is not tried again.
func (d *Deployer) Apply(ctx context.Context, objects []*unstructured.Unstructured, looked ...plan.Pair) (Result, error) {
	var result Result
	defined := newRelease(objects)
	known := make(map[v1alpha1.ObjectReference]plan.Pair, len(looked))
	for _, pair := range looked {
		known[pair.Ref] = pair
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

func (d *Deployer) applyWave(ctx context.Context, wave []*unstructured.Unstructured, known map[v1alpha1.ObjectReference]plan.Pair) ([]Applied, error) {
	done := make([]*Applied, len(wave))
	err := each(wave, func(i int, object *unstructured.Unstructured) *problem {
		applied, trouble := d.applyOne(ctx, object, known[plan.Reference(object)])
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

func (d *Deployer) applyOne(ctx context.Context, object *unstructured.Unstructured, known plan.Pair) (*Applied, *problem) {
	seen, trouble := d.look(ctx, object, release{})
	if trouble != nil {
		return nil, trouble
	}
	if seen.Live != nil {
		if seen.Merged = stillTrue(known, seen.Live); seen.Merged == nil {
			if err := seen.try(ctx); err != nil {
				return nil, d.explainWrite(object, "patch", err)
			}
		}
		if seen.Live != nil && sameAsLive(seen.Live, seen.Merged) {
			return newApplied(seen.Live, false), nil
		}
	}
	written, err := write(ctx, seen.resource, seen.desired)
	if err != nil {
		return nil, d.explainWrite(object, "patch", err)
	}
	return newApplied(written, true), nil
}

// stillTrue is how an object would run, as it was found before, if nobody has written it since; else nil.
func stillTrue(known plan.Pair, live *unstructured.Unstructured) *unstructured.Unstructured {
	if known.Live == nil || known.Live.GetUID() != live.GetUID() || known.Live.GetResourceVersion() != live.GetResourceVersion() {
		return nil
	}
	return known.Merged
}

func newApplied(object *unstructured.Unstructured, changed bool) *Applied {
	return &Applied{
		Ref: plan.Reference(object), Kind: object.GroupVersionKind(),
		UID: object.GetUID(), Generation: object.GetGeneration(), ResourceVersion: object.GetResourceVersion(),
		Changed: changed, Live: object,
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

const (
	establishTimeout = 30 * time.Second
	discoveryPause   = 100 * time.Millisecond
)

// establish waits until the kinds that a wave's custom resource definitions bring along can be used.
func (d *Deployer) establish(ctx context.Context, wave []*unstructured.Unstructured, defined map[schema.GroupVersionKind]bool) error {
	brought := plan.DefinedKinds(wave)
	if len(brought) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, establishTimeout)
	defer cancel()
	err := each(wave, func(_ int, object *unstructured.Unstructured) *problem {
		if object.GetKind() != "CustomResourceDefinition" {
			return nil
		}
		if err := d.awaitEstablished(ctx, object); err != nil {
			return d.explain(plan.Reference(object), "watch", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	meta.MaybeResetRESTMapper(d.mapper)
	return d.awaitDiscovery(ctx, defined)
}

// awaitDiscovery waits until the API server lists the kinds: that lags a little behind the definition being established, and has no watch.
func (d *Deployer) awaitDiscovery(ctx context.Context, kinds map[schema.GroupVersionKind]bool) error {
	for kind := range kinds {
		err := wait.PollUntilContextCancel(ctx, discoveryPause, true, func(context.Context) (bool, error) {
			_, err := d.mapper.RESTMapping(kind.GroupKind(), kind.Version)
			if meta.IsNoMatchError(err) {
				meta.MaybeResetRESTMapper(d.mapper)
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			return newError(problem{kind: TransientError, cause: err, message: fmt.Sprintf("the kind %q of group %q is not served yet", kind.Kind, kind.Group)})
		}
	}
	return nil
}
