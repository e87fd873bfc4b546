// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Media types and annotations of the tools that push artifacts.
const (
	mediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	mediaTypeDockerLayer    = "application/vnd.docker.image.rootfs.diff.tar"
	mediaTypeDockerLayerGz  = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	mediaTypeFluxContent    = "application/vnd.cncf.flux.content.v1.tar+gzip"
	mediaTypeHelmConfig     = "application/vnd.cncf.helm.config.v1+json"

	// annotationUnpack marks a folder that oras has packed.
	annotationUnpack = "io.deis.oras.content.unpack"
)

// layerForm is how the files are in a layer.
type layerForm string

const (
	// formFile: the layer is one file, named by its title, as `oras push` makes it.
	formFile layerForm = "File"
	// formArchive: the layer is an archive that stands beside the others, as oras packs folders and flux packs everything.
	formArchive layerForm = "Archive"
	// formImage: the layer lies on top of the ones before it, as in an image that crane has made.
	formImage layerForm = "Image"
	// formEmpty: the layer stands in for none.
	formEmpty layerForm = "Empty"
	// formUnknown: no tool known here makes such a layer.
	formUnknown layerForm = "Unknown"
)

func formOf(layer ocispec.Descriptor) layerForm {
	title := layer.Annotations[ocispec.AnnotationTitle]
	switch {
	case layer.MediaType == mediaTypeFluxContent, layer.Annotations[annotationUnpack] == "true":
		return formArchive
	case hasArchiveSuffix(title):
		return formArchive
	case title != "":
		// oras calls a plain file a tar layer where it was given no media type: the title decides.
		return formFile
	case layer.MediaType == ocispec.MediaTypeEmptyJSON:
		return formEmpty
	}
	switch layer.MediaType {
	case ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayerZstd,
		mediaTypeDockerLayer, mediaTypeDockerLayerGz:
		return formImage
	}
	return formUnknown
}

func hasArchiveSuffix(title string) bool {
	for _, suffix := range []string{".tar", ".tar.gz", ".tgz"} {
		if strings.HasSuffix(title, suffix) {
			return true
		}
	}
	return false
}

// manifests is an artifact whose files are Kubernetes manifests.
type manifests struct{ *artifact }

func (m *manifests) resolve(ctx context.Context) (v1alpha1.Digest, error) {
	encoded, found, err := m.resolveManifest(ctx)
	if err != nil {
		return "", err
	}
	if _, err := m.parse(encoded); err != nil {
		return "", err
	}
	m.cache.put(m.scope(), found, encoded)
	return v1alpha1.Digest(found.String()), nil
}

func (m *manifests) fetch(ctx context.Context, want v1alpha1.Digest) (Tree, error) {
	encoded, err := m.manifest(ctx, want)
	if err != nil {
		return nil, err
	}
	parsed, err := m.parse(encoded)
	if err != nil {
		return nil, err
	}
	return m.tree(ctx, parsed)
}

func (m *manifests) parse(encoded []byte) (*ocispec.Manifest, error) {
	parsed, err := m.parseManifest(encoded)
	if err != nil {
		return nil, err
	}
	if parsed.Config.MediaType == mediaTypeHelmConfig {
		return nil, invalid(m.field, "is a Helm chart, which `spec.source.helm` renders: create a new Release with `spec.source.helm`, its `url` %q and the chart's `version`", m.url)
	}
	for _, layer := range parsed.Layers {
		if formOf(layer) == formUnknown {
			return nil, invalid(m.field, "has a layer of type %q without a file name: push the manifests with oras, flux or crane",
				foreign(layer.MediaType))
		}
	}
	return parsed, nil
}

