// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestAChartIsFetchedFromARegistry(t *testing.T) {
	for _, kind := range []registryKind{plainRegistry, tlsRegistry, authRegistry} {
		t.Run(string(kind), func(t *testing.T) {
			r := startRegistry(t, kind)
			const version = "1.4.0-rc.1+build.7"
			pushed := r.pushChart(t, "charts/shop", version, packChart(t, version))
			credentials := Credentials{}
			if kind == authRegistry {
				credentials = r.credentials(t)
			}
			fetcher, source := r.fetcher(t, Limits{}), helm(r.url("charts/shop"), "", version, "")
			tree, digest := resolveAndFetch(t, fetcher, source, credentials)
			expectChart(t, tree, version)
			if digest != pushed {
				t.Errorf("got digest %q, want the manifest's %q", digest, pushed)
			}
			r.server.Close()
			if _, err := fetcher.Fetch(t.Context(), source, digest, credentials); err != nil {
				t.Errorf("the registry is down, and the chart is not kept: %v", err)
			}
		})
	}
}

func TestAChartsDigestMustBeTheOneThatIsPinned(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	first := r.pushChart(t, "charts/shop", "1.4.0", packChart(t, "1.4.0"))
	second := r.pushChart(t, "charts/shop", "1.5.0", packChart(t, "1.5.0"))
	fetcher, url := r.fetcher(t, Limits{}), r.url("charts/shop")
	if got, err := fetcher.Resolve(t.Context(), helm(url, "", "1.4.0", first), Credentials{}); err != nil || got != first {
		t.Errorf("got %q and %v", got, err)
	}
	_, err := fetcher.Resolve(t.Context(), helm(url, "", "1.4.0", second), Credentials{})
	expectError(t, err, v1alpha1.ReasonDigestMismatch, fieldHelmDigest, string(first), string(second))
	_, err = fetcher.Fetch(t.Context(), helm(url, "", "1.4.0", first), second, Credentials{})
	expectError(t, err, v1alpha1.ReasonDigestMismatch, fieldHelmDigest, "create a new Release")
	_, err = fetcher.Resolve(t.Context(), helm(url, "", "1.6.0", ""), Credentials{})
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldHelmVersion, "1.6.0 does not exist")
	_, err = fetcher.Resolve(t.Context(), helm(url, "shop", "1.4.0", ""), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldHelmChart, "the `url` itself names the chart")
	_, err = fetcher.Resolve(t.Context(), helm(url+":1.4.0", "", "1.4.0", ""), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldHelmURL, "set `version`")
	_, err = fetcher.Resolve(t.Context(), helm(url, "", "1.4.0", ""), basicAuth(t, r.host()))
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldHelm+".secretRef", "dockerconfigjson")
	moved := r.pushChart(t, "charts/moved", "2.0.0", packChart(t, "1.4.0"))
	_, err = fetcher.Fetch(t.Context(), helm(r.url("charts/moved"), "", "2.0.0", ""), moved, Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldHelmVersion, `"2.0.0"`, `"1.4.0"`)
}

func TestArtifactsThatAreNoChartsAreRefused(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	chart := pushed{mediaType: mediaTypeHelmContent, content: packChart(t, "1.4.0")}
	for name, row := range map[string]struct {
		config string
		layers []pushed
		want   string
	}{
		"plain manifests":  {config: fluxConfig, layers: []pushed{fluxLayer(t, file("a.yaml", service))}, want: "`spec.source.oci`"},
		"two charts":       {config: mediaTypeHelmConfig, layers: []pushed{chart, chart}, want: "2 layers with a chart"},
		"no chart":         {config: mediaTypeHelmConfig, want: "0 layers with a chart"},
		"an unknown layer": {config: mediaTypeHelmConfig, layers: []pushed{chart, {mediaType: "text/plain", content: []byte("x")}}, want: `"text/plain"`},
	} {
		t.Run(name, func(t *testing.T) {
			digest := r.push(t, "charts/shop", "1.4.0", row.config, row.layers...)
			source := helm(r.url("charts/shop"), "", "1.4.0", "")
			_, err := r.fetcher(t, Limits{}).Resolve(t.Context(), source, Credentials{})
			expectError(t, err, v1alpha1.ReasonInvalidSource, fieldHelm, row.want)
			_, err = r.fetcher(t, Limits{}).Fetch(t.Context(), source, digest, Credentials{})
			expectError(t, err, v1alpha1.ReasonInvalidSource, fieldHelm, row.want)
		})
	}
	index := r.pushManifest(t, "charts/shop", "1.4.0", ocispec.MediaTypeImageIndex, encode(t, map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": []any{}}))
	_, err := r.fetcher(t, Limits{}).Fetch(t.Context(), helm(r.url("charts/shop"), "", "1.4.0", ""), index, Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldHelm, "index of 0 artifacts")
}

func TestAChartThatTheRegistryDoesNotDeliverIsAskedForAgain(t *testing.T) {
	r := startRegistry(t, plainRegistry)
	digest := r.pushChart(t, "charts/shop", "1.4.0", packChart(t, "1.4.0"))
	r.answering("blobs", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) })
	_, err := r.fetcher(t, Limits{}).Fetch(t.Context(), helm(r.url("charts/shop"), "", "1.4.0", ""), digest, Credentials{})
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldHelm, "does not exist")
}

