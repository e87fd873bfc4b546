// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"math"
	"slices"
	"strings"
)

// value for a field, and what is known of it beforehand.
type value struct {
	// called says what it is, in words.
	called string
	// is the value itself, or a lazy one: some are large, and few of all are sent.
	is any
	// refused says that the schema rules it out. What it does not rule out may be refused all the same, by a rule or by the guard.
	refused bool
}

// lazy makes a value when it is put into its place.
type lazy func() any

// strange texts are no mistake of their own: some fields take them, and what takes them must show them unharmed.
var strange = []value{
	{called: "a combining character alone", is: "\u0301"},
	{called: "the same letter in two forms", is: "e\u0301\u00e9"},
	{called: "text from right to left with overrides", is: "\u202eabc\u202c \u05d0\u05d1"},
	{called: "a NUL", is: "a\x00b"},
	{called: "control characters", is: "a\x1b[31mb\x07\r\nc\td\x7f"},
	{called: "emoji", is: "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e8\U0001f1ed"},
	{called: "what is not a character", is: "\ufffe\U0010ffff\ufeff"},
	{called: "a line separator", is: "a\u2028b\u0085c"},
	{called: "space alone", is: " \t\n"},
	{called: "a way out of a folder", is: "../../etc/passwd"},
	{called: "a slash", is: "a/b"},
	{called: "a percent sign", is: "%2e%2e%s%n%d"},
	{called: "a dot", is: "."},
	{called: "quotes and brackets", is: "\"'`{{ .Values }}${HOME}$(id)<script>"},
	{called: "YAML that means something else", is: "no: &a [*a, !!binary x]"},
	{called: "upper case", is: "ABC"},
	{called: "a word that could be a number", is: "1e999"},
}

// values of a field: at its bounds, beyond them, and of no sense at all.
func values(at field, of *schema) []value {
	found := []value{{called: "null", is: nil}}
	switch {
	case of.XPreserveUnknownFields != nil:
		found = append(found, anything()...)
	case len(of.Enum) > 0:
		found = append(found, ofEnum(of)...)
	case of.Type == "string" && of.Format == "date-time":
		found = append(found, times()...)
	case of.Type == "string":
		found = append(found, texts(of)...)
	case of.Type == "integer":
		found = append(found, numbers(of)...)
	case of.Type == "array":
		found = append(found, lists(at, of)...)
	default:
		found = append(found, objects(of)...)
	}
	return append(found, otherTypes(of)...)
}

func otherTypes(of *schema) []value {
	all := map[string]any{"string": "text", "integer": int64(7), "number": 1.5, "boolean": true, "array": []any{"a"}, "object": map[string]any{"a": "b"}}
	var found []value
	for _, kind := range []string{"array", "boolean", "integer", "number", "object", "string"} {
		if kind != of.Type {
			found = append(found, value{called: "of type " + kind, is: all[kind], refused: true})
		}
	}
	return found
}

func ofEnum(of *schema) []value {
	found := []value{
		{called: "empty", is: "", refused: true},
		{called: "a word that is not offered", is: "Sometimes", refused: true},
		{called: "a word in another case", is: strings.ToLower(unquoted(of.Enum[0].Raw)), refused: true},
	}
	for _, offered := range of.Enum {
		found = append(found, value{called: "the word " + unquoted(offered.Raw), is: unquoted(offered.Raw)})
	}
	return found
}

func times() []value {
	return []value{
		{called: "empty", is: "", refused: true},
		{called: "no time", is: "tomorrow", refused: true},
		{called: "a day that does not exist", is: "2026-02-30T00:00:00Z", refused: true},
		{called: "no zone", is: "2026-03-01T00:00:00", refused: true},
		{called: "the year 10000", is: "10000-01-01T00:00:00Z", refused: true},
		{called: "a zone that there is not", is: "2030-01-01T00:00:00+99:99", refused: true},
		{called: "lower case letters", is: "2030-01-01t00:00:00z", refused: true},
		{called: "a letter in the seconds", is: "2030-01-01T00:00:00x5Z", refused: true},
		{called: "an empty list", is: []any{}, refused: true},
		{called: "the year 10000 in another zone", is: "9999-12-31T23:59:59-23:59", refused: true},
		{called: "the last moment of the year 9999", is: "9999-12-31T23:59:59Z"},
		{called: "the first moment of the year 1", is: "0001-01-01T00:00:00Z"},
		{called: "the year 0", is: "0000-01-01T00:00:00Z"},
		{called: "a zone far away", is: "2030-01-01T00:00:00+23:59"},
		{called: "parts of a second", is: "2030-01-01T00:00:00.123456789Z"},
		{called: "a leap second", is: "2016-12-31T23:59:60Z"},
	}
}

