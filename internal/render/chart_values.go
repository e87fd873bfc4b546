// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"errors"
	"fmt"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"
)

// MaxValuesBytes of one text of values.
const MaxValuesBytes = 1 << 20

// ParseValues reads values for a chart, as Helm reads them from a file: one YAML document that is a map, or nothing. Field is where the text stands, for
// messages. Every error is an [*Error].
func ParseValues(field string, text []byte) (map[string]any, error) {
	failed := func(format string, args ...any) (map[string]any, error) {
		return nil, &Error{Message: fmt.Sprintf("`%s` ", field) + fmt.Sprintf(format, args...)}
	}
	if len(text) > MaxValuesBytes {
		return failed("has %d bytes of values, at most %d are allowed: make them smaller", len(text), MaxValuesBytes)
	}
	documents := splitDocuments("", text)
	if len(documents) > 1 {
		return failed("must be one YAML document with values and has %d: put them into one", len(documents))
	}
	if len(documents) == 0 {
		return map[string]any{}, nil
	}
	value, err := documents[0].decode()
	var mistake *Error
	switch {
	case errors.As(err, &mistake):
		return nil, &Error{Line: mistake.Line, Message: fmt.Sprintf("`%s` %s", field, mistake.Message)}
	case err != nil:
		return failed("cannot be read (%s): correct it", short(err.Error()))
	case value == nil:
		return map[string]any{}, nil
	case depth(value, 0) > MaxDepth:
		return failed("is nested deeper than %d: flatten it", MaxDepth)
	}
	if _, isMap := value.(map[string]any); !isMap {
		return failed("must be a map of values and is %s: write it as `name: value`", yamlType(value))
	}
	// Numbers as Helm has them: it knows no whole ones.
	values := map[string]any{}
	if err := yaml.Unmarshal(documents[0].content, &values); err != nil {
		return failed("is not valid YAML (%s): correct it", short(err.Error()))
	}
	return values, nil
}

// mergeValues puts values over each other, the later ones over the earlier ones. What is null takes away what the chart has.
func mergeValues(layers []map[string]any) (map[string]any, error) {
	merged := map[string]any{}
	for i, layer := range layers {
		// A copy of one's own, with the numbers as Helm has them: Helm changes what it is given.
		encoded, err := json.Marshal(layer)
		if err != nil {
			return nil, &Error{Message: fmt.Sprintf("the chart's values, layer %d, are no JSON (%s): correct `spec.overlay.values`", i+1, short(err.Error()))}
		}
		var own map[string]any
		if err := json.Unmarshal(encoded, &own); err != nil {
			return nil, &Error{Message: fmt.Sprintf("the chart's values, layer %d, are no map (%s): correct `spec.overlay.values`", i+1, short(err.Error()))}
		}
		merged = loader.MergeMaps(merged, own)
	}
	return merged, nil
}
