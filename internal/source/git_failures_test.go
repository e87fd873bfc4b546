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
