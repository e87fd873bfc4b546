// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
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
	client *http.Client

	mu       sync.Mutex
	requests int
	// intercept answers instead of the registry where it returns true.
	intercept func(http.ResponseWriter, *http.Request) bool
	// change alters a body on its way out.
	change func(*http.Request, []byte) []byte
}

type registryKind string

const (
	plainRegistry registryKind = "plain"
	tlsRegistry   registryKind = "TLS"
	authRegistry  registryKind = "TLS with a password"
)

func startRegistry(t *testing.T, kind registryKind) *testRegistry {
	t.Helper()
	r := &testRegistry{}
	handler := r.count(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	switch kind {
	case plainRegistry:
		r.server = httptest.NewServer(handler)
	case tlsRegistry:
		r.server = httptest.NewTLSServer(handler)
	case authRegistry:
		r.server = httptest.NewTLSServer(requirePassword(handler))
	}
	r.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.client = r.server.Client()
	t.Cleanup(r.server.Close)
	return r
}

func requirePassword(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if user, pass, _ := req.BasicAuth(); user != username || pass != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, req)
	})
}

func (r *testRegistry) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.requests++
		intercept, change := r.intercept, r.change
		r.mu.Unlock()
		if intercept != nil && intercept(w, req) {
			return
		}
		if change == nil {
			next.ServeHTTP(w, req)
			return
		}
		recorded := httptest.NewRecorder()
		next.ServeHTTP(recorded, req)
		maps.Copy(w.Header(), recorded.Header())
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(change(req, recorded.Body.Bytes()))
	})
}

func (r *testRegistry) set(intercept func(http.ResponseWriter, *http.Request) bool, change func(*http.Request, []byte) []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.intercept, r.change, r.requests = intercept, change, 0
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

// url of a repository, as a Release has it.
func (r *testRegistry) url(repository string) string {
	scheme := schemeTLS
	if strings.HasPrefix(r.server.URL, "http:") {
		scheme = schemePlain
	}
	return scheme + r.host() + "/" + repository
}

func (r *testRegistry) repository(t *testing.T, name string) *remote.Repository {
	t.Helper()
	repository, err := remote.NewRepository(r.host() + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	repository.PlainHTTP = strings.HasPrefix(r.server.URL, "http:")
	repository.Client = &auth.Client{
		Client:     r.client,
		Credential: auth.StaticCredential(r.host(), auth.Credential{Username: username, Password: password}),
	}
	return repository
}

// pushed is a layer to push.
type pushed struct {
	mediaType   string
	annotations map[string]string
	content     []byte
}

// push makes an artifact of layers and returns its digest.
func (r *testRegistry) push(t *testing.T, name, tag, configType string, layers ...pushed) v1alpha1.Digest {
	t.Helper()
	repository := r.repository(t, name)
	config := pushBlob(t, repository, pushed{mediaType: configType, content: []byte("{}")})
	manifest := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{},
	}
	for _, layer := range layers {
		manifest.Layers = append(manifest.Layers, pushBlob(t, repository, layer))
	}
	return r.pushManifest(t, name, tag, ocispec.MediaTypeImageManifest, encode(t, manifest))
}

func (r *testRegistry) pushManifest(t *testing.T, name, tag, mediaType string, manifest []byte) v1alpha1.Digest {
	t.Helper()
	described, err := oras.TagBytes(context.Background(), r.repository(t, name), mediaType, manifest, tag)
	if err != nil {
		t.Fatal(err)
	}
	return v1alpha1.Digest(described.Digest.String())
}

// putManifest takes any text, which the library does not.
func (r *testRegistry) putManifest(t *testing.T, name, tag, manifest string) v1alpha1.Digest {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.server.URL+"/v2/"+name+"/manifests/"+tag, strings.NewReader(manifest))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", ocispec.MediaTypeImageManifest)
	answer, err := r.client.Do(request)
	if err != nil || answer.StatusCode != http.StatusCreated {
		t.Fatal(answer, err)
	}
	_ = answer.Body.Close()
	return v1alpha1.Digest(digest.FromString(manifest).String())
}

func pushBlob(t *testing.T, repository *remote.Repository, layer pushed) ocispec.Descriptor {
	t.Helper()
	described := ocispec.Descriptor{
		MediaType: layer.mediaType, Digest: digest.FromBytes(layer.content), Size: int64(len(layer.content)), Annotations: layer.annotations,
	}
	if err := repository.Push(context.Background(), described, bytes.NewReader(layer.content)); err != nil {
		t.Fatal(err)
	}
	return described
}

func (r *testRegistry) fetcher(t *testing.T, limits Limits) *Fetcher {
	t.Helper()
	roots := x509.NewCertPool()
	if certificate := r.server.Certificate(); certificate != nil {
		roots.AddCert(certificate)
	}
	fetcher, err := New(t.TempDir(), limits, WithRootCAs(roots))
	if err != nil {
		t.Fatal(err)
	}
	return fetcher
}

func oci(url, tag string, pinned v1alpha1.Digest) v1alpha1.ReleaseSource {
	return v1alpha1.ReleaseSource{OCI: v1alpha1.OCISource{URL: url, Tag: tag, Digest: pinned}}
}

// archived is an entry of a test archive.
type archived struct {
	name    string
	content string
	kind    byte
	link    string
}

func file(name, content string) archived { return archived{name: name, content: content} }

func tarOf(t testing.TB, entries ...archived) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, entry := range entries {
		header := &tar.Header{Name: entry.name, Typeflag: entry.kind, Linkname: entry.link, Mode: 0o644, Size: int64(len(entry.content))}
		if entry.kind == 0 {
			header.Typeflag = tar.TypeReg
		}
		if entry.kind == tar.TypeXGlobalHeader {
			header = &tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: entry.name, PAXRecords: map[string]string{"comment": "x"}}
		}
		if err := writer.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(entry.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	if _, err := writer.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// expectError checks what a person would be told.
func expectError(t *testing.T, err error, reason, field string, words ...string) {
	t.Helper()
	var failed *Error
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if failed.Reason != reason || failed.Field != field {
		t.Errorf("got reason %q of field %q, want %q of %q: %v", failed.Reason, failed.Field, reason, field, err)
	}
	for _, word := range words {
		if !strings.Contains(failed.Message, word) {
			t.Errorf("the message %q must have %q", failed.Message, word)
		}
	}
	if len(failed.Message) > 1024 {
		t.Errorf("the message has %d bytes", len(failed.Message))
	}
	if failed.Retryable() != (reason == v1alpha1.ReasonFetchFailed) {
		t.Errorf("retryable is %v for reason %q", failed.Retryable(), reason)
	}
}

func expectTree(t *testing.T, tree Tree, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for name, content := range tree {
		got[name] = string(content)
	}
	if !maps.Equal(got, want) {
		t.Errorf("got the tree %v, want %v", got, want)
	}
}
