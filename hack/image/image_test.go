// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	. "github.com/onsi/gomega"
)

// write makes a layout of two small binaries and returns the index in it.
func write(g *WithT, binaries string) v1.ImageIndex {
	output := filepath.Join(binaries, "image")
	g.Expect(run([]string{
		"--output=" + output, "--version=v1.2.3",
		"--binary=arm64=" + filepath.Join(binaries, "arm64"), "--binary=amd64=" + filepath.Join(binaries, "amd64"),
	}, io.Discard)).To(Succeed())
	top, err := layout.ImageIndexFromPath(output)
	g.Expect(err).NotTo(HaveOccurred())
	manifest, err := top.IndexManifest()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(manifest.Manifests).To(HaveLen(1), "the layout points to one index")
	g.Expect(manifest.Manifests[0].Annotations).To(HaveKeyWithValue("org.opencontainers.image.ref.name", "v1.2.3"))
	index, err := top.ImageIndex(manifest.Manifests[0].Digest)
	g.Expect(err).NotTo(HaveOccurred())
	return index
}

// twoBinaries are stand-ins: what is in them does not matter to the image.
func twoBinaries(t *testing.T, g *WithT) string {
	folder := t.TempDir()
	for _, architecture := range []string{"amd64", "arm64"} {
		g.Expect(os.WriteFile(filepath.Join(folder, architecture), []byte("program for "+architecture), 0o600)).To(Succeed())
	}
	return folder
}

func TestEachArchitectureHasAnImageThatRunsTheBinaryWithoutRights(t *testing.T) {
	g := NewWithT(t)
	index := write(g, twoBinaries(t, g))
	g.Expect(validate.Index(index)).To(Succeed())
	manifest, err := index.IndexManifest()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(manifest.Manifests).To(HaveLen(2))
	for i, architecture := range []string{"amd64", "arm64"} {
		descriptor := manifest.Manifests[i]
		g.Expect(descriptor.Platform.String()).To(Equal("linux/" + architecture))
		image, err := index.Image(descriptor.Digest)
		g.Expect(err).NotTo(HaveOccurred())
		config, err := image.ConfigFile()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(config.Architecture).To(Equal(architecture))
		g.Expect(config.OS).To(Equal("linux"))
		g.Expect(config.Config.User).To(Equal("65532:65532"))
		g.Expect(config.Config.Entrypoint).To(Equal([]string{"/usr/local/bin/assent"}))
		g.Expect(filesIn(g, image)).To(HaveKeyWithValue("usr/local/bin/assent", "program for "+architecture))
	}
}

func TestTheImageHoldsTheBinaryACertificateListAndAUserAndNothingElse(t *testing.T) {
	g := NewWithT(t)
	index := write(g, twoBinaries(t, g))
	manifest, err := index.IndexManifest()
	g.Expect(err).NotTo(HaveOccurred())
	image, err := index.Image(manifest.Manifests[0].Digest)
	g.Expect(err).NotTo(HaveOccurred())
	files := filesIn(g, image)
	g.Expect(files).To(HaveLen(4))
	g.Expect(files).To(HaveKeyWithValue("etc/passwd", ContainSubstring("nonroot:x:65532:65532:")))
	g.Expect(files).To(HaveKeyWithValue("etc/group", ContainSubstring("nonroot:x:65532:")))
	g.Expect(x509.NewCertPool().AppendCertsFromPEM([]byte(files["etc/ssl/certs/ca-certificates.crt"]))).To(BeTrue())
}

func TestTheSameBinariesGiveTheSameDigest(t *testing.T) {
	g := NewWithT(t)
	first, err := write(g, twoBinaries(t, g)).Digest()
	g.Expect(err).NotTo(HaveOccurred())
	second, err := write(g, twoBinaries(t, g)).Digest()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(second).To(Equal(first))
}

func TestArgumentsThatCannotBeCarriedOutAreRefused(t *testing.T) {
	for name, arguments := range map[string][]string{
		"no binary":                      {},
		"a binary without architecture":  {"--binary=dist/assent"},
		"a binary that is not there":     {"--binary=amd64=" + filepath.Join(t.TempDir(), "none")},
		"a flag that is not known":       {"--engine=docker"},
		"an architecture without binary": {"--binary=amd64="},
	} {
		t.Run(name, func(t *testing.T) {
			output := filepath.Join(t.TempDir(), "image")
			g := NewWithT(t)
			g.Expect(run(append([]string{"--output=" + output}, arguments...), io.Discard)).NotTo(Succeed())
			g.Expect(output).NotTo(BeADirectory())
		})
	}
}

// filesIn are the regular files of an image and what is in them.
func filesIn(g *WithT, image v1.Image) map[string]string {
	contents := mutate.Extract(image)
	defer func() { g.Expect(contents.Close()).To(Succeed()) }()
	files := map[string]string{}
	for reader := tar.NewReader(contents); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		g.Expect(err).NotTo(HaveOccurred())
		if header.Typeflag == tar.TypeReg {
			content, err := io.ReadAll(reader)
			g.Expect(err).NotTo(HaveOccurred())
			files[header.Name] = string(content)
		}
	}
}
