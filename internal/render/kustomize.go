// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/assent-dev/assent/internal/source"
)

// kustomizeRuns lets one kustomization run at a time: kustomize keeps the schema that it builds with in variables of its package.
var kustomizeRuns sync.Mutex

// kustomizationIn returns the kustomization file of a folder, or "" where there is none.
func kustomizationIn(tree source.Tree, folder string) string {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if _, found := tree[path.Join(folder, name)]; found {
			return path.Join(folder, name)
		}
	}
	return ""
}

func isKustomization(name string) bool {
	for _, known := range konfig.RecognizedKustomizationFileNames() {
		if name == known {
			return true
		}
	}
	return false
}

// kustomize builds the kustomization in a folder, after it has made sure that the build stays inside of the tree.
func kustomize(tree source.Tree, folder string) ([]located, error) {
	walk := kustomizationWalk{tree: tree}
	if err := walk.visit(folder, types.KustomizationKind, nil); err != nil {
		return nil, err
	}
	file := kustomizationIn(tree, folder)
	built, err := build(tree, folder)
	if err != nil {
		return nil, &Error{File: file, Message: fmt.Sprintf("kustomize cannot build it (%s): correct it, `kustomize build` shows the same", buildMessage(err))}
	}
	return decodeBuilt(file, built)
}

// build runs kustomize on the tree.
func build(tree source.Tree, folder string) (built resmap.ResMap, err error) {
	kustomizeRuns.Lock()
	defer kustomizeRuns.Unlock()
	// A mistake in somebody's manifests that kustomize does not expect must not take the operator down.
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("kustomize broke off: %v", broken)
		}
	}()
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsRootOnly
	options.PluginConfig = types.DisabledPluginConfig()
	return krusty.MakeKustomizer(options).Run(newTreeFiles(tree), path.Join("/", folder))
}

// buildMessage keeps the end of a long message: kustomize puts the cause last.
func buildMessage(err error) string {
	message := strings.Join(strings.Fields(strings.ToValidUTF8(err.Error(), "?")), " ")
	if runes := []rune(message); len(runes) > maxShown {
		return "…" + string(runes[len(runes)-maxShown:])
	}
	return message
}

// decodeBuilt reads what kustomize has made as it would be read from its output, so that the two ways of rendering agree.
func decodeBuilt(file string, built resmap.ResMap) ([]located, error) {
	found := make([]located, 0, built.Size())
	for _, resource := range built.Resources() {
		content, err := resource.AsYAML()
		if err != nil {
			return nil, &Error{File: file, Message: fmt.Sprintf("kustomize made an object that cannot be read (%s): correct it", buildMessage(err))}
		}
		value, err := document{place: place{file: file}, content: content}.decode()
		if err != nil {
			return nil, withoutLine(err)
		}
		fields, _ := value.(map[string]any) // what is none has no kind, which is said later
		found = append(found, located{place: place{file: file}, object: &unstructured.Unstructured{Object: fields}})
	}
	return found, nil
}

// withoutLine takes away a line that is one of kustomize's output, which nobody has.
func withoutLine(err error) error {
	located := &Error{}
	errors.As(err, &located) // they all are
	located.Line = 0
	return err
}
