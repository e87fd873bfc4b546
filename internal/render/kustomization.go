// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"

	"github.com/assent-dev/assent/internal/source"
)

// Bounds of one kustomize build. A base counts each time it is used: two overlays of two overlays of two overlays double each time.
const (
	maxKustomizations   = 200
	maxKustomizeBytes   = 32 << 20
	maxKustomizeDepth   = 32
	maxCopyOperations   = 8
	maxReplacementPaths = 256
	// maxKustomizeWork is the sum of the squares of the objects in each kustomization, since kustomize compares each with each: 1,000
	// objects in four layers. One build is some seconds then, and others wait for it.
	maxKustomizeWork = 4 * MaxObjects * MaxObjects
)

// kustomizationWalk follows a kustomization through everything it refers to, before kustomize does. Kustomize would fetch what is not
// there as a file, from the web or with git, so every reference must be a path in the tree.
type kustomizationWalk struct {
	tree           source.Tree
	kustomizations int
	documents      int
	bytes          int
	work           int
	copies         int
	replacements   replacementPaths
}

// folderWalk is one kustomization on the way.
type folderWalk struct {
	*kustomizationWalk
	folder string
	file   string
	above  []string
}

func (w *kustomizationWalk) visit(folder, kind string, above []string) error {
	at := folderWalk{kustomizationWalk: w, folder: folder, file: kustomizationIn(w.tree, folder), above: append(slices.Clone(above), folder)}
	if w.kustomizations++; w.kustomizations > maxKustomizations || len(above) > maxKustomizeDepth {
		return at.errorf("uses more than %d kustomizations, or more than %d inside of each other: flatten it", maxKustomizations, maxKustomizeDepth)
	}
	kustomization, err := at.read()
	if err != nil {
		return err
	}
	if err := at.refuseUnsafe(kustomization); err != nil {
		return err
	}
	if isComponent := kustomization.Kind == types.ComponentKind; isComponent != (kind == types.ComponentKind) {
		return at.errorf("has the kind %q where %q belongs: a Component is listed under `components` and used by a Kustomization",
			kustomization.Kind, kind)
	}
	kustomization.FixKustomization()
	documentsBefore := w.documents
	for _, check := range []func(*types.Kustomization) error{
		at.checkResources, at.checkComponents, at.checkGenerators, at.checkPatches, at.checkReplacements, at.checkConfigurations,
	} {
		if err := check(kustomization); err != nil {
			return err
		}
	}
	within := w.documents - documentsBefore
	if w.work += within * within; w.work > maxKustomizeWork {
		return at.errorf("builds many objects in many kustomizations on top of each other: use fewer overlays, or split it into several applications")
	}
	return nil
}

func (f *folderWalk) errorf(format string, args ...any) *Error {
	return &Error{File: f.file, Message: fmt.Sprintf(format, args...)}
}

func (f *folderWalk) read() (*types.Kustomization, error) {
	content := f.tree[f.file]
	if err := f.spend(len(content)); err != nil {
		return nil, err
	}
	documents := splitDocuments(f.file, content)
	if len(documents) != 1 {
		return nil, f.errorf("must hold one YAML document and holds %d", len(documents))
	}
	if _, err := documents[0].decode(); err != nil {
		return nil, err
	}
	var kustomization types.Kustomization
	if err := kustomization.Unmarshal(content); err != nil {
		return nil, f.errorf("is not a kustomization (%s): correct it", short(err.Error()))
	}
	return &kustomization, nil
}

func (f *folderWalk) spend(bytes int) error {
	if f.bytes += bytes; f.bytes > maxKustomizeBytes {
		return f.errorf("reads more than %d bytes, each file counted as often as it is used: flatten it", maxKustomizeBytes)
	}
	return nil
}

// refuseUnsafe refuses what runs programs, fetches, or changes how other kustomizations are built.
func (f *folderWalk) refuseUnsafe(k *types.Kustomization) error {
	refused := []struct {
		used   bool
		field  string
		remedy string
	}{
		{len(k.HelmCharts) > 0, "helmCharts", "charts are not rendered here; add the output of `helm template` as a resource"},
		{k.HelmGlobals != nil, "helmGlobals", "charts are not rendered here; add the output of `helm template` as a resource"},
		{len(k.HelmChartInflationGenerator) > 0, "helmChartInflationGenerator", "charts are not rendered here; add the output of `helm template` as a resource"},
		{len(k.Generators) > 0, "generators", "plugins are not run; use `configMapGenerator`, `secretGenerator`, or add the objects as resources"},
		{len(k.Transformers) > 0, "transformers", "plugins are not run; use kustomize's own fields, such as `labels` and `patches`"},
		{len(k.Validators) > 0, "validators", "plugins are not run; validate in CI"},
		{len(k.OpenAPI) > 0, "openapi", "the schema is fixed; use JSON patches for lists in custom resources"},
		{len(k.Vars) > 0, "vars", "kustomize has deprecated it; use `replacements`"},
	}
	for _, one := range refused {
		if one.used {
			return f.errorf("`%s` is not supported: %s", one.field, one.remedy)
		}
	}
	return nil
}

