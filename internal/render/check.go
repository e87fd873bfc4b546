// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

// serverFields of metadata are set by the API server alone. A manifest that was exported from a cluster has them; they say nothing about
// what should run, so they are dropped, as status is.
var serverFields = []string{
	"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid",
}

var kindPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,62}$`)

const (
	maxGroupBytes = 253
	maxNameBytes  = 253
)

// checkAll checks each object and all of them together. It drops what only the API server may set.
func checkAll(found []located, wanted string) error {
	switch {
	case len(found) == 0:
		return &Error{Message: fmt.Sprintf("no Kubernetes object was found at `path` %q: put the manifests there, as .yaml, .yml or .json", wanted)}
	case len(found) > MaxObjects:
		return tooManyObjects(wanted)
	}
	total := 0
	seen := make(map[string]located, len(found))
	for _, one := range found {
		size, err := one.check()
		if err != nil {
			return err
		}
		if total += size; total > MaxTotalBytes {
			return &Error{Message: fmt.Sprintf("the objects are larger than %d bytes together: split them into several applications", MaxTotalBytes)}
		}
		identity := one.identity()
		if first, duplicate := seen[identity]; duplicate {
			if first.place.file == "" {
				return one.errorf("is there twice, as in two Releases of a bundle: keep one")
			}
			return one.errorf("is the same object as the one in %s: keep one", first.place)
		}
		seen[identity] = one
	}
	return nil
}

// identity leaves out the version: an object is the same in each version of its API.
func (l located) identity() string {
	kind := l.object.GroupVersionKind()
	return strings.Join([]string{kind.Group, kind.Kind, l.object.GetNamespace(), l.object.GetName()}, "\n")
}

// check returns the object's size as JSON.
func (l located) check() (int, error) {
	if depth(l.object.Object, 0) > MaxDepth {
		return 0, l.errorf("is nested deeper than %d: flatten it", MaxDepth)
	}
	for _, check := range []func() error{l.checkType, l.checkMetadata} {
		if err := check(); err != nil {
			return 0, err
		}
	}
	unstructured.RemoveNestedField(l.object.Object, "status")
	for _, field := range serverFields {
		unstructured.RemoveNestedField(l.object.Object, "metadata", field)
	}
	encoded, err := json.Marshal(l.object.Object)
	if err != nil {
		return 0, l.errorf("cannot be written as JSON (%s): correct it", short(err.Error()))
	}
	if len(encoded) > MaxObjectBytes {
		return 0, l.errorf("is %d bytes as JSON, at most %d are allowed: split it, or keep the data elsewhere", len(encoded), MaxObjectBytes)
	}
	return len(encoded), nil
}

func depth(value any, above int) int {
	deepest := above
	switch typed := value.(type) {
	case map[string]any:
		for _, child := range typed {
			deepest = max(deepest, depth(child, above+1))
		}
	case []any:
		for _, child := range typed {
			deepest = max(deepest, depth(child, above+1))
		}
	}
	return deepest
}

func (l located) checkType() error {
	apiVersion, _ := l.object.Object["apiVersion"].(string)
	if apiVersion == "" {
		return l.errorf("`apiVersion` is missing or not text: set it, such as \"apps/v1\"; " +
			"if this is no Kubernetes object, set `path` to the manifests")
	}
	parsed, _ := schema.ParseGroupVersion(apiVersion) // with an error comes no version
	if parsed.Version == "" || len(parsed.Group) > maxGroupBytes {
		return l.errorf("`apiVersion` %q must be VERSION or GROUP/VERSION", short(apiVersion))
	}
	kind, _ := l.object.Object["kind"].(string)
	if kind == "" {
		return l.errorf("`kind` is missing or not text: set it, such as \"Deployment\"")
	}
	if !kindPattern.MatchString(kind) {
		return l.errorf("`kind` %q must be 1 to 63 letters and digits", short(kind))
	}
	return nil
}

func (l located) checkMetadata() error {
	metadata, isMap := l.object.Object["metadata"].(map[string]any)
	if !isMap {
		return l.errorf("`metadata` is missing or not a map: set `metadata.name`")
	}
	if generated, found := metadata["generateName"]; found && generated != "" {
		return l.errorf("`metadata.generateName` would make a new object with each rollout: set `metadata.name` instead")
	}
	if metadata["ownerReferences"] != nil {
		return l.errorf("`metadata.ownerReferences` refer to objects of one cluster, and the garbage collector would delete the object elsewhere: take them out")
	}
	name, _ := metadata["name"].(string)
	if name == "" {
		return l.errorf("`metadata.name` is missing or not text: set it; put numbers in quotes")
	}
	if problems := content.IsPathSegmentName(name); len(problems) > 0 || len(name) > maxNameBytes {
		return l.errorf("`metadata.name` must be at most %d bytes, without \"/\" and \"%%\"", maxNameBytes)
	}
	if err := l.checkNamespace(metadata); err != nil {
		return err
	}
	for _, field := range []string{"labels", "annotations"} {
		if err := l.checkTexts(metadata, field); err != nil {
			return err
		}
	}
	return nil
}

func (l located) checkNamespace(metadata map[string]any) error {
	value := metadata["namespace"]
	if value == nil {
		delete(metadata, "namespace")
		return nil
	}
	namespace, isText := value.(string)
	if !isText || (namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0) {
		return l.errorf("`metadata.namespace` must be the name of a namespace: leave it out to use the Environment's")
	}
	return nil
}

// checkTexts makes sure of what the API server would refuse, and what reading labels would quietly lose.
func (l located) checkTexts(metadata map[string]any, field string) error {
	value := metadata[field]
	if value == nil {
		delete(metadata, field)
		return nil
	}
	texts, isMap := value.(map[string]any)
	if !isMap {
		return l.errorf("`metadata.%s` must be a map and is %s", field, yamlType(value))
	}
	for key, text := range texts {
		if _, isText := text.(string); !isText {
			return l.errorf("`metadata.%s` %q must be text and is %s: put it in quotes", field, short(key), yamlType(text))
		}
	}
	return nil
}
