// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// Compare reads each object as it runs and asks the API server by a dry run how it would run. Objects must have been placed (plan.Place).
//
// An object whose kind is defined by a custom resource definition among the objects, or that refers to another new one of them in a way
// that the API server checks, cannot be tried before that is there: it counts as created, as it stands in the Release.
func (d *Deployer) Compare(ctx context.Context, objects []*unstructured.Unstructured) ([]plan.Pair, error) {
	pairs := make([]plan.Pair, len(objects))
	release := newRelease(objects)
	err := each(objects, func(i int, object *unstructured.Unstructured) *problem {
		compared, trouble := d.compare(ctx, object, release)
		pairs[i] = compared.Pair
		return trouble
	})
	if err != nil {
		return nil, err
	}
	return pairs, nil
}

// release is what the objects of one call know about each other.
type release struct {
	kinds map[schema.GroupVersionKind]bool
	names map[string]bool
}

func newRelease(objects []*unstructured.Unstructured) release {
	names := map[string]bool{}
	for _, object := range objects {
		names[object.GetName()] = true
	}
	return release{kinds: plan.DefinedKinds(objects), names: names}
}

// brings tells whether an error only says that another object of the release is not there yet.
func (r release) brings(object *unstructured.Unstructured, err error) bool {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) || !apierrors.IsNotFound(err) || status.Status().Details == nil {
		return false
	}
	missing := status.Status().Details
	return missing.Kind != "namespaces" && r.names[missing.Name] && missing.Name != "" && roleOf(object) == missing.Name
}

// roleOf is the role that a binding refers to: the one reference whose target the API server looks up when it is written.
func roleOf(object *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(object.Object, "roleRef", "name")
	return name
}

// comparison is a pair with what is needed to write it.
type comparison struct {
	plan.Pair
	resource dynamic.ResourceInterface
	desired  *unstructured.Unstructured
	// same says that a write would change nothing.
	same bool
}

func (d *Deployer) compare(ctx context.Context, object *unstructured.Unstructured, others release) (comparison, *problem) {
	seen, trouble := d.look(ctx, object, others)
	if trouble != nil || seen.resource == nil {
		return seen, trouble
	}
	if trouble := d.ask(ctx, object, &seen, others); trouble != nil || !seen.Recreate {
		return seen, trouble
	}
	return seen, d.tryRecreation(ctx, seen)
}

// ask the API server how an object would run, and whether it has to be created again for that.
func (d *Deployer) ask(ctx context.Context, object *unstructured.Unstructured, seen *comparison, others release) *problem {
	err := seen.try(ctx)
	if err != nil && seen.Live == nil && others.brings(object, err) {
		seen.Merged = seen.desired
		return nil
	}
	fixed := immutableFields(err)
	if err != nil && (seen.Live == nil || len(fixed) == 0) {
		return d.explainWrite(object, "patch", err)
	}
	// It may have been read again.
	if trouble := checkOwner(seen.Live, ownerOf(object)); trouble != nil || seen.Live == nil {
		return trouble
	}
	if err == nil && !runsAnew(seen.desired, seen.Live) {
		seen.same = sameAsLive(seen.Live, seen.Merged)
		return nil
	}
	if err != nil {
		seen.Merged = asCreated(seen.Live, seen.desired, fixed)
	}
	seen.Recreate = true
	return d.decideRecreation(seen.desired, seen.Live, fixed)
}

// tries is how often an object is looked at again because it was written between the look and the dry run.
const tries = 3

// try asks the API server how the object would run, and makes sure that it speaks of the object that was looked at. A controller
// that writes in between (a Deployment's revision, say) would otherwise look like a change that the release makes.
func (c *comparison) try(ctx context.Context) error {
	for range tries {
		merged, err := dryRun(ctx, c.resource, c.desired)
		if err != nil {
			return err
		}
		c.Merged = merged
		if c.Live == nil || c.Live.GetResourceVersion() == merged.GetResourceVersion() {
			return nil
		}
		if c.Live, err = live(ctx, c.resource, c.desired.GetName()); err != nil {
			return err
		}
	}
	return nil
}

