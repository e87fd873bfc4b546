// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

func (f *folderWalk) checkPatches(k *types.Kustomization) error {
	for _, patch := range k.Patches {
		if err := f.checkPatch("patches", patch); err != nil {
			return err
		}
	}
	for _, patch := range k.PatchesJson6902 {
		if err := f.checkPatch("patchesJson6902", patch); err != nil {
			return err
		}
	}
	for _, patch := range k.PatchesStrategicMerge {
		if err := f.checkMergePatch(string(patch)); err != nil {
			return err
		}
	}
	return nil
}

func (f *folderWalk) checkPatch(field string, patch types.Patch) error {
	if patch.Path != "" {
		name, content, err := f.localFile(field, patch.Path)
		if err != nil {
			return err
		}
		if err := checkSyntax(name, content, f.countCopies); err != nil {
			return err
		}
	}
	if patch.Patch == "" {
		return nil
	}
	return inlineError(checkSyntax(f.file, []byte(patch.Patch), f.countCopies))
}

// inlineError takes away a line that counts from the beginning of the inline text and not of the file.
func inlineError(err error) error {
	if err == nil {
		return nil
	}
	return withoutLine(err)
}

// checkMergePatch takes what kustomize takes: a path, or the patch itself.
func (f *folderWalk) checkMergePatch(patch string) error {
	var decoded any
	isInline := strings.Contains(patch, "\n") || (yaml.Unmarshal([]byte(patch), &decoded) == nil && !isText(decoded))
	if isInline && !looksFetched(patch) {
		return inlineError(checkSyntax(f.file, []byte(patch), nil))
	}
	name, content, err := f.localFile("patchesStrategicMerge", patch)
	if err != nil {
		return err
	}
	return checkSyntax(name, content, nil)
}

func isText(value any) bool {
	_, is := value.(string)
	return is
}

// looksFetched is true for text that kustomize would try as an address before it tries it as a patch.
func looksFetched(text string) bool {
	lower := strings.ToLower(strings.TrimSpace(text))
	return strings.HasPrefix(lower, "http:") || strings.HasPrefix(lower, "https:")
}

// countCopies bounds the operation of a JSON patch by which an object can grow without the patch growing: each copy may double it.
func (w *kustomizationWalk) countCopies(patch any) error {
	operations, _ := patch.([]any)
	for _, operation := range operations {
		fields, _ := operation.(map[string]any)
		if fields["op"] != "copy" {
			continue
		}
		if w.copies++; w.copies > maxCopyOperations {
			return &Error{Message: "the kustomization has too many JSON patches with the operation \"copy\": write the values out"}
		}
	}
	return nil
}

// replacementPaths are the fields that a build's replacements read and write.
type replacementPaths struct {
	sources []string
	targets []string
}

// maxFedReplacements bounds the replacements that may read what replacements write: each may double what it copies.
const maxFedReplacements = 8

func (f *folderWalk) checkReplacements(k *types.Kustomization) error {
	for _, field := range k.Replacements {
		replacements := []types.Replacement{field.Replacement}
		if field.Path != "" {
			name, content, err := f.localFile("replacements", field.Path)
			if err != nil {
				return err
			}
			if err := checkSyntax(name, content, nil); err != nil {
				return err
			}
			if replacements, err = readReplacements(content); err != nil {
				return &Error{File: name, Message: "is not a list of replacements (" + short(err.Error()) + "): correct it"}
			}
		}
		for _, replacement := range replacements {
			f.replacements.add(replacement)
		}
	}
	if len(f.replacements.targets) > maxReplacementPaths {
		return f.errorf("has replacements with more than %d target fields: use patches", maxReplacementPaths)
	}
	if f.replacements.fed() > maxFedReplacements {
		return f.errorf("has more than %d replacements that read what replacements write: read the original fields", maxFedReplacements)
	}
	return nil
}

// readReplacements reads a file of replacements, which may be one or a list.
func readReplacements(content []byte) ([]types.Replacement, error) {
	var list []types.Replacement
	if err := yaml.Unmarshal(content, &list); err == nil {
		return list, nil
	}
	var one types.Replacement
	err := yaml.Unmarshal(content, &one)
	return []types.Replacement{one}, err
}

func (r *replacementPaths) add(replacement types.Replacement) {
	read := types.DefaultReplacementFieldPath
	if replacement.Source != nil && replacement.Source.FieldPath != "" {
		read = replacement.Source.FieldPath
	}
	r.sources = append(r.sources, fieldPath(read))
	for _, target := range replacement.Targets {
		if target == nil {
			continue
		}
		written := target.FieldPaths
		if len(written) == 0 {
			written = []string{types.DefaultReplacementFieldPath}
		}
		for _, field := range written {
			r.targets = append(r.targets, fieldPath(field))
		}
	}
}

// fieldPath puts a path in one form, with its elements as in a path of files. Keys in brackets may stand for any element.
func fieldPath(dotted string) string {
	return path.Clean(strings.ReplaceAll(dotted, ".", "/"))
}

// fed counts the targets that a source may read from: the same field, one above it or one below it.
func (r *replacementPaths) fed() int {
	count := 0
	for _, target := range r.targets {
		for _, read := range r.sources {
			if overlaps(target, read) {
				count++
				break
			}
		}
	}
	return count
}

func overlaps(one, other string) bool {
	a, b := strings.Split(one, "/"), strings.Split(other, "/")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] && !isPattern(a[i]) && !isPattern(b[i]) {
			return false
		}
	}
	return true
}

func isPattern(element string) bool { return strings.ContainsAny(element, "*[]=") }
