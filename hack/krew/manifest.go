// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Manifest is what krew knows of a plugin, as its developer guide describes it.
type Manifest struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Metadata   Metadata     `json:"metadata"`
	Spec       ManifestSpec `json:"spec"`
}

// Metadata has the plugin's name, which is that of the file.
type Metadata struct {
	Name string `json:"name"`
}

// ManifestSpec says what the plugin is, and where to get it.
type ManifestSpec struct {
	Version          string     `json:"version"`
	ShortDescription string     `json:"shortDescription"`
	Description      string     `json:"description"`
	Homepage         string     `json:"homepage"`
	Caveats          string     `json:"caveats"`
	Platforms        []Platform `json:"platforms"`
}

// Platform is one archive.
type Platform struct {
	Selector Selector `json:"selector"`
	URI      string   `json:"uri"`
	SHA256   string   `json:"sha256"`
	// Bin is the program's place in the archive.
	Bin string `json:"bin"`
}

// Selector says for which machines an archive is.
type Selector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

func manifest(version string) *Manifest {
	return &Manifest{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin", Metadata: Metadata{Name: plugin},
		Spec: ManifestSpec{
			Version: version, Homepage: "https://github.com/assent-dev/assent",
			ShortDescription: "Promote releases that people approve",
			Description: `Ask for promotions, see exactly what they would change and what they wait for,
decide on them, and look at what runs where and how it came there.

It acts as you, through the Kubernetes API alone: what you may do is what RBAC says.
`,
			Caveats: `Assent must be installed in the cluster: see https://github.com/assent-dev/assent
For completion of names in your shell, see docs/cli.md there.
`,
		},
	}
}

func (m *Manifest) add(of binary, uri, sum string) {
	m.Spec.Platforms = append(m.Spec.Platforms, Platform{
		Selector: Selector{map[string]string{"os": of.system, "arch": of.architecture}}, URI: uri, SHA256: sum, Bin: of.bin(),
	})
}

var notInVersions = regexp.MustCompile(`[^0-9A-Za-z-]+`)

// semantic is a version as krew wants it: with a `v`, and semantic. Of a commit that has no tag it makes one that comes before all others.
func semantic(version string) string {
	if parsed, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v")); err == nil {
		return "v" + parsed.String()
	}
	return "v0.0.0-untagged." + "g" + strings.Trim(notInVersions.ReplaceAllString(version, "-"), "-")
}
