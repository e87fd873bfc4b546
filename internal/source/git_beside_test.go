// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func withSubmodules(source v1alpha1.ReleaseSource) v1alpha1.ReleaseSource {
	source.Git.Submodules = v1alpha1.SubmodulesAllowed
	return source
}

func module(name, url string) string {
	return fmt.Sprintf("[submodule %q]\n\tpath = %s\n\turl = %s\n", name, name, url)
}

func TestAllowedSubmodulesAreFetchedAtTheirPinnedCommits(t *testing.T) {
	g := startGit(t, authRegistry)
	inner := g.create(t, "inner")
	inner.write("inner.yaml", service)
	innerCommit := inner.commit("first")
	middle := g.create(t, "libs")
	middle.write(modulesFile, module("deep", "../inner.git"))
	middle.write("lib.yaml", deployment)
	middle.git("add", "-A")
	middle.index("160000", innerCommit, "deep")
	pinned := middle.commitIndex()
	middle.write("lib.yaml", "moved on")
	middle.commit("later")

	work := g.create(t, "shop")
	work.write(modulesFile, module("deploy/vendor", g.url("libs"))+module("docs", "https://elsewhere.example/docs.git"))
	work.write("deploy/a.yaml", service)
	work.git("add", "-A")
	work.index("160000", pinned, "deploy/vendor")
	work.index("160000", pinned, "docs")
	source := g.source("shop", work.commitIndex(), "deploy")

	credentials := basicAuth(t, strings.TrimPrefix(g.server.URL, "https://"))
	tree, digest := resolveAndFetch(t, g.fetcher(t, Limits{}), withSubmodules(source), credentials)
	for name, want := range map[string]string{
		"deploy/a.yaml": service, "deploy/vendor/lib.yaml": deployment, "deploy/vendor/deep/inner.yaml": service,
	} {
		if string(tree[name]) != want {
			t.Errorf("%s holds %q", name, tree[name])
		}
	}
	if tree.HasFolder("docs") {
		t.Error("a submodule beside the path was fetched")
	}
	if digest == "" {
		t.Error("got no digest")
	}
	_, err := g.fetcher(t, Limits{}).Resolve(t.Context(), source, credentials)
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGit, `submodule at "deploy/vendor"`)
	_, err = g.fetcher(t, Limits{Submodules: 1}).Resolve(t.Context(), withSubmodules(source), credentials)
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGitPath, "more than 1 submodules")
	_, err = g.fetcher(t, Limits{Files: 6}).Resolve(t.Context(), withSubmodules(source), credentials)
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGitPath, "more than 6 files")
}

func TestSubmodulesFromElsewhereAreRefused(t *testing.T) {
	g := startGit(t, plainRegistry)
	other := startGit(t, plainRegistry)
	for name, row := range map[string]struct{ modules, want string }{
		"another host":         {modules: module("m", other.url("x")), want: "on another host"},
		"another scheme":       {modules: module("m", strings.Replace(g.url("x"), "http:", "https:", 1)), want: "on another host"},
		"a file":               {modules: module("m", "file:///etc"), want: "neither relative nor https://"},
		"ssh":                  {modules: module("m", "git@example.org:x.git"), want: "neither relative nor https://"},
		"a command":            {modules: module("m", "ext::sh -c id"), want: "neither relative nor https://"},
		"an option":            {modules: module("m", "--upload-pack=id"), want: ""},
		"with a password":      {modules: module("m", strings.Replace(g.url("x"), "//", "//u:p@", 1)), want: "more than a host and a path"},
		"not in .gitmodules":   {modules: module("n", g.url("x")), want: ".gitmodules does not name"},
		"without .gitmodules":  {modules: "", want: ".gitmodules does not name"},
		"a broken .gitmodules": {modules: "[submodule", want: ".gitmodules does not name"},
	} {
		t.Run(name, func(t *testing.T) {
			work := g.create(t, strings.ReplaceAll(name, " ", "-"))
			work.write(modulesFile, row.modules)
			work.git("add", "-A")
			work.index("160000", strings.Repeat("a", 40), "m")
			source := g.source(work.name, work.commitIndex(), "")
			_, err := g.fetcher(t, Limits{}).Resolve(t.Context(), withSubmodules(source), Credentials{})
			expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGit, row.want)
			if seen := other.seen(); len(seen) > 0 {
				t.Errorf("another host was asked %v", seen)
			}
		})
	}
}

func TestAModulesFileIsBounded(t *testing.T) {
	g := startGit(t, plainRegistry)
	work := g.create(t, "shop")
	work.write(modulesFile, strings.Repeat("#", maxModulesBytes+1))
	_, err := g.fetcher(t, Limits{}).Resolve(t.Context(), g.source("shop", work.commit("first"), ""), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGit, ".gitmodules of more than 65536 bytes")
}

