// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package scripts_test runs the scripts of the dashboard in a real browser, on pages of a world that the test makes: what they do with parts that are replaced, with a
// lost connection, with filters and with versions that are dragged. No cluster is needed.
package scripts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
)

// patience is how long anything may take on a busy machine.
const patience = time.Minute

const assets = "../../../internal/dashboard/assets"

// chromium is the browser that all tabs are of.
var chromium context.Context

func TestMain(m *testing.M) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		fmt.Fprintln(os.Stderr, "there is no Chromium: `sh hack/packages.sh chromium` installs it")
		os.Exit(1)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-dev-shm-usage", true))
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	var end context.CancelFunc
	chromium, end = chromedp.NewContext(allocated)
	if err := chromedp.Do(chromium); err != nil {
		fmt.Fprintln(os.Stderr, "start Chromium:", err)
		os.Exit(1)
	}
	code := m.Run()
	end()
	stop()
	os.Exit(code)
}

// site is a dashboard of one page, the matrix, whose world and stream a test makes.
type site struct {
	*httptest.Server
	events chan string
	mu     sync.Mutex
	// streams are the addresses of streams that were asked for, and posted the forms that were sent.
	streams []string
	posted  []url.Values
	// refuses says that nobody is signed in.
	refuses bool
	world   *page.World
}

func newSite(t *testing.T) *site {
	t.Helper()
	made := &site{events: make(chan string), world: world()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /base/matrix", made.matrix)
	mux.HandleFunc("GET /base/live", made.live)
	mux.HandleFunc("POST /base/projects/{project}/promotions", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.PostForm.Set("project", r.PathValue("project"))
		made.mu.Lock()
		made.posted = append(made.posted, r.PostForm)
		made.mu.Unlock()
		fmt.Fprintln(w, "<!DOCTYPE html><title>Asked</title>")
	})
	mux.HandleFunc("GET /base/assets/{name...}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("name") != "app.css" {
			http.ServeFile(w, r, filepath.Join(assets, filepath.FromSlash(r.PathValue("name"))))
			return
		}
		w.Header().Set("Content-Type", "text/css")
		styles, _ := filepath.Glob(assets + "/css/*.css")
		for _, name := range styles {
			style, err := os.ReadFile(name)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(style)
		}
	})
	made.Server = httptest.NewServer(mux)
	t.Cleanup(made.Close)
	t.Cleanup(made.CloseClientConnections)
	return made
}

func (s *site) matrix(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	refuses := s.refuses
	s.mu.Unlock()
	if refuses {
		http.Error(w, "nobody is signed in", http.StatusUnauthorized)
		return
	}
	c := page.Context{Base: "/base", Me: v1alpha1.Person{Username: "alice"}, Now: time.Now()}
	view, err := page.Matrix(c, s.world, page.MatrixFilterOf(r.URL.Query()))
	if err == nil {
		view, err = view.MayPromote([]page.Place{{Project: "shop", Environment: "web-staging"}, {Project: "shop", Environment: "web-production"}}).InFrame(c, s.world, 0)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	here := strings.TrimPrefix(r.URL.Path, "/base")
	if r.URL.RawQuery != "" {
		here += "?" + r.URL.RawQuery
	}
	document, err := c.Document(view, here, "/base/assets")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "+
		"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types assent")
	_, _ = w.Write(document)
}

// live hands on what a test sends.
func (s *site) live(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.streams = append(s.streams, r.URL.RawQuery)
	refuses := s.refuses
	s.mu.Unlock()
	if refuses {
		http.Error(w, "nobody is signed in", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	_, _ = io.WriteString(w, ":\n\n")
	_ = control.Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case event := <-s.events:
			if event == "" {
				return
			}
			_, _ = io.WriteString(w, event)
			_ = control.Flush()
		}
	}
}

// send an event to the page.
func (s *site) send(t *testing.T, name, version string, content any) {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case s.events <- fmt.Sprintf("event: %s\nid: %s\ndata: %s\n\n", name, version, text):
	case <-time.After(patience):
		t.Fatal("nobody follows the page")
	}
}

// changed parts of a slot.
func changed(slot string, order []string, parts map[string]string) map[string]any {
	content := map[string]any{"changed": parts}
	if order != nil {
		content["order"] = order
	}
	return map[string]any{"title": "Changed", "slots": map[string]any{slot: content}}
}

// open a page in a tab of its own.
func (s *site) open(t *testing.T, path string) context.Context {
	t.Helper()
	tab, end := chromedp.NewContext(chromium)
	t.Cleanup(end)
	limited, cancel := context.WithTimeout(tab, 2*patience)
	t.Cleanup(cancel)
	if err := chromedp.Do(limited, chromedp.Navigate(s.URL+"/base"+path)); err != nil {
		t.Fatal(err)
	}
	becomes(limited, t, `document.getElementById("connection")?.dataset.state ?? ""`, "live")
	return limited
}

// ask the page.
func ask[T any](tab context.Context, t *testing.T, script string) T {
	t.Helper()
	value, err := chromedp.Run(tab, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return value
}

// becomes waits in the page until something is so.
func becomes[T comparable](tab context.Context, t *testing.T, script string, want T) {
	t.Helper()
	var got T
	for end := time.Now().Add(patience); time.Now().Before(end); {
		value, err := chromedp.Run(tab, chromedp.Evaluate[T](`new Promise((done) => setTimeout(() => done(`+script+`), 20))`, chromedp.EvalAwaitPromise))
		if got = value; err == nil && got == want {
			return
		}
	}
	t.Fatalf("%s is %v and not %v", script, got, want)
}

// world of two applications in three stages.
func world() *page.World {
	made := &page.World{Projects: []string{"shop"}}
	since := metav1.NewTime(time.Now().Add(-3 * time.Hour))
	for _, application := range []string{"cart", "web"} {
		for i, stage := range []string{"dev", "staging", "production"} {
			environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: application + "-" + stage}}
			environment.Spec.Application, environment.Spec.Stage = application, stage
			if i > 0 {
				environment.Spec.After = []string{application + "-" + []string{"dev", "staging"}[i-1]}
			}
			version := fmt.Sprintf("1.%d.0", 2-i)
			environment.Status.Current = v1alpha1.Deployment{Release: application + "-" + version, Version: version, Promotion: "p", SinceTime: since}
			made.Environments = append(made.Environments, environment)
		}
	}
	return made
}
