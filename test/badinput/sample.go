// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// nowhere is an address that nobody answers at: what an input asks the operator to fetch fails at once, and leaves this machine alone.
const nowhere = "127.0.0.1:1"

// matching makes a text of a number of characters for each pattern of the schemas. A pattern that is not here fails the tests: add it.
var matching = map[string]func(length int) string{
	`\S`:                               filled("a"),
	`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`:  filled("a"),
	`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`: filled("a"),
	`^[a-zA-Z0-9_][a-zA-Z0-9._-]*$`:    filled("a"),
	`^[a-zA-Z0-9._-]+$`:                filled("a"),
	`^[a-zA-Z0-9._+-]+$`:               filled("1"),
	`^[A-Za-z0-9-]+$`:                  filled("A"),
	`^[a-f0-9]{40}$`:                   filled("a"),
	`^sha256:[a-f0-9]{64}$`:            filled("sha256:a"),
	`^https?://[^\s]+$`:                filled("http://" + nowhere + "/a"),
	`^oci(\+http)?://[a-zA-Z0-9.\-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`:   filled("oci+http://" + nowhere + "/a"),
	`^https?://[a-zA-Z0-9.\-]+(:[0-9]{1,5})?(/[a-zA-Z0-9._~+\-]+)+/?$`:                filled("http://" + nowhere + "/a"),
	`^(oci(\+http)?|https?)://[a-zA-Z0-9.\-]+(:[0-9]{1,5})?(/[a-zA-Z0-9._~+\-]+)*/?$`: filled("oci+http://" + nowhere + "/a"),
}

// filled is a text that begins like the example, and whose last character fills it to the length. What is too short for the example is its beginning.
func filled(example string) func(int) string {
	return func(length int) string {
		if length <= len(example) {
			return example[:length]
		}
		return example + strings.Repeat(example[len(example)-1:], length-len(example))
	}
}

// sensible are values of fields in which a schema does not say what makes sense, by the field's name.
var sensible = map[string]any{
	"schedule": "0 9 * * 1-4", "timeZone": "Europe/Zurich", "when": "true", "versions": ">=1.0.0", "selfApproval": "Denied",
	"patch": "[{op: add, path: /metadata/labels, value: {a: b}}]", "labelSelector": "a=b", "query": "up",
	"template":  "spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}",
	"startTime": "2030-01-01T00:00:00Z", "endTime": "2030-01-02T00:00:00Z", "inline": goodManifests,
}

// goodManifests are of an application that can be rolled out.
const goodManifests = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n"

// companions are what a field needs beside it, by the field's name: rules across fields say so, which no schema can be asked about.
var companions = map[string]map[string]any{
	"durationSeconds": {"schedule": sensible["schedule"]},
	"schedule":        {"durationSeconds": int64(3600)},
	"timeZone":        {"schedule": sensible["schedule"], "durationSeconds": int64(3600)},
	"startTime":       {"endTime": sensible["endTime"]},
	"endTime":         {"startTime": sensible["startTime"]},
	"chart":           {"url": "http://" + nowhere + "/charts"},
	"times":           {"phase": "After"},
	"soakSeconds":     {"after": []any{"elsewhere"}},
}

// sample is a small value that a schema takes. The name is that of the field it is for.
func sample(name string, of *schema) any {
	if value, known := sensible[name]; known {
		return value
	}
	switch {
	case len(of.Enum) > 0:
		return unquoted(of.Enum[0].Raw)
	case of.Type == "string":
		return text(of, shortest(of))
	case of.Type == "integer":
		return least(of)
	case of.Type == "boolean":
		return true
	case of.Type == "array":
		return []any{sample(name, of.Items.Schema)}
	case of.AdditionalProperties != nil:
		return map[string]any{"key": sample("", of.AdditionalProperties.Schema)}
	}
	return sampleObject(of)
}

// required are the properties that a schema asks for by name.
func required(of *schema) map[string]any {
	object := map[string]any{}
	for _, name := range of.Required {
		property := of.Properties[name]
		object[name] = sample(name, &property)
	}
	return object
}

// sampleObject holds what the schema asks for, and nothing else.
func sampleObject(of *schema) map[string]any {
	object := required(of)
	if choices := choice(of); len(choices) > 0 {
		choose(object, of, choices[0])
	}
	if len(object) == 0 && of.MinProperties != nil {
		name := sortedNames(of)[0]
		property := of.Properties[name]
		object[name] = sample(name, &property)
	}
	return object
}

var (
	counted = regexp.MustCompile(`^(\(has\(self\.\w+\)\?1:0\)\+?)+ == 1$`)
	some    = regexp.MustCompile(`^has\(self\.\w+\)(\|\|has\(self\.\w+\))+$`)
	member  = regexp.MustCompile(`has\(self\.(\w+)\)`)
)

// choice are the properties of which a schema asks for exactly one, or for at least one.
func choice(of *schema) []string {
	for _, rule := range of.XValidations {
		if !counted.MatchString(rule.Rule) && !some.MatchString(rule.Rule) {
			continue
		}
		var names []string
		for _, found := range member.FindAllStringSubmatch(rule.Rule, -1) {
			names = append(names, found[1])
		}
		return names
	}
	return nil
}

// choose one property of an object, with what it needs, and drop what it excludes.
func choose(object map[string]any, of *schema, name string) {
	makeRoom(object, of, name)
	property := of.Properties[name]
	object[name] = sample(name, &property)
	accompany(object, of, name)
}

// makeRoom drops what a property excludes, and what only that needs.
func makeRoom(object map[string]any, of *schema, name string) {
	choices := choice(of)
	if !slices.Contains(choices, name) {
		return
	}
	for _, other := range choices {
		delete(object, other)
		for companion := range companions[other] {
			if !slices.Contains(of.Required, companion) {
				delete(object, companion)
			}
		}
	}
}

// accompany a property with what it needs beside it.
func accompany(object map[string]any, of *schema, name string) {
	for other, value := range companions[name] {
		if _, known := of.Properties[other]; known && object[other] == nil {
			object[other] = value
		}
	}
	if name == "chart" { // only with this kind of url
		object["url"] = companions[name]["url"]
	}
}

// text of a number of characters that fits the schema's pattern.
func text(of *schema, length int64) string {
	switch {
	case of.Format == "date-time":
		return "2030-01-01T00:00:00Z"
	case of.Pattern == "":
		return strings.Repeat("a", int(length))
	}
	write, known := matching[of.Pattern]
	if !known {
		panic(fmt.Sprintf("no text is known that matches the pattern %q: add one to `matching`", of.Pattern))
	}
	made := write(int(length))
	if !patterns[of.Pattern].MatchString(made) || utf8.RuneCountInString(made) != int(length) {
		return ""
	}
	return made
}

// patterns are those of `matching`, compiled.
var patterns = compiled()

func compiled() map[string]*regexp.Regexp {
	all := map[string]*regexp.Regexp{}
	for text := range matching {
		all[text] = regexp.MustCompile(text)
	}
	return all
}

// shortest length at which a text fits the pattern.
func shortest(of *schema) int64 {
	length := int64(1)
	if of.MinLength != nil {
		length = max(length, *of.MinLength)
	}
	for most := length + 100; length < most && text(of, length) == ""; length++ {
	}
	return length
}

func least(of *schema) int64 {
	if of.Minimum != nil {
		return int64(*of.Minimum)
	}
	return 0
}

func sortedNames(of *schema) []string {
	return slices.Sorted(maps.Keys(of.Properties))
}

func unquoted(raw []byte) string {
	return strings.Trim(string(raw), `"`)
}
