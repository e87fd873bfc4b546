// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errNoEffect says that a write was admitted and changed nothing that was asked for.
var errNoEffect = errors.New("admitted without effect")

// attacker is a field manager.
const attacker = "attacker"

// way is one kind of write that makes `after` of `before`. It returns the object that the API server made of it.
type way struct {
	name  string
	write func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) (*unstructured.Unstructured, error)
}

var (
	create = way{"create", func(ctx context.Context, c client.Client, _, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return after, c.Create(ctx, after)
	}}
	update = way{"update", func(ctx context.Context, c client.Client, _, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return after, c.Update(ctx, after)
	}}
	jsonPatch = way{"JSON patch", func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		patch, err := difference(before, after)
		if err != nil {
			return nil, err
		}
		return after, c.Patch(ctx, after, patch)
	}}
	mergePatch = way{"merge patch", func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return after, c.Patch(ctx, after, client.MergeFrom(before))
	}}
	plainApply = way{"server-side apply", func(ctx context.Context, c client.Client, _, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return apply(ctx, c, after)
	}}
	// Whoever applies removes only what nobody else owns, so the attacker takes the ownership of every field first: managed fields can be
	// rewritten by whoever may update the object.
	takeover = way{"server-side apply", func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		owned, err := apply(ctx, c, before)
		if err != nil {
			return nil, fmt.Errorf("taking over the ownership: %w", err)
		}
		owned.SetManagedFields(slices.DeleteFunc(owned.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
			return entry.Manager != attacker
		}))
		if err := c.Update(ctx, owned); err != nil {
			return nil, fmt.Errorf("taking over the ownership: %w", err)
		}
		return apply(ctx, c, after)
	}}
	updateStatus = way{"update of /status", func(ctx context.Context, c client.Client, _, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return after, c.Status().Update(ctx, after)
	}}
	jsonPatchStatus = way{"JSON patch of /status", func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		patch, err := difference(before, after)
		if err != nil {
			return nil, err
		}
		return after, c.Status().Patch(ctx, after, patch)
	}}
	mergePatchStatus = way{"merge patch of /status", func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return after, c.Status().Patch(ctx, after, client.MergeFrom(before))
	}}
	applyStatus = way{"server-side apply of /status", func(ctx context.Context, c client.Client, _, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		wanted := applicable(after)
		err := c.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), client.FieldOwner(attacker), client.ForceOwnership)
		return wanted, err
	}}
	remove = way{"delete", func(ctx context.Context, c client.Client, before, _ *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return nil, c.Delete(ctx, before)
	}}
	removeAll = way{"delete of the collection", func(ctx context.Context, c client.Client, before, _ *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return nil, c.DeleteAllOf(ctx, before, client.InNamespace(before.GetNamespace()))
	}}

	finalize = way{"update of /finalize", func(ctx context.Context, c client.Client, _, after *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return after, c.SubResource("finalize").Update(ctx, after)
	}}

	creations = []way{create, plainApply}
	changes   = []way{update, jsonPatch, mergePatch, takeover}
	patches   = []way{jsonPatch, mergePatch, plainApply}
	statuses  = []way{updateStatus, jsonPatchStatus, mergePatchStatus, applyStatus}
	deletions = []way{remove, removeAll}
	// Annotations of a namespace can be written through its subresources too. There, nobody takes the ownership of one to take it away.
	namespaceChanges = slices.Concat(changes, statuses[:3], []way{finalize})
	namespaceTexts   = slices.Concat(changes, statuses, []way{finalize})
)

func apply(ctx context.Context, c client.Client, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	wanted := applicable(object)
	err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), client.FieldOwner(attacker), client.ForceOwnership)
	return wanted, err
}

// applicable is the object as a manifest has it.
func applicable(object *unstructured.Unstructured) *unstructured.Unstructured {
	manifest := object.DeepCopy()
	manifest.SetManagedFields(nil)
	for _, field := range []string{"resourceVersion", "uid", "generation", "creationTimestamp"} {
		unstructured.RemoveNestedField(manifest.Object, "metadata", field)
	}
	return manifest
}

func difference(before, after *unstructured.Unstructured) (client.Patch, error) {
	from, err := before.MarshalJSON()
	if err != nil {
		return nil, err
	}
	to, err := after.MarshalJSON()
	if err != nil {
		return nil, err
	}
	operations, err := jsonpatch.CreatePatch(from, to)
	if err != nil {
		return nil, err
	}
	patch, err := json.Marshal(operations)
	return client.RawPatch(types.JSONPatchType, patch), err
}

// attempt makes the write, and is an error unless it was admitted and had an effect.
func attempt(ctx context.Context, c client.Client, w way, before *unstructured.Unstructured, change func(*unstructured.Unstructured)) error {
	after := before.DeepCopy()
	change(after)
	result, err := w.write(ctx, c, before, after)
	if err != nil {
		return err
	}
	if result != nil && same(before, result) && before.GetUID() != "" {
		return errNoEffect
	}
	return nil
}

// same compares what people and the operator write, and not what the API server keeps about it.
func same(a, b *unstructured.Unstructured) bool {
	return equality.Semantic.DeepEqual(a.Object["spec"], b.Object["spec"]) &&
		equality.Semantic.DeepEqual(a.Object["status"], b.Object["status"]) &&
		equality.Semantic.DeepEqual(a.GetFinalizers(), b.GetFinalizers()) &&
		equality.Semantic.DeepEqual(a.GetOwnerReferences(), b.GetOwnerReferences()) &&
		equality.Semantic.DeepEqual(a.GetLabels(), b.GetLabels()) &&
		equality.Semantic.DeepEqual(a.GetAnnotations(), b.GetAnnotations())
}
