// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// repositoryChart is a chart in a repository with an index. Its digest is the SHA-256 of its archive.
type repositoryChart struct {
	source  v1alpha1.HelmSource
	base    *url.URL
	login   login
	http    *http.Client
	indexes chan struct{}
	cache   *cache
	limits  Limits
}

// resolve asks the repository, never the cache: what the caller's credentials do not show must not be found.
func (c *repositoryChart) resolve(ctx context.Context) (v1alpha1.Digest, error) {
	if pinned := c.source.Digest; pinned != "" {
		if _, err := checkWanted(fieldHelmDigest, pinned, pinned); err != nil {
			return "", err
		}
	}
	archive, err := c.pull(ctx)
	if err != nil {
		return "", err
	}
	found := digest.FromBytes(archive)
	if pinned := c.source.Digest; pinned != "" && string(pinned) != found.String() {
		return "", mismatch(fieldHelmDigest, "is %q, and version %q of the chart has %q: create a new Release with the one that is meant",
			pinned, c.source.Version, found)
	}
	if _, err := c.tree(archive); err != nil {
		return "", err
	}
	c.cache.put(c.scope(), found, archive)
	return v1alpha1.Digest(found.String()), nil
}

func (c *repositoryChart) fetch(ctx context.Context, want v1alpha1.Digest) (Tree, error) {
	wanted, err := checkWanted(fieldHelmDigest, c.source.Digest, want)
	if err != nil {
		return nil, err
	}
	archive, found := c.cache.get(c.scope(), wanted, c.limits.CompressedBytes)
	if !found {
		if archive, err = c.pull(ctx); err != nil {
			return nil, err
		}
		if got := digest.FromBytes(archive); got != wanted {
			return nil, mismatch(fieldHelmVersion, "%q of the chart has the digest %q now, and the Release was resolved to %q: publish it again under a version of its own, and create a new Release",
				c.source.Version, got, want)
		}
		c.cache.put(c.scope(), wanted, archive)
	}
	return c.tree(archive)
}

func (c *repositoryChart) tree(archive []byte) (Tree, error) {
	return unpackChart(archive, c.source.Chart, c.source.Version, c.limits)
}

// pull returns the archive that the index names for the version, which has the digest that the index gives.
func (c *repositoryChart) pull(ctx context.Context) ([]byte, error) {
	entry, err := c.entry(ctx)
	if err != nil {
		return nil, err
	}
	location, err := entry.location(c.base)
	if err != nil {
		return nil, invalid(fieldHelmURL, "the repository's index %s for version %q: write its index again with `helm repo index`", err.Error(), c.source.Version)
	}
	archive, err := c.download(ctx, location)
	if err != nil {
		return nil, err
	}
	got := digest.FromBytes(archive)
	stated := strings.ToLower(strings.TrimPrefix(entry.Digest, "sha256:"))
	switch {
	case stated == "" && c.source.Digest == "":
		return nil, invalid(fieldHelmDigest, "must be set, since the repository's index has no digest for version %q; what lies there now has %q", c.source.Version, got)
	case stated != "" && stated != got.Encoded():
		return nil, mismatch(fieldHelmVersion, "the archive of %q has the digest %q and the repository's index says %q: write its index again with `helm repo index`",
			c.source.Version, got, foreign(entry.Digest))
	}
	return archive, nil
}

// entry of the chart's version in the index. An index is large and is read as a whole, so it is one at a time.
func (c *repositoryChart) entry(ctx context.Context) (indexEntry, error) {
	where := *c.base
	where.Path = strings.TrimSuffix(where.Path, "/") + "/index.yaml"
	encoded, err := newTransfer(c.http, c.base, c.login, c.limits.IndexBytes).get(ctx, where.String())
	if err != nil {
		return indexEntry{}, c.explain(err, c.base, fieldHelmURL, "the index")
	}
	select {
	case c.indexes <- struct{}{}:
		defer func() { <-c.indexes }()
	case <-ctx.Done():
		return indexEntry{}, c.explain(ctx.Err(), c.base, fieldHelmURL, "the index")
	}
	parsed, err := parseIndex(encoded)
	if err != nil {
		return indexEntry{}, invalid(fieldHelmURL, "the index of the repository %q %s: check that it is a chart repository", c.source.URL, err.Error())
	}
	versions, found := parsed.Entries[c.source.Chart]
	if !found {
		return indexEntry{}, secretFault(fieldHelmChart, "chart \""+c.source.Chart+"\" is not in the index of \""+c.source.URL+
			"\": publish it, or create a new Release with one that exists; it is tried again")
	}
	for _, entry := range versions {
		if entry.Version == c.source.Version {
			return entry, nil
		}
	}
	return indexEntry{}, secretFault(fieldHelmVersion, "version \""+c.source.Version+"\" of chart \""+c.source.Chart+"\" is not in the index of \""+c.source.URL+
		"\": publish it, or create a new Release with one that exists; it is tried again")
}

// download takes the archive from the repository's own server with the credentials, or from another without.
func (c *repositoryChart) download(ctx context.Context, location *url.URL) ([]byte, error) {
	var from *transfer
	if sameOrigin(location, c.base) {
		from = newTransfer(c.http, c.base, c.login, c.limits.CompressedBytes)
	} else {
		from = newTransfer(c.http, location, login{}, c.limits.CompressedBytes)
	}
	if from.login == (login{}) {
		from.foreign = foreignTLS
	}
	archive, err := from.get(ctx, location.String())
	if err != nil {
		return nil, c.explain(err, location, fieldHelmVersion, "version "+c.source.Version+" of chart "+c.source.Chart)
	}
	return archive, nil
}

func (c *repositoryChart) explain(err error, asked *url.URL, field, what string) error {
	var many *tooManyBytesError
	var elsewhere *elsewhereError
	switch {
	case errors.As(err, &many) && field == fieldHelmURL:
		return invalid(field, "the index of the repository is larger than %d bytes: use a smaller repository, or the same chart from an OCI registry", many.max)
	case errors.As(err, &many):
		return invalid(field, "the chart's archive is larger than %d bytes: leave out what is not deployed", many.max)
	case errors.As(err, &elsewhere):
		return invalid(fieldHelmURL, "server %q cannot be used for %s: %s", asked.Host, what, elsewhere.Error())
	}
	return server{
		noun: "server", host: asked.Host, url: c.source.URL, field: fieldHelm, secret: secretTypeBasicAuth, plain: "http://",
	}.explain(err, field, what)
}

// scope is what the cache keeps apart.
func (c *repositoryChart) scope() string {
	return c.source.URL + "\n" + c.source.Chart + "\n" + c.source.Version
}
