// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"slices"
	"unique"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// standingKey tells the watches of Standing apart.
type standingKey struct {
	resource schema.GroupVersionResource
	kind     schema.GroupVersionKind
	// whole says that the objects are read as a whole: their status says how they are doing.
	whole bool
	// environment whose deployer watches; empty for the operator's own watches.
	environment types.NamespacedName
	// namespace that a deployer watches, or the name of the only cluster-scoped object.
	namespace, name string
}

func (k standingKey) isBorrowed() bool { return k.environment != (types.NamespacedName{}) }

// standingWatch is one running watch. It is the store that a reflector writes to. Standing's mutex guards it.
type standingWatch struct {
	standing *Standing
	key      standingKey
	holders  int
	stop     context.CancelFunc
	seen     map[types.NamespacedName]record
	// listed says that everything has been looked at once.
	listed bool
	// refused is why the last attempt to list or watch failed.
	refused error
}

// record is all that is kept of an object.
type record struct {
	mark   mark
	owner  unique.Handle[types.NamespacedName]
	health objectHealth
}

// acquire takes a watch for an Environment, and starts it if nobody holds it yet; nil where there is no place for one more. The caller holds the lock.
func (s *Standing) acquire(key standingKey, deployer func() (Readers, error)) *standingWatch {
	if known := s.watches[key]; known != nil && (known.refused == nil || !key.isBorrowed()) {
		known.holders++
		return known
	}
	if key.isBorrowed() && s.borrowed >= MostDeployerWatches {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	begun := &standingWatch{standing: s, key: key, holders: 1, stop: stop, seen: map[types.NamespacedName]record{}}
	s.watches[key] = begun
	if key.isBorrowed() {
		s.borrowed++
		go begun.follow(ctx, deployer)
	} else {
		go begun.reflect(ctx)
	}
	return begun
}

// release gives an Environment's watches back, and ends those that nobody holds any more. The caller holds the lock.
func (s *Standing) release(holder *standingEnvironment) {
	if holder == nil {
		return
	}
	given := map[*standingWatch]bool{nil: true}
	for _, held := range holder.watches {
		if given[held] {
			continue
		}
		given[held] = true
		if held.holders--; held.holders > 0 {
			continue
		}
		held.stop()
		if held.key.isBorrowed() {
			s.borrowed--
		}
		if s.watches[held.key] == held {
			delete(s.watches, held.key)
		}
	}
}

// reflect keeps a watch of the operator's own until it is stopped.
func (w *standingWatch) reflect(ctx context.Context) {
	var expected any = &metav1.PartialObjectMetadata{}
	if w.key.whole {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(w.key.kind)
		expected = object
	}
	both := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return w.list(ctx, w.standing.operator, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return w.begin(ctx, w.standing.operator, options)
		},
	}
	cache.NewReflectorWithOptions(both, expected, w, cache.ReflectorOptions{Name: "assent " + w.key.resource.Resource}).RunWithContext(ctx)
}

// list what was applied. A deployer that may not is not asked again before the next rollout, unless its answer matters for health.
func (w *standingWatch) list(ctx context.Context, readers Readers, options metav1.ListOptions) (found runtime.Object, err error) {
	w.selects(&options)
	if w.key.whole {
		found, err = readers.Objects.Resource(w.key.resource).Namespace(w.key.namespace).List(ctx, options)
	} else {
		found, err = readers.Metadata.Resource(w.key.resource).Namespace(w.key.namespace).List(ctx, options)
	}
	w.answered(err)
	return found, err
}

// begin to watch what was applied.
func (w *standingWatch) begin(ctx context.Context, readers Readers, options metav1.ListOptions) (found watch.Interface, err error) {
	w.selects(&options)
	if w.key.whole {
		found, err = readers.Objects.Resource(w.key.resource).Namespace(w.key.namespace).Watch(ctx, options)
	} else {
		found, err = readers.Metadata.Resource(w.key.resource).Namespace(w.key.namespace).Watch(ctx, options)
	}
	w.answered(err)
	return found, err
}

// selects what was applied: by all Environments, or by the one whose deployer watches.
func (w *standingWatch) selects(options *metav1.ListOptions) {
	options.LabelSelector = v1alpha1.LabelEnvironment
	if w.key.isBorrowed() {
		options.LabelSelector = labels.Set{
			v1alpha1.LabelProject: w.key.environment.Namespace, v1alpha1.LabelEnvironment: w.key.environment.Name,
		}.String()
	}
	if w.key.name != "" {
		options.FieldSelector = fields.OneTermEqualSelector("metadata.name", w.key.name).String()
	}
}

// answered notes whether the API server lets the watch be.
func (w *standingWatch) answered(err error) {
	if err == nil || passing(err) || !apierrors.IsForbidden(err) {
		return // the reflector tries again
	}
	w.standing.mutex.Lock()
	changed := w.refused == nil
	w.refused = err
	if w.key.isBorrowed() && !w.key.whole {
		w.stop()
	}
	told := w.standing.tell(w.holds())
	w.standing.mutex.Unlock()
	if changed {
		w.standing.ring(told)
	}
}

// holds says of an Environment whether the watch brings something of it.
func (w *standingWatch) holds() func(*standingEnvironment) bool {
	return func(environment *standingEnvironment) bool { return slices.Contains(environment.watches, w) }
}

// Add, Update, Delete and Replace take what the reflector brings.
func (w *standingWatch) Add(object any) error { return w.put(object) }

// Update see Add.
func (w *standingWatch) Update(object any) error { return w.put(object) }