// parseManifest reads the manifest of a single artifact and checks what can be checked without its layers.
func (a *artifact) parseManifest(encoded []byte) (*ocispec.Manifest, error) {
	var manifest struct {
		ocispec.Manifest
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(encoded, &manifest); err != nil {
		return nil, invalid(a.field, "the artifact's manifest is not valid JSON (%s): push it again", foreign(err.Error()))
	}
	mediaType := manifest.MediaType
	switch {
	case manifest.Manifests != nil:
		return nil, invalid(a.field, "is an index of %d artifacts (for several platforms): set `digest` to that of one of them, "+
			"or push the manifests as a single artifact", len(manifest.Manifests))
	case mediaType != "" && mediaType != ocispec.MediaTypeImageManifest && mediaType != mediaTypeDockerManifest:
		return nil, invalid(a.field, "has a manifest of type %q: push it as an OCI artifact with oras, flux, crane or helm", foreign(mediaType))
	case manifest.SchemaVersion != 2:
		return nil, invalid(a.field, "has a manifest of schema version %d, which must be 2: push it with a newer tool", manifest.SchemaVersion)
	}
	return &manifest.Manifest, a.checkLayers(manifest.Layers)
}

func (a *artifact) checkLayers(layers []ocispec.Descriptor) error {
	if len(layers) > a.limits.Layers {
		return invalid(a.field, "has %d layers, at most %d are allowed: push the folder as one layer", len(layers), a.limits.Layers)
	}
	var total int64
	for _, layer := range layers {
		switch {
		case layer.Digest.Validate() != nil || layer.Digest.Algorithm() != digest.SHA256:
			return invalid(a.field, "has a layer with the digest %q, which is not SHA-256: push it again", foreign(layer.Digest.String()))
		case layer.Size < 0:
			return invalid(a.field, "has a layer of %d bytes: push it again", layer.Size)
		case layer.Size > a.limits.CompressedBytes-total:
			return invalid(a.field, "is larger than %d bytes: publish only the manifests", a.limits.CompressedBytes)
		}
		total += layer.Size
	}
	return nil
}

// tree puts the layers together, in order.
func (m *manifests) tree(ctx context.Context, manifest *ocispec.Manifest) (Tree, error) {
	tree, spend := Tree{}, newBudget(m.limits)
	for _, layer := range manifest.Layers {
		form := formOf(layer)
		if form == formEmpty {
			continue
		}
		blob, err := m.blob(ctx, layer)
		if err != nil {
			return nil, err
		}
		if err := tree.addLayer(form, layer.Annotations[ocispec.AnnotationTitle], blob, spend); err != nil {
			return nil, invalid(m.field, "the artifact's layer %q %s", shortDigest(layer.Digest), err.Error())
		}
	}
	if err := tree.check(); err != nil {
		return nil, invalid(m.field, "the artifact %s", err.Error())
	}
	if len(tree) == 0 {
		return nil, invalid(m.field, "the artifact holds no files: push the manifests again")
	}
	return tree, nil
}

func shortDigest(layer digest.Digest) string { return layer.String()[:len("sha256:")+12] }

func (t Tree) addLayer(form layerForm, title string, blob []byte, spend *budget) error {
	if form == formFile {
		return t.addTitled(title, blob, spend)
	}
	layer, err := unpack(blob, spend)
	if err != nil {
		return err
	}
	if form == formImage {
		t.overlay(layer)
		return nil
	}
	return t.addArchive(layer)
}

// addArchive puts an archive beside what is there. It is not a layer of an image, so that it has nothing to remove.
func (t Tree) addArchive(layer *unpacked) error {
	if len(layer.whiteouts)+len(layer.opaque) > 0 {
		return errors.New("has files that begin with \".wh.\", which only image layers may have: rename them")
	}
	for _, name := range layer.files.Paths() {
		if err := t.add(name, layer.files[name]); err != nil {
			return err
		}
	}
	return nil
}

func (t Tree) addTitled(title string, content []byte, spend *budget) error {
	name, err := cleanName(title, spend.limits)
	if err != nil {
		return err
	}
	if name == "." {
		return errors.New("has a file without a name: take it out")
	}
	size := int64(len(content))
	if size > spend.limits.FileBytes {
		return fileTooLarge(name, spend.limits)
	}
	spend.files--
	spend.bytes -= size
	if spend.files < 0 || spend.bytes < 0 {
		return &limitError{"takes the artifact beyond its limit of files or bytes: publish only the manifests"}
	}
	return t.add(name, content)
}