func TestChartArchivesThatCannotBeTrustedAreRefused(t *testing.T) {
	meta := file("shop/Chart.yaml", "name: shop\nversion: 1.4.0\n")
	for name, row := range map[string]struct {
		entries []archived
		archive []byte
		field   string
		want    string
	}{
		"a link":                      {entries: []archived{meta, {name: "shop/templates/l", kind: '2', link: "/etc/passwd"}}, want: `"shop/templates/l" is a symbolic link`},
		"a hard link":                 {entries: []archived{meta, {name: "shop/l", kind: '1', link: "shop/Chart.yaml"}}, want: "is a hard link"},
		"a path out of it":            {entries: []archived{meta, file("shop/../../x", "x")}, want: `must not contain ".."`},
		"an absolute path":            {entries: []archived{meta, file("/etc/x", "x")}, want: "absolute path"},
		"a bomb":                      {entries: []archived{meta, file("shop/a", strings.Repeat("x", 90_000)), file("shop/b", strings.Repeat("x", 90_000))}, want: "larger than 150000 bytes after decompression"},
		"a huge file":                 {entries: []archived{meta, file("shop/a", strings.Repeat("x", 100_001))}, want: `"shop/a" is larger than 100000 bytes`},
		"two folders":                 {entries: []archived{meta, file("other/a", "x")}, want: "must have one"},
		"a file beside the folder":    {entries: []archived{meta, file("a", "x")}, want: "beside the chart's folder"},
		"no Chart.yaml":               {entries: []archived{file("shop/values.yaml", "x: 1")}, want: "no Chart.yaml"},
		"a Chart.yaml that is broken": {entries: []archived{file("shop/Chart.yaml", "a: b: c")}, want: "not valid YAML"},
		"another version":             {entries: []archived{file("shop/Chart.yaml", "name: shop\nversion: 1.4.1\n")}, field: fieldHelmVersion, want: `"1.4.1"`},
		"another name":                {entries: []archived{file("shop/Chart.yaml", "name: shap\nversion: 1.4.0\n")}, field: fieldHelmChart, want: `"shap"`},
		"a whiteout":                  {entries: []archived{meta, file("shop/.wh.a", "")}, want: `".wh."`},
		"no archive":                  {archive: []byte("<html>"), want: "not a readable tar archive"},
		"half an archive":             {archive: packChart(t, "1.4.0")[:500], want: "not a readable tar archive"},
	} {
		t.Run(name, func(t *testing.T) {
			archive := row.archive
			if archive == nil {
				archive = gzipped(t, tarOf(t, row.entries...))
			}
			field := row.field
			if field == "" {
				field = fieldHelm
			}
			c := startChartRepository(t, plainRegistry)
			c.publish("1.4.0", "shop-1.4.0.tgz", archive)
			fetcher := fetcherFor(t, c.server, Limits{DecompressedBytes: 150_000, FileBytes: 100_000})
			_, err := fetcher.Resolve(t.Context(), helm(c.url(), "shop", "1.4.0", ""), Credentials{})
			expectError(t, err, v1alpha1.ReasonInvalidSource, field, row.want)
		})
	}
}

