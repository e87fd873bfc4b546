// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// The media types of `flux push artifact`.
const (
	artifactConfig  types.MediaType = "application/vnd.cncf.flux.config.v1+json"
	artifactContent types.MediaType = "application/vnd.cncf.flux.content.v1.tar+gzip"
)

// store is a registry on this machine.
type store struct{ host string }

func openStore() *store {
	GinkgoHelper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	DeferCleanup(server.Close)
	return &store{host: strings.TrimPrefix(server.URL, "http://")}
}

// push a release as an artifact, as `flux push artifact` makes it. It returns where it is.
func (s *store) push(application string, made release) v1alpha1.OCISource {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	made.unfold(folder)
	content, err := packed(os.DirFS(folder))
	Expect(err).NotTo(HaveOccurred())
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), artifactConfig)
	image, err = mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(content, artifactContent)})
	Expect(err).NotTo(HaveOccurred())
	digest, err := image.Digest()
	Expect(err).NotTo(HaveOccurred())
	repository := strings.ToLower(s.host + "/apps/" + application)
	Expect(crane.Push(image, repository+"@"+digest.String())).To(Succeed())
	return v1alpha1.OCISource{URL: "oci+http://" + repository, Digest: v1alpha1.Digest(digest.String())}
}

// unfold the files of a release into a folder.
func (r release) unfold(folder string) {
	GinkgoHelper()
	Expect(os.CopyFS(folder, os.DirFS(r.folder))).To(Succeed())
	if r.kustomization != "" {
		Expect(os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(r.kustomization), 0o600)).To(Succeed())
	}
}

// packed is a folder as a compressed archive.
func packed(folder fs.FS) ([]byte, error) {
	var content bytes.Buffer
	compressed := gzip.NewWriter(&content)
	archive := tar.NewWriter(compressed)
	if err := archive.AddFS(folder); err != nil {
		return nil, fmt.Errorf("pack the files: %w", err)
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}