func texts(of *schema) []value {
	found := []value{{called: "empty", is: "", refused: of.MinLength != nil && *of.MinLength > 0 || of.Pattern != ""}}
	if shorter := shortest(of) - 1; shorter > 0 {
		found = append(found, value{called: "too short", is: strings.Repeat("a", int(shorter)), refused: of.Pattern != ""})
	}
	found = append(found, value{called: "as short as it can be", is: text(of, shortest(of))})
	if of.MaxLength != nil {
		longest := int(*of.MaxLength)
		if fits := text(of, int64(longest)); fits != "" {
			found = append(found, value{called: "as long as it can be", is: fits})
		}
		found = append(found, value{called: "one character too long", is: strings.Repeat("a", longest+1), refused: true},
			value{called: "as long as it can be, in characters of four bytes", is: repeated("\U0001f600", longest), refused: of.Pattern != "" && !isLoose(of.Pattern)},
			value{called: "very long", is: repeated("long ", 200_000), refused: true})
	}
	return append(found, strange...)
}

// isLoose tells a pattern that does not say what each character is.
func isLoose(pattern string) bool {
	return !strings.HasPrefix(pattern, "^") || strings.Contains(pattern, `[^\s]`)
}

func numbers(of *schema) []value {
	found := []value{
		{called: "zero", is: int64(0)}, {called: "minus one", is: int64(-1)},
		{called: "a part of one", is: 1.5, refused: true},
		{called: "more than 32 bits", is: int64(math.MaxInt32) + 1, refused: of.Format == "int32"},
		{called: "as much as 64 bits hold", is: int64(math.MaxInt64), refused: of.Format == "int32"},
		{called: "more than 64 bits", is: 1e30, refused: true},
	}
	if of.Minimum != nil {
		found = append(found, value{called: "the least", is: int64(*of.Minimum)}, value{called: "one less than the least", is: int64(*of.Minimum) - 1, refused: true})
	}
	if of.Maximum != nil {
		found = append(found, value{called: "the most", is: int64(*of.Maximum)}, value{called: "one more than the most", is: int64(*of.Maximum) + 1, refused: true})
	}
	return found
}

func lists(at field, of *schema) []value {
	items := of.Items.Schema
	one := sample(at.name(), items)
	found := []value{
		{called: "empty", is: []any{}, refused: of.MinItems != nil && *of.MinItems > 0},
		{called: "a list of null", is: []any{nil}},
		{called: "a list of lists", is: []any{[]any{}}, refused: true},
		{called: "one element", is: []any{one}},
	}
	if of.XListType != nil && *of.XListType != "atomic" {
		found = append(found, value{called: "the same element twice", is: []any{one, one}, refused: true})
	}
	if of.MaxItems == nil {
		return found
	}
	most := int(*of.MaxItems)
	if len(items.Enum) == 0 {
		found = append(found, value{called: "as many elements as there can be", is: lazyMany(at.name(), items, most)})
	}
	return append(found, value{called: "one element too many", is: lazyMany(at.name(), items, most+1), refused: true},
		value{called: "two thousand elements", is: lazyMany(at.name(), items, 2000), refused: true})
}

func objects(of *schema) []value {
	found := []value{
		{called: "empty", is: map[string]any{}, refused: len(of.Required) > 0 || len(choice(of)) > 0 || of.MinProperties != nil && !filledIn(of)},
	}
	if of.AdditionalProperties == nil {
		unknown := sampleObject(of)
		unknown["surprise"] = "a"
		return append(found, value{called: "with a field that there is not", is: unknown, refused: true})
	}
	for _, key := range []string{"", "a b", "\u202e", "a/b/c", strings.Repeat("k", 300), "assent.dev/environment", "\x00", "-"} {
		found = append(found, value{called: "with the key " + shown(key), is: map[string]any{key: "a"}})
	}
	if of.MaxProperties != nil {
		full := map[string]any{}
		for i := range *of.MaxProperties {
			full[distinct("k", int(i))] = "a"
		}
		more := map[string]any{"one-more": "a"}
		for key := range full {
			more[key] = "a"
		}
		found = append(found, value{called: "as many entries as there can be", is: full}, value{called: "one entry too many", is: more, refused: true})
	}
	return found
}

// filledIn says whether an empty object gets properties by default.
func filledIn(of *schema) bool {
	for _, property := range of.Properties {
		if property.Default != nil {
			return true
		}
	}
	return false
}

// anything is for a field that takes what it likes.
func anything() []value {
	return []value{
		{called: "empty", is: map[string]any{}},
		{called: "nested deeply", is: lazy(deep)},
		{called: "with five thousand entries", is: lazy(wide)},
		{called: "with keys of any kind", is: map[string]any{"": nil, "\x00": "\u202e", "$patch": "delete", "__proto__": map[string]any{}}},
		{called: "with large numbers", is: map[string]any{"a": int64(math.MaxInt64), "b": 1e300, "c": 1e-300}},
	}
}

func deep() any {
	var value any = "end"
	for range 200 {
		value = map[string]any{"a": []any{value}}
	}
	return map[string]any{"a": value}
}

func wide() any {
	value := map[string]any{}
	for i := range 5000 {
		value[distinct("k", i+1)] = int64(i)
	}
	return value
}

func repeated(text string, times int) lazy {
	return func() any { return strings.Repeat(text, times) }
}

func lazyMany(name string, of *schema, count int) lazy {
	return func() any { return many(name, of, count) }
}

// needed are the properties that must not be left out.
func needed(of *schema) []string {
	return slices.Sorted(slices.Values(of.Required))
}

func shown(key string) string {
	if len(key) > 20 {
		key = key[:20]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(key, "\x00", "NUL"), "?")
}
