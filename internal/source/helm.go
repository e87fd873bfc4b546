// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	fieldHelm        = "spec.source.helm"
	fieldHelmURL     = "spec.source.helm.url"
	fieldHelmChart   = "spec.source.helm.chart"
	fieldHelmVersion = "spec.source.helm.version"
	fieldHelmDigest  = "spec.source.helm.digest"

	mediaTypeHelmContent    = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	mediaTypeHelmProvenance = "application/vnd.cncf.helm.chart.provenance.v1.prov"

	// chartFile says what a chart is.
	chartFile = "Chart.yaml"
)

// chart finds out where a chart comes from: an OCI registry, or a repository with an index.
func (f *Fetcher) chart(source v1alpha1.HelmSource, credentials Credentials) (opened, error) {
	if source.Version == "" {
		return nil, invalid(fieldHelmVersion, "must be set: the exact version of the chart")
	}
	if strings.HasPrefix(source.URL, schemeTLS) || strings.HasPrefix(source.URL, schemePlain) {
		return f.ociChart(source, credentials)
	}
	return f.repositoryChart(source, credentials)
}

func (f *Fetcher) ociChart(source v1alpha1.HelmSource, credentials Credentials) (opened, error) {
	if source.Chart != "" {
		return nil, invalid(fieldHelmChart, "is for repositories with https://: with oci:// the `url` itself names the chart")
	}
	found, err := f.inRegistry(fieldHelm, strings.TrimSuffix(source.URL, "/"), credentials)
	if err != nil {
		return nil, err
	}
	// A tag has no plus sign; `helm push` writes an underscore for it, which a version does not have.
	found.tag, found.tagField, found.pinned = strings.ReplaceAll(source.Version, "+", "_"), fieldHelmVersion, source.Digest
	return &ociChart{artifact: found, version: source.Version}, nil
}

func (f *Fetcher) repositoryChart(source v1alpha1.HelmSource, credentials Credentials) (opened, error) {
	base, err := parseHTTP(fieldHelmURL, strings.TrimSuffix(source.URL, "/"))
	if err != nil {
		return nil, err
	}
	if source.Chart == "" {
		return nil, invalid(fieldHelmChart, "must be set: the name of the chart in the repository")
	}
	login, err := credentials.forServer(fieldHelm+".secretRef", base)
	if err != nil {
		return nil, err
	}
	return &repositoryChart{
		source: source, base: base, login: login, http: f.http, indexes: f.indexes, cache: f.cache, limits: f.limits,
	}, nil
}

// unpackChart returns the files of a chart's archive without its top folder. The name is not looked at where it is empty.
func unpackChart(archive []byte, name, version string, limits Limits) (Tree, error) {
	unpacked, err := unpack(archive, newBudget(limits))
	if err != nil {
		return nil, invalid(fieldHelm, "the chart's archive %s", err.Error())
	}
	whole := Tree{}
	if err := whole.addArchive(unpacked); err != nil {
		return nil, invalid(fieldHelm, "the chart's archive %s", err.Error())
	}
	tree, err := whole.withoutTop()
	if err != nil {
		return nil, invalid(fieldHelm, "the chart's archive %s", err.Error())
	}
	if err := tree.checkChart(name, version); err != nil {
		return nil, err
	}
	return tree, nil
}

// withoutTop takes away the one folder that everything lies in, as `helm package` writes it.
func (t Tree) withoutTop() (Tree, error) {
	top, stripped := "", make(Tree, len(t))
	for _, name := range t.Paths() {
		folder, rest, found := strings.Cut(name, "/")
		switch {
		case !found:
			return nil, fmt.Errorf("has the file %q beside the chart's folder: make it with `helm package`", foreign(name))
		case top != "" && folder != top:
			return nil, fmt.Errorf("has the folders %q and %q at its root, and must have one: make it with `helm package`", foreign(top), foreign(folder))
		}
		top = folder
		stripped[rest] = t[name]
	}
	return stripped, nil
}

// checkChart refuses what is no chart, or another one than the Release names: a tag or an index can point anywhere.
func (t Tree) checkChart(name, version string) error {
	encoded, found := t[chartFile]
	if !found {
		return invalid(fieldHelm, "the chart's archive has no %s in its folder: make it with `helm package`", chartFile)
	}
	if len(encoded) > maxChartFileBytes {
		return invalid(fieldHelm, "the chart's %s is larger than %d bytes: shorten it", chartFile, maxChartFileBytes)
	}
	var chart struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	if err := yaml.Unmarshal(encoded, &chart); err != nil {
		return invalid(fieldHelm, "the chart's %s is not valid YAML (%s): package it again", chartFile, foreign(err.Error()))
	}
	switch {
	case chart.Version != version:
		return invalid(fieldHelmVersion, "is %q, and the chart that is there calls itself version %q: create a new Release with the version that is meant", version, foreign(chart.Version))
	case name != "" && chart.Name != name:
		return invalid(fieldHelmChart, "is %q, and the chart that is there calls itself %q: correct the repository's index", name, foreign(chart.Name))
	}
	return nil
}

// maxChartFileBytes of a Chart.yaml.
const maxChartFileBytes = 256 << 10

// index of a chart repository, as far as it is needed.
type index struct {
	Entries map[string][]indexEntry `json:"entries"`
}

type indexEntry struct {
	Version string   `json:"version"`
	Digest  string   `json:"digest"`
	URLs    []string `json:"urls"`
}

func parseIndex(encoded []byte) (*index, error) {
	var parsed index
	if err := yaml.Unmarshal(encoded, &parsed); err != nil {
		return nil, fmt.Errorf("is not valid YAML (%s)", foreign(err.Error()))
	}
	if parsed.Entries == nil {
		return nil, errors.New("has no `entries`")
	}
	return &parsed, nil
}

// location is where an entry's archive lies. It may lie on another host, as it does for charts that are published as files of a release of a
// code host; then it must be https://, and no credentials are sent there. Its digest is checked wherever it comes from.
func (e indexEntry) location(base *url.URL) (*url.URL, error) {
	if len(e.URLs) == 0 {
		return nil, errors.New("has no `urls`")
	}
	folder := *base
	folder.Path = strings.TrimSuffix(folder.Path, "/") + "/"
	location, err := folder.Parse(e.URLs[0])
	switch {
	case err != nil, location.Hostname() == "", location.Scheme != "https" && location.Scheme != "http":
		return nil, fmt.Errorf("has the URL %q, which is none of https:// or of this repository", foreign(e.URLs[0]))
	case location.User != nil:
		return nil, errors.New("has a URL with a username or a password, which must not be there")
	case location.Scheme == "http" && !sameOrigin(location, base):
		return nil, fmt.Errorf("has an archive on another host without TLS, %q", foreign(originText(location)))
	}
	return location, nil
}
