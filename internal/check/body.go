// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// lowerHeaders are an answer's headers by their names in lower case; several of one name are joined by a comma (RFC 9110, section 5.3).
func lowerHeaders(headers http.Header) map[string]string {
	made := make(map[string]string, len(headers))
	for name, values := range headers {
		made[strings.ToLower(name)] = strings.ToValidUTF8(strings.Join(values, ", "), "�")
	}
	return made
}

// parseJSON parses an answer that is one value of JSON; nil when it is none. Whole numbers stay whole.
func parseJSON(text string) any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil
	}
	return numbers(value)
}

// numbers replaces the numbers that were kept as text: by an int64 where that holds it exactly, by a float64 otherwise.
func numbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		// Beyond the largest float64 it is infinite, and so it compares.
		broken, _ := value.Float64()
		return broken
	case []any:
		for i := range value {
			value[i] = numbers(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = numbers(value[key])
		}
	}
	return value
}
