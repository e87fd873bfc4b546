// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// shop holds the application's manifests, a kustomization for each version.
//
//go:embed shop
var shop embed.FS

// The media types of `flux push artifact`.
const (
	fluxConfig  types.MediaType = "application/vnd.cncf.flux.config.v1+json"
	fluxContent types.MediaType = "application/vnd.cncf.flux.content.v1.tar+gzip"
)

// release is one version of the application, as CI has pushed it.
type release struct {
	version string
	// repository of the manifests, as HOST:PORT/PATH, and the digest of their artifact.
	repository, digest string
	// image is the repository of the container image, and imageDigest the image's digest.
	image, imageDigest string
}

// publish starts a registry and pushes both versions to it, as a CI pipeline would.
func (d *demo) publish(ctx context.Context) ([]release, error) {
	address, err := d.startRegistry(ctx)
	if err != nil {
		return nil, err
	}
	d.progress("Pushing versions 1.0.0 and 1.1.0 of a web shop to a registry at %s, as CI would", address)
	var releases []release
	for _, version := range []string{"1.0.0", "1.1.0"} {
		pushed, err := push(ctx, address, version)
		if err != nil {
			return nil, fmt.Errorf("pushing version %s to the registry at %s: %w", version, address, err)
		}
		releases = append(releases, pushed)
	}
	return releases, nil
}

// startRegistry serves an OCI registry in memory, on a free port and over plain HTTP, and returns its address.
func (d *demo) startRegistry(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("starting the registry: %w", err)
	}
	server := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // it ends with Close
	d.onStop(server.Close)
	return listener.Addr().String(), nil
}

// push pushes one version's image and manifests.
func push(ctx context.Context, address, version string) (release, error) {
	r := release{version: version, repository: address + "/shop/manifests", image: address + "/shop/web"}
	image, err := mutate.Config(empty.Image, v1.Config{Labels: map[string]string{"org.opencontainers.image.version": version}})
	if err != nil {
		return r, err
	}
	if r.imageDigest, err = pushTo(ctx, r.image+":"+version, image); err != nil {
		return r, err
	}
	manifests, err := fs.Sub(shop, "shop/"+version)
	if err != nil {
		return r, err
	}
	artifact, err := fluxArtifact(manifests)
	if err != nil {
		return r, err
	}
	r.digest, err = pushTo(ctx, r.repository+":"+version, artifact)
	return r, err
}

func pushTo(ctx context.Context, reference string, image v1.Image) (digest string, err error) {
	parsed, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		return "", err
	}
	hash, err := image.Digest()
	if err != nil {
		return "", err
	}
	return hash.String(), remote.Write(parsed, image, remote.WithContext(ctx))
}

// fluxArtifact packs a folder in the shape that `flux push artifact` makes: one layer with everything.
func fluxArtifact(folder fs.FS) (v1.Image, error) {
	content, err := pack(folder)
	if err != nil {
		return nil, fmt.Errorf("packing the manifests: %w", err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), fluxConfig)
	return mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(content, fluxContent)})
}

// pack makes a compressed archive; the same files always make the same bytes.
func pack(folder fs.FS) ([]byte, error) {
	var content bytes.Buffer
	compressed := gzip.NewWriter(&content)
	archive := tar.NewWriter(compressed)
	err := fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := fs.ReadFile(folder, path)
		if err != nil {
			return err
		}
		if err := archive.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(file)), Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err = archive.Write(file)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}
