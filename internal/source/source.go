// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package source turns the source of a Release into a tree of files, by digest and never by tag.
//
// A tag is turned into a digest once, by [Fetcher.Resolve]. From then on [Fetcher.Fetch] asks for that digest alone:
//
//	source, digest ──> manifest ──> layers ──> Tree
//	                   (bytes verified against their digests, from the registry or from the cache)
//
// What comes out is bounded by [Limits] and holds nothing but regular files below one root: no link, no device, no absolute
// path and no "..". Nothing here runs a program, reads a proxy setting or looks for credentials on the machine.
package source

import (
	"context"
	"crypto/x509"
	"net/http"
	"path"
	"sort"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Tree is the content of a source: file contents by slash-separated path. A path is relative to the source's root, clean, and valid
// UTF-8; no path is the folder of another.
type Tree map[string][]byte

// Paths returns the paths of the tree in order.
func (t Tree) Paths() []string {
	paths := make([]string, 0, len(t))
	for name := range t {
		paths = append(paths, name)
	}
	sort.Strings(paths)
	return paths
}

// HasFolder says whether any file lies below the folder. The root, "." or "", is a folder of every tree.
func (t Tree) HasFolder(folder string) bool {
	if folder = path.Clean(folder); folder == "." {
		return true
	}
	for name := range t {
		if strings.HasPrefix(name, folder+"/") {
			return true
		}
	}
	return false
}

// Fetcher resolves and fetches sources. It is safe for concurrent use.
type Fetcher struct {
	limits Limits
	cache  *cache
	http   *http.Client
	// slots bounds how many artifacts are held in memory while they are fetched.
	slots chan struct{}
}

// Option changes how a Fetcher is set up.
type Option func(*options)

type options struct {
	roots *x509.CertPool
}

// WithRootCAs sets the certificate authorities that registries are verified with. Default: the machine's.
func WithRootCAs(roots *x509.CertPool) Option {
	return func(o *options) { o.roots = roots }
}

// New returns a Fetcher that keeps what it has fetched below the folder dir, which it creates where it is missing. The folder must be
// the Fetcher's own. Limits that are zero have their defaults. It fails when the folder cannot be made.
func New(dir string, limits Limits, opts ...Option) (*Fetcher, error) {
	var o options
	for _, apply := range opts {
		apply(&o)
	}
	limits = limits.withDefaults()
	blobs, err := openCache(dir, limits.CacheBytes)
	if err != nil {
		return nil, err
	}
	return &Fetcher{
		limits: limits,
		cache:  blobs,
		http:   newHTTPClient(o.roots),
		slots:  make(chan struct{}, limits.Concurrent),
	}, nil
}

// Resolve finds the digest of a source. For an OCI artifact it asks the registry each time: a tag is looked up, a digest is proven to exist,
// and both together must agree. For inline text it is the text's own digest. Every error is an [*Error].
func (f *Fetcher) Resolve(ctx context.Context, source v1alpha1.ReleaseSource, credentials Credentials) (v1alpha1.Digest, error) {
	if source.OCI.URL == "" {
		return resolveInline(source.Inline)
	}
	release, err := f.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, f.limits.Timeout)
	defer cancel()
	artifact, err := f.artifact(source.OCI, credentials)
	if err != nil {
		return "", err
	}
	return artifact.resolve(ctx)
}

// Fetch returns the content of the source that has the digest, which Resolve has returned before. Tags are not looked at. Every error is
// an [*Error].
func (f *Fetcher) Fetch(
	ctx context.Context, source v1alpha1.ReleaseSource, digest v1alpha1.Digest, credentials Credentials,
) (Tree, error) {
	if source.OCI.URL == "" {
		return fetchInline(source.Inline, digest)
	}
	if pinned := source.OCI.Digest; pinned != "" && pinned != digest {
		return nil, mismatch("spec.source.oci.digest", "the Release pins %q and status says %q: create a new Release", pinned, digest)
	}
	release, err := f.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, f.limits.Timeout)
	defer cancel()
	artifact, err := f.artifact(source.OCI, credentials)
	if err != nil {
		return nil, err
	}
	return artifact.fetch(ctx, digest)
}

func (f *Fetcher) acquire(ctx context.Context) (func(), error) {
	select {
	case f.slots <- struct{}{}:
		return func() { <-f.slots }, nil
	case <-ctx.Done():
		return nil, &Error{
			Reason: v1alpha1.ReasonFetchFailed, Field: "spec.source", Message: "waiting for other fetches took too long; it is tried again",
			Err: ctx.Err(),
		}
	}
}
