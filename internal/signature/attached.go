// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

const (
	// bundleType begins the media type of a Sigstore bundle; the version follows in one of two ways.
	bundleType = "application/vnd.dev.sigstore.bundle"
	// metadataBytes of a manifest or of one page of a list of referrers.
	metadataBytes = 2 << 20
	// pages of a list of referrers. A registry that always names one more would else keep us for as long as it likes.
	pages = 128
)

// attached reads what is attached to one digest in a repository.
type attached struct {
	repository *remote.Repository
	subject    digest.Digest
	limits     Limits
}

// bundles lists the descriptors of what may be a bundle, at most limits.Bundles, and whether there are more. A registry without the referrers API is asked for
// the tag that stands in for it.
func (a attached) bundles(ctx context.Context) (found []ocispec.Descriptor, more bool, err error) {
	var unsure []ocispec.Descriptor
	enough := errors.New("enough")
	subject := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: a.subject}
	a.repository.ReferrerListMaxPages = pages
	err = a.repository.Referrers(ctx, subject, "", func(page []ocispec.Descriptor) error {
		for _, referrer := range page {
			switch {
			case strings.HasPrefix(referrer.ArtifactType, bundleType):
				if len(found) == a.limits.Bundles {
					return enough
				}
				found = append(found, referrer)
			case saysNothing(referrer.ArtifactType):
				unsure = append(unsure, referrer)
			}
		}
		// One more than is looked at tells that there are more.
		unsure = unsure[:min(len(unsure), a.limits.Bundles+1)]
		return nil
	})
	more = errors.Is(err, enough) || errors.Is(err, errdef.ErrTooManyPages)
	if err != nil && !more && !isAbsent(err) {
		return nil, false, err
	}
	found = append(found, unsure...)
	if len(found) > a.limits.Bundles {
		return found[:a.limits.Bundles], true, nil
	}
	return found, more, nil
}

// saysNothing is true for the types that registries list when they do not look for the artifact's own.
func saysNothing(artifactType string) bool {
	return artifactType == "" || artifactType == ocispec.MediaTypeEmptyJSON
}

func isAbsent(err error) bool {
	var response *errcode.ErrorResponse
	return errors.Is(err, errdef.ErrNotFound) || errors.As(err, &response) && response.StatusCode == http.StatusNotFound
}

// errNoBundle is attached, and something else.
var errNoBundle = errors.New("it is no bundle")

// unusable says why what is attached cannot be a bundle, whenever it is asked for.
type unusable string

func (u unusable) Error() string { return string(u) }

// bundle fetches one bundle. An error that is neither unusable nor errNoBundle is a fault of the registry.
func (a attached) bundle(ctx context.Context, referrer ocispec.Descriptor) ([]byte, error) {
	if referrer.MediaType != ocispec.MediaTypeImageManifest {
		return nil, unusable(fmt.Sprintf("it is of the media type %q and must be an image manifest", foreign(referrer.MediaType)))
	}
	encoded, err := a.read(ctx, a.repository.Manifests(), referrer, metadataBytes)
	if err != nil {
		return nil, err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(encoded, &manifest); err != nil {
		return nil, unusable("its manifest is not JSON")
	}
	for _, layer := range manifest.Layers {
		if strings.HasPrefix(layer.MediaType, bundleType) {
			return a.read(ctx, a.repository.Blobs(), layer, a.limits.BundleBytes)
		}
	}
	if strings.HasPrefix(referrer.ArtifactType, bundleType) {
		return nil, unusable("it has no layer with a bundle")
	}
	return nil, errNoBundle
}

// read something whole, that is what its descriptor says.
func (a attached) read(ctx context.Context, from content.Fetcher, described ocispec.Descriptor, most int64) ([]byte, error) {
	if described.Digest.Validate() != nil {
		return nil, unusable("its descriptor has no digest")
	}
	if described.Size < 0 || described.Size > most {
		return nil, unusable(fmt.Sprintf("it has %d bytes, of at most %d", described.Size, most))
	}
	body, err := from.Fetch(ctx, described)
	if isAbsent(err) {
		return nil, unusable("the registry lists it and does not have it")
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	read, err := content.ReadAll(io.LimitReader(body, most+1), described)
	if errors.Is(err, content.ErrMismatchedDigest) || errors.Is(err, content.ErrTrailingData) {
		return nil, unusable("the registry sent something else than what it lists")
	}
	return read, err
}

// oldTag is where cosign kept signatures before there were bundles.
func (a attached) oldTag() string {
	return a.subject.Algorithm().String() + "-" + a.subject.Encoded() + ".sig"
}

// lacks says whether the repository does not have something, by tag or digest.
func (a attached) lacks(ctx context.Context, reference string) (bool, error) {
	_, err := a.repository.Resolve(ctx, reference)
	if isAbsent(err) {
		return true, nil
	}
	return false, err
}
