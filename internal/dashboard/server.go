// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-logr/logr"
	"github.com/klauspost/compress/gzhttp"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/assent-dev/assent/internal/dashboard/live"
	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/internal/dashboard/session"
	"github.com/assent-dev/assent/internal/person"
)

// Server answers browsers.
type Server struct {
	base  string
	https bool
	// config is where the API server is, and nobody's identity.
	config *rest.Config
	// people act by their own tokens.
	people  *person.Connector
	hub     *live.Hub
	session *session.Handler
	assets  *assets
	shown   shown
	rows    *page.Rows
	clock   clock.PassiveClock
	log     logr.Logger
	handler http.Handler
}

// New makes a server. It reaches the API server as the configuration says, and takes nothing of the configuration's identity. It has to be closed.
func New(options Options, config *rest.Config, now clock.WithTicker, log logr.Logger) (*Server, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	s := &Server{base: options.base(), https: options.external.Scheme == "https", rows: page.NewRows(), clock: now, log: log}
	s.config = rest.AnonymousClientConfig(config)
	s.config.UserAgent = "assent-dashboard"
	var err error
	if s.people, err = person.NewConnector(s.config); err != nil {
		return nil, err
	}
	if s.assets, err = newAssets(); err != nil {
		return nil, fmt.Errorf("read the scripts and styles: %w", err)
	}
	if s.session, err = s.newSession(options, now); err != nil {
		return nil, err
	}
	s.hub = live.NewHub(s.config, live.Options{Projects: words(options.Projects), Clock: now})
	compress, err := gzhttp.NewWrapper()
	if err != nil {
		return nil, err
	}
	s.handler = secured(compress(s.routes()), s.https)
	return s, nil
}

func (s *Server) newSession(options Options, now clock.PassiveClock) (*session.Handler, error) {
	keys, err := session.RandomKeys()
	if options.CookieKeyFile != "" {
		keys, err = session.ReadKeys(options.CookieKeyFile)
	}
	if err != nil {
		return nil, err
	}
	made := session.Options{
		Config: s.config, Base: s.base, Clock: now, Log: s.log, Page: s.signInPage,
		Keeper: session.NewKeeper(keys, s.base, options.external.Scheme == "http", now),
	}
	for _, way := range words(options.SignIn) {
		switch way {
		case signInByToken:
			made.Token = true
		case signInByOIDC:
			if made.OIDC, err = options.oidc(); err != nil {
				return nil, err
			}
		}
	}
	return session.New(made)
}

// Close ends what is shared between viewers.
func (s *Server) Close() { s.hub.Close() }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// routes of everything. Signing in and assets are for everybody, the rest for who has signed in.
func (s *Server) routes() http.Handler {
	personal := http.NewServeMux()
	s.pages(personal)
	actions := &Actions{Base: s.base, SignedIn: s, Tell: s.tell, Now: s.clock.Now}
	actions.Routes(personal)
	personal.HandleFunc("GET /live", s.live(personal))
	personal.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.tell(w, r, Problem{Status: http.StatusNotFound, Title: "There is no such page", Message: "Nothing is found at " + r.URL.Path + ".", Next: "Begin with the matrix.", Link: s.links().Path("matrix")})
	})
	all := http.NewServeMux()
	all.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	all.Handle("GET "+s.base+"/assets/{digest}/{name...}", s.assets)
	all.Handle(s.base+"/sign-in", s.session)
	all.Handle(s.base+"/sign-in/", s.session)
	all.Handle(s.base+"/sign-out", s.session)
	all.HandleFunc("GET "+s.base+"/{$}", func(w http.ResponseWriter, r *http.Request) { s.leave(w, r, "matrix") })
	if s.base != "" {
		all.HandleFunc("GET "+s.base, func(w http.ResponseWriter, r *http.Request) { s.leave(w, r, "matrix") })
	}
	all.Handle(s.base+"/", s.session.Require(http.StripPrefix(s.base, personal)))
	return all
}

func (s *Server) leave(w http.ResponseWriter, r *http.Request, segment string) {
	http.Redirect(w, r, s.links().Path(segment), http.StatusSeeOther)
}

func (s *Server) links() page.Context { return page.Context{Base: s.base} }

func (s *Server) assetsPath() string { return s.base + s.assets.path() }

func (s *Server) signInPage(c page.Context, offer page.SignInOffer) ([]byte, error) {
	view, err := page.SignIn(c, offer)
	if err != nil {
		return nil, err
	}
	return c.Document(view, "", s.assetsPath())
}

// tell a problem as a page.
func (s *Server) tell(w http.ResponseWriter, r *http.Request, problem Problem) {
	s.show(w, r, problem.Status, func(c page.Context) (page.View, error) {
		return page.Problem(c, problem.Status, problem.Title, problem.Message, problem.Next, problem.Link)
	})
}

// show a page that is not alive.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, make func(page.Context) (page.View, error)) {
	c := page.Context{Base: s.base, Now: s.clock.Now()}
	if who, is := session.From(r.Context()); is {
		c.Me = who.Person
	}
	view, err := make(c)
	var document []byte
	if err == nil {
		document, err = c.Document(view, "", s.assetsPath())
	}
	if err != nil {
		s.log.Error(err, "Making a page", "title", view.Title)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	write(w, status, document)
}

func write(w http.ResponseWriter, status int, document []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(document) //nolint:gosec // html/template has escaped it
}

// fail shows an error of reading: one of the API server's own, or of what was not found.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	problem := explain(err, s.links().Path("matrix"))
	switch {
	case errors.Is(err, live.ErrUnauthorized):
		problem.Status = http.StatusUnauthorized
	case errors.Is(err, live.ErrForbidden):
		s.show(w, r, http.StatusForbidden, page.NoProject)
		return
	}
	if problem.Status == http.StatusUnauthorized {
		s.session.Refuse(w, r)
		return
	}
	if problem.Status >= http.StatusInternalServerError && !errors.Is(err, r.Context().Err()) {
		s.log.Error(err, "Making a page", "path", strings.ToValidUTF8(r.URL.Path, "?"))
	}
	s.tell(w, r, problem)
}
