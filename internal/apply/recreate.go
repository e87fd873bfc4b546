// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/assent-dev/assent/internal/plan"
)

// goneTimeout is how long one call waits for an object to go. Pods get 30 seconds to stop unless they ask for more; whoever needs longer is
// waited for again when the rollout is tried again.
const goneTimeout = time.Minute

// remove deletes the very version of an object that was looked at, and waits until it is gone with all that depends on it: the pods of an
// old Job must not run beside those of the new one. A process that dies in between finds the object gone, and creates it.
func (d *Deployer) remove(ctx context.Context, seen comparison) *problem {
	return d.awaitGone(ctx, seen, func(ctx context.Context) error { return deleteSeen(ctx, seen) })
}

// deleteSeen deletes an object if nobody has written it since it was looked at; with dryRun it only asks whether that is allowed.
func deleteSeen(ctx context.Context, seen comparison, dryRun ...string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	uid, version, foreground := seen.Live.GetUID(), seen.Live.GetResourceVersion(), metav1.DeletePropagationForeground
	return seen.resource.Delete(ctx, seen.Live.GetName(), metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}, PropagationPolicy: &foreground, DryRun: dryRun,
	})
}

// stillThere asks for an object that is being deleted; its error says that it is gone.
func stillThere(ctx context.Context, seen comparison) error {
	found, err := live(ctx, seen.resource, seen.Live.GetName())
	if err == nil && (found == nil || found.GetUID() != seen.Live.GetUID()) {
		return apierrors.NewNotFound(schema.GroupResource{Group: seen.Ref.Group, Resource: seen.Ref.Kind}, seen.Ref.Name)
	}
	return err
}

// awaitGone waits until an object is gone, after `begin`, which may find that it is gone already. The watch is there first, so that nothing
// is deleted by a deployer that may not watch, and no deletion is missed.
func (d *Deployer) awaitGone(ctx context.Context, seen comparison, begin func(context.Context) error) *problem {
	bounded, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	watcher, err := seen.resource.Watch(bounded, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", seen.Live.GetName()).String()})
	if err != nil {
		return d.explain(seen.Ref, "watch", err)
	}
	defer watcher.Stop()
	if err := begin(bounded); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return d.explain(seen.Ref, "delete", err)
	}
	return untilGone(bounded, watcher, seen.Live)
}

func untilGone(ctx context.Context, watcher watch.Interface, last *unstructured.Unstructured) *problem {
	uid := last.GetUID()
	for {
		select {
		case <-ctx.Done():
			return &problem{kind: TransientError, cause: ctx.Err(), message: stays(last)}
		case event, open := <-watcher.ResultChan():
			object, isObject := event.Object.(*unstructured.Unstructured)
			switch {
			case !open || event.Type == watch.Error:
				if ctx.Err() != nil {
					continue // the deadline ends the watch too, and says more
				}
				return &problem{kind: TransientError, message: fmt.Sprintf("%s is being deleted, and the watch for its end was cut: it is tried again", describe(last))}
			case isObject && object.GetUID() != uid, isObject && event.Type == watch.Deleted:
				return nil
			case isObject:
				last = object
			}
		}
	}
}

// stays says why an object that was deleted is not gone.
func stays(object *unstructured.Unstructured) string {
	text := fmt.Sprintf("%s has been deleted so that it can be created again, and is not gone yet", describe(object))
	var others []string
	for _, finalizer := range object.GetFinalizers() {
		if finalizer != metav1.FinalizerDeleteDependents {
			others = append(others, finalizer)
		}
	}
	switch {
	case len(others) > 0:
		return text + fmt.Sprintf(": its finalizers \"%s\" are not removed; whoever they belong to has to do that", strings.Join(others, `", "`))
	case len(object.GetFinalizers()) > 0:
		return text + ": what depends on it, such as its pods, has not stopped yet"
	}
	return text
}

// tryRecreation asks, before anything is approved, whether the deployer may delete what has to be created again.
func (d *Deployer) tryRecreation(ctx context.Context, seen comparison) *problem {
	err := deleteSeen(ctx, seen, metav1.DryRunAll)
	// Who has written it in between is dealt with when it is applied.
	if err == nil || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return d.explain(plan.Reference(seen.Live), "delete", err)
}
