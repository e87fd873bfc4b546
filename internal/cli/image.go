// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// pin an image to a digest. A tag is looked up in its registry, with the credentials that docker or podman have stored for whoever runs this.
func (r *releaseCreate) pin(ctx context.Context, text string) (v1alpha1.ReleaseImage, error) {
	if strings.Contains(text, "@") {
		return parseImage(text)
	}
	placeholder, image, ok := strings.Cut(text, "=")
	if !ok || placeholder == "" {
		return parseImage(text)
	}
	tag, err := name.NewTag(image, name.StrictValidation)
	if err != nil {
		return v1alpha1.ReleaseImage{}, fmt.Errorf("--image %q must name registry, image, and tag or digest, such as shop=registry.example.com/shop:1.2.0: %w", text, err)
	}
	found, err := remote.Head(tag, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("kubectl-assent"))
	if err != nil {
		return v1alpha1.ReleaseImage{}, fmt.Errorf("looking up the digest of --image %q: %w: push the image first, sign in by `docker login`, or give the digest", text, err)
	}
	r.say("%s is %s", tag.Name(), found.Digest)
	return v1alpha1.ReleaseImage{Name: placeholder, NewName: tag.Repository.Name(), Digest: v1alpha1.Digest(found.Digest.String())}, nil
}

// parseImage reads NAME=IMAGE@DIGEST or NAME@DIGEST.
func parseImage(text string) (v1alpha1.ReleaseImage, error) {
	image, digest, ok := strings.Cut(text, "@")
	if !ok || image == "" {
		return v1alpha1.ReleaseImage{}, fmt.Errorf("--image %q must be NAME=REGISTRY/IMAGE:TAG, NAME=REGISTRY/IMAGE@sha256:… or NAME@sha256:…", text)
	}
	placeholder, newName, _ := strings.Cut(image, "=")
	return v1alpha1.ReleaseImage{Name: placeholder, NewName: newName, Digest: v1alpha1.Digest(digest)}, nil
}
