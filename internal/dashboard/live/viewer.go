// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
)

// Person is who wants to look, and with what token.
type Person struct {
	// Token by which the API server knows the person. Nothing else says who it is.
	Token string
	// Expires is when the token does; zero where that is not known.
	Expires time.Time
	// Name is for whoever looks at the viewer.
	Name v1alpha1.Person
	// Projects that the person asks for. They see those that they may.
	Projects []string
}

// Viewer sees what a person may see, until Done.
type Viewer struct {
	hub *Hub
	id  *identity
	// Name of the person.
	Name    v1alpha1.Person
	world   atomic.Pointer[page.World]
	changed chan struct{}
	done    chan struct{}
	// failed is guarded by the Hub's lock.
	failed error
}

// Join with a token: it returns when all is there that the person may see. The error is ErrUnauthorized or ErrForbidden where they may not.
func (h *Hub) Join(ctx context.Context, who Person) (*Viewer, error) {
	if who.Token == "" {
		return nil, ErrUnauthorized
	}
	h.mu.Lock()
	id, err := h.identity(who)
	if err != nil {
		h.mu.Unlock()
		return nil, err
	}
	v := &Viewer{hub: h, id: id, Name: who.Name, changed: make(chan struct{}, 1), done: make(chan struct{})}
	v.world.Store(&page.World{})
	h.admit(v) //nolint:contextcheck // whoever joins ends before the viewer does
	h.mu.Unlock()
	if err := h.await(ctx, v); err != nil {
		v.Close()
		return nil, err
	}
	select {
	case <-v.changed: // to what it is from the beginning
	default:
	}
	return v, nil
}

// admit a viewer to an identity, which is watched over from the first one on.
func (h *Hub) admit(v *Viewer) {
	id := v.id
	id.viewers[v] = struct{}{}
	if len(id.viewers) > 1 {
		return
	}
	var watching context.Context
	watching, id.stop = context.WithCancel(h.ctx)
	h.running.Add(1)
	go h.watchOver(watching, id)
}

// await that the viewer has its World.
func (h *Hub) await(ctx context.Context, v *Viewer) error {
	for {
		err := h.review(ctx, v.id, false)
		h.mu.Lock()
		failed, confirmed := v.failed, len(v.id.scopes) > 0 && v.id.confirmed(h.clock.Now(), h.options.Keep)
		doubtful := v.id.doubtful
		h.mu.Unlock()
		switch {
		case failed != nil:
			return failed
		case confirmed:
			return h.awaitAll(ctx, v)
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case doubtful:
			h.rest(ctx, soon)
		}
	}
}

// awaitAll that the viewer may see.
func (h *Hub) awaitAll(ctx context.Context, v *Viewer) error {
	for {
		h.mu.Lock()
		if v.failed != nil {
			defer h.mu.Unlock()
			return v.failed
		}
		reading := h.unread(v.id)
		if reading == nil {
			h.show(v.id)
			h.mu.Unlock()
			return nil
		}
		h.mu.Unlock()
		select {
		case <-reading.whole:
		case <-reading.ctx.Done():
		case <-v.done:
		case <-ctx.Done():
			return h.unreadable(reading, ctx.Err())
		}
	}
}

// World that the person may see now. It is never changed: look again for what is newer. Viewers who may see the same have the same one.
func (v *Viewer) World() *page.World { return v.world.Load() }

// Changed gets a token when the World differs from what it was when the last token was taken.
func (v *Viewer) Changed() <-chan struct{} { return v.changed }

// Done is closed when the viewer has to go: Failed says why.
func (v *Viewer) Done() <-chan struct{} { return v.done }

// Failed is ErrForbidden where all rights were withdrawn, ErrUnauthorized where the token is of no use any more, and nil while the viewer may stay.
func (v *Viewer) Failed() error {
	v.hub.mu.Lock()
	defer v.hub.mu.Unlock()
	return v.failed
}

// Close when nobody looks any more.
func (v *Viewer) Close() {
	h := v.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.failed != nil {
		return
	}
	v.fail(ErrClosed)
	delete(v.id.viewers, v)
	if len(v.id.viewers) > 0 {
		return
	}
	v.id.stop()
	v.id.left = h.clock.Now()
	h.part(v.id)
}

// see a World. The Hub's lock is held.
func (v *Viewer) see(world *page.World) {
	if v.world.Swap(world) == world {
		return
	}
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// fail for that reason. Nothing is left to be seen. The Hub's lock is held.
func (v *Viewer) fail(err error) {
	v.failed = err
	v.world.Store(&page.World{})
	close(v.done)
}
