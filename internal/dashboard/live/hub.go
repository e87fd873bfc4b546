// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/internal/person"
)

const (
	// gather is for how long changes are gathered before they are shown: a rollout makes many at once.
	gather = 100 * time.Millisecond
	// sweep is how often it is looked for what has expired, and what is overdue.
	sweep = time.Second / 2
)

// Options of a Hub. What is left out has the value that is named.
type Options struct {
	// Projects that everybody is asked about, whether they ask for them or not.
	Projects []string
	// Keep is for how long an answer counts that says what somebody may: 30 seconds.
	Keep time.Duration
	// Linger is for how long is kept what nobody looks at: 1 minute.
	Linger time.Duration
	// Clock of the machine.
	Clock clock.WithTicker
}

// Hub reads what the API server has now, and shares it between viewers.
type Hub struct {
	options   Options
	clock     clock.WithTicker
	connector *person.Connector
	// broken is why there can be no connection.
	broken  error
	ctx     context.Context //nolint:containedctx // it is the Hub's own life
	end     context.CancelFunc
	running sync.WaitGroup
	// stirred has a token where something has changed that is to be shown.
	stirred chan struct{}

	// mu guards everything below, identities, feeds and viewers included.
	mu         sync.Mutex
	closed     bool
	identities map[hash]*identity
	feeds      map[scope]*feed
	worlds     map[string]*composed
	// away is when the API server has last not answered.
	away time.Time
}

// composed World, and of what.
type composed struct {
	of    []portion
	world *page.World
}

// NewHub reads from the API server of a configuration, whose credentials are not used.
func NewHub(config *rest.Config, options Options) *Hub {
	if options.Keep == 0 {
		options.Keep = 30 * time.Second
	}
	if options.Linger == 0 {
		options.Linger = time.Minute
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	h := &Hub{
		options: options, clock: options.Clock, stirred: make(chan struct{}, 1),
		identities: map[hash]*identity{}, feeds: map[scope]*feed{}, worlds: map[string]*composed{},
	}
	h.connector, h.broken = person.NewConnector(config)
	h.ctx, h.end = context.WithCancel(context.Background())
	h.running.Add(1)
	go h.tend()
	return h
}

// Close it. Its viewers have to go; it returns when nothing of it runs any more.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	for _, id := range h.identities {
		h.expel(id, ErrClosed)
	}
	h.mu.Unlock()
	h.end()
	h.running.Wait()
}

// tend shows what has changed, and takes away what has expired.
func (h *Hub) tend() {
	defer h.running.Done()
	ticker := h.clock.NewTicker(min(sweep, h.options.Linger/4))
	defer ticker.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.stirred:
			h.rest(h.ctx, gather)
			h.mu.Lock()
			for _, id := range h.identities {
				h.show(id)
			}
			h.mu.Unlock()
		case <-ticker.C():
			h.mu.Lock()
			h.sweep()
			h.mu.Unlock()
		}
	}
}

// stir what is shown. Whoever shows it later shows all of it, so that one token is enough.
func (h *Hub) stir() {
	select {
	case h.stirred <- struct{}{}:
	default:
	}
}

// sweep out what has expired, and what nobody has looked at for a while.
func (h *Hub) sweep() {
	now := h.clock.Now()
	used := map[string]bool{}
	for of, id := range h.identities {
		id.forget(now, h.options.Keep)
		switch {
		case id.expired(now):
			h.expel(id, ErrUnauthorized)
		case len(id.viewers) == 0 && now.Sub(id.left) >= h.options.Linger:
			delete(h.identities, of)
		default:
			used[keyOf(id.scopes)] = true
		}
	}
	for _, f := range h.feeds {
		if f.over(now, h.options.Linger) {
			h.drop(f)
		}
		h.missed(f, now)
	}
	for key := range h.worlds {
		if !used[key] {
			delete(h.worlds, key)
		}
	}
}

// identity of whoever has a token.
func (h *Hub) identity(who Person) (*identity, error) {
	if h.broken != nil {
		return nil, h.broken
	}
	if h.closed {
		return nil, ErrClosed
	}
	of := hash(sha256.Sum256([]byte(who.Token)))
	id, known := h.identities[of]
	if !known {
		connection, err := h.connector.As(who.Token)
		if err != nil {
			return nil, err
		}
		id = newIdentity(of, connection, who.Expires)
		id.left = h.clock.Now()
	}
	if !who.Expires.IsZero() {
		id.expires = who.Expires
	}
	if id.expired(h.clock.Now()) {
		return nil, ErrUnauthorized
	}
	h.identities[of] = id
	id.wants(who.Projects)
	return id, nil
}

