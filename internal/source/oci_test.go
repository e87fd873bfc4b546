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
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/opencontainers/go-digest"
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
		tarOf(t, file("a.yaml", "1"), file("gone.yaml", "1"), file("old/x.yaml", "1"), file("old/y.yaml", "1"), file("was/file", "1"), file("is", "1"), file("folder/x.yaml", "1")),
		tarOf(t, file("a.yaml", "2"), file(".wh.gone.yaml", ""), file("old/.wh..wh..opq", ""), file("old/z.yaml", "2"), file("was", "2"), file("is/file", "2"), file(".wh.folder", "")))
	pushWithCrane(t, r, "shop", "2", tarOf(t, file("a.yaml", "1"), file("old/x.yaml", "1")), tarOf(t, file(".wh..wh..opq", ""), file("b.yaml", "2")))
	tree, _ := resolveAndFetch(t, r.fetcher(t, Limits{}), oci(r.url("shop"), "1", ""), Credentials{})
	expectTree(t, tree, map[string]string{"a.yaml": "2", "old/z.yaml": "2", "was": "2", "is/file": "2"})
	tree, _ = resolveAndFetch(t, r.fetcher(t, Limits{}), oci(r.url("shop"), "2", ""), Credentials{})
	expectTree(t, tree, map[string]string{"b.yaml": "2"})
}

func TestALayerIsReadAsItsTypeAndTitleSay(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	archive := gzipped(t, tarOf(t, file("a.yaml", service)))
	for name, row := range map[string]struct {
		mediaType, title string
		// want is what the refusal says; empty where the archive is unpacked.
		want string
	}{
		"a layer of an image":              {mediaType: ocispec.MediaTypeImageLayer},
		"a gzipped layer of an image":      {mediaType: ocispec.MediaTypeImageLayerGzip},
		"a layer of Docker's":              {mediaType: mediaTypeDockerLayer},
		"a gzipped layer of Docker's":      {mediaType: mediaTypeDockerLayerGz},
		"an archive by its title":          {mediaType: "application/octet-stream", title: "manifests.tar"},
		"a gzipped archive by its title":   {mediaType: "application/octet-stream", title: "manifests.tar.gz"},
		"a gzipped archive by short title": {mediaType: "application/octet-stream", title: "manifests.tgz"},
		"a layer in zstd":                  {mediaType: ocispec.MediaTypeImageLayerZstd, want: "push it with gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			layer := pushed{mediaType: row.mediaType, content: archive, annotations: map[string]string{ocispec.AnnotationTitle: row.title}}
			if row.want != "" {
				layer.content = []byte{0x28, 0xb5, 0x2f, 0xfd, 0}
			}
			digest := r.push(t, "shop", "1", fluxConfig, layer, pushed{mediaType: ocispec.MediaTypeEmptyJSON, content: []byte("{}")})
			tree, err := r.fetcher(t, Limits{}).Fetch(t.Context(), oci(r.url("shop"), "1", ""), digest, Credentials{})
			if row.want != "" {
				expectError(t, err, v1alpha1.ReasonInvalidSource, fieldOCI, row.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			expectTree(t, tree, map[string]string{"a.yaml": service})
		})
	}
}

func TestWhatItsManifestShowsIsRefusedWhenTheArtifactIsResolved(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	r.push(t, "shop", "1", fluxConfig, pushed{mediaType: "text/plain", content: []byte("x")})
	_, err := r.fetcher(t, Limits{}).Resolve(t.Context(), oci(r.url("shop"), "1", ""), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldOCI, `"text/plain"`)
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
	for _, none := range []v1alpha1.Digest{"sha256:0", "sha512:" + v1alpha1.Digest(strings.Repeat("0", 128))} {
		_, err = r.fetcher(t, Limits{}).Fetch(t.Context(), oci(r.url("shop"), "1", ""), none, Credentials{})
		expectError(t, err, v1alpha1.ReasonInvalidSource, fieldOCI+".digest", "is not a SHA-256 digest")
	}
}

// answering sends this in the place of what is asked for below manifests or blobs.
func (r *testRegistry) answering(part string, answer func(http.ResponseWriter)) {
	r.set(func(w http.ResponseWriter, request *http.Request) bool {
		meant := request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/"+part+"/")
		if meant {
			answer(w)
		}
		return meant
	}, nil)
}

func TestWhatTheRegistrySendsInstead(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	layer := fluxLayer(t, file("a.yaml", service))
	wanted := r.push(t, "shop", "1", fluxConfig, layer)
	other := encode(t, map[string]any{"schemaVersion": 2, "layers": []any{}})
	for name, row := range map[string]struct {
		part   string
		answer func(http.ResponseWriter)
		reason string
		field  string
		want   string
	}{
		"half of the manifest is asked for again": {part: "manifests", answer: func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			w.Header().Set("Docker-Content-Digest", string(wanted))
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("{"))
		}, reason: v1alpha1.ReasonFetchFailed, field: fieldOCI + ".digest", want: "broke off in the middle"},
		"half of a layer is asked for again": {part: "blobs", answer: func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", strconv.Itoa(len(layer.content)))
			_, _ = w.Write(layer.content[:5])
		}, reason: v1alpha1.ReasonFetchFailed, field: fieldOCI, want: "broke off in the middle"},
		"no layer is asked for again": {part: "blobs", answer: func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
			reason: v1alpha1.ReasonFetchFailed, field: fieldOCI, want: "does not exist"},
		"more than the layer is refused": {part: "blobs", answer: func(w http.ResponseWriter) {
			_ = http.NewResponseController(w).Flush() // so that it does not say how much it sends
			_, _ = w.Write(append(bytes.Clone(layer.content), 'x'))
		}, reason: v1alpha1.ReasonDigestMismatch, field: fieldOCI, want: "something else than layer"},
		"another manifest under its own digest is refused": {part: "manifests", answer: func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			w.Header().Set("Docker-Content-Digest", digest.FromBytes(other).String())
			_, _ = w.Write(other)
		}, reason: v1alpha1.ReasonFetchFailed, field: fieldOCIURL, want: "digest mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			r.answering(row.part, row.answer)
			_, err := r.fetcher(t, Limits{}).Fetch(t.Context(), oci(r.url("shop"), "1", ""), wanted, Credentials{})
			expectError(t, err, row.reason, row.field, row.want)
		})
	}
}

