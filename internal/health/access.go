// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

var selfReviews = schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}

// access asks the API server what the operator may watch in the whole cluster, and remembers the answers for as long as the process lives: a right
// that is given later is used after the next start.
type access struct {
	operator dynamic.Interface
	mutex    sync.Mutex
	known    map[schema.GroupResource]bool
}

func newAccess(operator dynamic.Interface) *access {
	return &access{operator: operator, known: map[schema.GroupResource]bool{}}
}

// toWatch says whether the operator may list and watch a resource in all namespaces.
func (a *access) toWatch(ctx context.Context, resource schema.GroupVersionResource) (bool, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if allowed, found := a.known[resource.GroupResource()]; found {
		return allowed, nil
	}
	for _, verb := range []string{"list", "watch"} {
		allowed, err := a.ask(ctx, resource, verb)
		if err != nil {
			return false, err
		}
		if a.known[resource.GroupResource()] = allowed; !allowed {
			return false, nil
		}
	}
	return true, nil
}

func (a *access) ask(ctx context.Context, resource schema.GroupVersionResource, verb string) (bool, error) {
	review := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": selfReviews.GroupVersion().String(), "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]any{"group": resource.Group, "version": resource.Version, "resource": resource.Resource, "verb": verb}},
	}}
	answer, err := a.operator.Resource(selfReviews).Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask whether the operator may %s %s: %w", verb, resource.GroupResource(), err)
	}
	allowed, _, _ := unstructured.NestedBool(answer.Object, "status", "allowed")
	return allowed, nil
}
