// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// early is how long before its end a token is replaced: what is asked with it in that time has to arrive too.
const early = time.Minute

// errOver says that a session cannot go on.
var errOver = errors.New("the session is over")

// Require lets pass who has signed in, with their Identity in the request's context. Somebody else is sent to sign in, or told so where nobody would see the page.
func (h *Handler) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identity, err := h.current(w, r)
		if err != nil {
			h.Refuse(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(With(r.Context(), identity)))
	})
}

// Refuse answers a request that is nobody's, and ends the session that it may have had. It is also for the requests whose token the API server does not accept any
// more.
func (h *Handler) Refuse(w http.ResponseWriter, r *http.Request) {
	if identity, found := h.Keeper.open(r); found {
		h.Keeper.end(identity)
	}
	if h.Keeper.sessions.brought(r) {
		h.Keeper.Clear(w)
	}
	w.Header().Set("Cache-Control", "no-store")
	if !navigates(r) {
		http.Error(w, "You are not signed in, or not any more.", http.StatusUnauthorized)
		return
	}
	// As it was asked for: what stands before a page may have cut its URL.
	leave(w, h.Base+"/sign-in?return="+url.QueryEscape(local(h.Base, r.RequestURI)))
}

// navigates says whether a person waits for a page, rather than a script for an answer.
func navigates(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") && (mode == "" || mode == "navigate")
}

// current is whose the request is, with a token that does not expire while it is answered, if there is one to be had.
func (h *Handler) current(w http.ResponseWriter, r *http.Request) (Identity, error) {
	identity, found := h.Keeper.open(r)
	if !found {
		return Identity{}, errOver
	}
	left := identity.Expires.Sub(h.Clock.Now())
	if left > early {
		return identity, nil
	}
	if h.provider == nil || identity.RefreshToken == "" {
		if left <= 0 {
			return Identity{}, errOver
		}
		return identity, nil
	}
	renewed, err := h.renew(r.Context(), identity)
	var refused *refusedError
	switch {
	case err == nil:
	case left > 0 && !errors.As(err, &refused) && !errors.Is(err, errOver):
		// Nobody has refused: the provider or the API server is away, and the token that there is still holds.
		h.Log.Info("A token could not be renewed yet", "user", identity.Person.Username, "why", err.Error())
		return identity, nil
	default:
		h.Log.Info("A session has ended: its token could not be renewed", "user", identity.Person.Username, "why", err.Error())
		return Identity{}, errOver
	}
	if h.Keeper.over(renewed) { // signed out meanwhile
		return Identity{}, errOver
	}
	return renewed, h.Keeper.Write(w, renewed)
}

// renewals are the tokens that were fetched for sessions, by what their cookies held. A browser sends several requests with the same cookies before it has new
// ones; a refresh token shown twice would make a provider end the session, since it might be stolen.
type renewals struct {
	mutex sync.Mutex
	each  map[string]*renewal
}

// renewal is one exchange of a refresh token. Its fields are for whoever has seen done closed.
type renewal struct {
	done     chan struct{}
	identity Identity
	err      error
}

// renew gets the Identity anew, once for all requests that ask with the same cookies.
func (h *Handler) renew(ctx context.Context, old Identity) (Identity, error) {
	found, first := h.renewals.join(old, h.Clock.Now())
	if first {
		h.carryOut(ctx, old, found)
	}
	select {
	case <-found.done:
		return found.identity, found.err
	case <-ctx.Done():
		return Identity{}, ctx.Err()
	}
}

// carryOut is for all who wait for a renewal: it goes on if the first of them is gone, and lets the others go on whatever happens.
func (h *Handler) carryOut(ctx context.Context, old Identity, under *renewal) {
	under.err = errors.New("renewing a token has not come to an end")
	defer h.renewals.settle(old, under)
	under.identity, under.err = h.fetch(context.WithoutCancel(ctx), old)
}

// fetch asks the provider for a new token and the API server whose it is: it must be the same person's.
func (h *Handler) fetch(ctx context.Context, old Identity) (Identity, error) {
	limited, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	renewed, err := h.provider.refresh(limited, old)
	if err != nil {
		return Identity{}, err
	}
	if renewed.Person, err = Check(limited, h.Config, renewed.Token); errors.Is(err, ErrNobody) {
		return Identity{}, fmt.Errorf("%w: %w", errOver, err)
	} else if err != nil {
		return Identity{}, err
	}
	if renewed.Person.Username != old.Person.Username {
		return Identity{}, fmt.Errorf("%w: the new token is %q's", errOver, renewed.Person.Username)
	}
	renewed.session, renewed.began = old.session, old.began
	return renewed, nil
}

// join returns the renewal for what cookies hold, and whether the caller is the one to carry it out.
func (r *renewals) join(old Identity, now time.Time) (found *renewal, first bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for cookies, known := range r.each {
		if known.settled() && !now.Before(known.identity.Expires) {
			delete(r.each, cookies)
		}
	}
	if known, is := r.each[keyOf(old)]; is {
		return known, false
	}
	started := &renewal{done: make(chan struct{})}
	r.each[keyOf(old)] = started
	return started, true
}

// settle lets those go on who wait. What has failed is tried again by the next who asks.
func (r *renewals) settle(old Identity, finished *renewal) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if finished.err != nil {
		delete(r.each, keyOf(old))
	}
	close(finished.done)
}

func (r *renewal) settled() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// latest is the Identity that cookies were renewed to, if they were; they may be older than it.
func (r *renewals) latest(identity Identity) Identity {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for {
		known, is := r.each[keyOf(identity)]
		if !is || !known.settled() || keyOf(known.identity) == keyOf(identity) {
			return identity
		}
		identity = known.identity
	}
}

// keyOf tells sessions and their tokens apart without being worth anything.
func keyOf(identity Identity) string {
	sum := sha256.Sum256([]byte(identity.session + " " + identity.Token + " " + identity.RefreshToken))
	return string(sum[:])
}