func TestSubmodulesThatHoldEachOtherEnd(t *testing.T) {
	g := startGit(t, plainRegistry)
	// A commit cannot pin itself, so a chain is as near as it gets.
	commit := strings.Repeat("a", 40)
	name := ""
	for i := range maxSubmoduleDepth + 2 {
		name = fmt.Sprintf("r%d", i)
		work := g.create(t, name)
		work.write("a.yaml", service)
		if i > 0 {
			work.write(modulesFile, module("m", fmt.Sprintf("../r%d.git", i-1)))
		}
		work.git("add", "-A")
		if i > 0 {
			work.index("160000", commit, "m")
		}
		commit = work.commitIndex()
	}
	_, err := g.fetcher(t, Limits{}).Resolve(t.Context(), withSubmodules(g.source(name, commit, "")), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGit, "more than 4 deep")
}

func lfsPointer(content []byte) string {
	sum := sha256.Sum256(content)
	return fmt.Sprintf("%s\noid sha256:%s\nsize %d\n", lfsVersion, hex.EncodeToString(sum[:]), len(content))
}

// lfsStore answers the batch API of Git LFS for the files that it holds.
type lfsStore struct {
	files map[string][]byte
	// href of a file; by default on the same host.
	href func(oid string) string
	auth []string
	// pointer that is committed in the place of a file.
	pointer string
}

// lfsAnswer is what the batch API says instead.
func lfsAnswer(status int, text string) func(*gitServer, *lfsStore) {
	return func(g *gitServer, _ *lfsStore) {
		g.set(func(w http.ResponseWriter, request *http.Request) bool {
			meant := strings.Contains(request.URL.Path, "/info/lfs/")
			if meant {
				w.WriteHeader(status)
				_, _ = w.Write([]byte(text))
			}
			return meant
		})
	}
}

func (s *lfsStore) add(content string) string {
	sum := sha256.Sum256([]byte(content))
	s.files[hex.EncodeToString(sum[:])] = []byte(content)
	return lfsPointer([]byte(content))
}

