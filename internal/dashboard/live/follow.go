// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// pageSize is how many objects one answer of the API server holds at most.
	pageSize = 500
	// listPatience is how long one page may take.
	listPatience = time.Minute
	// shortest is how long a watch lasts at least that is not a failure.
	shortest = time.Second
	// overdue is after how long an answer is missed. Where one of several API servers ends, the next request is answered at once by another one.
	overdue = time.Second
	// regather is how long it takes to look for the Promotion that has ended last where that one was deleted: often more are deleted at once.
	regather = time.Second
)

var (
	// errShort is a watch that has ended at once.
	errShort = errors.New("the watch has ended at once")
	// errCut is a connection that has ended before there was an answer. The client makes of that a watch that has ended before it has begun.
	errCut = errors.New("the connection has ended without an answer")
)

// follow a kind of a feed until that is dropped: it is listed, then watched from there on, and listed again where the API server does not know any more what has
// happened meanwhile.
func (h *Hub) follow(f *feed, of kind) {
	defer h.running.Done()
	retry := backoff{first: soon, most: longest}
	for at := ""; ; {
		h.mu.Lock()
		during := f.turn
		h.mu.Unlock()
		if f.ctx.Err() != nil {
			return
		}
		began := h.clock.Now()
		listing := at == ""
		next, err := h.advance(during, f, of, at)
		if err == nil && !listing && next == at && h.clock.Since(began) < shortest {
			err = errShort
		}
		at = next
		switch {
		case during.ctx.Err() != nil:
		case err == nil:
			retry.reset()
		case !h.failed(f, during, err):
			h.rest(during.ctx, retry.next())
		}
	}
}

// advance by one list or one watch, and return from where on it is to be watched; from nowhere where it is to be listed.
func (h *Hub) advance(during *turn, f *feed, of kind, at string) (string, error) {
	if at == "" {
		return h.list(during, f, of)
	}
	next, err := h.watch(during, f, of, at)
	if apierrors.IsGone(err) || apierrors.IsResourceExpired(err) {
		return "", nil
	}
	return next, err
}

// failed requests are told, unless they go on with another token at once.
func (h *Hub) failed(f *feed, during *turn, err error) (passed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock.Now()
	if apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) {
		during.by.soon()
		if f.refuse(during, now) {
			return true
		}
		if len(f.present) == 0 {
			h.drop(f)
			return true
		}
	} else if unavailable(err) && !errors.Is(err, errShort) {
		h.away = now
	}
	f.problem = err
	return false
}

// asks is called before each request of a kind.
func (h *Hub) asks(f *feed, of kind) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.sent[of] = h.clock.Now()
	if f.asked[of].IsZero() {
		f.asked[of] = f.sent[of]
	}
}

// returned is called when a request of a kind was answered, refused or cut.
func (h *Hub) returned(f *feed, of kind) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(f.sent, of)
}

// answered is called when the API server has answered as it should. Where it was away, those who could not be asked about meanwhile are asked about now.
func (h *Hub) answered(f *feed, of kind) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(f.asked, of)
	if f.away[of].IsZero() {
		return
	}
	delete(f.away, of)
	h.away = h.clock.Now() // until now
	for id := range f.present {
		if !id.confirmed(h.clock.Now(), h.options.Keep/2) {
			id.soon()
		}
	}
	h.stir()
}

// missed answers are told.
func (h *Hub) missed(f *feed, now time.Time) {
	for _, at := range f.sent {
		if now.Sub(at) >= overdue { // a server that starts lets requests wait
			h.away = now
		}
	}
	for of, since := range f.asked {
		if now.Sub(since) >= overdue && f.away[of].IsZero() {
			f.away[of] = since
			h.stir()
		}
	}
}

