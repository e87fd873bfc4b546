// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

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
