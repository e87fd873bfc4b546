// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// watchKey tells watches apart: what the operator watches is shared by all promotions of a namespace, what a deployer watches is not.
type watchKey struct {
	resource  schema.GroupVersionResource
	namespace string
	// name of the only object that is watched; empty for all.
	name string
	// promotion whose deployer watches; empty for the operator's own watches.
	promotion types.NamespacedName
}

// sharedWatch is one running watch.
type sharedWatch struct {
	key      watchKey
	informer cache.SharedIndexInformer
	stop     context.CancelFunc
	holders  int
	// refused is why the last attempt to list or watch failed; nil as soon as something is seen.
	refused atomic.Pointer[error]
}

const byController = "controller"

// acquire takes a watch for a rollout, and starts it if nobody holds it yet, with what is not older than a version. The caller holds the Tracker's lock.
func (t *Tracker) acquire(holder *rollout, key watchKey, client dynamic.Interface, since string) *sharedWatch {
	for _, held := range holder.watches {
		if held == key {
			return t.watches[key]
		}
	}
	holder.watches = append(holder.watches, key)
	shared := t.watches[key]
	if shared == nil {
		shared = t.startWatch(key, client, since)
		t.watches[key] = shared
	}
	shared.holders++
	return shared
}

// release gives a rollout's watches back, and ends those that nobody holds any more. The caller holds the Tracker's lock.
func (t *Tracker) release(holder *rollout) {
	if holder == nil {
		return
	}
	if holder.later != nil {
		holder.later.Stop()
	}
	for _, key := range holder.watches {
		shared := t.watches[key]
		if shared.holders--; shared.holders == 0 {
			shared.stop()
			delete(t.watches, key)
		}
	}
	holder.watches = nil
}

func (t *Tracker) startWatch(key watchKey, client dynamic.Interface, since string) *sharedWatch {
	informer := cache.NewSharedIndexInformerWithOptions(key.listWatcher(client, since), &unstructured.Unstructured{}, cache.SharedIndexInformerOptions{
		Indexers: cache.Indexers{byController: controllerOf}, ObjectDescription: key.resource.String(),
	})
	ctx, stop := context.WithCancel(context.Background())
	shared := &sharedWatch{key: key, informer: informer, stop: stop}
	seen := func(item any) {
		shared.refused.Store(nil)
		object, _ := item.(*unstructured.Unstructured) // of what was deleted unseen only the name is left: it may concern any
		t.changed(shared, object)
	}
	// These fail only for an informer that has been started already.
	_ = informer.SetTransform(slim)
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if passing(err) {
			return
		}
		shared.refused.Store(&err)
		t.changed(shared, nil)
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: seen, UpdateFunc: func(_, object any) { seen(object) }, DeleteFunc: seen,
	})
	go informer.RunWithContext(ctx)
	go func() {
		// What is not in the list brings no event of its own.
		select {
		case <-informer.HasSyncedChecker().Done():
			t.changed(shared, nil)
		case <-ctx.Done():
		}
	}()
	return shared
}

// listedFirst has a Reflector list and then watch, rather than have the watch bring the list. The watch would wait with it, up to a tenth of a second, until the
// API server's cache has proved to be as new as etcd; not older than what was applied is enough.
type listedFirst struct{}

// IsWatchListSemanticsUnSupported is what client-go asks.
func (listedFirst) IsWatchListSemanticsUnSupported() bool { return true }

// listWatcher of a watch. The first list is one that is not older than a version, or that the API server has at hand.
func (k watchKey) listWatcher(client dynamic.Interface, since string) cache.ListerWatcher {
	narrowed := func(options metav1.ListOptions) metav1.ListOptions {
		if k.name != "" {
			options.FieldSelector = fields.OneTermEqualSelector("metadata.name", k.name).String()
		}
		return options
	}
	resource := client.Resource(k.resource).Namespace(k.namespace)
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			if options.ResourceVersion == "0" && since != "" {
				options.ResourceVersion, options.ResourceVersionMatch = since, metav1.ResourceVersionMatchNotOlderThan
			}
			return resource.List(ctx, narrowed(options))
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return resource.Watch(ctx, narrowed(options))
		},
	}, listedFirst{})
}

// changed judges the objects again that an event of a watch concerns, all of that watch if it brings no object, and tells the promotions whose health
// it changed.
func (t *Tracker) changed(shared *sharedWatch, event *unstructured.Unstructured) {
	for _, promotion := range t.observe(shared, event) {
		t.notify(promotion)
	}
}

func (t *Tracker) observe(shared *sharedWatch, event *unstructured.Unstructured) []types.NamespacedName {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var changed []types.NamespacedName
	for promotion, tracked := range t.rollouts {
		if tracked.observe(shared, event) && !tracked.notified {
			tracked.notified = true
			changed = append(changed, promotion)
		}
	}
	return changed
}

func (r *rollout) observe(shared *sharedWatch, event *unstructured.Unstructured) bool {
	changed := false
	for _, object := range r.objects {
		if object.concernedBy(shared, event) {
			changed = object.observe() || changed
		}
	}
	return changed
}

// passing tells the ends of a watch that are a part of watching.
func passing(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

func (w *sharedWatch) failure() error {
	if err := w.refused.Load(); err != nil {
		return *err
	}
	return nil
}

// get returns an object as it was last seen.
func (w *sharedWatch) get(ref v1alpha1.ObjectReference) (*unstructured.Unstructured, bool) {
	key := ref.Name
	if ref.Namespace != "" {
		key = ref.Namespace + "/" + ref.Name
	}
	item, found, err := w.informer.GetStore().GetByKey(key)
	if err != nil || !found {
		return nil, false
	}
	object, ok := item.(*unstructured.Unstructured)
	return object, ok
}

// controlledBy returns the objects whose controller is the one with this UID.
func (w *sharedWatch) controlledBy(owner types.UID) []*unstructured.Unstructured {
	items, err := w.informer.GetIndexer().ByIndex(byController, string(owner))
	if err != nil {
		return nil
	}
	var objects []*unstructured.Unstructured
	for _, item := range items {
		if object, ok := item.(*unstructured.Unstructured); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// explain says why nothing is seen, and what to do.
func (w *sharedWatch) explain(kind schema.GroupVersionKind, err error) string {
	if !apierrors.IsForbidden(err) {
		return fmt.Sprintf("cannot be watched now: %v", err)
	}
	who := "the operator"
	if w.key.promotion != (types.NamespacedName{}) {
		who = "the deployer"
	}
	return fmt.Sprintf("its health cannot be seen: allow %s to \"get\", \"list\" and \"watch\" %q in API group %q for kind %q: %v",
		who, w.key.resource.Resource, kind.Group, kind.Kind, err)
}

func controllerOf(item any) ([]string, error) {
	object, ok := item.(*unstructured.Unstructured)
	if !ok {
		return nil, nil
	}
	if owner := metav1.GetControllerOf(object); owner != nil {
		return []string{string(owner.UID)}, nil
	}
	return nil, nil
}

// slim drops what health does not need: a namespace may hold thousands of pods.
func slim(item any) (any, error) {
	object, ok := item.(*unstructured.Unstructured)
	if !ok {
		return item, nil
	}
	object.SetManagedFields(nil)
	if object.GetKind() == "Pod" {
		unstructured.RemoveNestedField(object.Object, "spec")
	}
	return object, nil
}
