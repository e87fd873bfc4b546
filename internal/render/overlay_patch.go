// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/api/filters/patchstrategicmerge"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// overlayPatch is a patch that was read: either a merge patch or a JSON patch.
type overlayPatch struct {
	// merge is a strategic merge patch, nil if it is none.
	merge map[string]any
	// json is a JSON patch.
	json jsonpatch.Patch

	// named is the object that a merge patch names itself; nil if it has a target.
	named    *unstructured.Unstructured
	target   v1alpha1.OverlayTarget
	name     *regexp.Regexp
	selector labels.Selector
}

// patchError is a mistake in one field of a patch.
type patchError struct {
	field   string
	message string
}

func (e *patchError) Error() string { return e.message }

func patchErrorf(field, format string, args ...any) error {
	return &patchError{field: field, message: fmt.Sprintf(format, args...)}
}

// parsePatch reads a patch and its target. Errors are of type *patchError.
func parsePatch(patch v1alpha1.OverlayPatch) (*overlayPatch, error) {
	documents := splitDocuments("", []byte(patch.Patch))
	if len(documents) != 1 {
		return nil, patchErrorf("patch", "must be one YAML document and has %d: write one patch for each", len(documents))
	}
	value, err := documents[0].decode()
	if err != nil {
		return nil, patchErrorf("patch", "%s", plainMessage(err))
	}
	parsed := &overlayPatch{target: patch.Target}
	switch value := value.(type) {
	case map[string]any:
		parsed.merge = value
	case []any:
		if parsed.json, err = jsonPatch(value); err != nil {
			return nil, err
		}
	default:
		return nil, patchErrorf("patch", "must be a map, for a strategic merge patch, or a list of JSON patch operations, and is %s", yamlType(value))
	}
	if patch.Target != (v1alpha1.OverlayTarget{}) {
		return parsed, parsed.parseTarget()
	}
	if parsed.merge == nil {
		return nil, patchErrorf("target", "is missing: a list of JSON patch operations names no object itself")
	}
	parsed.named = &unstructured.Unstructured{Object: parsed.merge}
	if parsed.named.GetAPIVersion() == "" || parsed.named.GetKind() == "" || parsed.named.GetName() == "" {
		return nil, patchErrorf("target", "is missing: set it, or give the patch the `apiVersion`, `kind` and `metadata.name` of its object")
	}
	return parsed, nil
}

// plainMessage is a message with its line, for what has no file.
func plainMessage(err error) string {
	var mistake *Error
	if errors.As(err, &mistake) && mistake.Line > 0 {
		return fmt.Sprintf("has a mistake in line %d: %s", mistake.Line, mistake.Message)
	}
	return err.Error()
}

func (p *overlayPatch) parseTarget() error {
	var err error
	if p.target.Name != "" {
		// Go's regular expressions take time that grows with their length and the text's alone.
		if p.name, err = regexp.Compile(`^(?:` + p.target.Name + `)$`); err != nil {
			return patchErrorf("target.name", "%q is not a regular expression (%s): correct it", p.target.Name, short(err.Error()))
		}
	}
	if p.target.LabelSelector != "" {
		if p.selector, err = labels.Parse(p.target.LabelSelector); err != nil {
			return patchErrorf("target.labelSelector", "%q is not a label selector (%s): write one such as \"tier=web\"", p.target.LabelSelector, short(selectorMessage(err)))
		}
	}
	return nil
}

