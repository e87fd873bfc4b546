// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/assent-dev/assent/internal/dashboard/page"
)

// Options say how people sign in.
type Options struct {
	// Config reaches the API server. Nothing of its identity is used.
	Config *rest.Config
	Keeper *Keeper
	// Base is the path that the dashboard stands under, without a slash at the end; empty at the root.
	Base  string
	Clock clock.PassiveClock
	// Page makes the document of the page to sign in on.
	Page func(page.Context, page.SignInOffer) ([]byte, error)
	// Token lets people paste a token.
	Token bool
	// OIDC is the provider to sign in at; nil if there is none.
	OIDC *OIDC
	// Log is told who signs in and why somebody could not, but nothing that somebody could sign in with.
	Log logr.Logger
}

// Handler serves everything about signing in and out, below Base:
//
//	GET  /sign-in           the page
//	POST /sign-in/token     with a pasted token
//	GET  /sign-in/oidc      to the provider
//	GET  /sign-in/callback  and back from it
//	POST /sign-out
//
// What is posted from another origin is refused: nobody can be signed in, or out, by a page that is not this one.
type Handler struct {
	Options
	provider *provider
	renewals renewals
	routes   http.Handler
}

// New checks the options. It reaches nobody: a provider that is away now may be there when somebody signs in.
func New(options Options) (*Handler, error) {
	h := &Handler{Options: options, renewals: renewals{each: map[string]*renewal{}}}
	if !options.Token && options.OIDC == nil {
		return nil, errors.New("nobody could sign in: allow it by OIDC, by token, or both")
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET "+options.Base+"/sign-in", h.signIn)
	routes.HandleFunc("POST "+options.Base+"/sign-out", h.signOut)
	if options.Token {
		routes.HandleFunc("POST "+options.Base+"/sign-in/token", h.token)
	}
	if options.OIDC != nil {
		known, err := newProvider(*options.OIDC, options.Clock)
		if err != nil {
			return nil, err
		}
		h.provider = known
		routes.HandleFunc("GET "+options.Base+"/sign-in/oidc", h.depart)
		routes.HandleFunc("GET "+options.Base+"/sign-in/callback", h.callback)
	}
	h.routes = http.NewCrossOriginProtection().Handler(routes)
	return h, nil
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	// The address of the callback has the code in it. Not `no-referrer`: browsers would then not say where a form was sent from.
	w.Header().Set("Referrer-Policy", "same-origin")
	h.routes.ServeHTTP(w, r)
}

// signIn shows the page.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	h.show(w, http.StatusOK, r.URL.Query().Get("return"), "")
}

// show answers with the page, which says what went wrong, if anything has.
func (h *Handler) show(w http.ResponseWriter, status int, back, message string) {
	offer := page.SignInOffer{Token: h.Token, Return: local(h.Base, back), Message: message}
	if h.provider != nil {
		offer.Provider = h.provider.Name
	}
	document, err := h.Page(page.Context{Base: h.Base, Now: h.Clock.Now()}, offer)
	if err != nil {
		h.Log.Error(err, "Making the page to sign in on")
		http.Error(w, "The page to sign in on could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(document) // the browser is gone
}

// enter begins the session of somebody whom the API server knows.
func (h *Handler) enter(w http.ResponseWriter, identity Identity, back string) {
	switch err := h.Keeper.Write(w, identity); {
	case errors.Is(err, errTooLarge):
		h.show(w, http.StatusUnauthorized, back, fmt.Sprintf(
			"Your token is too large for a session, which has %d KiB: ask for one with fewer groups in it.", mostPieces*pieceSize/1024))
	case err != nil:
		h.Log.Error(err, "Beginning a session")
		h.show(w, http.StatusUnauthorized, back, "Your session could not begin. Try again.")
	default:
		h.Log.Info("Signed in", "user", identity.Person.Username)
		leave(w, local(h.Base, back))
	}
}

// leave sends a browser on. The path is one of this dashboard's own.
func leave(w http.ResponseWriter, path string) {
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
}

// signOut ends the session here and at the provider, as far as it can be ended there: copies of its cookies are worth nothing afterwards.
func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	if identity, found := h.Keeper.open(r); found {
		h.Keeper.end(identity)
		if h.provider != nil && identity.RefreshToken != "" {
			if err := h.provider.revoke(r.Context(), h.renewals.latest(identity).RefreshToken); err != nil {
				h.Log.Info("The provider was not told of a sign-out", "user", identity.Person.Username, "why", err.Error())
			}
		}
		h.Log.Info("Signed out", "user", identity.Person.Username)
	}
	h.Keeper.Clear(w)
	leave(w, h.Base+"/sign-in")
}
