// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	orasfile "oras.land/oras-go/v2/content/file"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func encode(t *testing.T, value any) []byte {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

const (
	deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
	service    = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
)

func fluxLayer(t *testing.T, entries ...archived) pushed {
	t.Helper()
	return pushed{mediaType: mediaTypeFluxContent, content: gzipped(t, tarOf(t, entries...))}
}

const fluxConfig = "application/vnd.cncf.flux.config.v1+json"

// pushWithOras pushes as the command does: a file and a folder, with the library's own file store.
func pushWithOras(t *testing.T, r *testRegistry, name, tag string) {
	t.Helper()
	ctx, folder := context.Background(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{"service.yaml": service, "app/deployment.yaml": deployment} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, err := orasfile.New(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	var layers []ocispec.Descriptor
	for _, name := range []string{"service.yaml", "app"} {
		layer, err := store.Add(ctx, name, "", "")
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, layer)
	}
	manifest, err := oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, "application/vnd.unknown.artifact.v1",
		oras.PackManifestOptions{Layers: layers})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Tag(ctx, manifest, tag); err != nil {
		t.Fatal(err)
	}
	if _, err := oras.Copy(ctx, store, tag, r.repository(t, name), tag, oras.DefaultCopyOptions); err != nil {
		t.Fatal(err)
	}
}

// pushWithCrane pushes an image as `crane append` makes it: an empty image with a layer for each archive.
func pushWithCrane(t *testing.T, r *testRegistry, name, tag string, archives ...[]byte) {
	t.Helper()
	image := empty.Image
	for _, archive := range archives {
		file := filepath.Join(t.TempDir(), "layer.tar")
		if err := os.WriteFile(file, archive, 0o600); err != nil {
			t.Fatal(err)
		}
		var err error
		if image, err = crane.Append(image, file); err != nil {
			t.Fatal(err)
		}
	}
	err := crane.Push(image, r.host()+"/"+name+":"+tag, crane.WithTransport(r.client.Transport),
		crane.WithAuth(&authn.Basic{Username: username, Password: password}))
	if err != nil {
		t.Fatal(err)
	}
}

func TestArtifactsOfEveryToolAreFetched(t *testing.T) {
	config := encode(t, map[string]any{"auths": map[string]any{"REGISTRY": map[string]string{"username": username, "password": password}}})
	both := map[string]string{"service.yaml": service, "app/deployment.yaml": deployment}
	entries := []archived{
		{name: "./", kind: '5'}, file("./service.yaml", service), {name: "app/", kind: '5'}, file("app/deployment.yaml", deployment),
	}
	pushes := map[string]func(*testing.T, *testRegistry){
		"oras push": func(t *testing.T, r *testRegistry) { pushWithOras(t, r, "shop/manifests", "1.4.0") },
		"flux push artifact": func(t *testing.T, r *testRegistry) {
			r.push(t, "shop/manifests", "1.4.0", fluxConfig, fluxLayer(t, entries...))
		},
		"crane append": func(t *testing.T, r *testRegistry) {
			pushWithCrane(t, r, "shop/manifests", "1.4.0", tarOf(t, entries...))
		},
	}
	for tool, push := range pushes {
		for _, kind := range []registryKind{plainRegistry, tlsRegistry, authRegistry} {
			t.Run(tool+" to a registry with "+string(kind), func(t *testing.T) {
				r := startRegistry(t, kind)
				push(t, r)
				credentials, err := ParseDockerConfig(bytes.ReplaceAll(config, []byte("REGISTRY"), []byte(r.host())))
				if err != nil {
					t.Fatal(err)
				}
				fetcher, source := r.fetcher(t, Limits{}), oci(r.url("shop/manifests"), "1.4.0", "")
				digest, err := fetcher.Resolve(t.Context(), source, credentials)
				if err != nil {
					t.Fatal(err)
				}
				tree, err := fetcher.Fetch(t.Context(), source, digest, credentials)
				if err != nil {
					t.Fatal(err)
				}
				expectTree(t, tree, both)
			})
		}
	}
}

