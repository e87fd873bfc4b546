// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// valueNode is a value as kustomize has it. Going through text instead would take most of the time that a patch takes, and would read some texts as
// something else.
func valueNode(value any) *kyaml.Node {
	switch value := value.(type) {
	case map[string]any:
		node := &kyaml.Node{Kind: kyaml.MappingNode, Tag: kyaml.NodeTagMap}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			node.Content = append(node.Content, scalarNode(kyaml.NodeTagString, key), valueNode(value[key]))
		}
		return node
	case []any:
		node := &kyaml.Node{Kind: kyaml.SequenceNode, Tag: kyaml.NodeTagSeq}
		for _, item := range value {
			node.Content = append(node.Content, valueNode(item))
		}
		return node
	case nil:
		return scalarNode(kyaml.NodeTagNull, "null")
	case bool:
		return scalarNode(kyaml.NodeTagBool, strconv.FormatBool(value))
	case int64:
		return scalarNode(kyaml.NodeTagInt, strconv.FormatInt(value, 10))
	case float64:
		return scalarNode(kyaml.NodeTagFloat, strconv.FormatFloat(value, 'g', -1, 64))
	case string:
		return scalarNode(kyaml.NodeTagString, value)
	}
	return scalarNode(kyaml.NodeTagString, fmt.Sprint(value))
}

func scalarNode(tag, value string) *kyaml.Node {
	return &kyaml.Node{Kind: kyaml.ScalarNode, Tag: tag, Value: value}
}

// nodeValue is the way back.
func nodeValue(node *kyaml.Node) (any, error) {
	switch node.Kind { //nolint:exhaustive // kustomize has other names for the same kinds, which the linter takes for more of them
	case kyaml.MappingNode:
		fields := make(map[string]any, len(node.Content)/2)
		for i := 0; i+1 < len(node.Content); i += 2 {
			value, err := nodeValue(node.Content[i+1])
			if err != nil {
				return nil, err
			}
			fields[node.Content[i].Value] = value
		}
		return fields, nil
	case kyaml.SequenceNode:
		items := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			value, err := nodeValue(item)
			if err != nil {
				return nil, err
			}
			items = append(items, value)
		}
		return items, nil
	case kyaml.ScalarNode:
		return scalarValue(node)
	default:
		return nil, fmt.Errorf("kustomize made a node of kind %d, which is no value", node.Kind)
	}
}

func scalarValue(node *kyaml.Node) (any, error) {
	switch node.ShortTag() {
	case kyaml.NodeTagNull:
		return nil, nil //nolint:nilnil // it is the value
	case kyaml.NodeTagBool:
		return strconv.ParseBool(node.Value)
	case kyaml.NodeTagInt:
		return strconv.ParseInt(node.Value, 10, 64)
	case kyaml.NodeTagFloat:
		return strconv.ParseFloat(node.Value, 64)
	}
	return node.Value, nil
}
