// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const chartFolder = "testdata/charts/shop"

// chartEntries are the files of our own chart, in another version, in the order and under the names that `helm package` gives them.
func chartEntries(t *testing.T, version string) []archived {
	t.Helper()
	var entries []archived
	err := filepath.WalkDir(chartFolder, func(name string, found fs.DirEntry, err error) error {
		if err != nil || found.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(chartFolder, name)
		if relative == chartFile {
			content = []byte(strings.Replace(string(content), "version: 1.4.0", "version: "+version, 1))
		}
		entries = append(entries, file("shop/"+filepath.ToSlash(relative), string(content)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func packChart(t *testing.T, version string) []byte {
	t.Helper()
	return gzipped(t, tarOf(t, chartEntries(t, version)...))
}

// pushChart pushes as `helm push` does: the version is the tag, a plus sign an underscore, and a provenance file may lie beside the chart.
func (r *testRegistry) pushChart(t *testing.T, name, version string, archive []byte) v1alpha1.Digest {
	t.Helper()
	return r.push(t, name, strings.ReplaceAll(version, "+", "_"), mediaTypeHelmConfig,
		pushed{mediaType: mediaTypeHelmContent, content: archive}, pushed{mediaType: mediaTypeHelmProvenance, content: []byte("-----BEGIN PGP SIGNED MESSAGE-----")})
}

// credentials for a registry that wants a password.
func (r *testRegistry) credentials(t *testing.T) Credentials {
	t.Helper()
	credentials, err := ParseDockerConfig(encode(t, map[string]any{"auths": map[string]any{r.host(): map[string]string{"username": username, "password": password}}}))
	if err != nil {
		t.Fatal(err)
	}
	return credentials
}

func helm(url, chart, version string, pinned v1alpha1.Digest) v1alpha1.ReleaseSource {
	return v1alpha1.ReleaseSource{Helm: v1alpha1.HelmSource{URL: url, Chart: chart, Version: version, Digest: pinned}}
}

// expectChart checks that a tree is our own chart with nothing above it.
func expectChart(t *testing.T, tree Tree, version string) {
	t.Helper()
	want := map[string]string{}
	for _, entry := range chartEntries(t, version) {
		want[strings.TrimPrefix(entry.name, "shop/")] = entry.content
	}
	if len(want) < 10 {
		t.Fatalf("the chart has %d files", len(want))
	}
	expectTree(t, tree, want)
}

// chartRepository is a repository with an index, over plain HTTP or TLS.
type chartRepository struct {
	server *httptest.Server

	mu        sync.Mutex
	files     map[string][]byte
	requests  []string
	logins    []string
	intercept func(http.ResponseWriter, *http.Request) bool
}

func startChartRepository(t *testing.T, kind registryKind) *chartRepository {
	t.Helper()
	c := &chartRepository{files: map[string][]byte{}}
	handler := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		c.mu.Lock()
		c.requests = append(c.requests, request.URL.Path)
		c.logins = append(c.logins, request.Header.Get("Authorization"))
		content, found := c.files[request.URL.Path]
		intercept := c.intercept
		c.mu.Unlock()
		switch {
		case intercept != nil && intercept(w, request):
		case !found:
			http.NotFound(w, request)
		default:
			_, _ = w.Write(content)
		}
	}))
	switch kind {
	case plainRegistry:
		c.server = httptest.NewServer(handler)
	case tlsRegistry:
		c.server = httptest.NewTLSServer(handler)
	case authRegistry:
		c.server = httptest.NewTLSServer(requirePassword(handler))
	}
	c.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(c.server.Close)
	return c
}

func (c *chartRepository) put(name string, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files[name] = content
}

func (c *chartRepository) set(intercept func(http.ResponseWriter, *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.intercept, c.requests, c.logins = intercept, nil, nil
}

func (c *chartRepository) seen() (requests, logins []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.requests...), append([]string(nil), c.logins...)
}

func (c *chartRepository) url() string { return c.server.URL + "/charts" }

// publish puts an archive and an index with it, as `helm repo index` writes it. It returns the digest.
func (c *chartRepository) publish(version, where string, archive []byte) v1alpha1.Digest {
	found := digest.FromBytes(archive)
	c.put("/charts/shop-"+version+".tgz", archive)
	c.put("/charts/index.yaml", []byte(indexOf(version, where, found.Encoded())))
	return v1alpha1.Digest(found.String())
}

func indexOf(version, where, digest string) string {
	return fmt.Sprintf(`apiVersion: v1
entries:
  other:
  - {name: other, version: %[1]s, urls: [other.tgz], digest: "00"}
  shop:
  - apiVersion: v2
    name: shop
    version: 0.0.1
    urls: [shop-0.0.1.tgz]
    digest: "00"
  - apiVersion: v2
    created: "2026-01-01T00:00:00Z"
    name: shop
    version: %[1]s
    urls: [%[2]q]
    digest: %[3]q
generated: "2026-01-01T00:00:00Z"
`, version, where, digest)
}