// settle an identity where it may be now. What it has lost its viewers do not have any more when this returns. Where it has nothing left, and that was answered and not
// merely not asked, they have to go.
func (h *Hub) settle(id *identity, answered bool) {
	if len(id.viewers) == 0 {
		h.part(id)
		return
	}
	held := id.held(h.clock.Now(), h.options.Keep)
	lost := slices.DeleteFunc(slices.Clone(id.scopes), func(one scope) bool { return slices.Contains(held, one) })
	id.scopes = held
	for _, one := range lost {
		h.leave(id, one, !id.answers[one].allowed)
	}
	for _, one := range held {
		h.enter(id, one)
	}
	switch {
	case len(held) == 0 && answered:
		h.expel(id, ErrForbidden)
		return
	case len(lost) > 0 && id.world != nil:
		id.world = within(id.world, held)
	}
	h.show(id)
}

// part with all scopes of an identity that has no viewers any more. It may come back soon: what it sees is kept for a while.
func (h *Hub) part(id *identity) {
	for _, one := range id.scopes {
		h.leave(id, one, false)
	}
	id.scopes, id.world = nil, nil
}

func (h *Hub) enter(id *identity, one scope) {
	f := h.feeds[one]
	if f == nil {
		f = newFeed(h.ctx, one)
		h.feeds[one] = f
		f.enter(id)
		for _, of := range kinds {
			h.running.Add(1)
			go h.follow(f, of)
		}
	}
	f.enter(id)
	delete(f.refused, id) // it was allowed just now
}

// leave a scope, with a token that may be of no use any more.
func (h *Hub) leave(id *identity, one scope, useless bool) {
	if f := h.feeds[one]; f != nil && !f.leave(id, h.clock.Now(), useless) {
		h.drop(f)
	}
}

func (h *Hub) drop(f *feed) {
	f.drop()
	if h.feeds[f.scope] == f {
		delete(h.feeds, f.scope)
	}
}

// expel the viewers of an identity, of which nothing is kept.
func (h *Hub) expel(id *identity, err error) {
	for v := range id.viewers {
		v.fail(err)
	}
	clear(id.viewers)
	id.stop()
	for _, one := range id.scopes {
		h.leave(id, one, true)
	}
	for _, f := range h.feeds { // it may linger where it has left
		if len(f.present) == 0 && f.turn.by == id {
			h.drop(f)
		}
	}
	id.scopes = nil
	if h.identities[id.hash] == id {
		delete(h.identities, id.hash)
	}
}

// show its World to the viewers of an identity. They get nothing newer than what it was allowed to see recently.
func (h *Hub) show(id *identity) {
	allowed := len(id.scopes) > 0 && id.confirmed(h.clock.Now(), h.options.Keep)
	switch {
	case id.world == nil && !allowed:
		return
	case !allowed:
		id.world = frozen(id.world)
	case id.world != nil && id.scopes[0] == everything && len(h.feeds[everything].toRead) > 0:
		// It has less, of which all may be seen, until everything was read.
	default:
		id.world = h.compose(id.scopes)
	}
	for v := range id.viewers {
		v.see(id.world)
	}
}

// compose the World of scopes. Who has the same scopes gets the same one.
func (h *Hub) compose(scopes []scope) *page.World {
	portions := make([]portion, 0, len(scopes))
	for _, one := range scopes {
		portions = append(portions, h.feeds[one].portion())
	}
	key := keyOf(scopes)
	if last := h.worlds[key]; last != nil && slices.Equal(last.of, portions) {
		return last.world
	}
	h.worlds[key] = &composed{portions, compose(portions)}
	return h.worlds[key].world
}

// unread feed of an identity, if there is one.
func (h *Hub) unread(id *identity) *feed {
	for _, one := range id.scopes {
		if f := h.feeds[one]; len(f.toRead) > 0 {
			return f
		}
	}
	return nil
}

// unreadable is what is wrong with a feed that was not read.
func (h *Hub) unreadable(f *feed, err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.problem != nil {
		return fmt.Errorf("reading %s: %w: %w", f.scope, err, f.problem)
	}
	return fmt.Errorf("reading %s: %w", f.scope, err)
}
