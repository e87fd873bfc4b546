// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// manifest is a file of the guard: the objects in it, in their order.
type manifest struct {
	// path from the repository's root.
	path    string
	objects []*unstructured.Unstructured
}

// parseManifest reads the documents of a file.
func parseManifest(path string, content []byte) (manifest, error) {
	read := manifest{path: path}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return read, nil
		case err != nil:
			return read, fmt.Errorf("reading %q: %w", path, err)
		case len(object.Object) > 0:
			read.objects = append(read.objects, object)
		}
	}
}

// bytes is the manifest as a file holds it, without comments.
func (m manifest) bytes() ([]byte, error) {
	documents := make([][]byte, 0, len(m.objects))
	for _, object := range m.objects {
		document, err := sigsyaml.Marshal(object.Object)
		if err != nil {
			return nil, fmt.Errorf("writing %q: %w", m.path, err)
		}
		documents = append(documents, document)
	}
	return bytes.Join(documents, []byte("---\n")), nil
}

// copy shares nothing with the manifest.
func (m manifest) copy() manifest {
	objects := make([]*unstructured.Unstructured, 0, len(m.objects))
	for _, object := range m.objects {
		objects = append(objects, object.DeepCopy())
	}
	return manifest{path: m.path, objects: objects}
}

// without the object at that place.
func (m manifest) without(index int) manifest {
	changed := m.copy()
	changed.objects = slices.Delete(changed.objects, index, index+1)
	return changed
}

// at is what the path leads to: names of fields, and places in lists.
func at(value any, path ...any) (any, error) {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			fields, is := value.(map[string]any)
			if !is {
				return nil, fmt.Errorf("no fields where %q is looked for", step)
			}
			value = fields[step]
		case int:
			list, is := value.([]any)
			if !is || step >= len(list) {
				return nil, fmt.Errorf("no entry %d", step)
			}
			value = list[step]
		}
	}
	return value, nil
}

// set replaces what the path of an object leads to; a nil value removes the field or the entry.
func set(object *unstructured.Unstructured, value any, path ...any) error {
	parents, last := path[:len(path)-1], path[len(path)-1]
	parent, err := at(object.Object, parents...)
	if err != nil {
		return fmt.Errorf("changing %v: %w", path, err)
	}
	switch last := last.(type) {
	case string:
		fields, is := parent.(map[string]any)
		switch {
		case !is:
			return fmt.Errorf("changing %v: no fields there", path)
		case value == nil:
			delete(fields, last)
		default:
			fields[last] = value
		}
		return nil
	case int:
		list, is := parent.([]any)
		switch {
		case !is || last >= len(list):
			return fmt.Errorf("changing %v: no such entry", path)
		case value == nil:
			return set(object, slices.Delete(slices.Clone(list), last, last+1), parents...)
		default:
			list[last] = value
		}
		return nil
	default:
		return fmt.Errorf("changing %v: no place", path)
	}
}

// entries of the list that the path leads to, none if there is no such list.
func entries(object *unstructured.Unstructured, path ...any) []any {
	value, err := at(object.Object, path...)
	if err != nil {
		return nil
	}
	list, _ := value.([]any)
	return list
}

// text that the path leads to, empty if there is none.
func text(value any, path ...any) string {
	found, err := at(value, path...)
	if err != nil {
		return ""
	}
	written, _ := found.(string)
	return written
}
