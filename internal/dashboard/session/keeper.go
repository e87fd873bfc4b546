// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// lifetime is how long a session may last, whatever its provider goes on giving.
	lifetime = 12 * time.Hour
	// attemptSeconds is how long signing in at a provider may take.
	attemptSeconds = 600
	// sweepEvery is how often what has ended by itself is forgotten.
	sweepEvery = time.Minute
)

// Keeper keeps identities in their browsers' cookies.
type Keeper struct {
	clock    clock.PassiveClock
	sessions crate
	attempts crate

	mutex sync.Mutex
	// ended are the sessions that were signed out of, until when they would have been over anyway: their cookies can have been copied.
	ended map[string]time.Time
	swept time.Time
}

// NewKeeper keeps them for the dashboard below a path; empty for the root. With plain its cookies are sent without https too, which is for a dashboard that serves
// nothing but its own machine.
func NewKeeper(keys Keys, base string, plain bool, now clock.PassiveClock) *Keeper {
	path := base
	if path == "" {
		path = "/"
	}
	return &Keeper{
		clock:    now,
		sessions: newCrate("assent-session", path, !plain, keys, 0),
		attempts: newCrate("assent-sign-in", path, !plain, keys, attemptSeconds),
		ended:    map[string]time.Time{},
	}
}

// Read returns who has sent a request. It is false where the cookies are missing, not as they were written, of a session that is over, or of a token that has
// expired.
func (k *Keeper) Read(r *http.Request) (Identity, bool) {
	identity, found := k.open(r)
	if !found || !k.clock.Now().Before(identity.Expires) {
		return Identity{}, false
	}
	return identity, true
}

// open reads an Identity also where its token has expired, and another may be had.
func (k *Keeper) open(r *http.Request) (Identity, bool) {
	content, found := k.sessions.take(r)
	if !found {
		return Identity{}, false
	}
	identity, err := unpack(content)
	if err != nil || identity.Token == "" || identity.Person.Username == "" || k.over(identity) {
		return Identity{}, false
	}
	return identity, true
}

// over says whether the session's time is over, or it was signed out of.
func (k *Keeper) over(identity Identity) bool {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	_, ended := k.ended[identity.session]
	return ended || !k.clock.Now().Before(identity.began.Add(lifetime))
}

// Write makes the browser send that Identity from now on. An Identity that has not been read begins a session. One too large for cookies is an error, and nothing
// is written.
func (k *Keeper) Write(w http.ResponseWriter, identity Identity) error {
	if identity.Token == "" || identity.Person.Username == "" {
		return fmt.Errorf("keeping a session: %w", ErrNobody)
	}
	if identity.session == "" {
		identity.session, identity.began = rand.Text(), k.clock.Now()
	}
	content, err := pack(identity)
	if err != nil {
		return err
	}
	if err := k.sessions.put(w, content); err != nil {
		return fmt.Errorf("keeping the session of %q: %w", identity.Person.Username, err)
	}
	return nil
}

// Clear makes the browser forget who has signed in.
func (k *Keeper) Clear(w http.ResponseWriter) {
	k.sessions.clear(w)
}

// end makes the cookies of a session worthless wherever they are.
func (k *Keeper) end(identity Identity) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	now := k.clock.Now()
	if now.Sub(k.swept) >= sweepEvery {
		for session, over := range k.ended {
			if !now.Before(over) {
				delete(k.ended, session)
			}
		}
		k.swept = now
	}
	k.ended[identity.session] = identity.began.Add(lifetime)
}
