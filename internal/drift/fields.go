// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/internal/plan"
)

// path of a field: from the outside to the inside.
type path []step

// step is a field of an object, or an item of a list.
type step struct {
	// field by its name, or the field that names an item.
	field string
	// value that names an item; nil for a field.
	value any
}

// String is the path as people write it: spec.containers[name=web].image, metadata.labels["app.kubernetes.io/name"].
func (p path) String() string {
	var text strings.Builder
	for i, step := range p {
		switch {
		case step.value != nil:
			fmt.Fprintf(&text, "[%s=%v]", step.field, step.value)
		case !plain(step.field):
			fmt.Fprintf(&text, "[%q]", step.field)
		case i > 0:
			text.WriteString("." + step.field)
		default:
			text.WriteString(step.field)
		}
	}
	return clip(text.String(), mostPath)
}

func plain(field string) bool {
	for _, r := range field {
		if r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return field != ""
}

// with one more step. Paths share no memory.
func (p path) with(next step) path { return append(slices.Clone(p), next) }

// notCompared are what no release decides.
var notCompared = map[string]bool{"apiVersion": true, "kind": true, "status": true}

// difference is a field that is not as a Release says.
type difference struct {
	at path
	// live is what is there; nil where nothing is.
	live any
}

// differences are what a Release says and what is not so, in the order of their paths.
func differences(desired *unstructured.Unstructured, pair plan.Pair) []difference {
	content := desired.Object
	if isSecret(pair.Ref) {
		content = withData(content)
	}
	var found []difference
	for _, field := range slices.Sorted(maps.Keys(content)) {
		if !notCompared[field] {
			compare(&found, path{{field: field}}, content[field], pair.Live.Object[field], pair.Merged.Object[field])
		}
	}
	return found
}

// compare what runs with what would run, where the desired says something.
func compare(found *[]difference, at path, desired, live, merged any) {
	if merged == nil || equality.Semantic.DeepEqual(live, merged) {
		return
	}
	if wants, isMap := desired.(map[string]any); isMap {
		runs, isMap := live.(map[string]any)
		would, isMapToo := merged.(map[string]any)
		if isMap && isMapToo {
			for _, field := range slices.Sorted(maps.Keys(wants)) {
				compare(found, at.with(step{field: field}), wants[field], runs[field], would[field])
			}
			return
		}
	}
	if wants, isList := desired.([]any); isList && compareItems(found, at, wants, live, merged) {
		return
	}
	*found = append(*found, difference{at, live})
}

// names are the fields that may name an item of a list, the best first.
var names = []string{"name", "mountPath", "devicePath", "containerPort", "port", "key", "ip", "type", "topologyKey"}

// compareItems compares lists item by item; false if their items have no names.
func compareItems(found *[]difference, at path, desired []any, live, merged any) bool {
	runs, isList := live.([]any)
	would, isListToo := merged.([]any)
	if !isList || !isListToo {
		return false
	}
	for _, name := range names {
		wanted, all := named(desired, name)
		running, allRunning := named(runs, name)
		merging, allMerging := named(would, name)
		if !all || !allRunning || !allMerging {
			continue
		}
		for _, item := range desired {
			value := item.(map[string]any)[name] //nolint:forcetypeassert // named has looked
			key := fmt.Sprint(value)
			compare(found, at.with(step{field: name, value: value}), wanted[key], orNil(running[key]), orNil(merging[key]))
		}
		return true
	}
	return false
}

// named are the items of a list by what names them; false if not each of them has a name of its own.
func named(items []any, name string) (map[string]map[string]any, bool) {
	all := make(map[string]map[string]any, len(items))
	for _, item := range items {
		object, isMap := item.(map[string]any)
		value := object[name]
		switch value.(type) {
		case string, int64, float64:
		default:
			return nil, false
		}
		key := fmt.Sprint(value)
		if _, twice := all[key]; twice || !isMap {
			return nil, false
		}
		all[key] = object
	}
	return all, true
}

func orNil(item map[string]any) any {
	if item == nil {
		return nil
	}
	return item
}

// withData is a Secret's content with `stringData` in `data`, where it is applied.
func withData(content map[string]any) map[string]any {
	texts, isMap := content["stringData"].(map[string]any)
	if !isMap {
		return content
	}
	content = maps.Clone(content)
	delete(content, "stringData")
	data, _ := content["data"].(map[string]any)
	data = maps.Clone(data)
	if data == nil {
		data = map[string]any{}
	}
	for key, text := range texts {
		data[key] = base64.StdEncoding.EncodeToString(fmt.Append(nil, text))
	}
	content["data"] = data
	return content
}
