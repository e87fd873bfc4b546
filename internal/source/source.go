// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package source turns the source of a Release into a tree of files, by digest and never by tag.
//
// A tag is turned into a digest once, by [Fetcher.Resolve]. From then on [Fetcher.Fetch] asks for that digest alone:
//
//	oci, helm:       digest ──> manifest ──> layers ──> Tree
//	helm (https://): digest ──> archive ──> Tree
//	git:             commit ──> pack ──> objects ──> content ──> Tree, where the digest is the content's
//	                 (bytes verified against their digests, from the server or from the cache)
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
	// indexes lets one index of a chart repository be parsed at a time: parsed, it takes many times its size.
	indexes chan struct{}
	// slots bounds how many artifacts are held in memory while they are fetched.
	slots chan struct{}
}

// Option changes how a Fetcher is set up.
type Option func(*options)

type options struct {
	roots *x509.CertPool
}

// WithRootCAs sets the certificate authorities that servers are verified with. Default: the machine's.
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
		limits:  limits,
		cache:   blobs,
		http:    newHTTPClient(o.roots),
		indexes: make(chan struct{}, 1),
		slots:   make(chan struct{}, limits.Concurrent),
	}, nil
}

// opened is a source that can be asked for its digest and for its content.
type opened interface {
	resolve(ctx context.Context) (v1alpha1.Digest, error)
	fetch(ctx context.Context, want v1alpha1.Digest) (Tree, error)
}

// Resolve finds the digest of a source. What has a server is asked for each time, never taken from the cache:
//
//   - oci: the digest of the artifact's manifest. A tag is looked up, a digest is proven to exist, and both together must agree.
//   - git: the digest of the commit's files, as [commitContent] encodes them. They are fetched whole.
//   - helm: with oci:// the digest of the chart's manifest; with https:// the SHA-256 of the chart's archive, which is fetched.
//   - inline: the text's own digest.
//
// A bundle has no content of its own, and is refused. Every error is an [*Error].
func (f *Fetcher) Resolve(ctx context.Context, source v1alpha1.ReleaseSource, credentials Credentials) (v1alpha1.Digest, error) {
	found, ctx, done, err := f.open(ctx, source, credentials)
	if err != nil {
		return "", err
	}
	defer done()
	return found.resolve(ctx)
}

// Fetch returns the content of the source that has the digest, which Resolve has returned before. Tags are not looked at, and a server is
// only asked for what the cache does not have. A chart comes without its top folder: Chart.yaml lies at the root. Every error is an [*Error].
func (f *Fetcher) Fetch(
	ctx context.Context, source v1alpha1.ReleaseSource, digest v1alpha1.Digest, credentials Credentials,
) (Tree, error) {
	found, ctx, done, err := f.open(ctx, source, credentials)
	if err != nil {
		return nil, err
	}
	defer done()
	return found.fetch(ctx, digest)
}

// open finds the kind of the source, and waits until it may be fetched. The returned context ends with the time that it may take.
func (f *Fetcher) open(
	ctx context.Context, source v1alpha1.ReleaseSource, credentials Credentials,
) (found opened, bounded context.Context, done func(), err error) {
	switch {
	case source.OCI.URL != "":
		found, err = f.artifact(source.OCI, credentials)
	case source.Git.URL != "":
		found, err = f.repository(source.Git, credentials)
	case source.Helm.URL != "":
		found, err = f.chart(source.Helm, credentials)
	case len(source.Bundle) > 0:
		err = invalid("spec.source.bundle", "has no content of its own to fetch: each of its Releases is fetched by itself; please report this as a mistake in Assent")
	default:
		return inlineText(source.Inline), ctx, func() {}, nil
	}
	if err != nil {
		return nil, nil, nil, err
	}
	release, err := f.acquire(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, f.limits.Timeout)
	return found, bounded, func() { cancel(); release() }, nil
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