func (s *lfsStore) serve(w http.ResponseWriter, request *http.Request) bool {
	oid, isFile := strings.CutPrefix(request.URL.Path, "/lfs/")
	switch {
	case strings.HasSuffix(request.URL.Path, ".git/info/lfs/objects/batch"):
		var asked lfsRequest
		if json.NewDecoder(request.Body).Decode(&asked) != nil || asked.Operation != "download" || request.Header.Get("Accept") != lfsMediaType {
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		for i, one := range asked.Objects {
			if _, found := s.files[one.OID]; found {
				asked.Objects[i].Actions = map[string]lfsAction{"download": {Href: s.href(one.OID), Header: map[string]string{"X-Token": "granted", "Authorization": "granted"}}}
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"objects": asked.Objects})
		return true
	case isFile && request.Header.Get("X-Token") == "granted":
		s.auth = append(s.auth, request.Header.Get("Authorization"))
		_, _ = w.Write(s.files[oid])
		return true
	}
	return isFile
}

func startLFS(t *testing.T) (*gitServer, *lfsStore) {
	t.Helper()
	g := startGit(t, plainRegistry)
	store := &lfsStore{files: map[string][]byte{}, href: func(oid string) string { return g.server.URL + "/lfs/" + oid }}
	g.set(store.serve)
	return g, store
}

func TestAllowedFilesInGitLFSAreFetchedAndVerified(t *testing.T) {
	g, store := startLFS(t)
	work := g.create(t, "shop")
	want := map[string]string{"plain.yaml": service}
	work.write("plain.yaml", service)
	for i := range lfsBatch + 5 {
		name, text := fmt.Sprintf("f%03d.yaml", i), fmt.Sprintf("%s# %d\n", deployment, i)
		work.write(name, store.add(text))
		want[name] = text
	}
	work.write("f000-again.yaml", store.add(deployment+"# 0\n"))
	want["f000-again.yaml"] = deployment + "# 0\n"
	// As large as no pointer is.
	want["long.yaml"] = lfsVersion + "\n" + strings.Repeat("#", maxPointerBytes)
	work.write("long.yaml", want["long.yaml"])
	source := g.source("shop", work.commit("first"), "")
	source.Git.LFS = v1alpha1.LFSAllowed
	fetcher := g.fetcher(t, Limits{})
	tree, digest := resolveAndFetch(t, fetcher, source, basicAuth(t, g.server.URL))
	expectTree(t, tree, want)
	if len(store.auth) != lfsBatch+5 {
		t.Errorf("%d files were fetched", len(store.auth))
	}
	if i := slices.IndexFunc(store.auth, func(sent string) bool { return sent != "granted" }); i >= 0 {
		t.Errorf("a file was asked for with %q, and not with what the server has said to send", store.auth[i])
	}
	// The digest covers the files, not the pointers, and they are kept as well.
	g.server.Close()
	if _, err := fetcher.Fetch(t.Context(), source, digest, basicAuth(t, g.server.URL)); err != nil {
		t.Error(err)
	}
}

func TestFilesInGitLFSThatCannotBeTrustedAreRefused(t *testing.T) {
	stranger := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stranger++ }))
	defer other.Close()
	for name, row := range map[string]struct {
		spoil  func(*gitServer, *lfsStore)
		limits Limits
		reason string
		field  string
		want   []string
	}{
		"other content": {spoil: func(_ *gitServer, s *lfsStore) { s.replace([]byte(strings.Repeat("x", len(deployment)))) }, reason: v1alpha1.ReasonDigestMismatch, field: fieldGit,
			want: []string{`"a.yaml"`, "something else"}},
		"a longer file than said":  {spoil: func(_ *gitServer, s *lfsStore) { s.replace([]byte(strings.Repeat("x", 200_000))) }, reason: v1alpha1.ReasonInvalidSource, field: fieldGit, want: []string{"larger than 100000 bytes"}},
		"a file beyond the limit":  {spoil: func(*gitServer, *lfsStore) {}, limits: Limits{FileBytes: 20}, reason: v1alpha1.ReasonInvalidSource, field: fieldGit, want: []string{`"a.yaml" is larger than 20 bytes`}},
		"a file that is not there": {spoil: func(_ *gitServer, s *lfsStore) { clear(s.files) }, reason: v1alpha1.ReasonFetchFailed, field: fieldGit, want: []string{"git lfs push"}},
		"another host": {spoil: func(_ *gitServer, s *lfsStore) { s.href = func(string) string { return other.URL + "/x" } }, reason: v1alpha1.ReasonInvalidSource,
			field: fieldGit, want: []string{"on another host", "commit the file itself"}},
		"an address that is none": {spoil: func(_ *gitServer, s *lfsStore) { s.href = func(string) string { return ":" } }, reason: v1alpha1.ReasonFetchFailed, field: fieldGit, want: []string{"is none"}},
		"another size": {spoil: func(_ *gitServer, s *lfsStore) { s.pointer = strings.Replace(s.pointer, "size ", "size 1", 1) }, reason: v1alpha1.ReasonDigestMismatch, field: fieldGit,
			want: []string{`"a.yaml"`, "something else"}},
		"a pointer without a digest": {spoil: func(_ *gitServer, s *lfsStore) { s.pointer = lfsVersion + "\nsize 1\n" }, reason: v1alpha1.ReasonInvalidSource, field: fieldGit,
			want: []string{`pointer at "a.yaml" that cannot be read`, "no SHA-256 or no size", "commit the file again"}},
		"a pointer without a size": {spoil: func(_ *gitServer, s *lfsStore) { s.pointer, _, _ = strings.Cut(s.pointer, "size") }, reason: v1alpha1.ReasonInvalidSource, field: fieldGit,
			want: []string{"no SHA-256 or no size"}},
		"an answer that is none": {spoil: lfsAnswer(http.StatusOK, "<html>"), reason: v1alpha1.ReasonFetchFailed, field: fieldGit, want: []string{`"a.yaml"`, "not that of Git LFS"}},
		"a server that fails":    {spoil: lfsAnswer(http.StatusNotImplemented, ""), reason: v1alpha1.ReasonFetchFailed, field: fieldGit, want: []string{`"a.yaml"`, "501"}},
		"a login that is needed": {spoil: lfsAnswer(http.StatusUnauthorized, ""), reason: v1alpha1.ReasonFetchFailed, field: fieldGit + ".secretRef", want: []string{"401"}},
		"a server without LFS":   {spoil: func(g *gitServer, _ *lfsStore) { g.set(nil) }, reason: v1alpha1.ReasonFetchFailed, field: fieldGit, want: []string{"no Git LFS"}},
	} {
		t.Run(name, func(t *testing.T) {
			g, store := startLFS(t)
			work := g.create(t, "shop")
			store.pointer = store.add(deployment)
			row.spoil(g, store)
			work.write("a.yaml", store.pointer)
			source := g.source("shop", work.commit("first"), "")
			source.Git.LFS = v1alpha1.LFSAllowed
			limits := row.limits
			limits.CompressedBytes = 100_000
			_, err := g.fetcher(t, limits).Resolve(t.Context(), source, Credentials{})
			expectError(t, err, row.reason, row.field, row.want...)
			if stranger > 0 {
				t.Error("another host was asked")
			}
		})
	}
}

func (s *lfsStore) replace(content []byte) {
	for oid := range s.files {
		s.files[oid] = content
	}
}