// jsonPatch checks the operations of a JSON patch (RFC 6902), which the library looks at only when it applies them.
func jsonPatch(operations []any) (jsonpatch.Patch, error) {
	if len(operations) == 0 {
		return nil, patchErrorf("patch", "has no operations: write some, or take it out")
	}
	copies := 0
	for i, operation := range operations {
		fields, isMap := operation.(map[string]any)
		if !isMap {
			return nil, patchErrorf("patch", "has an operation [%d] that is %s: write a map with `op` and `path`", i, yamlType(operation))
		}
		name, _ := fields["op"].(string)
		path, hasPath := fields["path"].(string)
		_, hasFrom := fields["from"].(string)
		_, hasValue := fields["value"]
		switch name {
		case "add", "replace", "test":
			if !hasValue {
				return nil, patchErrorf("patch", "has an operation [%d] %q without `value`: set it", i, name)
			}
		case "copy":
			copies++
			fallthrough
		case "move":
			if !hasFrom {
				return nil, patchErrorf("patch", "has an operation [%d] %q without `from`: set it", i, name)
			}
		case "remove":
		default:
			return nil, patchErrorf("patch", "has an operation [%d] whose `op` is %q: it must be add, remove, replace, move, copy or test", i, short(name))
		}
		if !hasPath || path == "" || path[0] != '/' {
			return nil, patchErrorf("patch", "has an operation [%d] whose `path` %q does not begin with \"/\": write one such as \"/spec/replicas\"", i, short(path))
		}
	}
	if copies > maxCopyOperations {
		// Each may double the object.
		return nil, patchErrorf("patch", "has %d operations \"copy\", at most %d are allowed: write the values out", copies, maxCopyOperations)
	}
	encoded, err := json.Marshal(operations)
	if err != nil {
		return nil, patchErrorf("patch", "cannot be written as JSON (%s): correct it", short(err.Error()))
	}
	decoded, err := jsonpatch.DecodePatch(encoded)
	if err != nil {
		return nil, patchErrorf("patch", "is not a JSON patch (%s): correct it", short(err.Error()))
	}
	return decoded, nil
}

// apply the patch to one object and return what becomes of it; nil if the patch deletes it.
func (p *overlayPatch) apply(object *unstructured.Unstructured) (changed *unstructured.Unstructured, err error) {
	// A patch that a library does not expect must not take the operator down.
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("it broke off: %v", broken)
		}
	}()
	if p.merge != nil {
		return p.applyMerge(object)
	}
	encoded, err := json.Marshal(object.Object)
	if err != nil {
		return nil, err
	}
	applied, err := p.json.Apply(encoded)
	if err != nil {
		return nil, err
	}
	return decodeObject(applied)
}

// applyMerge hands the object and the patch to kustomize, which knows the lists of Kubernetes' own kinds by their keys.
func (p *overlayPatch) applyMerge(object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	// As in kustomize, a patch with a target is for whatever the target selects, whatever name it has itself.
	own := maps.Clone(p.merge)
	own["apiVersion"], own["kind"] = object.GetAPIVersion(), object.GetKind()
	metadata, _ := own["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["name"] = object.GetName()
	delete(metadata, "namespace")
	own["metadata"] = metadata
	left, err := mergePatch(kyaml.NewRNode(valueNode(own)), kyaml.NewRNode(valueNode(object.Object)))
	if err != nil || len(left) == 0 || left[0].IsNilOrEmpty() {
		return nil, err
	}
	merged, err := nodeValue(left[0].YNode())
	if err != nil {
		return nil, err
	}
	fields, isMap := merged.(map[string]any)
	if !isMap {
		return nil, fmt.Errorf("it leaves %s, which is no object", yamlType(merged))
	}
	return &unstructured.Unstructured{Object: fields}, nil
}

func mergePatch(patch, object *kyaml.RNode) ([]*kyaml.RNode, error) {
	kustomizeRuns.Lock()
	defer kustomizeRuns.Unlock()
	return patchstrategicmerge.Filter{Patch: patch}.Filter([]*kyaml.RNode{object})
}

func decodeObject(text []byte) (*unstructured.Unstructured, error) {
	var value any
	if err := utiljson.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	fields, isMap := value.(map[string]any)
	if !isMap {
		return nil, fmt.Errorf("it leaves %s, which is no object", yamlType(value))
	}
	return &unstructured.Unstructured{Object: fields}, nil
}

// selectorMessage is the library's error without the field that it would have named if it had known one.
func selectorMessage(err error) string {
	return strings.ReplaceAll(err.Error(), "<nil>: ", "")
}