func TestLaterLayersOfAnImageLieOnTopOfEarlierOnes(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	pushWithCrane(t, r, "shop", "1",
		tarOf(t, file("a.yaml", "1"), file("gone.yaml", "1"), file("old/x.yaml", "1"), file("old/y.yaml", "1"), file("was/file", "1")),
		tarOf(t, file("a.yaml", "2"), file(".wh.gone.yaml", ""), file("old/.wh..wh..opq", ""), file("old/z.yaml", "2"), file("was", "2")))
	fetcher, source := r.fetcher(t, Limits{}), oci(r.url("shop"), "1", "")
	digest, err := fetcher.Resolve(t.Context(), source, Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := fetcher.Fetch(t.Context(), source, digest, Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	expectTree(t, tree, map[string]string{"a.yaml": "2", "old/z.yaml": "2", "was": "2"})
}

func TestResolveComparesTagAndDigest(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	first := r.push(t, "shop", "1", fluxConfig, fluxLayer(t, file("a.yaml", service)))
	second := r.push(t, "shop", "2", fluxConfig, fluxLayer(t, file("a.yaml", deployment)))
	missing := v1alpha1.Digest("sha256:" + strings.Repeat("0", 64))
	fetcher, url := r.fetcher(t, Limits{}), r.url("shop")
	for name, row := range map[string]struct {
		source v1alpha1.ReleaseSource
		want   v1alpha1.Digest
		reason string
		field  string
		words  []string
	}{
		"a tag is looked up":                       {source: oci(url, "1", ""), want: first},
		"a digest is proven to exist":              {source: oci(url, "", second), want: second},
		"a tag and its digest agree":               {source: oci(url, "2", second), want: second},
		"a tag that points elsewhere is refused":   {source: oci(url, "2", first), reason: v1alpha1.ReasonDigestMismatch, field: fieldOCI + ".digest", words: []string{"create a new Release", string(second)}},
		"a tag that does not exist may come":       {source: oci(url, "3", ""), reason: v1alpha1.ReasonFetchFailed, field: fieldOCITag, words: []string{"manifest 3", "push it"}},
		"a digest that does not exist may come":    {source: oci(url, "", missing), reason: v1alpha1.ReasonFetchFailed, field: fieldOCI + ".digest", words: []string{"does not exist"}},
		"a repository that does not exist":         {source: oci(r.url("other"), "1", ""), reason: v1alpha1.ReasonFetchFailed, field: fieldOCITag, words: []string{"push it"}},
		"neither tag nor digest":                   {source: oci(url, "", ""), reason: v1alpha1.ReasonInvalidSource, field: fieldOCI, words: []string{"`tag` or `digest`"}},
		"another scheme":                           {source: oci("https://x/y", "1", ""), reason: v1alpha1.ReasonInvalidSource, field: fieldOCIURL, words: []string{`"oci://"`}},
		"a tag within the URL":                     {source: oci(url+":1", "1", ""), reason: v1alpha1.ReasonInvalidSource, field: fieldOCIURL, words: []string{"set `tag`"}},
		"a digest that is none":                    {source: oci(url, "", "sha256:short"), reason: v1alpha1.ReasonInvalidSource, field: fieldOCI + ".digest", words: []string{"64 hexadecimal digits"}},
		"a repository that is none, in any script": {source: oci("oci://host/Größe", "1", ""), reason: v1alpha1.ReasonInvalidSource, field: fieldOCIURL, words: []string{"Größe"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fetcher.Resolve(t.Context(), row.source, Credentials{})
			if row.reason != "" {
				expectError(t, err, row.reason, row.field, row.words...)
				return
			}
			if err != nil || got != row.want {
				t.Errorf("got %q and %v, want %q", got, err, row.want)
			}
		})
	}
}

func TestFetchGoesByDigestAndNotByTag(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	first := r.push(t, "shop", "1", fluxConfig, fluxLayer(t, file("a.yaml", service)))
	r.push(t, "shop", "1", fluxConfig, fluxLayer(t, file("a.yaml", deployment)))
	tree, err := r.fetcher(t, Limits{}).Fetch(t.Context(), oci(r.url("shop"), "1", ""), first, Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	expectTree(t, tree, map[string]string{"a.yaml": service})
}

func TestFetchRefusesAnotherDigestThanThePinnedOne(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	first := r.push(t, "shop", "1", fluxConfig, fluxLayer(t, file("a.yaml", service)))
	second := r.push(t, "shop", "2", fluxConfig, fluxLayer(t, file("a.yaml", deployment)))
	_, err := r.fetcher(t, Limits{}).Fetch(t.Context(), oci(r.url("shop"), "", first), second, Credentials{})
	expectError(t, err, v1alpha1.ReasonDigestMismatch, fieldOCI+".digest", "create a new Release")
}

func TestBytesThatAreNotTheirDigestAreRefused(t *testing.T) {
	for part, word := range map[string]string{"manifests": "the registry sent", "blobs": "the registry sent"} {
		t.Run(part, func(t *testing.T) {
			r := startRegistry(t, plainRegistry)
			digest := r.push(t, "shop", "1", fluxConfig, fluxLayer(t, file("a.yaml", service)))
			r.set(nil, func(req *http.Request, body []byte) []byte {
				if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/"+part+"/") {
					body[len(body)-1] ^= 1
				}
				return body
			})
			_, err := r.fetcher(t, Limits{}).Fetch(t.Context(), oci(r.url("shop"), "1", ""), digest, Credentials{})
			expectError(t, err, v1alpha1.ReasonDigestMismatch, map[string]string{"manifests": fieldOCI + ".digest", "blobs": fieldOCI}[part], word)
		})
	}
}
