// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/internal/source"
)

// parseFolder reads the YAML and JSON files below a folder, in order of their paths. Names that begin with a dot are left out, as are files
// of other kinds.
func parseFolder(tree source.Tree, root string) ([]located, error) {
	var found []located
	for _, name := range tree.Paths() {
		inside, below := below(name, root)
		if !below || isHidden(inside) {
			continue
		}
		if isKustomization(path.Base(name)) {
			return nil, &Error{File: name, Message: fmt.Sprintf(
				"a folder of YAML files must have no kustomization further down: set `path` to the folder to render, such as %q", path.Dir(name))}
		}
		if !isManifest(name) {
			continue
		}
		objects, err := parseFile(name, tree[name])
		if err != nil {
			return nil, err
		}
		if found = append(found, objects...); len(found) > MaxObjects {
			return nil, tooManyObjects(root)
		}
	}
	return found, nil
}

func tooManyObjects(where string) *Error {
	return &Error{File: where, Message: fmt.Sprintf("has more than %d objects: split it into several applications", MaxObjects)}
}

// below returns the part of a path that lies inside a folder.
func below(name, folder string) (string, bool) {
	if folder == "." {
		return name, true
	}
	return strings.CutPrefix(name, folder+"/")
}

func isHidden(name string) bool {
	for _, element := range strings.Split(name, "/") {
		if strings.HasPrefix(element, ".") {
			return true
		}
	}
	return false
}

func isManifest(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	default:
		return false
	}
}

// parseFile reads the objects in one file. Documents with nothing but comments are left out, lists are flattened.
func parseFile(name string, content []byte) ([]located, error) {
	var found []located
	for _, doc := range splitDocuments(name, content) {
		value, err := doc.decode()
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		fields, isMap := value.(map[string]any)
		if !isMap {
			return nil, doc.place.errorf("must be a Kubernetes object with `apiVersion`, `kind` and `metadata`, and is %s: "+
				"take it out, or set `path` to the manifests", yamlType(value))
		}
		objects, err := flatten(doc.place, fields, 0)
		if err != nil {
			return nil, err
		}
		if found = append(found, objects...); len(found) > MaxObjects {
			return nil, tooManyObjects(name)
		}
	}
	return found, nil
}

// flatten returns the items of a List, or the object itself.
func flatten(where place, fields map[string]any, depth int) ([]located, error) {
	one := located{place: where, object: &unstructured.Unstructured{Object: fields}}
	kind, _ := fields["kind"].(string)
	items, isList := fields["items"].([]any)
	if !isList || !strings.HasSuffix(kind, "List") {
		return []located{one}, nil
	}
	if depth >= MaxDepth {
		return nil, one.errorf("is nested deeper than %d lists: flatten it", MaxDepth)
	}
	var found []located
	for i, item := range items {
		fields, isMap := item.(map[string]any)
		if !isMap {
			return nil, one.errorf("`items[%d]` must be an object and is %s: take it out", i, yamlType(item))
		}
		objects, err := flatten(where, fields, depth+1)
		if err != nil {
			return nil, err
		}
		found = append(found, objects...)
	}
	return found, nil
}

func yamlType(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case string:
		return "text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	default:
		return "a number"
	}
}

// document is one YAML document of a file.
type document struct {
	place   place
	content []byte
}

// splitDocuments cuts a file at its document markers. A line that begins with "---" is one wherever it stands: YAML allows no such
// line inside of a scalar.
func splitDocuments(file string, content []byte) []document {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	var documents []document
	start, startLine, line := 0, 1, 1
	cut := func(end int) {
		if len(bytes.TrimSpace(content[start:end])) > 0 {
			documents = append(documents, document{place: place{file: file, line: startLine}, content: content[start:end]})
		}
	}
	for offset := 0; offset < len(content); line++ {
		if isMarker(content[offset:]) && offset > start {
			cut(offset)
			start, startLine = offset, line
		}
		end := bytes.IndexByte(content[offset:], '\n')
		if end < 0 {
			break
		}
		offset += end + 1
	}
	cut(len(content))
	if len(documents) > 1 {
		for i := range documents {
			documents[i].place.document = i + 1
		}
	}
	return documents
}

func isMarker(rest []byte) bool {
	if !bytes.HasPrefix(rest, []byte("---")) {
		return false
	}
	return len(rest) == 3 || strings.ContainsRune(" \t\r\n", rune(rest[3]))
}
