// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	fieldOCI       = "spec.source.oci"
	fieldOCIURL    = "spec.source.oci.url"
	fieldOCITag    = "spec.source.oci.tag"
	fieldOCIDigest = "spec.source.oci.digest"
	fieldOCISecret = "spec.source.oci.secretRef" //nolint:gosec // the name of a field

	schemeTLS   = "oci://"
	schemePlain = "oci+http://"
)

// artifact is one OCI source during one resolve or fetch.
type artifact struct {
	source     v1alpha1.OCISource
	repository *remote.Repository
	cache      *cache
	limits     Limits
}

func (f *Fetcher) artifact(source v1alpha1.OCISource, credentials Credentials) (*artifact, error) {
	reference, plain, err := parseURL(source.URL)
	if err != nil {
		return nil, err
	}
	return &artifact{
		source: source,
		repository: &remote.Repository{
			Client:           newRegistryClient(f.http, reference, credentials),
			Reference:        reference,
			PlainHTTP:        plain,
			MaxMetadataBytes: f.limits.ManifestBytes,
		},
		cache:  f.cache,
		limits: f.limits,
	}, nil
}

// parseURL reads oci://HOST[:PORT]/REPOSITORY, and oci+http:// for plain HTTP.
func parseURL(url string) (reference registry.Reference, plain bool, err error) {
	rest, tls := strings.CutPrefix(url, schemeTLS)
	if !tls {
		if rest, plain = strings.CutPrefix(url, schemePlain); !plain {
			return reference, false, invalid(fieldOCIURL, "%q must begin with \"oci://\", or with \"oci+http://\" for a registry on plain HTTP",
				foreign(url))
		}
	}
	reference, err = registry.ParseReference(rest)
	if err != nil {
		return reference, false, invalid(fieldOCIURL, "%q is not oci://HOST[:PORT]/REPOSITORY: %s", foreign(url), foreign(err.Error()))
	}
	if reference.Reference != "" {
		return reference, false, invalid(fieldOCIURL, "%q must not name a tag or digest: set `tag` or `digest` instead", foreign(url))
	}
	return reference, plain, nil
}

// resolve asks the registry, never the cache: what the caller's credentials do not show must not be found.
func (a *artifact) resolve(ctx context.Context) (v1alpha1.Digest, error) {
	reference, field := string(a.source.Digest), fieldOCIDigest
	if a.source.Tag != "" {
		reference, field = a.source.Tag, fieldOCITag
	}
	if reference == "" {
		return "", invalid(fieldOCI, "must set `tag` or `digest`")
	}
	if pinned := a.source.Digest; pinned != "" && digest.Digest(pinned).Validate() != nil {
		return "", invalid(fieldOCIDigest, "%q is not a digest: it must be \"sha256:\" and 64 hexadecimal digits", foreign(string(pinned)))
	}
	manifest, err := a.pullManifest(ctx, reference, field)
	if err != nil {
		return "", err
	}
	found := digest.FromBytes(manifest)
	if pinned := a.source.Digest; pinned != "" && string(pinned) != found.String() {
		return "", mismatch(fieldOCIDigest, "is %q, and tag %q points to %q: create a new Release with the one that is meant",
			pinned, a.source.Tag, found)
	}
	if _, err := a.parseManifest(manifest); err != nil {
		return "", err
	}
	a.cache.put(a.scope(), found, manifest)
	return v1alpha1.Digest(found.String()), nil
}

func (a *artifact) fetch(ctx context.Context, want v1alpha1.Digest) (Tree, error) {
	wanted := digest.Digest(want)
	if wanted.Validate() != nil || wanted.Algorithm() != digest.SHA256 {
		return nil, invalid(fieldOCIDigest, "%q is not a SHA-256 digest", foreign(string(want)))
	}
	encoded, found := a.cache.get(a.scope(), wanted, a.limits.ManifestBytes)
	if !found {
		var err error
		if encoded, err = a.pullManifest(ctx, wanted.String(), fieldOCIDigest); err != nil {
			return nil, err
		}
		a.cache.put(a.scope(), wanted, encoded)
	}
	manifest, err := a.parseManifest(encoded)
	if err != nil {
		return nil, err
	}
	return a.tree(ctx, manifest)
}

// pullManifest gets a manifest by tag or digest. Asked for by digest, it is what the digest says.
func (a *artifact) pullManifest(ctx context.Context, reference, field string) ([]byte, error) {
	described, body, err := a.repository.Manifests().FetchReference(ctx, reference)
	if err != nil {
		return nil, a.explain(err, field, "manifest "+reference)
	}
	defer func() { _ = body.Close() }()
	manifest, err := io.ReadAll(io.LimitReader(body, a.limits.ManifestBytes+1))
	if err != nil {
		return nil, a.explain(err, field, "manifest "+reference)
	}
	if int64(len(manifest)) > a.limits.ManifestBytes {
		return nil, invalid(field, "the manifest of %q is larger than %d bytes: push an artifact with fewer layers", reference, a.limits.ManifestBytes)
	}
	want := described.Digest
	if byDigest := digest.Digest(reference); byDigest.Validate() == nil {
		want = byDigest
	}
	if got := digest.FromBytes(manifest); got != want {
		return nil, mismatch(field, "the registry sent a manifest with the digest %q for %q: check the registry, or push again", got, want)
	}
	return manifest, nil
}

// blob returns a layer, from the cache or the registry, that is what its descriptor says.
func (a *artifact) blob(ctx context.Context, layer ocispec.Descriptor) ([]byte, error) {
	if cached, found := a.cache.get(a.scope(), layer.Digest, layer.Size); found && int64(len(cached)) == layer.Size {
		return cached, nil
	}
	body, err := a.repository.Blobs().Fetch(ctx, layer)
	if err != nil {
		return nil, a.explain(err, fieldOCI, "layer "+layer.Digest.String())
	}
	defer func() { _ = body.Close() }()
	blob, err := content.ReadAll(body, layer)
	switch {
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData):
		return nil, mismatch(fieldOCI, "the registry sent something else than layer %q: check the registry, or push again", layer.Digest)
	case err != nil:
		return nil, a.explain(err, fieldOCI, "layer "+layer.Digest.String())
	}
	a.cache.put(a.scope(), layer.Digest, blob)
	return blob, nil
}

// scope is what the cache keeps apart: one repository, spoken to in one way.
func (a *artifact) scope() string { return a.source.URL }
