// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/yaml"
)

// application is a folder with one folder for each of its versions.
type application struct {
	name string
	// releases in the order in which they are rolled out.
	releases []release
}

// release is a version of an application, as it is packed.
type release struct {
	version string
	// folder of the version on this machine.
	folder string
	// kustomization that is put at the root of the artifact; empty where the folder is complete as it is.
	kustomization string
}

// name of the Release.
func (r release) name(application string) string {
	return strings.ToLower(application + "-" + strings.NewReplacer("+", "-", "_", "-").Replace(r.version))
}

// discover the applications in a folder: APPLICATION/VERSION/[path]/…, where versions sort as semantic versions and a folder with a kustomization is a source.
func discover(folder string) ([]application, error) {
	names, err := folders(folder)
	if err != nil {
		return nil, err
	}
	var found []application
	for _, name := range names {
		one := application{name: name}
		versions, err := sortedVersions(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		for _, version := range versions {
			releases, err := releasesOf(filepath.Join(folder, name, version), version)
			if err != nil {
				return nil, fmt.Errorf("application %q, version %q: %w", name, version, err)
			}
			one.releases = append(one.releases, releases...)
		}
		if len(one.releases) > 0 {
			found = append(found, one)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%q holds no application: it must have folders APPLICATION/VERSION with manifests or kustomizations", folder)
	}
	return found, nil
}

func folders(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func sortedVersions(folder string) ([]string, error) {
	names, err := folders(folder)
	if err != nil {
		return nil, err
	}
	versions := map[string]*semver.Version{}
	for _, name := range names {
		if versions[name], err = semver.NewVersion(name); err != nil {
			return nil, fmt.Errorf("folder %q: its name must be a semantic version: %w", filepath.Join(folder, name), err)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return versions[a].Compare(versions[b]) })
	return names, nil
}

// releasesOf a version: the folder as it is, if it has a kustomization or plain manifests; else all kustomizations below it together, and after that the same with the
// components on top.
func releasesOf(folder, version string) ([]release, error) {
	kinds, err := kustomizations(folder)
	if err != nil {
		return nil, err
	}
	if _, whole := kinds["."]; whole || len(kinds) == 0 {
		return []release{{version: version, folder: folder}}, nil
	}
	var resources, components []string
	for where, kind := range kinds {
		if kind == "Component" {
			components = append(components, where)
		} else {
			resources = append(resources, where)
		}
	}
	if len(resources) == 0 {
		return nil, errors.New("it has components and nothing that they could be put on: add a kustomization")
	}
	slices.Sort(resources)
	slices.Sort(components)
	releases := []release{{version: version, folder: folder, kustomization: rootKustomization(resources, nil)}}
	if len(components) > 0 {
		more := version + "+" + strings.ReplaceAll(strings.Join(components, "."), "/", "-")
		releases = append(releases, release{version: more, folder: folder, kustomization: rootKustomization(resources, components)})
	}
	return releases, nil
}

func rootKustomization(resources, components []string) string {
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources, "components": components,
	})
	if err != nil {
		panic(err) // it is made of strings
	}
	return string(text)
}

// kustomizations below a folder: the kind of each, by its path.
func kustomizations(folder string) (map[string]string, error) {
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains(konfig.RecognizedKustomizationFileNames(), path.Base(name)) {
			return err
		}
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		var content struct {
			Kind string `json:"kind"`
		}
		if err := yaml.Unmarshal(text, &content); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		found[path.Dir(name)] = content.Kind
		return nil
	})
	return found, err
}
