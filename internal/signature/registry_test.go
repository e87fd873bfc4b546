// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	username = "puller"
	password = "päss:word"
)

// testRegistry is a registry on this machine. It counts requests, and can be told to answer in another way.
type testRegistry struct {
	server *httptest.Server
	locked bool

	mu       sync.Mutex
	requests int
	// intercept answers instead of the registry where it returns true.
	intercept func(http.ResponseWriter, *http.Request) bool
}

// startRegistry on plain HTTP, with the referrers API.
func startRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{}
	r.server = httptest.NewServer(r.handler(true))
	return r.started(t)
}

// startOldRegistry on plain HTTP, without the referrers API.
func startOldRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{}
	r.server = httptest.NewServer(r.handler(false))
	return r.started(t)
}

// startLockedRegistry on TLS, with a password.
func startLockedRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{locked: true}
	r.server = httptest.NewTLSServer(r.handler(true))
	return r.started(t)
}

func (r *testRegistry) started(t *testing.T) *testRegistry {
	t.Helper()
	r.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(r.server.Close)
	return r
}

func (r *testRegistry) handler(referrers bool) http.Handler {
	next := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers))
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.requests++
		intercept := r.intercept
		r.mu.Unlock()
		if user, pass, _ := req.BasicAuth(); r.locked && (user != username || pass != password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if intercept == nil || !intercept(w, req) {
			next.ServeHTTP(w, req)
		}
	})
}

func (r *testRegistry) answer(intercept func(http.ResponseWriter, *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.intercept, r.requests = intercept, 0
}

func (r *testRegistry) seen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

func (r *testRegistry) host() string {
	_, host, _ := strings.Cut(r.server.URL, "://")
	return host
}

func (r *testRegistry) url(repository string) string {
	if strings.HasPrefix(r.server.URL, "https:") {
		return "oci://" + r.host() + "/" + repository
	}
	return "oci+http://" + r.host() + "/" + repository
}

func (r *testRegistry) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(r.server.Certificate())
	return pool
}

func (r *testRegistry) repository(t *testing.T, name string) *remote.Repository {
	t.Helper()
	repository, err := remote.NewRepository(r.host() + "/" + name)
	must(t, err)
	repository.PlainHTTP = strings.HasPrefix(r.server.URL, "http:")
	repository.Client = &auth.Client{
		Client: r.server.Client(), Credential: auth.StaticCredential(r.host(), auth.Credential{Username: username, Password: password}),
	}
	return repository
}

// pushed is an artifact in a registry, to which things are attached.
type pushed struct {
	registry   *testRegistry
	repository *remote.Repository
	name       string
	described  ocispec.Descriptor
	manifest   []byte
}

// push an artifact with some content.
func (r *testRegistry) push(t *testing.T, name, text string) pushed {
	t.Helper()
	repository := r.repository(t, name)
	layer, err := oras.PushBytes(t.Context(), repository, "text/plain", []byte(text))
	must(t, err)
	described, err := oras.PackManifest(t.Context(), repository, oras.PackManifestVersion1_1, "application/x.manifests",
		oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}})
	must(t, err)
	manifest, err := content.FetchAll(t.Context(), repository, described)
	must(t, err)
	return pushed{registry: r, repository: repository, name: name, described: described, manifest: manifest}
}

func (p pushed) digest() digest.Digest { return p.described.Digest }

func (p pushed) artifact() Artifact {
	return Artifact{URL: p.registry.url(p.name), Digest: v1alpha1.Digest(p.digest())}
}

// image as a pod names it.
func (p pushed) image() string { return p.registry.host() + "/" + p.name + "@" + p.digest().String() }

// attach bundles, as `cosign sign` does.
func (p pushed) attach(t *testing.T, bundles ...[]byte) pushed {
	t.Helper()
	for _, one := range bundles {
		p.attachAs(t, bundleV03, one)
	}
	return p
}

func (p pushed) attachAs(t *testing.T, mediaType string, attached []byte) ocispec.Descriptor {
	t.Helper()
	layer, err := oras.PushBytes(context.Background(), p.repository, mediaType, attached)
	must(t, err)
	described, err := oras.PackManifest(t.Context(), p.repository, oras.PackManifestVersion1_1, mediaType,
		oras.PackManifestOptions{Subject: &p.described, Layers: []ocispec.Descriptor{layer}})
	must(t, err)
	return described
}
