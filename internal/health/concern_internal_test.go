// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// part of the namespace shop, controlled by the owner if there is one. Its UID is its name.
func part(kind, name string, owner *unstructured.Unstructured) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetKind(kind)
	object.SetName(name)
	object.SetNamespace("shop")
	object.SetUID(types.UID(name))
	if owner != nil {
		object.SetOwnerReferences([]metav1.OwnerReference{{Kind: owner.GetKind(), Name: owner.GetName(), UID: owner.GetUID(), Controller: ptr.To(true)}})
	}
	return object
}

// watchWith is a watch that has seen these.
func watchWith(t *testing.T, seen ...*unstructured.Unstructured) *sharedWatch {
	t.Helper()
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{}, &unstructured.Unstructured{}, 0, cache.Indexers{byController: controllerOf})
	for _, object := range seen {
		if err := informer.GetStore().Add(object); err != nil {
			t.Fatal(err)
		}
	}
	return &sharedWatch{informer: informer}
}

func TestAnEventIsJudgedForWhatItConcernsAlone(t *testing.T) {
	web, other := part("Deployment", "web", nil), part("Deployment", "other", nil)
	webs, others := part("ReplicaSet", "web-1", web), part("ReplicaSet", "other-1", other)
	deployments, replicaSets, pods := watchWith(t, web, other), watchWith(t, webs, others), watchWith(t)
	elsewhere := part("Deployment", "web", nil)
	elsewhere.SetNamespace("elsewhere")
	for _, test := range []struct {
		name   string
		watch  *sharedWatch
		event  *unstructured.Unstructured
		status healthStatus
		want   bool
	}{
		{"the object itself", deployments, web, waiting, true},
		{"the object itself while it is healthy: that may end", deployments, web, healthy, true},
		{"another of its kind", deployments, other, waiting, false},
		{"one of its name in another namespace", deployments, elsewhere, waiting, false},
		{"the watch as a whole", deployments, nil, waiting, true},
		{"its ReplicaSet", replicaSets, webs, waiting, true},
		{"another's ReplicaSet", replicaSets, others, waiting, false},
		{"a pod of its ReplicaSet", pods, part("Pod", "web-1-a", webs), waiting, true},
		{"a pod of its ReplicaSet while it has failed: that may pass", pods, part("Pod", "web-1-a", webs), failed, true},
		{"a pod of its ReplicaSet while it is healthy", pods, part("Pod", "web-1-a", webs), healthy, false},
		{"a pod of another's ReplicaSet", pods, part("Pod", "other-1-a", others), waiting, false},
		{"a pod of its own", pods, part("Pod", "web-a", web), waiting, true},
		{"a pod of nobody", pods, part("Pod", "alone", nil), waiting, false},
		{"the watch of pods as a whole", pods, nil, waiting, true},
		{"another watch", watchWith(t), web, waiting, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &trackedObject{
				Expected: Expected{Ref: v1alpha1.ObjectReference{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}},
				watch:    deployments, pods: pods, replicaSets: replicaSets, health: objectHealth{status: test.status},
			}
			if got := object.concernedBy(test.watch, test.event); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
	if (&trackedObject{}).concernedBy(pods, nil) {
		t.Error("what has no watch is concerned by none")
	}
}
