// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"testing"
	"time"
)

func TestAValueIsMeasuredByWhatItIsWrittenAs(t *testing.T) {
	const part = 8 // of each part of a value, and 2 for each level that it is indented by
	kilobyte := make([]byte, 1000)
	for name, test := range map[string]struct {
		value any
		bytes int
	}{
		"a number":                {value: 7, bytes: 24},
		"text":                    {value: "1234", bytes: 4},
		"bytes":                   {value: kilobyte, bytes: 1000},
		"a list of texts":         {value: []string{"1", "2"}, bytes: part + 2*(part+2) + 2},
		"a list of nothing":       {value: []any{nil}, bytes: part + (part + 2)},
		"bytes in a list":         {value: [][]byte{kilobyte}, bytes: part + (part + 2) + 1000},
		"a map of text":           {value: map[string]string{"a": "bc"}, bytes: part + 2*(part+2) + 3},
		"what an interface holds": {value: []any{"1"}, bytes: part + (part + 2) + (part + 4) + 1},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := newMeter(0, time.Now().Add(time.Hour)).measure(test.value)
			if err != nil || found != test.bytes {
				t.Errorf("it is measured as %d bytes, and not %d (%v)", found, test.bytes, err)
			}
		})
	}
}