// list all of a kind, page by page.
func (h *Hub) list(during *turn, f *feed, of kind) (string, error) {
	fresh := newKept()
	version, err := h.pages(during, f, of, &client.ListOptions{Namespace: string(f.scope)}, fresh.put)
	if err != nil {
		return "", err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f.read(of, fresh)
	h.stir()
	return version, nil
}

func (h *Hub) pages(during *turn, f *feed, of kind, options *client.ListOptions, visit func(client.Object)) (version string, err error) {
	options.Limit = pageSize
	for {
		found := of.list()
		h.asks(f, of)
		limited, cancel := context.WithTimeout(during.ctx, listPatience)
		err := during.by.connection.List(limited, found, options)
		cancel()
		h.returned(f, of)
		if err != nil {
			return "", err
		}
		h.answered(f, of)
		err = meta.EachListItem(found, func(item runtime.Object) error {
			visit(own(item))
			return nil
		})
		if options.Continue = found.GetContinue(); options.Continue == "" || err != nil {
			return found.GetResourceVersion(), err
		}
	}
}

// own is an object that keeps no others alive, as one does that is a part of a page.
func own(item runtime.Object) client.Object {
	switch item := item.(type) {
	case *v1alpha1.Environment:
		return copied(item)
	case *v1alpha1.Release:
		return copied(item)
	case *v1alpha1.Promotion:
		return copied(item)
	}
	object, _ := item.(client.Object)
	return object
}

func copied[T any](object *T) *T {
	another := *object
	return &another
}

// watch a kind, and return up to where. The error of one that has to begin anew is that it is gone.
func (h *Hub) watch(during *turn, f *feed, of kind, at string) (string, error) {
	h.asks(f, of)
	watched, err := during.by.connection.Watch(during.ctx, of.list(), &client.ListOptions{
		Namespace: string(f.scope), Raw: &metav1.ListOptions{ResourceVersion: at, AllowWatchBookmarks: true},
	})
	h.returned(f, of)
	if err != nil {
		return at, err
	}
	defer watched.Stop()
	select {
	case event, open := <-watched.ResultChan():
		if !open {
			return at, errCut
		}
		if at, err = h.happened(f, event, at); err != nil {
			return at, err
		}
	default:
	}
	h.answered(f, of)
	return h.observe(during, f, watched, at)
}

// observe what happens until the watch ends.
func (h *Hub) observe(during *turn, f *feed, watched watch.Interface, at string) (string, error) {
	var look <-chan time.Time
	for {
		select {
		case <-during.ctx.Done():
			return at, nil
		case event, open := <-watched.ResultChan():
			if !open {
				h.doubt()
				return at, nil
			}
			var err error
			if at, err = h.happened(f, event, at); err != nil {
				return at, err
			}
			// Only what watches Promotions looks for them: it is told afterwards of those that are deleted meanwhile.
			if _, is := event.Object.(*v1alpha1.Promotion); is && look == nil && event.Type == watch.Deleted {
				look = h.clock.After(regather)
			}
		case <-look:
			look = nil
			if err := h.lookForLast(during, f); err != nil {
				return "", err
			}
		}
	}
}

// doubt that the API server is the one that it was: a watch has ended, as it does after a while, and also where a server ends. The next one may have just started.
func (h *Hub) doubt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away = h.clock.Now()
}

// happened is what a watch tells, and up to where.
func (h *Hub) happened(f *feed, event watch.Event, at string) (string, error) {
	object, is := event.Object.(client.Object)
	switch {
	case event.Type == watch.Error || !is:
		return at, apierrors.FromObject(event.Object)
	case event.Type == watch.Bookmark:
		return object.GetResourceVersion(), nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if event.Type == watch.Deleted {
		f.kept.remove(object)
	} else {
		f.kept.put(object)
	}
	h.stir()
	return object.GetResourceVersion(), nil
}

// lookForLast of the Promotions that have ended in Environments where the last one was deleted.
func (h *Hub) lookForLast(during *turn, f *feed) error {
	h.mu.Lock()
	missing := f.kept.missing()
	h.mu.Unlock()
	for _, environment := range missing {
		fresh := newPromotions()
		_, err := h.pages(during, f, ofPromotions, &client.ListOptions{
			Namespace: environment.Namespace, FieldSelector: fields.OneTermEqualSelector("spec.environment", environment.Name),
		}, func(object client.Object) {
			if promotion, is := object.(*v1alpha1.Promotion); is {
				fresh.put(promotion)
			}
		})
		if err != nil {
			return err
		}
		h.mu.Lock()
		if last := fresh.last[environment]; last != nil {
			f.kept.put(last)
			h.stir()
		}
		h.mu.Unlock()
	}
	return nil
}
