// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// valueWatches watches the few ConfigMaps and Secrets that Environments take values from, each by itself: the operator may read these and no others.
// It reads them, too: from the watch where that is up, else from the API server.
type valueWatches struct {
	operator dynamic.Interface
	live     client.Reader
	// ring wakes whatever waits for an Environment.
	ring func(environment types.NamespacedName)

	mu            sync.Mutex
	byEnvironment map[types.NamespacedName][]reference
	watches       map[reference]*referenceWatch
}

// reference is an object that an Environment names.
type reference struct {
	kind v1alpha1.ValuesKind
	key  types.NamespacedName
}

// referenceWatch is the watch of one object, for as long as an Environment names it.
type referenceWatch struct {
	informer cache.SharedIndexInformer
	stop     context.CancelFunc
}

func newValueWatches(operator dynamic.Interface, live client.Reader, ring func(types.NamespacedName)) *valueWatches {
	return &valueWatches{
		operator: operator, live: live, ring: ring,
		byEnvironment: map[types.NamespacedName][]reference{}, watches: map[reference]*referenceWatch{},
	}
}

// Start ends every watch when the context ends. It makes them a part of the operator's manager.
func (r *valueWatches) Start(ctx context.Context) error {
	<-ctx.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, watch := range r.watches {
		watch.stop()
	}
	return nil
}

// hold watches what an Environment names, and lets go of what it named before.
func (r *valueWatches) hold(environment types.NamespacedName, overlay v1alpha1.Overlay) {
	var named []reference
	for _, from := range overlay.ValuesFrom {
		one := reference{kind: from.Kind, key: types.NamespacedName{Namespace: environment.Namespace, Name: from.Name}}
		if !slices.Contains(named, one) {
			named = append(named, one)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.byEnvironment[environment]
	if slices.Equal(before, named) {
		return
	}
	if r.byEnvironment[environment] = named; len(named) == 0 {
		delete(r.byEnvironment, environment)
	}
	for _, one := range named {
		if r.watches[one] == nil {
			r.watches[one] = r.watch(one)
		}
	}
	for _, one := range before {
		if watch := r.watches[one]; watch != nil && len(r.holders(one)) == 0 {
			watch.stop()
			delete(r.watches, one)
		}
	}
}

// holders are the Environments that name an object. The caller holds the lock.
func (r *valueWatches) holders(one reference) []types.NamespacedName {
	var found []types.NamespacedName
	for environment, named := range r.byEnvironment {
		if slices.Contains(named, one) {
			found = append(found, environment)
		}
	}
	return found
}

// watch one object. What may not be watched is read from the API server, and the message that comes of that says what to allow.
func (r *valueWatches) watch(one reference) *referenceWatch {
	resource := corev1.SchemeGroupVersion.WithResource("configmaps")
	if one.kind == v1alpha1.ValuesSecret {
		resource = corev1.SchemeGroupVersion.WithResource("secrets")
	}
	informer := dynamicinformer.NewFilteredDynamicInformer(r.operator, resource, one.key.Namespace, 0, cache.Indexers{}, func(options *metav1.ListOptions) {
		options.FieldSelector = fields.OneTermEqualSelector("metadata.name", one.key.Name).String()
	}).Informer()
	ctx, stop := context.WithCancel(context.Background())
	changed := func() {
		r.mu.Lock()
		environments := r.holders(one)
		r.mu.Unlock()
		for _, environment := range environments {
			r.ring(environment)
		}
	}
	// It fails only for an informer that has been started already.
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    func(any, bool) { changed() },
		UpdateFunc: func(_, _ any) { changed() },
		DeleteFunc: func(any) { changed() },
	})
	go informer.RunWithContext(ctx)
	return &referenceWatch{informer: informer, stop: stop}
}

// Get reads a ConfigMap or a Secret that an Environment names. It makes the watches a reader.
func (r *valueWatches) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	one := reference{kind: v1alpha1.ValuesConfigMap, key: key}
	if _, is := into.(*corev1.Secret); is {
		one.kind = v1alpha1.ValuesSecret
	}
	r.mu.Lock()
	watch := r.watches[one]
	r.mu.Unlock()
	if watch == nil || !watch.informer.HasSynced() {
		return r.live.Get(ctx, key, into, options...)
	}
	found, exists, err := watch.informer.GetStore().GetByKey(key.String())
	object, is := found.(*unstructured.Unstructured)
	if err != nil || !exists || !is {
		return r.live.Get(ctx, key, into, options...) // and its answer says why
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into); err != nil {
		return fmt.Errorf("read %s %q: %w", one.kind, key, err)
	}
	return nil
}

// List is what nobody asks of the watches.
func (r *valueWatches) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return fmt.Errorf("values are read one by one")
}
