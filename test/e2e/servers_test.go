// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"io/fs"
	"log"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// sampleChart and sampleTree are an application of over ten objects, as a chart and as a kustomize tree.
const (
	sampleChart = "../../internal/source/testdata/charts/shop"
	sampleTree  = "../../internal/source/testdata/trees/shop"
)

// The media types of `helm push`, and of `cosign sign`.
const (
	chartConfig  types.MediaType = "application/vnd.cncf.helm.config.v1+json"
	chartContent types.MediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	signature    types.MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// chartArchive is the sample chart in a version, as `helm package` makes it.
func chartArchive(version string) []byte {
	GinkgoHelper()
	var content bytes.Buffer
	compressed := gzip.NewWriter(&content)
	archive := tar.NewWriter(compressed)
	folder := os.DirFS(sampleChart)
	Expect(fs.WalkDir(folder, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(folder, file)
		if err != nil {
			return err
		}
		if file == "Chart.yaml" {
			text = bytes.ReplaceAll(text, []byte("1.4.0"), []byte(version))
		}
		if err := archive.WriteHeader(&tar.Header{Name: path.Join("shop", file), Mode: 0o644, Size: int64(len(text))}); err != nil {
			return err
		}
		_, err = archive.Write(text)
		return err
	})).To(Succeed())
	Expect(archive.Close()).To(Succeed())
	Expect(compressed.Close()).To(Succeed())
	return content.Bytes()
}

// pushChart pushes the sample chart in a version, as `helm push` does.
func (a *artifacts) pushChart(version string) v1alpha1.HelmSource {
	GinkgoHelper()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), chartConfig)
	image, err := mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(chartArchive(version), chartContent)})
	Expect(err).NotTo(HaveOccurred())
	Expect(crane.Push(image, a.host()+"/charts/shop:"+version)).To(Succeed())
	return v1alpha1.HelmSource{URL: "oci+http://" + a.host() + "/charts/shop", Version: version}
}

// key signs artifacts.
type key struct{ private *ecdsa.PrivateKey }

func newKey() key {
	GinkgoHelper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	return key{private}
}

// public is the key as an Environment has it.
func (k key) public() string {
	GinkgoHelper()
	encoded, err := x509.MarshalPKIXPublicKey(k.private.Public())
	Expect(err).NotTo(HaveOccurred())
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded}))
}

// sign an artifact of the repository shop, and attach the bundle to it as a referrer.
func (a *artifacts) sign(digest v1alpha1.Digest, by key) {
	GinkgoHelper()
	reference, err := name.NewDigest(a.host()+"/shop@"+string(digest), name.Insecure)
	Expect(err).NotTo(HaveOccurred())
	described, err := remote.Get(reference)
	Expect(err).NotTo(HaveOccurred())
	sum := sha256.Sum256(described.Manifest)
	made, err := by.private.Sign(rand.Reader, sum[:], crypto.SHA256)
	Expect(err).NotTo(HaveOccurred())
	bundle, err := json.Marshal(map[string]any{
		"mediaType":            signature,
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": "a key of the test"}},
		"messageSignature": map[string]any{
			"messageDigest": map[string]any{"algorithm": "SHA2_256", "digest": base64.StdEncoding.EncodeToString(sum[:])},
			"signature":     base64.StdEncoding.EncodeToString(made),
		},
	})
	Expect(err).NotTo(HaveOccurred())
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), signature)
	image, err = mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(bundle, signature)})
	Expect(err).NotTo(HaveOccurred())
	attached, is := mutate.Subject(image, described.Descriptor).(v1.Image)
	Expect(is).To(BeTrue())
	referrer, err := attached.Digest()
	Expect(err).NotTo(HaveOccurred())
	Expect(crane.Push(attached, a.host()+"/shop@"+referrer.String())).To(Succeed())
}

// repository is a Git repository with the sample tree, behind Git's own HTTP server.
type repository struct{ url, folder string }

func serveRepository(ctx context.Context) *repository {
	GinkgoHelper()
	root := GinkgoT().TempDir()
	r := &repository{folder: filepath.Join(root, "shop")}
	Expect(os.CopyFS(r.folder, os.DirFS(sampleTree))).To(Succeed())
	r.git(ctx, "init", "--quiet", "--initial-branch=main")
	backend := &cgi.Handler{
		Path: filepath.Join(r.git(ctx, "--exec-path"), "git-http-backend"), Stderr: io.Discard, Logger: log.New(io.Discard, "", 0),
		Env: append(gitEnvironment(root), "GIT_PROJECT_ROOT="+root, "GIT_HTTP_EXPORT_ALL=1"),
	}
	server := httptest.NewServer(backend)
	DeferCleanup(server.Close)
	r.url = server.URL + "/shop/.git"
	return r
}

// commit everything, and return the hash.
func (r *repository) commit(ctx context.Context, message string) string {
	GinkgoHelper()
	r.git(ctx, "add", "--all")
	r.git(ctx, "commit", "--quiet", "--message", message)
	return r.git(ctx, "rev-parse", "HEAD")
}

func (r *repository) git(ctx context.Context, args ...string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir, command.Env = r.folder, gitEnvironment(r.folder)
	output, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
	return strings.TrimSpace(string(output))
}

// gitEnvironment keeps the machine's own configuration of git out of the tests.
func gitEnvironment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C",
		"GIT_AUTHOR_NAME=dev", "GIT_AUTHOR_EMAIL=dev@example.org", "GIT_COMMITTER_NAME=dev", "GIT_COMMITTER_EMAIL=dev@example.org",
	}
}
