// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// mostExplained is how many failing objects are looked into, and mostListed how many pods or replica sets of each.
	mostExplained, mostListed = 8, 100
)

// Explain adds to failing objects of an Environment what their pods say, by asking the API server once. What cannot be asked is left as it is: the
// message says less then, and is not wrong.
func (s *Standing) Explain(ctx context.Context, environment types.NamespacedName, failing []v1alpha1.FailingObject) []v1alpha1.FailingObject {
	explained := slices.Clone(failing)
	for i := range explained[:min(len(explained), mostExplained)] {
		object := &explained[i]
		kind, found := s.kindOf(environment, object.ObjectReference)
		if !found || watchOf(kind) != operatorsWatch {
			continue
		}
		if details := s.details(ctx, kind, object.ObjectReference); len(details) > 0 {
			object.Message = bounded(withDetails(object.Message, details))
		}
	}
	return explained
}

// details are what an object and its pods say now.
func (s *Standing) details(ctx context.Context, kind schema.GroupVersionKind, ref v1alpha1.ObjectReference) []string {
	mapping, err := s.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil
	}
	live, err := s.operator.Objects.Resource(mapping.Resource).Namespace(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	if kind.Kind == "Pod" {
		return podReasons([]*unstructured.Unstructured{live})
	}
	var details []string
	if text, failing := condition(live, "ReplicaFailure"); failing {
		details = append(details, "pods cannot be created: "+text)
	}
	owner := live.GetUID()
	if hasReplicaSets(kind) {
		newest := newestReplicaSet(s.listOf(ctx, replicaSetResource, live, owner))
		if newest == nil {
			return details
		}
		owner = newest.GetUID()
	}
	pods := s.listOf(ctx, podResource, live, owner)
	if !hasReplicaSets(kind) {
		pods = ofRevision(pods, live)
	}
	return append(details, podReasons(pods)...)
}

// listOf are the objects that a workload selects and that belong to an owner.
func (s *Standing) listOf(ctx context.Context, resource schema.GroupVersionResource, workload *unstructured.Unstructured, owner types.UID) []*unstructured.Unstructured {
	written, _, _ := unstructured.NestedMap(workload.Object, "spec", "selector")
	var selector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(written, &selector); err != nil {
		return nil
	}
	found, err := s.operator.Objects.Resource(resource).Namespace(workload.GetNamespace()).List(ctx, metav1.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(&selector), Limit: mostListed,
	})
	if err != nil {
		return nil
	}
	var owned []*unstructured.Unstructured
	for i := range found.Items {
		if controller := metav1.GetControllerOf(&found.Items[i]); controller != nil && controller.UID == owner {
			owned = append(owned, &found.Items[i])
		}
	}
	return owned
}