// look reads an object and makes sure that this Environment may write it. For a kind that the release itself defines there is no resource yet.
func (d *Deployer) look(ctx context.Context, object *unstructured.Unstructured, others release) (comparison, *problem) {
	seen, trouble := d.find(object, others)
	if trouble != nil || seen.resource == nil {
		return seen, trouble
	}
	var err error
	seen.Live, err = live(ctx, seen.resource, object.GetName())
	if err != nil {
		return seen, d.explain(seen.Ref, "get", err)
	}
	return seen, checkOwner(seen.Live, ownerOf(object))
}

// find where an object is read and written, and the form in which it is applied.
func (d *Deployer) find(object *unstructured.Unstructured, others release) (comparison, *problem) {
	ref := plan.Reference(object)
	seen := comparison{Pair: plan.Pair{Ref: ref}}
	desired, err := prepared(object)
	if err != nil {
		return seen, &problem{kind: RefusedError, cause: err, message: fmt.Sprintf("%s: %v", plan.Describe(ref), err)}
	}
	seen.desired = desired
	seen.resource, err = d.resource(object.GroupVersionKind(), object.GetNamespace())
	if meta.IsNoMatchError(err) && others.kinds[object.GroupVersionKind()] {
		seen.Merged, seen.resource = desired, nil
		return seen, nil
	}
	if err != nil {
		return seen, d.explain(ref, "find the resource of", err)
	}
	return seen, nil
}

// explainWrite explains why an object could not be written. The API server's answer may repeat what a Secret holds; people must not see it.
func (d *Deployer) explainWrite(object *unstructured.Unstructured, attempt string, err error) *problem {
	trouble := d.explain(plan.Reference(object), attempt, err)
	for _, value := range secretValues(object) {
		if strings.Contains(trouble.message, value) {
			trouble.message = strings.ReplaceAll(trouble.message, value, "***")
			trouble.cause = nil
		}
	}
	return trouble
}

func secretValues(object *unstructured.Unstructured) []string {
	if object.GetKind() != "Secret" {
		return nil
	}
	var values []string
	for _, field := range []string{"data", "stringData"} {
		content, _ := object.Object[field].(map[string]any)
		for _, value := range content {
			if text := fmt.Sprint(value); text != "" {
				values = append(values, text)
			}
		}
	}
	return values
}

// prepared copies an object in the form in which it is applied. A Secret's `stringData` goes into `data`: under server-side apply a key
// that leaves `stringData` later would otherwise stay in `data` for ever.
func prepared(object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	object = object.DeepCopy()
	if object.GetKind() != "Secret" || object.GroupVersionKind().Group != "" {
		return object, nil
	}
	texts, found, err := unstructured.NestedStringMap(object.Object, "stringData")
	if err != nil {
		return nil, fmt.Errorf("`stringData` must be a map of strings: quote its values")
	}
	if !found {
		return object, nil
	}
	for key, text := range texts {
		if err := unstructured.SetNestedField(object.Object, base64.StdEncoding.EncodeToString([]byte(text)), "data", key); err != nil {
			return nil, fmt.Errorf("`data` must be a map of strings: correct it")
		}
	}
	delete(object.Object, "stringData")
	return object, nil
}

// Owner is the Environment that an object belongs to.
type Owner struct {
	Project, Environment string
}

func ownerOf(object *unstructured.Unstructured) Owner {
	labels := object.GetLabels()
	return Owner{Project: labels[v1alpha1.LabelProject], Environment: labels[v1alpha1.LabelEnvironment]}
}

// checkOwner says why an object that runs must not be written for an Environment.
func checkOwner(live *unstructured.Unstructured, wants Owner) *problem {
	if live == nil {
		return nil
	}
	if has := ownerOf(live); has != (Owner{}) && has != wants {
		return &problem{kind: ForeignError, message: fmt.Sprintf(
			"%s belongs to Environment %q of project %q, not to %q of %q: rename it in one of the two, or give the Environments different target namespaces",
			describe(live), has.Environment, has.Project, wants.Environment, wants.Project)}
	}
	if live.GetDeletionTimestamp() != nil {
		return &problem{kind: TransientError, message: fmt.Sprintf("%s is being deleted: waiting until it is gone", describe(live))}
	}
	return nil
}
