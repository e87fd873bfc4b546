// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestInlineTextIsItsOwnDigest(t *testing.T) {
	fetcher, err := New(t.TempDir(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	text := v1alpha1.ReleaseSource{Inline: service + "# größer 🚀\n"}
	got, err := fetcher.Resolve(t.Context(), text, Credentials{})
	if err != nil || string(got) != digest.FromString(text.Inline).String() {
		t.Fatalf("got %q and %v", got, err)
	}
	tree, err := fetcher.Fetch(t.Context(), text, got, Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	expectTree(t, tree, map[string]string{inlineFile: text.Inline})

	_, err = fetcher.Fetch(t.Context(), v1alpha1.ReleaseSource{Inline: service}, got, Credentials{})
	expectError(t, err, v1alpha1.ReasonDigestMismatch, fieldInline, "create a new Release")
	_, err = fetcher.Resolve(t.Context(), v1alpha1.ReleaseSource{}, Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, "spec.source", "`oci`", "`inline`")
	_, err = fetcher.Resolve(t.Context(), v1alpha1.ReleaseSource{Inline: strings.Repeat("x", maxInlineBytes+1)}, Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldInline, "push the manifests")
	_, err = fetcher.Resolve(t.Context(), v1alpha1.ReleaseSource{Inline: "\xff"}, Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldInline, "UTF-8")
}

func TestArtifactsThatCannotBeReadAreRefusedWithARemedy(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	one := func(configType string, layers ...pushed) func(*testing.T) v1alpha1.Digest {
		return func(t *testing.T) v1alpha1.Digest { return r.push(t, "shop", "x", configType, layers...) }
	}
	raw := func(mediaType string, manifest any) func(*testing.T) v1alpha1.Digest {
		return func(t *testing.T) v1alpha1.Digest {
			return r.pushManifest(t, "shop", "x", mediaType, encode(t, manifest))
		}
	}
	titled := func(title, content string) pushed {
		return pushed{mediaType: ocispec.MediaTypeImageLayer, content: []byte(content), annotations: map[string]string{ocispec.AnnotationTitle: title}}
	}
	layer := func(digest string, size int) map[string]any {
		return map[string]any{"schemaVersion": 2, "layers": []any{map[string]any{"mediaType": mediaTypeFluxContent, "digest": digest, "size": size}}}
	}
	const artifactManifest = "application/vnd.oci.artifact.manifest.v1+json"
	for name, row := range map[string]struct {
		push  func(*testing.T) v1alpha1.Digest
		field string
		want  []string
	}{
		"an index of platforms": {push: raw(ocispec.MediaTypeImageIndex, map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": []any{}}),
			want: []string{"index of 0 artifacts", "set `digest`"}},
		"a Helm chart": {push: one(mediaTypeHelmConfig, pushed{mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", content: []byte("x")}),
			want: []string{"Helm chart", "`spec.source.helm`"}},
		"a layer of unknown type":      {push: one(fluxConfig, pushed{mediaType: "application/x-größe", content: []byte("x")}), want: []string{`"application/x-größe"`, "oras, flux or crane"}},
		"an artifact without files":    {push: one(fluxConfig), want: []string{"holds no files"}},
		"an archive that is none":      {push: one(fluxConfig, pushed{mediaType: mediaTypeFluxContent, content: []byte("x")}), want: []string{"not a readable tar archive", "sha256:"}},
		"a link in an archive":         {push: one(fluxConfig, fluxLayer(t, archived{name: "l", kind: '2', link: "/etc"})), want: []string{`"l" is a symbolic link`}},
		"a file out of the artifact":   {push: one(fluxConfig, titled("../x.yaml", "x")), want: []string{`must not contain ".."`}},
		"two files of one name":        {push: one(fluxConfig, titled("x.yaml", "x"), titled("./x.yaml", "y")), want: []string{`two different files at "x.yaml"`}},
		"a file that is also a folder": {push: one(fluxConfig, titled("x", "x"), titled("x/y", "y")), want: []string{`"x" as a file and as a folder`}},
		"two archives with one file":   {push: one(fluxConfig, fluxLayer(t, file("x", "x")), fluxLayer(t, file("x", "y"))), want: []string{`two different files at "x"`}},
		"a whiteout beside files":      {push: one(fluxConfig, fluxLayer(t, file(".wh.x", ""))), want: []string{`".wh."`}},
		"too many compressed bytes":    {push: one(fluxConfig, titled("x", strings.Repeat("x", 5001))), want: []string{"larger than 5000 bytes"}},
		"too many layers":              {push: one(fluxConfig, titled("a", "a"), titled("b", "b"), titled("c", "c"), titled("d", "d")), want: []string{"has 4 layers, at most 3"}},
		"too many decompressed bytes":  {push: one(fluxConfig, fluxLayer(t, file("x", strings.Repeat("x", 20_000)))), want: []string{"after decompression"}},
		"a manifest that is too large": {push: raw(ocispec.MediaTypeImageManifest, map[string]any{"schemaVersion": 2, "annotations": map[string]string{"x": strings.Repeat("x", 5000)}}),
			field: fieldOCI + ".digest", want: []string{"larger than 4000 bytes"}},
		"a manifest that is no JSON": {push: func(t *testing.T) v1alpha1.Digest {
			return r.putManifest(t, "shop", "x", "{")
		},
			want: []string{"not valid JSON"}},
		"a manifest of another kind":      {push: raw(artifactManifest, map[string]any{"schemaVersion": 2, "mediaType": artifactManifest}), want: []string{"manifest of type", artifactManifest}},
		"a layer of another digest":       {push: raw(ocispec.MediaTypeImageManifest, layer("sha512:"+strings.Repeat("0", 128), 1)), want: []string{"not SHA-256"}},
		"a layer of a digest that is cut": {push: raw(ocispec.MediaTypeImageManifest, layer("sha256:0", 1)), want: []string{"not SHA-256"}},
		"a layer of negative size":        {push: raw(ocispec.MediaTypeImageManifest, layer("sha256:"+strings.Repeat("0", 64), -1)), want: []string{"of -1 bytes"}},
		"another schema":                  {push: raw(ocispec.MediaTypeImageManifest, map[string]any{"schemaVersion": 1}), want: []string{"schema version 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			digest := row.push(t)
			fetcher := r.fetcher(t, Limits{ManifestBytes: 4000, CompressedBytes: 5000, DecompressedBytes: 15_000, Layers: 3})
			_, err := fetcher.Fetch(t.Context(), oci(r.url("shop"), "x", ""), digest, Credentials{})
			field := row.field
			if field == "" {
				field = fieldOCI
			}
			expectError(t, err, v1alpha1.ReasonInvalidSource, field, row.want...)
		})
	}
}

func TestARegistryThatFailsIsAskedThreeTimesAndNoMore(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	digest := r.push(t, "shop", "1", fluxConfig, fluxLayer(t, file("a.yaml", service)))
	fetcher, source := r.fetcher(t, Limits{}), oci(r.url("shop"), "1", "")
	r.set(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, strings.Repeat("down\n", 10_000), http.StatusServiceUnavailable)
		return true
	}, nil)
	_, err := fetcher.Resolve(t.Context(), source, Credentials{})
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldOCIURL, "Service Unavailable", "tried again")
	if r.seen() != maxRetries+1 {
		t.Errorf("the registry was asked %d times", r.seen())
	}
	r.set(nil, nil)
	if _, err := fetcher.Fetch(t.Context(), source, digest, Credentials{}); err != nil {
		t.Errorf("the registry is back, and still %v", err)
	}
}

func TestTransportFailuresSayWhatToDo(t *testing.T) {
	plain, secure, locked := startRegistry(t, plainRegistry), startRegistry(t, tlsRegistry), startRegistry(t, authRegistry)
	down := startRegistry(t, plainRegistry)
	down.server.Close()
	strangers, err := New(t.TempDir(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		fetcher *Fetcher
		url     string
		field   string
		words   []string
	}{
		"TLS to a registry on plain HTTP":    {url: schemeTLS + plain.host() + "/shop", field: fieldOCIURL, words: []string{`"oci+http://"`}},
		"a certificate of unknown authority": {fetcher: strangers, url: secure.url("shop"), field: fieldOCIURL, words: []string{"certificate"}},
		"no credentials":                     {fetcher: locked.fetcher(t, Limits{}), url: locked.url("shop"), field: fieldOCI + ".secretRef", words: []string{"kubernetes.io/dockerconfigjson"}},
		"nobody there":                       {url: down.url("shop"), field: fieldOCIURL, words: []string{"reachable"}},
	} {
		t.Run(name, func(t *testing.T) {
			fetcher := row.fetcher
			if fetcher == nil {
				fetcher = plain.fetcher(t, Limits{})
			}
			_, err := fetcher.Resolve(t.Context(), oci(row.url, "1", ""), Credentials{})
			expectError(t, err, v1alpha1.ReasonFetchFailed, row.field, row.words...)
		})
	}
}

func TestARegistryThatDoesNotAnswerIsGivenUp(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	r.set(func(_ http.ResponseWriter, req *http.Request) bool {
		<-req.Context().Done()
		return true
	}, nil)
	_, err := r.fetcher(t, Limits{Timeout: 50 * time.Millisecond}).Resolve(t.Context(), oci(r.url("shop"), "1", ""), Credentials{})
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldOCITag, "did not answer in time")
}

func TestCredentialsAreSentToTheirRegistryAlone(t *testing.T) {
	locked := startRegistry(t, authRegistry)
	var leaked []string
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if given := req.Header.Get("Authorization"); given != "" {
			leaked = append(leaked, given)
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="give me"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer thief.Close()
	credentials, err := ParseDockerConfig([]byte(fmt.Sprintf(`{"auths":{%q:{"username":%q,"password":%q}}}`, locked.host(), username, password)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = locked.fetcher(t, Limits{}).Resolve(t.Context(), oci(schemePlain+thief.Listener.Addr().String()+"/shop", "1", ""), credentials)
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldOCI+".secretRef")
	locked.set(func(w http.ResponseWriter, req *http.Request) bool {
		http.Redirect(w, req, thief.URL+req.URL.Path, http.StatusTemporaryRedirect)
		return true
	}, nil)
	_, err = locked.fetcher(t, Limits{}).Resolve(t.Context(), oci(locked.url("shop"), "1", ""), credentials)
	if err == nil || len(leaked) > 0 {
		t.Errorf("got %v, and the other host was given %q", err, leaked)
	}
}

func TestDockerConfigurationsAreReadAsTheKubeletReadsThem(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("user:p:w"))
	credentials, err := ParseDockerConfig([]byte(`{"auths":{
		"https://index.docker.io/v1/":{"auth":"` + basic + `"},
		"registry:5000":{"username":"all","password":"x"},
		"b.example":{"username":"all","password":"x"},
		"b.example/team":{"username":"team","password":"x"},
		"Registry:5000/team":{"username":"team","password":"x"},
		"token.example":{"identitytoken":"t"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for repository, want := range map[string]string{
		"docker.io/library/x": "user/p:w", "registry-1.docker.io/library/x": "user/p:w",
		"registry:5000/other": "all/x", "registry:5000/team/app": "team/x", "registry:5000/teams": "all/x", "registry:5000/team": "team/x",
		"b.example/other": "all/x", "b.example/team/app": "team/x",
		"registry/other": "/", "token.example/x": "/", "evil.registry:5000/x": "/",
	} {
		host, name, _ := strings.Cut(repository, "/")
		got := credentials.forRepository(host, name)
		if got.Username+"/"+got.Password != want {
			t.Errorf("got %q for %q, want %q", got.Username+"/"+got.Password, repository, want)
		}
	}
	if got := credentials.forRepository("token.example", "x"); got.RefreshToken != "t" {
		t.Errorf("the identity token is %q", got.RefreshToken)
	}
	shown := fmt.Sprintf("%v %+v %#v", credentials, credentials, credentials)
	if strings.Contains(shown, "p:w") || strings.Contains(shown, basic) || !strings.Contains(shown, "6 registries") {
		t.Errorf("the credentials show as %q", shown)
	}
	for _, bad := range []string{"", "s3cret", `{"auths":{"x":{"auth":"s3cret!"}}}`, `{"auths":{"x":{"auth":"czNjcmV0"}}}`, `{"auths":{"x":{"auth":"czNjcmV0OnA=!"}}}`, `{"auths":"s3cret"}`} {
		_, err := ParseDockerConfig([]byte(bad))
		if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "czNjcmV0") {
			t.Errorf("got %v for %q", err, bad)
		}
	}
}

func TestWhatWasFetchedNeedsNoRegistry(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	digest := r.push(t, "shop", "1", fluxConfig, fluxLayer(t, file("a.yaml", service)))
	source, folder := oci(r.url("shop"), "1", ""), t.TempDir()
	fetcher, err := New(folder, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(fetcher *Fetcher) error {
		tree, err := fetcher.Fetch(t.Context(), source, digest, Credentials{})
		if err == nil {
			expectTree(t, tree, map[string]string{"a.yaml": service})
		}
		return err
	}
	if err := fetch(fetcher); err != nil {
		t.Fatal(err)
	}
	r.set(nil, nil)
	if err := fetch(fetcher); err != nil || r.seen() != 0 {
		t.Errorf("got %v after %d requests", err, r.seen())
	}
	restarted, err := New(folder, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := fetch(restarted); err != nil || r.seen() != 0 {
		t.Errorf("after a restart: got %v after %d requests", err, r.seen())
	}
	tamper(t, folder)
	if err := fetch(restarted); err != nil || r.seen() == 0 {
		t.Errorf("what was changed on disk was not fetched again: %v after %d requests", err, r.seen())
	}
}

// tamper changes every file below a folder.
func tamper(t *testing.T, folder string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil || len(files) == 0 {
		t.Fatal("the cache is empty", err)
	}
	for _, file := range files {
		name := filepath.Join(folder, file.Name())
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		content[0] ^= 1
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheCacheKeepsRepositoriesApart(t *testing.T) {
	c, err := openCache(t.TempDir(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	blob := []byte("secret")
	c.put("oci://a/private", digest.FromBytes(blob), blob)
	if _, found := c.get("oci://b/mine", digest.FromBytes(blob), 1000); found {
		t.Error("knowing a digest is enough to read another repository's content")
	}
	if _, found := c.get("oci://a/private", digest.FromBytes(blob), 1000); !found {
		t.Error("the content is not there")
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	folder := t.TempDir()
	c, err := openCache(folder, 10)
	if err != nil {
		t.Fatal(err)
	}
	has := func(content string) bool {
		_, found := c.get("r", digest.FromString(content), 100)
		return found
	}
	for _, content := range []string{"aaaa", "bbbb"} {
		c.put("r", digest.FromString(content), []byte(content))
	}
	if !has("aaaa") {
		t.Fatal("nothing was kept")
	}
	c.put("r", digest.FromString("cccc"), []byte("cccc"))
	c.put("r", digest.FromString("larger than all"), []byte("larger than all"))
	if !has("aaaa") || has("bbbb") || !has("cccc") || has("larger than all") {
		t.Error("what was used longest ago must go first")
	}
	if err := os.WriteFile(filepath.Join(folder, "x"+partialSuffix), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = openCache(folder, 4); err != nil || c.bytes > 4 {
		t.Errorf("after a restart with a smaller bound the cache has %d bytes: %v", c.bytes, err)
	}
	if files, _ := os.ReadDir(folder); len(files) != 1 {
		t.Errorf("the folder has %d files", len(files))
	}
}

func TestErrorsHaveACauseAndAFitMessage(t *testing.T) {
	cause := errors.New("cause")
	err := &Error{Reason: v1alpha1.ReasonFetchFailed, Field: "f", Message: "m", Err: cause}
	if !errors.Is(err, cause) || err.Error() != "`f`: m" {
		t.Errorf("got %v", err)
	}
	if got := foreign("a\x00\n\xffb" + strings.Repeat("é", 1000)); len([]rune(got)) != maxForeignText+1 || strings.ContainsAny(got, "\x00\n") {
		t.Errorf("got %q", got)
	}
}
