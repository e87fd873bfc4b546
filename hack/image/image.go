// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	// user and group are distroless' own "nonroot", so that policies written for it fit.
	user = "65532:65532"
	// binaryPath of the binary in the image.
	binaryPath = "usr/local/bin/assent"

	users  = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
	groups = "root:x:0:\nnonroot:x:65532:\n"
)

// file is one entry of a layer. A nil content is a directory.
type file struct {
	path    string
	mode    int64
	owner   int
	content []byte
}

// buildIndex makes an index with an image for each binary.
func buildIndex(version string, binaries binaries) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, architecture := range binaries.architectures() {
		image, err := buildImage(version, architecture, binaries[architecture])
		if err != nil {
			return nil, fmt.Errorf("image for %s: %w", architecture, err)
		}
		platform := &v1.Platform{OS: "linux", Architecture: architecture}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return index, nil
}

// layoutOf is the top of a layout: it points to the index and gives it its tag.
func layoutOf(index v1.ImageIndex, version string) v1.ImageIndex {
	tag := map[string]string{"org.opencontainers.image.ref.name": version}
	top := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	return mutate.AppendManifests(top, mutate.IndexAddendum{Add: index, Descriptor: v1.Descriptor{Annotations: tag}})
}

// buildImage makes the image for one architecture: a layer that seldom changes, and the binary on top of it.
func buildImage(version, architecture, binary string) (v1.Image, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	base, err := layerOf(baseFiles())
	if err != nil {
		return nil, fmt.Errorf("base layer: %w", err)
	}
	top, err := layerOf([]file{
		{path: "usr/local/", mode: 0o755},
		{path: "usr/local/bin/", mode: 0o755},
		{path: binaryPath, mode: 0o755, content: program},
	})
	if err != nil {
		return nil, fmt.Errorf("layer of the binary: %w", err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.AppendLayers(image, base, top)
	if err != nil {
		return nil, fmt.Errorf("append the layers: %w", err)
	}
	return configure(image, version, architecture)
}

// configure says how the image is run, and what it is.
func configure(image v1.Image, version, architecture string) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS = "linux"
	config.Architecture = architecture
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config.User = user
	config.Config.WorkingDir = "/"
	config.Config.Entrypoint = []string{"/" + binaryPath}
	config.Config.Env = []string{"PATH=/usr/local/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"}
	config.Config.Labels = map[string]string{
		"org.opencontainers.image.title":    "assent",
		"org.opencontainers.image.version":  version,
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
	return mutate.ConfigFile(image, config)
}

// baseFiles are what a static binary expects of the system that it runs on.
func baseFiles() []file {
	return []file{
		{path: "etc/", mode: 0o755},
		{path: "etc/passwd", mode: 0o644, content: []byte(users)},
		{path: "etc/group", mode: 0o644, content: []byte(groups)},
		{path: "etc/ssl/", mode: 0o755},
		{path: "etc/ssl/certs/", mode: 0o755},
		{path: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: authorities()},
		{path: "home/", mode: 0o755},
		{path: "home/nonroot/", mode: 0o700, owner: 65532},
		{path: "tmp/", mode: 0o1777},
		{path: "usr/", mode: 0o755},
	}
}

// authorities are the certificates of Mozilla's programme, as the Go project publishes them: pinned in go.mod, and so the same on
// every machine. One that is trusted only in part is left out, because a list of certificates cannot say so.
func authorities() []byte {
	var list bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			list.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return list.Bytes()
}

// layerOf packs files. Every entry has the same time, so that the same files give the same digest.
func layerOf(files []file) (v1.Layer, error) {
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for _, f := range files {
		header := &tar.Header{
			Name: f.path, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.content)),
			Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
		}
		if f.content == nil {
			header.Typeflag = tar.TypeDir
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		if _, err := writer.Write(f.content); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}