func TestAChartIsFetchedFromARepository(t *testing.T) {
	for _, where := range []string{"shop-1.4.0+a.tgz", "/charts/shop-1.4.0+a.tgz", "HOST/charts/shop-1.4.0+a.tgz"} {
		for _, kind := range []registryKind{plainRegistry, authRegistry} {
			t.Run(string(kind)+" "+where, func(t *testing.T) {
				c := startChartRepository(t, kind)
				published := c.publish("1.4.0+a", strings.ReplaceAll(where, "HOST", c.server.URL), packChart(t, "1.4.0+a"))
				credentials := Credentials{}
				if kind == authRegistry {
					credentials = basicAuth(t, strings.TrimPrefix(c.server.URL, "https://"))
				}
				fetcher, source := fetcherFor(t, c.server, Limits{}), helm(c.url()+"/", "shop", "1.4.0+a", "")
				tree, digest := resolveAndFetch(t, fetcher, source, credentials)
				expectChart(t, tree, "1.4.0+a")
				if digest != published {
					t.Errorf("got digest %q, want the archive's %q", digest, published)
				}
				restarted := fetcherFor(t, c.server, Limits{})
				if _, err := restarted.Fetch(t.Context(), source, digest, credentials); err != nil {
					t.Errorf("what was resolved before a restart is not fetched: %v", err)
				}
				c.server.Close()
				for _, fetcher := range []*Fetcher{fetcher, restarted} {
					if _, err := fetcher.Fetch(t.Context(), source, digest, credentials); err != nil {
						t.Errorf("the repository is down, and the chart is not kept: %v", err)
					}
				}
			})
		}
	}
}

func TestARepositorysArchiveMustHaveEveryDigestThatIsNamed(t *testing.T) {
	c := startChartRepository(t, plainRegistry)
	source := helm(c.url(), "shop", "1.4.0", "")
	fetch := func(source v1alpha1.ReleaseSource) error {
		_, err := fetcherFor(t, c.server, Limits{}).Resolve(t.Context(), source, Credentials{})
		return err
	}
	first := c.publish("1.4.0", "shop-1.4.0.tgz", packChart(t, "1.4.0"))
	pinned := source
	pinned.Helm.Digest = first
	if err := fetch(pinned); err != nil {
		t.Error(err)
	}
	pinned.Helm.Digest = "sha256:" + v1alpha1.Digest(strings.Repeat("0", 64))
	expectError(t, fetch(pinned), v1alpha1.ReasonDigestMismatch, fieldHelmDigest, string(first))
	_, err := fetcherFor(t, c.server, Limits{}).Fetch(t.Context(), pinned, first, Credentials{})
	expectError(t, err, v1alpha1.ReasonDigestMismatch, fieldHelmDigest, "create a new Release")
	pinned.Helm.Digest = "sha256:0"
	expectError(t, fetch(pinned), v1alpha1.ReasonInvalidSource, fieldHelmDigest, "is not a SHA-256 digest")
	c.put("/charts/index.yaml", []byte(indexOf("1.4.0", "shop-1.4.0.tgz", strings.Repeat("0", 64))))
	expectError(t, fetch(source), v1alpha1.ReasonDigestMismatch, fieldHelmVersion, "helm repo index")
	c.put("/charts/index.yaml", []byte(indexOf("1.4.0", "shop-1.4.0.tgz", "")))
	expectError(t, fetch(source), v1alpha1.ReasonInvalidSource, fieldHelmDigest, "must be set", string(first))
	pinned.Helm.Digest = first
	if err := fetch(pinned); err != nil {
		t.Error(err)
	}
	// Published again under the same version: the Release keeps what it has seen, and nothing else counts as it.
	archive := gzipped(t, tarOf(t, append(chartEntries(t, "1.4.0"), file("shop/new.txt", "new"))...))
	second := c.publish("1.4.0", "shop-1.4.0.tgz", archive)
	_, err = fetcherFor(t, c.server, Limits{}).Fetch(t.Context(), source, first, Credentials{})
	expectError(t, err, v1alpha1.ReasonDigestMismatch, fieldHelmVersion, string(first), string(second))
	c.server.Close()
	_, err = fetcherFor(t, c.server, Limits{}).Fetch(t.Context(), source, second, Credentials{})
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldHelmURL, "up and reachable")
}

