// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestFailuresOfAGitServerSayWhatToDo(t *testing.T) {
	g := startGit(t, plainRegistry)
	work := g.create(t, "shop")
	work.write("a.yaml", service)
	source := g.source("shop", work.commit("first"), "")
	g.create(t, "empty")
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "no", code)
			return true
		}
	}
	post := func(then func(http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, request *http.Request) bool {
			if request.Method == http.MethodPost {
				then(w)
			}
			return request.Method == http.MethodPost
		}
	}
	for name, row := range map[string]struct {
		source    v1alpha1.ReleaseSource
		intercept func(http.ResponseWriter, *http.Request) bool
		reason    string
		field     string
		want      []string
	}{
		"401":                    {intercept: status(401), field: fieldGit + ".secretRef", want: []string{"401 Unauthorized", secretTypeBasicAuth}},
		"403":                    {intercept: status(403), field: fieldGit + ".secretRef", want: []string{"403 Forbidden"}},
		"404":                    {intercept: status(404), field: fieldGitURL, want: []string{"no Git repository"}},
		"500":                    {intercept: status(500), field: fieldGitURL, want: []string{"500 Internal Server Error", "tried again"}},
		"no such repository":     {source: g.source("other", source.Git.Commit, ""), field: fieldGitURL, want: []string{"no Git repository"}},
		"an empty repository":    {source: g.source("empty", source.Git.Commit, ""), field: fieldGitURL, want: []string{"is empty"}},
		"a page instead":         {intercept: func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte("<html>")); return true }, field: fieldGitURL, want: []string{"does not speak Git"}},
		"500 for the pack":       {intercept: post(func(w http.ResponseWriter) { w.WriteHeader(500) }), field: fieldGitURL, want: []string{"500"}},
		"a page for the pack":    {intercept: post(func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>no")) }), field: fieldGitURL, want: []string{"does not send what was asked for"}},
		"a pack that never ends": {intercept: post(func(w http.ResponseWriter) { endlessPack(w) }), reason: v1alpha1.ReasonInvalidSource, field: fieldGit, want: []string{"larger than 100000 bytes"}},
		"references without end": {intercept: func(w http.ResponseWriter, _ *http.Request) bool {
			endless(w, "001e# service=git-upload-pack\n0000")
			return true
		}, want: nil},
		"a server that hangs": {intercept: func(_ http.ResponseWriter, request *http.Request) bool { <-request.Context().Done(); return true }, field: fieldGitCommit, want: []string{"did not answer in time"}},
		"a pack that hangs": {intercept: func(w http.ResponseWriter, request *http.Request) bool {
			return request.Method == http.MethodPost && hang(w, request)
		}, field: fieldGitCommit, want: []string{"did not answer in time"}},
		"a URL with a password":   {source: v1alpha1.ReleaseSource{Git: v1alpha1.GitSource{URL: "https://u:hidden@h/x", Commit: source.Git.Commit}}, reason: v1alpha1.ReasonInvalidSource, field: fieldGitURL, want: []string{"secretRef"}},
		"a URL on this machine":   {source: v1alpha1.ReleaseSource{Git: v1alpha1.GitSource{URL: "file:///etc", Commit: source.Git.Commit}}, reason: v1alpha1.ReasonInvalidSource, field: fieldGitURL, want: []string{"https://HOST"}},
		"a branch for the commit": {source: g.source("shop", "main", ""), reason: v1alpha1.ReasonInvalidSource, field: fieldGitCommit, want: []string{"40 hexadecimal digits"}},
	} {
		t.Run(name, func(t *testing.T) {
			g.set(row.intercept)
			from := source
			if row.source.Git.URL != "" {
				from = row.source
			}
			limits := Limits{CompressedBytes: 100_000}
			if strings.HasSuffix(name, "hangs") {
				limits.Timeout = time.Second
			}
			_, err := g.fetcher(t, limits).Resolve(t.Context(), from, Credentials{})
			if row.want == nil {
				if err == nil {
					t.Fatal("got no error")
				}
				return
			}
			reason := row.reason
			if reason == "" {
				reason = v1alpha1.ReasonFetchFailed
			}
			expectError(t, err, reason, row.field, row.want...)
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

// endless answers until nobody listens any more.
func endless(w http.ResponseWriter, begin string) {
	_, _ = w.Write([]byte(begin))
	block := []byte(strings.Repeat("x", 4096))
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// endlessPack sends one small file after the other.
func endlessPack(w http.ResponseWriter) {
	var deflated bytes.Buffer
	writer := zlib.NewWriter(&deflated)
	_, _ = writer.Write([]byte("x"))
	_ = writer.Close()
	object := "\x31" + deflated.String()
	_, _ = fmt.Fprintf(w, "00000008NAK\n%04x\x01PACK\x00\x00\x00\x02\xff\xff\xff\xff", 5+12)
	for {
		if _, err := fmt.Fprintf(w, "%04x\x01%s", 5+len(object), object); err != nil {
			return
		}
	}
}

func hang(w http.ResponseWriter, request *http.Request) bool {
	_, _ = w.Write([]byte("0008NAK\n"))
	_ = http.NewResponseController(w).Flush()
	<-request.Context().Done()
	return true
}

// hashOf an object, as Git has it.
func hashOf(object packed) plumbing.Hash { return plumbing.ComputeHash(object.kind, object.data) }

func treeObject(entries ...string) packed {
	data := strings.Join(entries, "")
	return packed{kind: plumbing.TreeObject, size: len(data), data: []byte(data)}
}

// entryOf a tree.
func entryOf(mode, name string, object packed) string {
	hash := hashOf(object)
	return mode + " " + name + "\x00" + string(hash[:])
}

func commitObject(tree packed) packed {
	data := "tree " + hashOf(tree).String() + "\nauthor dev <dev@example.org> 1 +0000\ncommitter dev <dev@example.org> 1 +0000\n\nfirst\n"
	return packed{kind: plumbing.CommitObject, size: len(data), data: []byte(data)}
}

func TestObjectsThatGitWouldNotWriteAreRefused(t *testing.T) {
	g := startGit(t, plainRegistry)
	g.create(t, "shop").commit("something")
	blob, empty, broken := blobOf(service), treeObject(), packed{kind: plumbing.TreeObject, size: 1, data: []byte("x")}
	garbage := packed{kind: plumbing.CommitObject, size: 1, data: []byte("x")}
	for name, row := range map[string]struct {
		tree packed
		// beside are the objects that come with the commit and its tree.
		beside []packed
		// sent in the place of all that.
		sent   []packed
		reason string
		field  string
		want   string
	}{
		"a commit that is none":    {sent: []packed{garbage}, reason: v1alpha1.ReasonFetchFailed, field: fieldGitURL, want: "the commit cannot be read"},
		"no tree":                  {sent: []packed{commitObject(empty)}, reason: v1alpha1.ReasonFetchFailed, field: fieldGitURL, want: "left out the tree"},
		"a tree that is none":      {tree: broken, reason: v1alpha1.ReasonInvalidSource, field: fieldGit, want: "folder that cannot be read"},
		"no folder":                {tree: treeObject(entryOf("40000", "a", broken)), reason: v1alpha1.ReasonFetchFailed, field: fieldGitURL, want: "left out the tree"},
		"a folder that is none":    {tree: treeObject(entryOf("40000", "a", broken)), beside: []packed{broken}, reason: v1alpha1.ReasonInvalidSource, field: fieldGit, want: "folder that cannot be read"},
		"no file":                  {tree: treeObject(entryOf("100644", "a", blob)), reason: v1alpha1.ReasonFetchFailed, field: fieldGitURL, want: "left out the file"},
		"a folder as a file":       {tree: treeObject(entryOf("100644", "a", empty)), beside: []packed{empty}, reason: v1alpha1.ReasonFetchFailed, field: fieldGitURL, want: "left out the file"},
		"the folder itself":        {tree: treeObject(entryOf("100644", ".", blob)), beside: []packed{blob}, reason: v1alpha1.ReasonInvalidSource, field: fieldGit, want: `the name "."`},
		"a path in a name":         {tree: treeObject(entryOf("100644", "a/b", blob)), beside: []packed{blob}, reason: v1alpha1.ReasonInvalidSource, field: fieldGit, want: `the name "a/b"`},
		"Git's own folder":         {tree: treeObject(entryOf("100644", ".git", blob)), beside: []packed{blob}, reason: v1alpha1.ReasonInvalidSource, field: fieldGit, want: `the name ".git"`},
		"Git's folder in capitals": {tree: treeObject(entryOf("100644", ".GIT", blob)), beside: []packed{blob}, reason: v1alpha1.ReasonInvalidSource, field: fieldGit, want: `the name ".GIT"`},
		"the folder above": {
			tree:   treeObject(entryOf("40000", "a", treeObject(entryOf("100644", "..", blob)))),
			beside: []packed{treeObject(entryOf("100644", "..", blob)), blob}, reason: v1alpha1.ReasonInvalidSource, field: fieldGit, want: `the name ".." in folder "a"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			sent := row.sent
			if sent == nil {
				sent = append([]packed{commitObject(row.tree), row.tree}, row.beside...)
			}
			pack := packOf(t, len(sent), sent...)
			g.set(func(w http.ResponseWriter, request *http.Request) bool {
				if request.Method == http.MethodPost {
					_, _ = fmt.Fprintf(w, "00000008NAK\n%04x\x01%s0000", 5+len(pack), pack)
				}
				return request.Method == http.MethodPost
			})
			_, err := g.fetcher(t, Limits{}).Resolve(t.Context(), g.source("shop", hashOf(sent[0]).String(), ""), Credentials{})
			expectError(t, err, row.reason, row.field, row.want)
		})
	}
}
