// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// packed has archives of stand-ins: what is in a binary does not matter.
func packed(t *testing.T, g *WithT, version string) string {
	t.Helper()
	folder := t.TempDir()
	license := filepath.Join(folder, "LICENSE")
	g.Expect(os.WriteFile(license, []byte("the licence"), 0o600)).To(Succeed())
	arguments := []string{"--output=" + filepath.Join(folder, "dist"), "--license=" + license, "--version=" + version}
	for _, platform := range platforms {
		file := filepath.Join(folder, strings.ReplaceAll(platform, "/", "-"))
		g.Expect(os.WriteFile(file, []byte("program for "+platform), 0o600)).To(Succeed())
		arguments = append(arguments, "--binary="+platform+"="+file)
	}
	g.Expect(run(arguments, io.Discard)).To(Succeed())
	return filepath.Join(folder, "dist")
}

func read(g *WithT, parts ...string) []byte {
	content, err := os.ReadFile(filepath.Join(parts...))
	g.Expect(err).NotTo(HaveOccurred())
	return content
}

// contents of an archive: the files and what is in them, a program with a star.
func contents(g *WithT, name string, archive []byte) map[string]string {
	found := map[string]string{}
	put := func(file string, mode int64, content io.Reader) {
		text, err := io.ReadAll(content)
		g.Expect(err).NotTo(HaveOccurred())
		if mode&0o111 != 0 {
			file += "*"
		}
		found[file] = string(text)
	}
	if strings.HasSuffix(name, ".zip") {
		unzipped, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
		g.Expect(err).NotTo(HaveOccurred())
		for _, file := range unzipped.File {
			content, err := file.Open()
			g.Expect(err).NotTo(HaveOccurred())
			put(file.Name, int64(file.Mode()), content)
		}
		return found
	}
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	g.Expect(err).NotTo(HaveOccurred())
	for files := tar.NewReader(plain); ; {
		header, err := files.Next()
		if err == io.EOF {
			return found
		}
		g.Expect(err).NotTo(HaveOccurred())
		put(header.Name, header.Mode, files)
	}
}

// What krew requires is in its validation of manifests and in its guide for developers.
func TestTheManifestIsOneThatKrewTakes(t *testing.T) {
	g := NewWithT(t)
	dist := packed(t, g, "v1.2.3")
	var found Manifest
	g.Expect(yaml.UnmarshalStrict(read(g, dist, "assent.yaml"), &found)).To(Succeed())
	g.Expect(found.APIVersion).To(Equal("krew.googlecontainertools.github.com/v1alpha2"))
	g.Expect(found.Kind).To(Equal("Plugin"))
	g.Expect(validation.IsDNS1123Label(found.Metadata.Name)).To(BeEmpty(), "a name that is safe as that of a file")
	g.Expect(found.Metadata.Name).NotTo(HavePrefix("kubectl-"), "krew adds that itself")
	g.Expect(found.Spec.Version).To(HavePrefix("v"))
	_, err := semver.StrictNewVersion(found.Spec.Version[1:])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found.Spec.ShortDescription).NotTo(BeEmpty())
	g.Expect(found.Spec.ShortDescription).NotTo(ContainSubstring("\n"))
	g.Expect(len(found.Spec.ShortDescription)).To(BeNumerically("<=", 50))
	for line := range strings.Lines(found.Spec.Description + found.Spec.Caveats) {
		g.Expect(len(line)).To(BeNumerically("<=", 100), "krew wraps no lines: %s", line)
	}
	g.Expect(found.Spec.Platforms).To(HaveLen(len(platforms)))
	for i, platform := range found.Spec.Platforms {
		labels := platform.Selector.MatchLabels
		g.Expect(labels["os"] + "/" + labels["arch"]).To(Equal(platforms[i]))
		g.Expect(labels).To(HaveLen(2))
		g.Expect(platform.SHA256).To(MatchRegexp("^[0-9a-f]{64}$"))
		address, err := url.Parse(platform.URI)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(address.Scheme).To(Equal("https"))
		g.Expect(address.Path).To(ContainSubstring("/" + found.Spec.Version + "/"))
		archive := read(g, dist, path.Base(address.Path))
		sum := sha256.Sum256(archive)
		g.Expect(platform.SHA256).To(Equal(hex.EncodeToString(sum[:])))
		g.Expect(contents(g, address.Path, archive)).To(Equal(map[string]string{"LICENSE": "the licence", platform.Bin + "*": "program for " + platforms[i]}))
		g.Expect(strings.HasSuffix(platform.Bin, ".exe")).To(Equal(labels["os"] == windows))
		g.Expect(string(read(g, dist, checksums))).To(ContainSubstring(platform.SHA256 + "  " + path.Base(address.Path) + "\n"))
	}
}

func TestTheSameBinariesGiveTheSameFiles(t *testing.T) {
	g := NewWithT(t)
	first, second := packed(t, g, "v1.2.3"), packed(t, g, "v1.2.3")
	files, err := os.ReadDir(first)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).To(HaveLen(len(platforms) + 2))
	for _, file := range files {
		g.Expect(bytes.Equal(read(g, first, file.Name()), read(g, second, file.Name()))).To(BeTrue(), file.Name())
	}
}

func TestEveryVersionBecomesOneThatKrewCanCompare(t *testing.T) {
	for given, want := range map[string]string{
		"v1.2.3": "v1.2.3", "1.2.3": "v1.2.3", "v1.2.3-rc.1": "v1.2.3-rc.1", "v1.2.3-4-gabcdef0-dirty": "v1.2.3-4-gabcdef0-dirty",
		"0318fcca": "v0.0.0-untagged.g0318fcca", "unknown": "v0.0.0-untagged.gunknown", "": "v0.0.0-untagged.g", "a_b": "v0.0.0-untagged.ga-b",
	} {
		if got := semantic(given); got != want {
			t.Errorf("%q becomes %s, and not %s", given, got, want)
		} else if _, err := semver.StrictNewVersion(got[1:]); err != nil {
			t.Errorf("%q becomes %s: %v", given, got, err)
		}
	}
}

func TestABinaryIsGivenWithItsPlatform(t *testing.T) {
	for _, wrong := range []string{"linux=file", "linux/amd64", "/amd64=file", "linux/amd64="} {
		if err := run([]string{"--binary=" + wrong}, io.Discard); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
	if err := run(nil, io.Discard); err == nil || !strings.Contains(err.Error(), "no binary") {
		t.Errorf("without a binary it says %v", err)
	}
}