func TestARepositoryMayKeepArchivesOnAnotherHostOnlyWithoutCredentials(t *testing.T) {
	c := startChartRepository(t, authRegistry)
	store, plain := startChartRepository(t, tlsRegistry), startChartRepository(t, plainRegistry)
	roots := x509.NewCertPool()
	roots.AddCert(c.server.Certificate())
	roots.AddCert(store.server.Certificate())
	fetcher, err := New(t.TempDir(), Limits{}, WithRootCAs(roots))
	if err != nil {
		t.Fatal(err)
	}
	archive := packChart(t, "1.4.0")
	encoded := digest.FromBytes(archive).Encoded()
	store.put("/files/shop.tgz", archive)
	plain.put("/files/shop.tgz", archive)
	credentials := basicAuth(t, strings.TrimPrefix(c.server.URL, "https://"))
	source := helm(c.url(), "shop", "1.4.0", "")

	c.put("/charts/index.yaml", []byte(indexOf("1.4.0", store.server.URL+"/files/shop.tgz", encoded)))
	tree, _ := resolveAndFetch(t, fetcher, source, credentials)
	expectChart(t, tree, "1.4.0")
	if _, logins := store.seen(); len(logins) != 1 || logins[0] != "" {
		t.Errorf("the other host was sent the credentials %q", logins)
	}
	c.put("/charts/index.yaml", []byte(indexOf("1.4.0", plain.server.URL+"/files/shop.tgz", encoded)))
	_, err = fetcher.Resolve(t.Context(), source, credentials)
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldHelmURL, "another host without TLS")

	// A redirect from the repository's own host, which the credentials are for, is not followed.
	c.put("/charts/index.yaml", []byte(indexOf("1.4.0", "shop-1.4.0.tgz", encoded)))
	c.set(func(w http.ResponseWriter, request *http.Request) bool {
		if strings.HasSuffix(request.URL.Path, ".tgz") {
			http.Redirect(w, request, store.server.URL+"/files/shop.tgz", http.StatusFound)
			return true
		}
		return false
	})
	store.set(nil)
	_, err = fetcher.Resolve(t.Context(), source, credentials)
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldHelmURL, "sends on to", store.server.URL)
	if requests, _ := store.seen(); len(requests) > 0 {
		t.Errorf("the other host was asked %v", requests)
	}
}

func TestRedirectsOfARepositoryWithoutCredentialsAreFollowedForArchivesOverTLS(t *testing.T) {
	c, store, plain := startChartRepository(t, plainRegistry), startChartRepository(t, tlsRegistry), startChartRepository(t, plainRegistry)
	archive := packChart(t, "1.4.0")
	c.publish("1.4.0", "shop-1.4.0.tgz", archive)
	store.put("/charts/shop-1.4.0.tgz", archive)
	plain.put("/charts/shop-1.4.0.tgz", archive)
	source := helm(c.url(), "shop", "1.4.0", "")
	redirect := func(suffix, to string) {
		c.set(func(w http.ResponseWriter, request *http.Request) bool {
			if strings.HasSuffix(request.URL.Path, suffix) {
				http.Redirect(w, request, to+request.URL.Path, http.StatusFound)
				return true
			}
			return false
		})
	}
	redirect(".tgz", store.server.URL)
	tree, _ := resolveAndFetch(t, fetcherFor(t, store.server, Limits{}), source, Credentials{})
	expectChart(t, tree, "1.4.0")
	redirect(".tgz", plain.server.URL)
	_, err := fetcherFor(t, c.server, Limits{}).Resolve(t.Context(), source, Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldHelmURL, "sends on to")
	redirect("index.yaml", store.server.URL)
	_, err = fetcherFor(t, store.server, Limits{}).Resolve(t.Context(), source, Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldHelmURL, "the index", "sends on to")
}

