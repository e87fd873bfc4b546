// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	yamlv2 "go.yaml.in/yaml/v2"
	yamlv3 "go.yaml.in/yaml/v3"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// decode reads a document as kubectl would, and refuses what kubectl would quietly decide: keys that appear twice, and text after the
// document's end. It returns nil for a document with nothing in it.
func (d document) decode() (any, error) {
	if !utf8.Valid(d.content) {
		return nil, d.place.errorf("is not UTF-8 text: save it as UTF-8")
	}
	if err := d.checkNodes(textKeys); err != nil {
		return nil, err
	}
	encoded, err := yaml.YAMLToJSONStrict(d.content)
	if err != nil {
		return nil, d.yamlError(err)
	}
	var value any
	if err := utiljson.Unmarshal(encoded, &value); err != nil {
		return nil, d.yamlError(err)
	}
	return value, nil
}

var linePattern = regexp.MustCompile(`line (\d+)`)

// yamlError moves the line in a parser's message from the document to the file.
func (d document) yamlError(err error) *Error {
	where := d.place
	message := err.Error()
	for _, noise := range []string{"error converting YAML to JSON: ", "yaml: "} {
		message = strings.TrimPrefix(message, noise)
	}
	if match := linePattern.FindStringSubmatch(message); match != nil {
		line, _ := strconv.Atoi(match[1]) // the parser has counted it
		where.line += line - 1
		message = strings.TrimPrefix(strings.Replace(message, match[0], "", 1), ": ")
	}
	return where.errorf("is not valid YAML (%s): correct it", short(message))
}

const maxShown = 300

// short makes a parser's message fit for a status.
func short(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if utf8.RuneCountInString(message) <= maxShown {
		return message
	}
	return string([]rune(message)[:maxShown]) + "…"
}

// keyRule says which keys a document may have.
type keyRule int

const (
	// textKeys have to be text, and different from each other.
	textKeys keyRule = iota
	// anyKeys are not looked at.
	anyKeys
)

// checkNodes looks at the document's syntax tree before anything expands it.
func (d document) checkNodes(keys keyRule) error {
	decoder := yamlv3.NewDecoder(bytes.NewReader(d.content))
	var root yamlv3.Node
	if err := decoder.Decode(&root); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return d.yamlError(err)
	}
	walk := nodeWalk{document: d, keys: keys}
	if err := walk.visit(&root, 0); err != nil {
		return err
	}
	var more yamlv3.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return d.place.errorf("goes on after the end of its document (\"...\"): begin the next one with \"---\"")
	}
	return nil
}

// nodeWalk counts nodes as if aliases were written out, which is what they cost later.
type nodeWalk struct {
	document document
	keys     keyRule
	nodes    int
}

// The parser's own nesting; an object's is checked later, more strictly and with a better message.
const maxNodeDepth = 4 * MaxDepth

func (w *nodeWalk) visit(node *yamlv3.Node, depth int) error {
	if w.nodes++; w.nodes > MaxNodes {
		return w.at(node).errorf("has more than %d values once its aliases are followed: write it without aliases, or split it", MaxNodes)
	}
	if depth > maxNodeDepth {
		return w.at(node).errorf("is nested deeper than %d: flatten it", MaxDepth)
	}
	switch node.Kind {
	case yamlv3.AliasNode:
		return w.visit(node.Alias, depth+1)
	case yamlv3.MappingNode:
		if w.keys == anyKeys {
			break
		}
		if err := w.checkKeys(node); err != nil {
			return err
		}
	case yamlv3.DocumentNode, yamlv3.SequenceNode, yamlv3.ScalarNode:
	}
	for _, child := range node.Content {
		if err := w.visit(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *nodeWalk) at(node *yamlv3.Node) place {
	where := w.document.place
	where.line += node.Line - 1
	return where
}

// checkKeys refuses keys that become the same text in JSON. Which of them would win is otherwise a matter of chance: 1 and "1" are
// two keys in YAML.
func (w *nodeWalk) checkKeys(node *yamlv3.Node) error {
	seen := make(map[string]int, len(node.Content)/2)
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind == yamlv3.AliasNode {
			key = key.Alias
		}
		if key.Kind != yamlv3.ScalarNode {
			return w.at(key).errorf("has a key that is not text: Kubernetes objects have text as keys")
		}
		text := keyText(key)
		if first, found := seen[text]; found {
			return w.at(node.Content[i]).errorf("has the key %q twice, first in line %d: keep one", short(text), first)
		}
		seen[text] = w.at(node.Content[i]).line
	}
	return nil
}

// keyText is the key as it will be in JSON, under the older rules of YAML that kubectl reads by.
func keyText(key *yamlv3.Node) string {
	if key.Style&(yamlv3.DoubleQuotedStyle|yamlv3.SingleQuotedStyle|yamlv3.LiteralStyle|yamlv3.FoldedStyle) != 0 {
		return key.Value
	}
	var value any
	_ = yamlv2.Unmarshal([]byte(key.Value), &value) // what it cannot read stays text
	switch value.(type) {
	case int, int64, uint64, float64, bool:
		return fmt.Sprint(value)
	default:
		return key.Value
	}
}
