// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/dashboard/live"
	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/internal/dashboard/session"
	"github.com/assent-dev/assent/internal/person"
)

// visit is somebody who looks at a page.
type visit struct {
	page.Context
	*http.Request
	viewer *live.Viewer
	// world is what the viewer sees at the moment.
	world *page.World
	past  *past
}

// maker makes a page of what a visitor may see. It is called again whenever that has changed.
type maker func(ctx context.Context, v *visit) (page.View, error)

// kind of page.
type kind struct {
	make maker
	// reads says that it reads whole histories. It is not made again with every change: its browser asks for it anew when there are new records.
	reads bool
}

// pages are everything that can be looked at.
func (s *Server) pages(mux *http.ServeMux) {
	for path, of := range map[string]kind{
		"/matrix":                               {make: s.matrix},
		"/inbox":                                {make: s.inbox},
		"/projects/{project}/promotions/{name}": {make: s.promotion},
		"/projects/{project}/environments/{name}": {make: s.environment},
		"/projects/{project}/releases/{name}":     {make: s.release},
		"/audit":                                  {s.audit, true},
		"/insight":                                {s.insight, true},
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if streamed(r.Context()) != nil {
				s.stream(w, r, of)
				return
			}
			s.document(w, r, of.make)
		})
	}
	mux.HandleFunc("GET /audit/export.csv", func(w http.ResponseWriter, r *http.Request) {
		s.export(w, r, "text/csv; charset=utf-8", page.AuditSeen.CSV)
	})
	mux.HandleFunc("GET /audit/export.jsonl", func(w http.ResponseWriter, r *http.Request) {
		s.export(w, r, "application/jsonl", page.AuditSeen.Lines)
	})
}

// worldPatience is for how long a page waits until all is read that its viewer may see.
const worldPatience = 20 * time.Second

// visit begins. It has to be closed.
func (s *Server) visit(r *http.Request) (*visit, error) {
	who, is := session.From(r.Context())
	if !is {
		return nil, &notSignedIn{s.links().Path("sign-in"), person.ErrNobody}
	}
	acts, err := s.people.As(who.Token)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(r.Context(), worldPatience)
	defer cancel()
	viewer, err := s.hub.Join(limited, live.Person{Token: who.Token, Expires: who.Expires, Name: who.Person, Projects: projectsOf(r)})
	if err != nil {
		return nil, err
	}
	c := page.Context{Base: s.base, Me: who.Person, Now: s.clock.Now()}
	return &visit{Context: c, Request: r, viewer: viewer, world: viewer.World(), past: newPast(acts)}, nil
}

// Actor is who has signed in, with a client of their own: for actions.
func (s *Server) Actor(ctx context.Context) (person.Actor, error) {
	who, is := session.From(ctx)
	if !is {
		return person.Actor{}, person.ErrNobody
	}
	acts, err := s.people.As(who.Token)
	return person.Actor{Client: acts, Me: who.Person}, err
}

// document is the whole page.
func (s *Server) document(w http.ResponseWriter, r *http.Request, make maker) {
	v, err := s.visit(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer v.viewer.Close()
	view, err := s.framed(r.Context(), v, make)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	document, err := v.Document(view, address(r.URL), s.assetsPath())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.remember(w, v)
	write(w, http.StatusOK, document)
}

// framed is the page with what the frame around it says.
func (s *Server) framed(ctx context.Context, v *visit, make maker) (page.View, error) {
	view, err := make(ctx, v)
	if err != nil {
		return page.View{}, err
	}
	waiting, err := s.mine(ctx, v)
	if err != nil {
		return page.View{}, err
	}
	return view.InFrame(v.Context, v.world, len(waiting))
}

// address of a page below the base, as its stream is asked for.
func address(u *url.URL) string {
	if u.RawQuery == "" {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + u.RawQuery
}

// live streams the changes of the page that the query names.
func (s *Server) live(pages *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		of, err := url.ParseRequestURI(r.URL.Query().Get("page"))
		if err != nil || of.IsAbs() || of.Host != "" || !strings.HasPrefix(of.Path, "/") || of.Path == "/live" {
			http.Error(w, "`page` must be the path of a page of this dashboard", http.StatusBadRequest)
			return
		}
		asked := r.Clone(context.WithValue(r.Context(), streamKey{}, &stream{r.URL.Query().Get("version")}))
		asked.URL, asked.RequestURI = of, of.RequestURI()
		pages.ServeHTTP(w, asked)
	}
}

// stream is asked for by a browser that has a version of the page.
type stream struct{ version string }

// streamKey is that of a stream in the context of a request for one.
type streamKey struct{}

// streamed is what is asked for where it is the changes of a page; nil where it is the page.
func streamed(ctx context.Context) *stream {
	asked, _ := ctx.Value(streamKey{}).(*stream)
	return asked
}

// keyed is an object's key.
func keyed(project, name string) client.ObjectKey {
	return client.ObjectKey{Namespace: project, Name: name}
}