func TestAManifestIsAskedForOnce(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	r.push(t, "shop", "1", fluxConfig, fluxLayer(t, file("a.yaml", service)))
	r.pushChart(t, "charts/shop", "1.4.0", packChart(t, "1.4.0"))
	for name, source := range map[string]v1alpha1.ReleaseSource{"manifests": oci(r.url("shop"), "1", ""), "a chart": helm(r.url("charts/shop"), "", "1.4.0", "")} {
		t.Run(name, func(t *testing.T) {
			r.set(nil, nil)
			fetcher := r.fetcher(t, Limits{})
			digest, err := fetcher.Resolve(t.Context(), source, Credentials{})
			if err != nil {
				t.Fatal(err)
			}
			r.answering("manifests", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) })
			if _, err := fetcher.Fetch(t.Context(), source, digest, Credentials{}); err != nil {
				t.Errorf("what was resolved just now is asked for again: %v", err)
			}
		})
	}
}

func TestTheCacheLetsNoLayerPassThatTheRegistryWouldNot(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	layer := fluxLayer(t, file("a.yaml", service))
	honest := r.push(t, "shop", "1", fluxConfig, layer)
	for name, size := range map[string]int{"a size that is too large": len(layer.content) + 1, "no size": 0} {
		t.Run(name, func(t *testing.T) {
			fetcher := r.fetcher(t, Limits{})
			if _, err := fetcher.Fetch(t.Context(), oci(r.url("shop"), "1", ""), honest, Credentials{}); err != nil {
				t.Fatal(err)
			}
			described := map[string]any{"mediaType": "text/plain", "digest": digest.FromBytes(layer.content), "size": size, "annotations": map[string]string{ocispec.AnnotationTitle: "a"}}
			lying := r.pushManifest(t, "shop", "2", ocispec.MediaTypeImageManifest, encode(t, map[string]any{"schemaVersion": 2, "layers": []any{described}}))
			if tree, err := fetcher.Fetch(t.Context(), oci(r.url("shop"), "2", ""), lying, Credentials{}); err == nil {
				t.Errorf("got the files %v", tree.Paths())
			}
		})
	}
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
