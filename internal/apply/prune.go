// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// Kept is an object that is not pruned, and why.
type Kept struct {
	Ref    v1alpha1.ObjectReference
	Reason string
}

// Pruned is what a prune did.
type Pruned struct {
	// Deleted objects, or those whose deletion has begun.
	Deleted []v1alpha1.ObjectReference
	// Kept objects do not belong to the Environment any more, or are what it stands on.
	Kept []Kept
}

// Live reads the objects that a prune would delete, as pairs with nothing to come after. What is gone, or would be kept, is left out.
func (d *Deployer) Live(ctx context.Context, refs []v1alpha1.ObjectReference, owner Owner) ([]plan.Pair, error) {
	found := make([]*plan.Pair, len(refs))
	err := each(refs, func(i int, ref v1alpha1.ObjectReference) *problem {
		seen, trouble := d.lookToPrune(ctx, ref, owner)
		if trouble == nil && seen.live != nil && seen.keep == "" {
			found[i] = &plan.Pair{Ref: ref, Live: seen.live}
		}
		return trouble
	})
	if err != nil {
		return nil, err
	}
	var pairs []plan.Pair
	for _, pair := range found {
		if pair != nil {
			pairs = append(pairs, *pair)
		}
	}
	return pairs, nil
}

// Prune deletes the objects that carry the labels of this very Environment, in the reverse of the order in which they were applied. What is
// gone already is fine; what belongs to somebody else now is left alone and reported. On an error the result holds what was done until then.
func (d *Deployer) Prune(ctx context.Context, refs []v1alpha1.ObjectReference, owner Owner) (Pruned, error) {
	var result Pruned
	for _, wave := range plan.PruneWaves(refs) {
		outcomes := make([]pruneOutcome, len(wave))
		err := each(wave, func(i int, ref v1alpha1.ObjectReference) *problem {
			var trouble *problem
			outcomes[i], trouble = d.pruneOne(ctx, ref, owner)
			return trouble
		})
		for i, outcome := range outcomes {
			if outcome.deleted {
				result.Deleted = append(result.Deleted, wave[i])
			}
			if outcome.keep != "" {
				result.Kept = append(result.Kept, Kept{Ref: wave[i], Reason: outcome.keep})
			}
		}
		if err != nil {
			return result, err
		}
	}
	return result, nil
}

type pruneOutcome struct {
	deleted bool
	keep    string
}

func (d *Deployer) pruneOne(ctx context.Context, ref v1alpha1.ObjectReference, owner Owner) (pruneOutcome, *problem) {
	seen, trouble := d.lookToPrune(ctx, ref, owner)
	if seen.live == nil || seen.keep != "" { // or there was trouble: nothing was seen then
		return pruneOutcome{keep: seen.keep}, trouble
	}
	if seen.live.GetDeletionTimestamp() != nil {
		return pruneOutcome{deleted: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	uid, background := seen.live.GetUID(), metav1.DeletePropagationBackground
	err := seen.resource.Delete(ctx, ref.Name, metav1.DeleteOptions{
		// Only what was looked at: somebody may have replaced it since.
		Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &background,
	})
	if apierrors.IsNotFound(err) {
		return pruneOutcome{}, nil
	}
	if err != nil {
		return pruneOutcome{}, d.explain(ref, "delete", err)
	}
	return pruneOutcome{deleted: true}, nil
}

// prunable is an object of an earlier rollout: gone (no live object), to be kept for a reason, or to be deleted.
type prunable struct {
	live     *unstructured.Unstructured
	resource dynamic.ResourceInterface
	keep     string
}

func (d *Deployer) lookToPrune(ctx context.Context, ref v1alpha1.ObjectReference, owner Owner) (prunable, *problem) {
	if reason := d.untouchable(ref); reason != "" {
		return prunable{keep: reason}, nil
	}
	resource, err := d.resource(kindOf(ref), ref.Namespace)
	if meta.IsNoMatchError(err) {
		// Its kind is gone, and the objects went with it.
		return prunable{}, nil
	}
	if err != nil {
		return prunable{}, d.explain(ref, "find the resource of", err)
	}
	object, err := live(ctx, resource, ref.Name)
	if err != nil {
		return prunable{}, d.explain(ref, "get", err)
	}
	if object == nil {
		return prunable{}, nil
	}
	seen := prunable{live: object, resource: resource}
	if has := ownerOf(object); has != owner {
		seen.keep = fmt.Sprintf("it no longer carries the labels of Environment %q of project %q", owner.Environment, owner.Project)
	}
	return seen, nil
}

// untouchable says why an object is not pruned whatever its labels say.
func (d *Deployer) untouchable(ref v1alpha1.ObjectReference) string {
	switch {
	case ref == v1alpha1.ObjectReference{Kind: "Namespace", Name: d.target.Namespace},
		ref == v1alpha1.ObjectReference{Kind: "ServiceAccount", Namespace: d.target.Namespace, Name: d.target.ServiceAccountName}:
		return "the deployer and its namespace are never pruned: the rollout stands on them"
	case ref.Namespace != "" && ref.Namespace != d.target.Namespace:
		return fmt.Sprintf("namespace %q is no longer the Environment's target: delete it there if it is not needed", ref.Namespace)
	}
	return ""
}
