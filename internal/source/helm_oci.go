// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// ociChart is a chart in an OCI registry, as `helm push` makes it. Its digest is that of its manifest.
type ociChart struct {
	*artifact
	version string
}

func (c *ociChart) resolve(ctx context.Context) (v1alpha1.Digest, error) {
	encoded, found, err := c.resolveManifest(ctx)
	if err != nil {
		return "", err
	}
	if _, err := c.archive(encoded); err != nil {
		return "", err
	}
	c.cache.put(c.scope(), found, encoded)
	return v1alpha1.Digest(found.String()), nil
}

func (c *ociChart) fetch(ctx context.Context, want v1alpha1.Digest) (Tree, error) {
	encoded, err := c.manifest(ctx, want)
	if err != nil {
		return nil, err
	}
	layer, err := c.archive(encoded)
	if err != nil {
		return nil, err
	}
	archive, err := c.blob(ctx, layer)
	if err != nil {
		return nil, err
	}
	return unpackChart(archive, "", c.version, c.limits)
}

// archive is the layer with the chart. A provenance file beside it is not looked at: it says who has signed in a way of its own.
func (c *ociChart) archive(encoded []byte) (layer ocispec.Descriptor, err error) {
	manifest, err := c.parseManifest(encoded)
	if err != nil {
		return layer, err
	}
	if manifest.Config.MediaType != mediaTypeHelmConfig {
		return layer, invalid(fieldHelm, "is no Helm chart (its configuration has the type %q): push it with `helm push`, or use `spec.source.oci` for plain manifests",
			foreign(manifest.Config.MediaType))
	}
	charts := 0
	for _, one := range manifest.Layers {
		switch one.MediaType {
		case mediaTypeHelmContent:
			layer = one
			charts++
		case mediaTypeHelmProvenance:
		default:
			return layer, invalid(fieldHelm, "is a chart with a layer of the unknown type %q: push it with `helm push`", foreign(one.MediaType))
		}
	}
	if charts != 1 {
		return layer, invalid(fieldHelm, "has %d layers with a chart and must have one: push it with `helm push`", charts)
	}
	return layer, nil
}