// local returns the path in the tree that a reference means, or says why it means none.
func (f *folderWalk) local(field, reference string) (string, error) {
	if isRemote(reference) {
		return "", f.errorf("`%s` has %q, which is not a path: nothing is fetched while rendering; put the files into the artifact", field, short(reference))
	}
	if path.IsAbs(reference) {
		return "", f.errorf("`%s` has %q, which must be a relative path", field, short(reference))
	}
	joined := path.Join(f.folder, reference)
	if joined == ".." || strings.HasPrefix(joined, "../") {
		return "", f.errorf("`%s` has %q, which leads out of the artifact: put the files into it", field, short(reference))
	}
	return joined, nil
}

// isRemote is wider than what kustomize takes for an address, so that nothing it might fetch gets past.
func isRemote(reference string) bool {
	lower := strings.ToLower(strings.TrimSpace(reference))
	return strings.HasPrefix(lower, "github.com/") || strings.ContainsAny(lower, ":@?") || strings.Contains(lower, "//")
}

// localFile returns the content of a file that must lie in or below the kustomization's own folder.
func (f *folderWalk) localFile(field, reference string) (string, []byte, error) {
	name, err := f.local(field, reference)
	if err != nil {
		return "", nil, err
	}
	content, found := f.tree[name]
	if !found {
		return "", nil, f.errorf("`%s` has %q, which is not in the artifact: add it, or correct the path", field, short(reference))
	}
	if _, inside := below(name, f.folder); !inside {
		return "", nil, f.errorf("`%s` has %q, which is not in or below the kustomization's folder: move it there, or make it a base", field, short(reference))
	}
	return name, content, f.spend(len(content))
}

func (f *folderWalk) checkResources(k *types.Kustomization) error {
	for _, reference := range k.Resources {
		name, err := f.local("resources", reference)
		if err != nil {
			return err
		}
		if _, isFile := f.tree[name]; !isFile {
			if err := f.checkBase("resources", reference, name, types.KustomizationKind); err != nil {
				return err
			}
			continue
		}
		_, content, err := f.localFile("resources", reference)
		if err != nil {
			return err
		}
		objects, err := parseFile(name, content)
		if err != nil {
			return err
		}
		f.documents += len(objects) // compared with the bound once those are there that are generated
	}
	return nil
}

func (f *folderWalk) count(documents int) error {
	if f.documents += documents; f.documents > MaxObjects {
		return tooManyObjects(f.file)
	}
	return nil
}

func (f *folderWalk) checkComponents(k *types.Kustomization) error {
	for _, reference := range k.Components {
		name, err := f.local("components", reference)
		if err != nil {
			return err
		}
		if err := f.checkBase("components", reference, name, types.ComponentKind); err != nil {
			return err
		}
	}
	return nil
}

func (f *folderWalk) checkBase(field, reference, folder, kind string) error {
	if kustomizationIn(f.tree, folder) == "" {
		return f.errorf("`%s` has %q, which is neither a file nor a folder with a kustomization in the artifact: add it, or correct the path",
			field, short(reference))
	}
	for _, visited := range f.above {
		if visited == folder {
			return f.errorf("`%s` has %q, which leads back to where it came from: take it out", field, short(reference))
		}
	}
	return f.visit(folder, kind, f.above)
}

func (f *folderWalk) checkGenerators(k *types.Kustomization) error {
	for _, generator := range k.ConfigMapGenerator {
		if err := f.checkSources("configMapGenerator", generator.KvPairSources); err != nil {
			return err
		}
	}
	for _, generator := range k.SecretGenerator {
		if err := f.checkSources("secretGenerator", generator.KvPairSources); err != nil {
			return err
		}
	}
	return f.count(len(k.ConfigMapGenerator) + len(k.SecretGenerator))
}

func (f *folderWalk) checkSources(field string, sources types.KvPairSources) error {
	references := slices.Concat(sources.EnvSources, withoutKeys(sources.FileSources))
	for _, reference := range references {
		if _, _, err := f.localFile(field, reference); err != nil {
			return err
		}
	}
	return nil
}

// withoutKeys turns KEY=PATH into PATH.
func withoutKeys(entries []string) []string {
	paths := make([]string, 0, len(entries))
	for _, entry := range entries {
		if _, reference, hasKey := strings.Cut(entry, "="); hasKey {
			entry = reference
		}
		paths = append(paths, entry)
	}
	return paths
}

func (f *folderWalk) checkConfigurations(k *types.Kustomization) error {
	for field, references := range map[string][]string{"configurations": k.Configurations, "crds": k.Crds} {
		for _, reference := range references {
			name, content, err := f.localFile(field, reference)
			if err != nil {
				return err
			}
			if err := checkSyntax(name, content, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkSyntax reads YAML that is not an object of its own, and hands each document on.
func checkSyntax(name string, content []byte, each func(any) error) error {
	for _, doc := range splitDocuments(name, content) {
		value, err := doc.decode()
		if err != nil {
			return err
		}
		if each == nil {
			continue
		}
		if err := each(value); err != nil {
			return err
		}
	}
	return nil
}
