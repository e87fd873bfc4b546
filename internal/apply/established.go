// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/assent-dev/assent/internal/plan"
)

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

// awaitEstablished watches a custom resource definition until the API server serves its kind.
func (d *Deployer) awaitEstablished(ctx context.Context, definition *unstructured.Unstructured) error {
	resource, err := d.resource(definition.GroupVersionKind(), "")
	if err != nil {
		return err
	}
	current, err := resource.Get(ctx, definition.GetName(), metav1.GetOptions{})
	if err != nil || established(current) {
		return err
	}
	return watchUntilEstablished(ctx, resource, current)
}

func watchUntilEstablished(ctx context.Context, resource dynamic.ResourceInterface, current *unstructured.Unstructured) error {
	watcher, err := resource.Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector("metadata.name", current.GetName()).String(),
		ResourceVersion: current.GetResourceVersion(),
	})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until CustomResourceDefinition %q is established: %w", current.GetName(), ctx.Err())
		case event, open := <-watcher.ResultChan():
			if !open || event.Type == watch.Error {
				return fmt.Errorf("wait until CustomResourceDefinition %q is established: the watch ended", current.GetName())
			}
			if object, ok := event.Object.(*unstructured.Unstructured); ok && established(object) {
				return nil
			}
		}
	}
}

func established(definition *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(definition.Object, "status", "conditions")
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		if condition["type"] == "Established" && condition["status"] == "True" {
			return true
		}
	}
	return false
}
