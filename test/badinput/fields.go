// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"maps"
	"slices"
	"strings"
)

// field is a place in a spec: the names on the way to it, with element for each of a list and entry for each of a map.
type field []string

const (
	element = "[]"
	entry   = "{}"
)

// String is the path as the API server writes it for the objects that are made here: lists have one element, maps one entry.
func (f field) String() string {
	path := "spec"
	for _, name := range f {
		switch name {
		case element:
			path += "[0]"
		case entry:
			path += ".key"
		default:
			path += "." + name
		}
	}
	return path
}

// name of the property that the field is, or is an element of.
func (f field) name() string {
	for _, name := range slices.Backward(f) {
		if name != element && name != entry {
			return name
		}
	}
	return ""
}

func (f field) below(name string) field {
	return append(slices.Clone(f), name)
}

// everyField visits a schema and all that is in it, in the same order each time.
func everyField(at field, of *schema, visit func(field, *schema)) {
	visit(at, of)
	for _, name := range sortedNames(of) {
		property := of.Properties[name]
		everyField(at.below(name), &property, visit)
	}
	if of.Items != nil {
		everyField(at.below(element), of.Items.Schema, visit)
	}
	if of.AdditionalProperties != nil {
		everyField(at.below(entry), of.AdditionalProperties.Schema, visit)
	}
}

// absent as a value takes the property away.
type absent struct{}

// put returns a copy of a value in which a field has another value. What is missing on the way there is made as small as the schema lets it be.
func put(current any, of *schema, at field, value any) any {
	if len(at) == 0 {
		if later, isLazy := value.(lazy); isLazy {
			return later()
		}
		return value
	}
	switch next, rest := at[0], at[1:]; next {
	case element:
		elements, _ := current.([]any)
		if len(elements) == 0 {
			elements = []any{nil}
		}
		return append([]any{put(elements[0], of.Items.Schema, rest, value)}, elements[1:]...)
	case entry:
		return map[string]any{"key": put(nil, of.AdditionalProperties.Schema, rest, value)}
	default:
		return putProperty(current, of, next, rest, value)
	}
}

func putProperty(current any, of *schema, name string, rest field, value any) any {
	object, isMap := current.(map[string]any)
	if isMap {
		object = maps.Clone(object)
	} else {
		object = required(of)
		if choices := choice(of); len(choices) > 0 && !slices.Contains(choices, name) {
			choose(object, of, choices[0])
		}
	}
	if _, gone := value.(absent); gone && len(rest) == 0 {
		delete(object, name)
		return object
	}
	property := of.Properties[name]
	before, found := object[name]
	if !found {
		makeRoom(object, of, name)
	}
	accompany(object, of, name)
	object[name] = put(before, &property, rest, value)
	return object
}

// many are a number of different values for a list.
func many(name string, of *schema, count int) []any {
	values := make([]any, 0, count)
	for i := range count {
		value := sample(name, of)
		if of.Type == "string" && len(of.Enum) == 0 {
			value = distinct(value.(string), i) //nolint:forcetypeassert // its type says so
		}
		if object, isMap := value.(map[string]any); isMap {
			for _, key := range of.Required {
				if text, isText := object[key].(string); isText && (key == "name" || key == "user") {
					object[key] = distinct(text, i)
				}
			}
		}
		values = append(values, value)
	}
	return values
}

// distinct writes a number as letters at the end of a text: that fits most patterns.
func distinct(text string, number int) string {
	var suffix strings.Builder
	for ; number > 0; number /= 26 {
		suffix.WriteByte(byte('a' + number%26))
	}
	return text + suffix.String()
}
