// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	yamlv3 "go.yaml.in/yaml/v3"
	kubeconfig "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"
)

// maxDepth of nesting; a kubeconfig needs six, and its extensions a few more.
const maxDepth = 16

// decode reads a kubeconfig strictly: one document, no field that is not known, none twice. Errors show no part of the content, because a parser's
// own words quote what they do not understand.
func decode(content []byte) (*kubeconfig.Config, error) {
	switch {
	case len(bytes.TrimSpace(content)) == 0:
		return nil, fmt.Errorf("is empty: %s", remedy)
	case len(content) > MaxKubeconfigBytes:
		return nil, fmt.Errorf("must have at most %d bytes, and has %d: %s", MaxKubeconfigBytes, len(content), remedy)
	case !utf8.Valid(content):
		return nil, errors.New("must be UTF-8 text")
	}
	if err := checkStructure(content); err != nil {
		return nil, err
	}
	config := &kubeconfig.Config{}
	if err := yaml.UnmarshalStrict(content, config); err != nil {
		return nil, unreadable(err)
	}
	if config.Kind != "Config" || config.APIVersion != "v1" {
		return nil, errors.New("must have `apiVersion: v1` and `kind: Config`")
	}
	return config, nil
}

// checkStructure refuses what a small text can become much with, before anything follows it: aliases above all.
func checkStructure(content []byte) error {
	decoder := yamlv3.NewDecoder(bytes.NewReader(content))
	var root yamlv3.Node
	if err := decoder.Decode(&root); err != nil {
		return unreadable(err)
	}
	var second yamlv3.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return fmt.Errorf("must be one YAML document: %s", remedy)
	}
	return checkNode(&root, 0)
}

func checkNode(node *yamlv3.Node, depth int) error {
	switch {
	case node.Anchor != "": // no alias comes before its anchor
		return fmt.Errorf("must not have YAML anchors and aliases, as in line %d: %s", node.Line, remedy)
	case depth > maxDepth:
		return fmt.Errorf("must not be nested as deeply as in line %d: %s", node.Line, remedy)
	}
	for _, inner := range node.Content {
		if err := checkNode(inner, depth+1); err != nil {
			return err
		}
	}
	return nil
}

var linePattern = regexp.MustCompile(`line (\d+)`)

// unreadable says of a parser's error what can be said without showing what it is about.
func unreadable(err error) error {
	message, where := err.Error(), ""
	if match := linePattern.FindStringSubmatch(message); match != nil {
		where = " (line " + match[1] + ")"
	}
	what := "is not a kubeconfig in YAML or JSON"
	switch {
	case strings.Contains(message, "unknown field"):
		what = "has a field that no kubeconfig has"
	case strings.Contains(message, "already set in map"):
		what = "has a field twice"
	case strings.Contains(message, "base64"):
		what = "has a field `certificate-authority-data`, `client-certificate-data` or `client-key-data` that is not in base64"
	}
	return fmt.Errorf("%s%s: %s", what, where, remedy)
}
