// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"golang.org/x/oauth2"
)

// attempt is one sign-in at a provider that has not ended. It is kept by the browser that began it, and no other can end it.
type attempt struct {
	// State comes back from the provider with the code, and Nonce in the id_token. Verifier is shown when the code is exchanged (PKCE).
	State, Nonce, Verifier string
	// Return is where to go then.
	Return string
	Until  time.Time
}

// attempt returns the one that the request's browser has begun.
func (k *Keeper) attempt(r *http.Request) (attempt, bool) {
	content, found := k.attempts.take(r)
	if !found {
		return attempt{}, false
	}
	var begun attempt
	if err := json.Unmarshal(content, &begun); err != nil {
		return attempt{}, false
	}
	return begun, k.clock.Now().Before(begun.Until)
}

// begin makes the browser keep an attempt.
func (k *Keeper) begin(w http.ResponseWriter, a attempt) error {
	a.Until = k.clock.Now().Add(attemptSeconds * time.Second)
	content, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("beginning a sign-in: %w", err)
	}
	return k.attempts.put(w, content)
}

// depart sends the browser to the provider.
func (h *Handler) depart(w http.ResponseWriter, r *http.Request) {
	begun := attempt{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Return: local(h.Base, r.URL.Query().Get("return")),
	}
	address, err := h.provider.address(r.Context(), begun)
	if err != nil {
		h.Log.Error(err, "Beginning a sign-in")
		h.show(w, http.StatusServiceUnavailable, begun.Return, h.provider.Name+" cannot be reached. Try again in a moment.")
		return
	}
	if err := h.Keeper.begin(w, begun); err != nil {
		h.Log.Error(err, "Beginning a sign-in")
		h.show(w, http.StatusBadRequest, begun.Return, "The sign-in could not begin. Try again.")
		return
	}
	leave(w, address)
}

// callback is where the provider sends the browser back to. An attempt ends here, well or not: a second time there is none.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request) {
	begun, found := h.Keeper.attempt(r)
	h.Keeper.attempts.clear(w)
	said := r.URL.Query()
	switch {
	case !found:
		h.show(w, http.StatusBadRequest, "", "This sign-in was not begun in this browser, or more than ten minutes ago. Begin again.")
	case subtle.ConstantTimeCompare([]byte(said.Get("state")), []byte(begun.State)) != 1:
		h.show(w, http.StatusBadRequest, begun.Return, "This is not the sign-in that was begun last in this browser. Begin again.")
	case said.Has("iss") && said.Get("iss") != h.provider.Issuer: // RFC 9207
		h.show(w, http.StatusBadRequest, begun.Return, "This answer is not from "+h.provider.Name+". Begin again.")
	case said.Has("error"):
		h.Log.Info("The provider refused a sign-in", "error", word(said.Get("error")))
		h.show(w, http.StatusUnauthorized, begun.Return, h.provider.Name+" has not signed you in: "+word(said.Get("error"))+".")
	case said.Get("code") == "":
		h.show(w, http.StatusBadRequest, begun.Return, h.provider.Name+" has sent you back without a code. Begin again.")
	default:
		h.arrive(w, r, said.Get("code"), begun)
	}
}

// arrive signs in whom the provider and the API server agree on.
func (h *Handler) arrive(w http.ResponseWriter, r *http.Request, code string, begun attempt) {
	identity, err := h.provider.redeem(r.Context(), code, begun)
	if err != nil {
		h.Log.Info("A sign-in at the provider was not accepted", "why", err.Error())
		h.show(w, http.StatusUnauthorized, begun.Return, "The sign-in at "+h.provider.Name+" could not be verified. Begin again; if that does not help, the log of the dashboard says why.")
		return
	}
	if identity.Person, err = Check(r.Context(), h.Config, identity.Token); err != nil {
		h.Log.Info("The API server does not accept who has signed in at the provider", "why", err.Error())
		h.show(w, http.StatusUnauthorized, begun.Return,
			"The API server does not accept your sign-in at "+h.provider.Name+". It must trust the same issuer and client: ask whoever runs the cluster.")
		return
	}
	h.enter(w, identity, begun.Return)
}

// words are what providers' error codes look like (RFC 6749, section 4.1.2.1).
var words = regexp.MustCompile(`^[a-z_]{1,40}$`)

// word is a code that came from outside, if it is one: text that others have written is not shown as if this dashboard had.
func word(code string) string {
	if words.MatchString(code) {
		return code
	}
	return "no reason that could be shown"
}
