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
	fieldOCI    = "spec.source.oci"
	fieldOCIURL = "spec.source.oci.url"
	fieldOCITag = "spec.source.oci.tag"

	schemeTLS   = "oci://"
	schemePlain = "oci+http://"
)

// tagFields are the fields that an artifact's tag comes from, by the field of the source.
var tagFields = map[string]string{fieldOCI: "tag", fieldHelm: "version"}

// artifact is one source in an OCI registry during one resolve or fetch: manifests, or a chart.
type artifact struct {
	// url as the Release has it.
	url string
	// tag and pinned digest, either or both.
	tag    string
	pinned v1alpha1.Digest
	// field of the Release that says where the artifact is, and tagField the one that its tag comes from.
	field, tagField string
	repository      *remote.Repository
	cache           *cache
	limits          Limits
}

func (f *Fetcher) artifact(source v1alpha1.OCISource, credentials Credentials) (*manifests, error) {
	found, err := f.inRegistry(fieldOCI, source.URL, credentials)
	if err != nil {
		return nil, err
	}
	found.tag, found.tagField, found.pinned = source.Tag, fieldOCITag, source.Digest
	return &manifests{artifact: found}, nil
}

func (f *Fetcher) inRegistry(field, url string, credentials Credentials) (*artifact, error) {
	reference, plain, err := parseURL(field, url)
	if err != nil {
		return nil, err
	}
	if err := credentials.forRegistries(field + ".secretRef"); err != nil {
		return nil, err
	}
	return &artifact{
		url:   url,
		field: field,
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
func parseURL(field, url string) (reference registry.Reference, plain bool, err error) {
	rest, tls := strings.CutPrefix(url, schemeTLS)
	if !tls {
		if rest, plain = strings.CutPrefix(url, schemePlain); !plain {
			return reference, false, invalid(field+".url", "%q must begin with \"oci://\", or with \"oci+http://\" for a registry on plain HTTP",
				foreign(url))
		}
	}
	reference, err = registry.ParseReference(rest)
	if err != nil {
		return reference, false, invalid(field+".url", "%q is not oci://HOST[:PORT]/REPOSITORY: %s", foreign(url), foreign(err.Error()))
	}
	if reference.Reference != "" {
		return reference, false, invalid(field+".url", "%q must not name a tag or digest: set `%s` or `digest` instead", foreign(url), tagFields[field])
	}
	return reference, plain, nil
}

// resolveManifest asks the registry, never the cache: what the caller's credentials do not show must not be found.
func (a *artifact) resolveManifest(ctx context.Context) ([]byte, digest.Digest, error) {
	reference, field := string(a.pinned), a.digestField()
	if a.tag != "" {
		reference, field = a.tag, a.tagField
	}
	if reference == "" {
		return nil, "", invalid(a.field, "must set `tag` or `digest`")
	}
	if a.pinned != "" && digest.Digest(a.pinned).Validate() != nil {
		return nil, "", invalid(a.digestField(), "%q is not a digest: it must be \"sha256:\" and 64 hexadecimal digits", foreign(string(a.pinned)))
	}
	manifest, err := a.pullManifest(ctx, reference, field)
	if err != nil {
		return nil, "", err
	}
	found := digest.FromBytes(manifest)
	if a.pinned != "" && string(a.pinned) != found.String() {
		return nil, "", mismatch(a.digestField(), "is %q, and tag %q points to %q: create a new Release with the one that is meant",
			a.pinned, a.tag, found)
	}
	return manifest, found, nil
}

// manifest returns the one that has the digest, from the cache or the registry.
func (a *artifact) manifest(ctx context.Context, want v1alpha1.Digest) ([]byte, error) {
	wanted, err := checkWanted(a.digestField(), a.pinned, want)
	if err != nil {
		return nil, err
	}
	if cached, found := a.cache.get(a.scope(), wanted, a.limits.ManifestBytes); found {
		return cached, nil
	}
	manifest, err := a.pullManifest(ctx, wanted.String(), a.digestField())
	if err != nil {
		return nil, err
	}
	a.cache.put(a.scope(), wanted, manifest)
	return manifest, nil
}

// checkWanted refuses a digest that is none, or that is not the one that the Release pins.
func checkWanted(field string, pinned, want v1alpha1.Digest) (digest.Digest, error) {
	if pinned != "" && pinned != want {
		return "", mismatch(field, "the Release pins %q and status says %q: create a new Release", pinned, want)
	}
	wanted := digest.Digest(want)
	if wanted.Validate() != nil || wanted.Algorithm() != digest.SHA256 {
		return "", invalid(field, "%q is not a SHA-256 digest", foreign(string(want)))
	}
	return wanted, nil
}

// pullManifest gets a manifest by tag or digest. Asked for by digest, it is what the digest says: the library gives no other description of it.
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
	if got := digest.FromBytes(manifest); got != described.Digest {
		return nil, mismatch(field, "the registry sent a manifest with the digest %q for %q: check the registry, or push again", got, described.Digest)
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
		return nil, a.explain(err, a.field, "layer "+layer.Digest.String())
	}
	defer func() { _ = body.Close() }()
	blob, err := content.ReadAll(body, layer)
	switch {
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData):
		return nil, mismatch(a.field, "the registry sent something else than layer %q: check the registry, or push again", layer.Digest)
	case err != nil:
		return nil, a.explain(err, a.field, "layer "+layer.Digest.String())
	}
	a.cache.put(a.scope(), layer.Digest, blob)
	return blob, nil
}

// scope is what the cache keeps apart: one repository, spoken to in one way.
func (a *artifact) scope() string { return a.url }

func (a *artifact) digestField() string { return a.field + ".digest" }
