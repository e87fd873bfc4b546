// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"errors"
	"net/url"
	"regexp"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/opencontainers/go-digest"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	fieldGit       = "spec.source.git"
	fieldGitURL    = "spec.source.git.url"
	fieldGitCommit = "spec.source.git.commit"
	fieldGitPath   = "spec.source.git.path"
)

var commitPattern = regexp.MustCompile(`^[a-f0-9]{40}$`)

// repository is one commit of a Git repository during one resolve or fetch.
type repository struct {
	source   v1alpha1.GitSource
	url      *url.URL
	transfer *transfer
	cache    *cache
	limits   Limits
}

func (f *Fetcher) repository(source v1alpha1.GitSource, credentials Credentials) (*repository, error) {
	parsed, err := parseHTTP(fieldGitURL, source.URL)
	if err != nil {
		return nil, err
	}
	if !commitPattern.MatchString(source.Commit) {
		return nil, invalid(fieldGitCommit, "%q is not a commit: it must be the full hash, 40 hexadecimal digits in lower case", foreign(source.Commit))
	}
	login, err := credentials.forServer(fieldGit+".secretRef", parsed)
	if err != nil {
		return nil, err
	}
	return &repository{
		source: source, url: parsed, transfer: newTransfer(f.http, parsed, login, f.limits.CompressedBytes), cache: f.cache, limits: f.limits,
	}, nil
}

// parseHTTP reads an URL with https:// or http:// that names a server and a path and nothing else.
func parseHTTP(field, text string) (*url.URL, error) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil, parsed.Hostname() == "", parsed.Scheme != "https" && parsed.Scheme != "http":
		return nil, invalid(field, "%q must be https://HOST[:PORT]/PATH, or http:// for a server on plain HTTP", foreign(text))
	case parsed.User != nil:
		// Not shown: it may hold a password.
		return nil, invalid(field, "must not have a username or a password: name a Secret in `secretRef`")
	case parsed.RawQuery != "", parsed.Fragment != "":
		return nil, invalid(field, "%q must not have a query or a fragment", foreign(text))
	}
	return parsed, nil
}

// resolve asks the server, never the cache: what the caller's credentials do not show must not be found.
func (r *repository) resolve(ctx context.Context) (v1alpha1.Digest, error) {
	encoded, err := r.pull(ctx)
	if err != nil {
		return "", err
	}
	return v1alpha1.Digest(digest.FromBytes(encoded).String()), nil
}

func (r *repository) fetch(ctx context.Context, want v1alpha1.Digest) (Tree, error) {
	wanted, err := checkWanted(fieldGitCommit, "", want)
	if err != nil {
		return nil, err
	}
	encoded, found := r.cache.get(r.scope(), wanted, r.contentBytes())
	if !found {
		if encoded, err = r.pull(ctx); err != nil {
			return nil, err
		}
		if got := digest.FromBytes(encoded); got != wanted {
			return nil, mismatch(fieldGitCommit, "the server sent content with the digest %q for commit %q, and the Release was resolved to %q: check the server, or create a new Release",
				got, r.source.Commit, want)
		}
	}
	decoded, err := decodeContent(encoded)
	if err != nil {
		return nil, invalid(fieldGit, "the commit %s", err.Error())
	}
	return decoded.tree(), nil
}

// pull returns the content of the commit, encoded, and keeps it.
func (r *repository) pull(ctx context.Context) ([]byte, error) {
	walk := newWalk(r)
	if err := walk.commit(ctx, &checkout{url: r.url}, plumbing.NewHash(r.source.Commit)); err != nil {
		return nil, r.explain(ctx, err)
	}
	if err := walk.fetchLFS(ctx); err != nil {
		return nil, r.explain(ctx, err)
	}
	if len(walk.found) == 0 {
		return nil, invalid(fieldGitCommit, "%q holds no files: commit the manifests", r.source.Commit)
	}
	if err := walk.found.tree().check(); err != nil {
		return nil, invalid(fieldGit, "the commit %s", err.Error())
	}
	encoded := walk.found.encode()
	r.cache.put(r.scope(), digest.FromBytes(encoded), encoded)
	return encoded, nil
}

// contentBytes is what the largest content within the limits takes when it is encoded.
func (r *repository) contentBytes() int64 {
	return r.limits.DecompressedBytes + int64(r.limits.Files)*int64(r.limits.NameBytes+64)
}

// scope is what the cache keeps apart: everything that the content depends on.
func (r *repository) scope() string {
	s := r.source
	return s.URL + "\n" + s.Commit + "\n" + s.Path + "\n" + string(s.Submodules) + "\n" + string(s.LFS)
}

// contentError is a commit that must not be deployed as it is.
type contentError struct{ message string }

func (e *contentError) Error() string { return e.message }

// explain turns what went wrong into what to do about it.
func (r *repository) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	var known *Error
	var content *contentError
	var limit *limitError
	var many *tooManyBytesError
	var elsewhere *elsewhereError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &content):
		return invalid(fieldGit, "the commit %s", content.message)
	case errors.As(err, &limit):
		return r.beyond(limit.message)
	case errors.As(err, &many):
		return r.beyond("is larger than " + digits(many.max) + " bytes as the server sends it")
	case errors.As(err, &elsewhere):
		return invalid(fieldGitURL, "server %q cannot be used: %s; write the URL that it sends on to", r.url.Host, elsewhere.Error())
	}
	return r.server().explain(err, fieldGitCommit, "commit "+r.source.Commit)
}

// beyond says what to do about a commit beyond the limits. The whole tree counts, since a kustomization may use what lies beside its path.
func (r *repository) beyond(message string) error {
	if r.source.Path == "" {
		return invalid(fieldGit, "the commit %s: keep the manifests in a repository of their own, or push them as an OCI artifact and use `spec.source.oci`", message)
	}
	return invalid(fieldGitPath, "the commit %s; everything in it counts, not only %q: keep the manifests in a repository of their own, "+
		"or push that folder as an OCI artifact and use `spec.source.oci`", message, foreign(r.source.Path))
}

func (r *repository) server() server {
	return server{noun: "server", host: r.url.Host, url: r.source.URL, field: fieldGit, secret: secretTypeBasicAuth, plain: "http://"}
}