func TestFailuresOfAChartRepositorySayWhatToDo(t *testing.T) {
	c := startChartRepository(t, plainRegistry)
	c.publish("1.4.0", "shop-1.4.0.tgz", packChart(t, "1.4.0"))
	source := helm(c.url(), "shop", "1.4.0", "")
	status := func(suffix string, code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, request *http.Request) bool {
			if strings.HasSuffix(request.URL.Path, suffix) {
				http.Error(w, "no", code)
			}
			return strings.HasSuffix(request.URL.Path, suffix)
		}
	}
	never := func(suffix string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, request *http.Request) bool {
			if strings.HasSuffix(request.URL.Path, suffix) {
				endless(w, "entries:\n")
			}
			return strings.HasSuffix(request.URL.Path, suffix)
		}
	}
	answer := func(text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(text))
			return true
		}
	}
	aliases := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		aliases += strings.ReplaceAll("N: &N [*P,*P,*P,*P,*P,*P,*P,*P,*P,*P]\n", "P", string(rune('a'+i)))
		aliases = strings.ReplaceAll(aliases, "N", string(rune('b'+i)))
	}
	for name, row := range map[string]struct {
		intercept func(http.ResponseWriter, *http.Request) bool
		source    v1alpha1.ReleaseSource
		reason    string
		field     string
		want      []string
	}{
		"401":                     {intercept: status("", 401), field: fieldHelm + ".secretRef", want: []string{"401 Unauthorized", secretTypeBasicAuth}},
		"404 for the index":       {intercept: status("index.yaml", 404), field: fieldHelmURL, want: []string{"the index does not exist"}},
		"404 for the archive":     {intercept: status(".tgz", 404), field: fieldHelmVersion, want: []string{"version 1.4.0 of chart shop does not exist"}},
		"500":                     {intercept: status("", 500), field: fieldHelmURL, want: []string{"500 Internal Server Error"}},
		"an index without end":    {intercept: never("index.yaml"), reason: v1alpha1.ReasonInvalidSource, field: fieldHelmURL, want: []string{"the index", "larger than 100000 bytes"}},
		"an archive without end":  {intercept: never(".tgz"), reason: v1alpha1.ReasonInvalidSource, field: fieldHelmVersion, want: []string{"archive is larger than 50000 bytes"}},
		"a server that hangs":     {intercept: func(_ http.ResponseWriter, request *http.Request) bool { <-request.Context().Done(); return true }, field: fieldHelmURL, want: []string{"did not answer in time"}},
		"a page instead":          {intercept: answer("<html>\n\t<p>"), reason: v1alpha1.ReasonInvalidSource, field: fieldHelmURL, want: []string{"check that it is a chart repository"}},
		"an index that is empty":  {intercept: answer("apiVersion: v1"), reason: v1alpha1.ReasonInvalidSource, field: fieldHelmURL, want: []string{"has no `entries`"}},
		"a bomb of aliases":       {intercept: answer(aliases + "entries: *j\n"), reason: v1alpha1.ReasonInvalidSource, field: fieldHelmURL, want: []string{"not valid YAML"}},
		"an entry without urls":   {intercept: answer("entries: {shop: [{version: 1.4.0}]}"), reason: v1alpha1.ReasonInvalidSource, field: fieldHelmURL, want: []string{"has no `urls`"}},
		"a file as the archive":   {intercept: answer("entries: {shop: [{version: 1.4.0, urls: ['file:///etc/passwd']}]}"), reason: v1alpha1.ReasonInvalidSource, field: fieldHelmURL, want: []string{"none of https://"}},
		"a password in the index": {intercept: answer("entries: {shop: [{version: 1.4.0, urls: ['https://u:hidden@h/x']}]}"), reason: v1alpha1.ReasonInvalidSource, field: fieldHelmURL, want: []string{"must not be there"}},
		"another version":         {source: helm(c.url(), "shop", "1.4.1", ""), field: fieldHelmVersion, want: []string{`"1.4.1" of chart "shop" is not in the index`}},
		"a range":                 {source: helm(c.url(), "shop", "1.x", ""), field: fieldHelmVersion, want: []string{"is not in the index"}},
		"another chart":           {source: helm(c.url(), "shap", "1.4.0", ""), field: fieldHelmChart, want: []string{`"shap" is not in the index`}},
		"no chart":                {source: helm(c.url(), "", "1.4.0", ""), reason: v1alpha1.ReasonInvalidSource, field: fieldHelmChart, want: []string{"must be set"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.set(row.intercept)
			from := source
			if row.source.Helm.URL != "" {
				from = row.source
			}
			limits := Limits{IndexBytes: 100_000, CompressedBytes: 50_000}
			if strings.HasSuffix(name, "hangs") {
				limits.Timeout = time.Second
			}
			_, err := fetcherFor(t, c.server, limits).Resolve(t.Context(), from, Credentials{})
			reason := row.reason
			if reason == "" {
				reason = v1alpha1.ReasonFetchFailed
			}
			expectError(t, err, reason, row.field, row.want...)
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestABundleHasNothingToFetch(t *testing.T) {
	fetcher, err := New(t.TempDir(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	bundle := v1alpha1.ReleaseSource{Bundle: []v1alpha1.BundledRelease{{Name: "shop-1.4.0"}}}
	_, err = fetcher.Resolve(t.Context(), bundle, Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, "spec.source.bundle", "no content of its own")
	_, err = fetcher.Fetch(t.Context(), bundle, "sha256:"+v1alpha1.Digest(strings.Repeat("0", 64)), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, "spec.source.bundle", "no content of its own")
}