// Delete see Add.
func (w *standingWatch) Delete(object any) error {
	gone, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	key := types.NamespacedName{Namespace: gone.GetNamespace(), Name: gone.GetName()}
	w.standing.mutex.Lock()
	before, found := w.seen[key]
	delete(w.seen, key)
	var told []types.NamespacedName
	if found {
		told = w.tellOwner(key, before, record{})
	}
	w.standing.mutex.Unlock()
	w.standing.ring(told)
	return nil
}

func (w *standingWatch) put(object any) error {
	key, now, err := w.recordOf(object)
	if err != nil {
		return err
	}
	w.standing.mutex.Lock()
	before := w.seen[key]
	w.seen[key] = now
	w.refused = nil
	told := w.tellOwner(key, before, now)
	w.standing.mutex.Unlock()
	w.standing.ring(told)
	return nil
}

// Replace takes a whole list. The first one is what there was to see all along; a later one tells what was missed.
func (w *standingWatch) Replace(objects []any, _ string) error {
	next := make(map[types.NamespacedName]record, len(objects))
	for _, object := range objects {
		key, now, err := w.recordOf(object)
		if err != nil {
			return err
		}
		next[key] = now
	}
	w.standing.mutex.Lock()
	first := !w.listed
	before := w.seen
	w.seen, w.listed, w.refused = next, true, nil
	var told []types.NamespacedName
	if first {
		told = w.standing.tell(w.holds())
	}
	for key, was := range before {
		told = append(told, w.tellOwner(key, was, next[key])...)
	}
	for key, now := range next {
		if _, found := before[key]; !found && !first {
			told = append(told, w.tellOwner(key, record{}, now)...)
		}
	}
	w.standing.mutex.Unlock()
	w.standing.ring(told)
	return nil
}

// Resync is never asked for.
func (w *standingWatch) Resync() error { return nil }

// recordOf is what is kept of an object.
func (w *standingWatch) recordOf(item any) (types.NamespacedName, record, error) {
	object, err := meta.Accessor(item)
	if err != nil {
		return types.NamespacedName{}, record{}, fmt.Errorf("read a watched %s: %w", w.key.kind.Kind, err)
	}
	own := object.GetLabels()
	now := record{
		mark:   w.standing.marks.of(object),
		owner:  unique.Make(types.NamespacedName{Namespace: own[v1alpha1.LabelProject], Name: own[v1alpha1.LabelEnvironment]}),
		health: objectHealth{status: healthy},
	}
	if live, is := item.(*unstructured.Unstructured); is && w.key.whole {
		now.health = compute(live)
		now.health.message = bounded(now.health.message)
		if now.health.status == healthy {
			now.health.message = ""
		}
	}
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}, now, nil
}

// tellOwner counts what has become of an object, and says who has to be told: the Environment that applied it. Labels alone prove nothing. The caller
// holds the lock.
func (w *standingWatch) tellOwner(object types.NamespacedName, before, now record) []types.NamespacedName {
	if before == now {
		return nil
	}
	owner := now.owner
	if now == (record{}) {
		owner = before.owner
	}
	var told []types.NamespacedName
	if before != (record{}) && before.owner != owner {
		told = w.tellOwner(object, before, record{}) // it was taken away from another one
		before = record{}
	}
	key := owner.Value()
	environment := w.standing.environments[key]
	if environment == nil || !environment.applied(w, object) {
		return told
	}
	if before.mark.written != now.mark.written {
		environment.writes++
	}
	if before.mark.applied != now.mark.applied {
		environment.changes++
	}
	if before.mark.applied != now.mark.applied || before.health != now.health || environment.attentive {
		told = append(told, environment.tell(key)...)
	}
	return told
}

// applied says whether an object is one that was applied in the Environment, and that a watch brings.
func (e *standingEnvironment) applied(by *standingWatch, object types.NamespacedName) bool {
	for i, held := range e.watches {
		if ref := e.expected[i].Ref; held == by && ref.Name == object.Name && ref.Namespace == object.Namespace {
			return true
		}
	}
	return false
}

// tell the Environments that are concerned. The caller holds the lock, and rings after it has given it back.
func (s *Standing) tell(concerned func(*standingEnvironment) bool) []types.NamespacedName {
	var told []types.NamespacedName
	for key, environment := range s.environments {
		if concerned(environment) {
			told = append(told, environment.tell(key)...)
		}
	}
	return told
}

func (e *standingEnvironment) tell(key types.NamespacedName) []types.NamespacedName {
	if e.notified {
		return nil
	}
	e.notified = true
	return []types.NamespacedName{key}
}

func (s *Standing) ring(told []types.NamespacedName) {
	for _, environment := range told {
		s.notify(environment)
	}
}

// judge says how an object is doing, as it was last seen. The caller holds the lock.
func (w *standingWatch) judge(object Expected) objectHealth {
	if w == nil {
		return objectHealth{status: healthy} // as it was when its rollout ended
	}
	now, found := w.seen[types.NamespacedName{Namespace: object.Ref.Namespace, Name: object.Ref.Name}]
	switch {
	case found:
		return now.health
	case !w.key.whole && (w.listed || w.refused != nil):
		return objectHealth{status: healthy} // that it is gone is drift
	case w.refused != nil:
		shown := &sharedWatch{key: watchKey{resource: w.key.resource, promotion: w.key.environment}}
		return objectHealth{waiting, shown.explain(object.Kind, w.refused)}
	case w.listed:
		return objectHealth{waiting, "was deleted by somebody else after it was applied: promote again to apply it once more"}
	}
	return objectHealth{unseen, "waiting to see the object as it was applied"}
}
