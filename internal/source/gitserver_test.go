// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// gitServer is git's own `git http-backend` behind HTTP. It counts requests, and can be told to answer in another way.
type gitServer struct {
	root   string
	server *httptest.Server

	mu        sync.Mutex
	requests  []string
	intercept func(http.ResponseWriter, *http.Request) bool
}

func startGit(t *testing.T, kind registryKind) *gitServer {
	t.Helper()
	g := &gitServer{root: t.TempDir()}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(runGit(t, g.root, "--exec-path")), "git-http-backend"),
		Env:  append(gitEnvironment(g.root), "GIT_PROJECT_ROOT="+g.root, "GIT_HTTP_EXPORT_ALL=1"), Stderr: io.Discard,
		Logger: log.New(io.Discard, "", 0),
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		g.mu.Lock()
		g.requests = append(g.requests, request.Method+" "+request.URL.Path)
		intercept := g.intercept
		g.mu.Unlock()
		if intercept == nil || !intercept(w, request) {
			// CGI has no chunked bodies, and the client sends short ones.
			backend.ServeHTTP(w, request)
		}
	})
	switch kind {
	case plainRegistry:
		g.server = httptest.NewServer(handler)
	case tlsRegistry:
		g.server = httptest.NewTLSServer(handler)
	case authRegistry:
		g.server = httptest.NewTLSServer(requirePassword(handler))
	}
	g.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(g.server.Close)
	return g
}

// gitEnvironment keeps the machine's own configuration of git out of the tests.
func gitEnvironment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C",
		"GIT_AUTHOR_NAME=dev", "GIT_AUTHOR_EMAIL=dev@example.org", "GIT_AUTHOR_DATE=2026-01-01T00:00:00Z",
		"GIT_COMMITTER_NAME=dev", "GIT_COMMITTER_EMAIL=dev@example.org", "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z",
	}
}

func runGit(t *testing.T, folder string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", args...)
	command.Dir, command.Env = folder, gitEnvironment(folder)
	var failure bytes.Buffer
	command.Stderr = &failure
	out, err := command.Output()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, failure.String())
	}
	return string(out)
}

// worktree is a clone to commit in, whose commits appear on the server at once.
type worktree struct {
	t      *testing.T
	folder string
	name   string
}

// create makes an empty repository on the server.
func (g *gitServer) create(t *testing.T, name string) *worktree {
	t.Helper()
	runGit(t, g.root, "init", "-q", "--bare", "-b", "main", name+".git")
	work := &worktree{t: t, folder: t.TempDir(), name: name}
	work.git("init", "-q", "-b", "main")
	work.git("remote", "add", "origin", filepath.Join(g.root, name+".git"))
	return work
}

func (w *worktree) git(args ...string) string {
	w.t.Helper()
	return strings.TrimSpace(runGit(w.t, w.folder, args...))
}

func (w *worktree) write(name, text string) {
	w.t.Helper()
	full := filepath.Join(w.folder, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// commit pushes everything that is there and returns the commit's hash.
func (w *worktree) commit(message string) string {
	w.t.Helper()
	w.git("add", "-A")
	w.git("commit", "-q", "--allow-empty", "-m", message)
	w.git("push", "-q", "--force", "origin", "HEAD:main")
	return w.git("rev-parse", "HEAD")
}

// index writes an entry that no work tree could hold.
func (w *worktree) index(mode, hash, name string) {
	w.t.Helper()
	w.git("update-index", "--add", "--cacheinfo", mode+","+hash+","+name)
}

func (g *gitServer) configure(t *testing.T, name, key, value string) {
	t.Helper()
	runGit(t, filepath.Join(g.root, name+".git"), "config", key, value)
}

func (g *gitServer) set(intercept func(http.ResponseWriter, *http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.intercept, g.requests = intercept, nil
}

func (g *gitServer) seen() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.requests...)
}

func (g *gitServer) url(name string) string { return g.server.URL + "/" + name + ".git" }

func (g *gitServer) source(name, commit, path string) v1alpha1.ReleaseSource {
	return v1alpha1.ReleaseSource{Git: v1alpha1.GitSource{URL: g.url(name), Commit: commit, Path: path}}
}

func (g *gitServer) fetcher(t *testing.T, limits Limits) *Fetcher {
	t.Helper()
	return fetcherFor(t, g.server, limits)
}

func fetcherFor(t *testing.T, server *httptest.Server, limits Limits) *Fetcher {
	t.Helper()
	roots := x509.NewCertPool()
	if certificate := server.Certificate(); certificate != nil {
		roots.AddCert(certificate)
	}
	fetcher, err := New(t.TempDir(), limits, WithRootCAs(roots))
	if err != nil {
		t.Fatal(err)
	}
	return fetcher
}

// resolveAndFetch is what happens to a Release whose content is in order.
func resolveAndFetch(t *testing.T, fetcher *Fetcher, source v1alpha1.ReleaseSource, credentials Credentials) (Tree, v1alpha1.Digest) {
	t.Helper()
	digest, err := fetcher.Resolve(t.Context(), source, credentials)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := fetcher.Fetch(t.Context(), source, digest, credentials)
	if err != nil {
		t.Fatal(err)
	}
	return tree, digest
}

func basicAuth(t *testing.T, hosts string) Credentials {
	t.Helper()
	credentials, err := ParseBasicAuth(map[string][]byte{"username": []byte(username), "password": []byte(password)}, hosts)
	if err != nil {
		t.Fatal(err)
	}
	return credentials
}

// commitIndex pushes what is in the index, whatever lies in the work tree, and returns the commit's hash.
func (w *worktree) commitIndex() string {
	w.t.Helper()
	w.git("add", "--ignore-removal", ".")
	w.git("commit", "-q", "--allow-empty", "-m", "index")
	w.git("push", "-q", "--force", "origin", "HEAD:main")
	return w.git("rev-parse", "HEAD")
}

// pipe runs git with text on its standard input, in the server's repository.
func (w *worktree) pipe(text string, args ...string) string {
	w.t.Helper()
	command := exec.CommandContext(w.t.Context(), "git", args...)
	command.Dir, command.Env, command.Stdin = w.folder, gitEnvironment(w.folder), strings.NewReader(text)
	out, err := command.Output()
	if err != nil {
		w.t.Fatalf("git %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

func mustLink(w *worktree, target, name string) {
	w.t.Helper()
	full := filepath.Join(w.folder, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(target, full); err != nil {
		w.t.Fatal(err)
	}
}
