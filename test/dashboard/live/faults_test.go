// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/assent-dev/assent/internal/dashboard/live"
)

// between a Hub and the API server stands what answers in its place, where it wants to.
type between struct {
	server *httptest.Server
	answer atomic.Pointer[func(*http.Request) error]
}

// stand between Hubs that are made afterwards and the API server.
func (s *suite) stand() *between {
	s.Helper()
	b := &between{}
	address, err := url.Parse(s.config.Host)
	s.must(err)
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(s.config))
	s.must(err)
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(address) },
		Transport:     transport,
		FlushInterval: -1,
	}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { _ = recover() }() // a watch that ends on one side
		if answer := b.answer.Load(); answer != nil {
			if err := (*answer)(r); err != nil {
				b.refuse(w, err)
				return
			}
		}
		forward.ServeHTTP(w, r)
	}))
	s.Cleanup(b.server.Close)
	s.config = &rest.Config{Host: b.server.URL}
	return b
}

func (b *between) refuse(w http.ResponseWriter, err error) {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.ErrStatus.Code))
	_ = json.NewEncoder(w).Encode(status.ErrStatus)
}

// answers requests with errors, where there is one.
func (b *between) answers(with func(*http.Request) error) { b.answer.Store(&with) }

// forwards all requests again.
func (b *between) forwards() { b.answer.Store(nil) }

func isReview(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "reviews") }

func TestNothingNewerIsSeenWhileTheServerDoesNotSayWhatMayBeSeen(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	s.environment(ctx, project, "before")
	b := s.stand()
	hub := s.hub(live.Options{Keep: time.Second})
	viewer := s.join(ctx, hub, s.viewer(ctx, project, "somebody"))
	b.answers(func(r *http.Request) error {
		if isReview(r) {
			return apierrors.NewInternalError(context.DeadlineExceeded)
		}
		return nil
	})
	unanswered := time.Now()
	s.eventually(ctx, "the answer is too old", func() bool { return time.Since(unanswered) > 2*time.Second })
	s.environment(ctx, project, "during")
	s.eventually(ctx, "they are told", func() bool { return viewer.World().Stale != "" })
	if world := viewer.World(); has(world, project.Name, "during") || !has(world, project.Name, "before") || viewer.Failed() != nil {
		t.Errorf("they see %+v, and go because %v", world, viewer.Failed())
	}
	b.forwards()
	s.eventually(ctx, "they see what is new", func() bool { return has(viewer.World(), project.Name, "during") && viewer.World().Stale == "" })
}

func TestWhatIsDeniedIsGoneThoughTheRestIsNotAnswered(t *testing.T) {
	ctx, s := begin(t)
	const keep = time.Second
	kept, denied := s.project(ctx), s.project(ctx)
	s.environment(ctx, kept, "kept")
	s.environment(ctx, denied, "denied")
	b := s.stand()
	who := s.viewer(ctx, kept, "somebody")
	s.bindIn(ctx, denied, who)
	who.Projects = []string{kept.Name, denied.Name}
	viewer := s.join(ctx, s.hub(live.Options{Keep: keep}), who)
	if world := viewer.World(); !has(world, kept.Name, "kept") || !has(world, denied.Name, "denied") {
		t.Fatal("they do not see what they may")
	}
	answered := make(chan struct{})
	var once sync.Once
	b.answers(func(r *http.Request) error {
		switch question := body(r); {
		case isReview(r) && strings.Contains(question, denied.Name):
			defer once.Do(func() { time.AfterFunc(2*keep, func() { close(answered) }) })
			return apierrors.NewForbidden(reviews, "", nil)
		case isReview(r) && strings.Contains(question, kept.Name):
			<-answered
			return apierrors.NewInternalError(context.DeadlineExceeded)
		default:
			return nil
		}
	})
	s.eventually(ctx, "what is denied is gone", func() bool { return !has(viewer.World(), denied.Name, "denied") })
	s.onlyOf(viewer.World(), kept.Name)
	if !has(viewer.World(), kept.Name, "kept") || viewer.Failed() != nil {
		t.Errorf("what was not answered is gone too: %v", viewer.Failed())
	}
}

// body of a request, which can be read again.
func body(r *http.Request) string {
	text, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(text))
	return string(text)
}

var reviews = schema.GroupResource{Resource: "selfsubjectaccessreviews"}

func TestADenialByAServerThatHasJustStartedIsAskedAgain(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	s.environment(ctx, project, "before")
	b := s.stand()
	viewer := s.join(ctx, s.hub(live.Options{Keep: time.Second}), s.viewer(ctx, project, "somebody"))
	var denied atomic.Int32
	away := true
	b.answers(func(r *http.Request) error {
		switch {
		case !isReview(r):
			return nil
		case away:
			away = false
			return apierrors.NewInternalError(context.DeadlineExceeded)
		case denied.Add(1) < 5:
			return apierrors.NewForbidden(reviews, "", nil)
		default:
			return nil
		}
	})
	s.eventually(ctx, "they are asked about until they are allowed", func() bool { return denied.Load() > 10 })
	s.environment(ctx, project, "after")
	s.eventually(ctx, "they see what is new", func() bool { return has(viewer.World(), project.Name, "after") })
	if viewer.Failed() != nil {
		t.Errorf("they had to go: %v", viewer.Failed())
	}
}

func TestWhereTheServerDoesNotKnowWhatHasHappenedAllIsReadAgain(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	b := s.stand()
	hub := s.hub(live.Options{})
	var lists, gone atomic.Int32
	b.answers(func(r *http.Request) error {
		switch {
		case !strings.HasSuffix(r.URL.Path, "/environments"):
		case r.URL.Query().Get("watch") != "true":
			lists.Add(1)
		case lists.Load() < 2:
			if gone.Add(1) == 1 {
				s.environment(ctx, project, "missed")
			}
			return apierrors.NewResourceExpired("too old")
		}
		return nil
	})
	viewer := s.join(ctx, hub, s.viewer(ctx, project, "somebody"))
	s.eventually(ctx, "it is seen all the same", func() bool { return has(viewer.World(), project.Name, "missed") })
	if lists.Load() != 2 || gone.Load() != 1 {
		t.Errorf("it was listed %d times, and gone %d times", lists.Load(), gone.Load())
	}
}

func TestAfterTheAPIServerWasAwayAllIsAsBefore(t *testing.T) {
	ctx, s := begin(t)
	project := s.project(ctx)
	s.environment(ctx, project, "before")
	b := s.stand()
	hub := s.hub(live.Options{})
	viewer, another := s.join(ctx, hub, s.viewer(ctx, project, "somebody")), s.join(ctx, hub, s.viewer(ctx, project, "another"))
	b.answers(func(*http.Request) error { return apierrors.NewServiceUnavailable("away") })
	b.server.CloseClientConnections()
	s.eventually(ctx, "they are told", func() bool {
		return strings.Contains(viewer.World().Stale, "does not answer: this is what it said until 2") && has(viewer.World(), project.Name, "before")
	})
	s.must(s.cluster.Restart(ctx, "kube-apiserver"))
	b.forwards()
	s.must(s.cluster.WaitForGuard(ctx))
	s.environment(ctx, project, "after")
	for _, each := range []*live.Viewer{viewer, another} {
		s.eventually(ctx, "it heals", func() bool {
			if err := each.Failed(); err != nil {
				t.Fatalf("a viewer had to go: %v", err)
			}
			return each.World().Stale == "" && has(each.World(), project.Name, "after")
		})
	}
	if viewer.World() != another.World() {
		t.Error("they do not share any more")
	}
}
