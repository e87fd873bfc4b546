// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"encoding/json"
	"flag"
	"os"

	"github.com/assent-dev/assent/test/oracle"
)

// recording keeps the evidence of the live test as the good log that is edited: go test ./test/oracle -record
var recording = flag.Bool("record", false, "keep the evidence of the live test in testdata")

// good is the log of a run in which nothing went wrong.
const good = "testdata/good.json"

// record the evidence without what nobody needs: fields' managers, diffs, and what the requests came with.
func record(evidence *oracle.Evidence) error {
	if !*recording {
		return nil
	}
	raw, err := json.Marshal(evidence)
	if err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	trimmed, err := json.MarshalIndent(trim(value), "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(good, append(trimmed, '\n'), 0o600)
}

// trim takes away what the oracle does not look at.
func trim(value any) any {
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = trim(value[i])
		}
	case map[string]any:
		for _, key := range []string{"managedFields", "diff", "changes", "requestObject", "authentication.kubernetes.io/credential-id"} {
			delete(value, key)
		}
		for key := range value {
			value[key] = trim(value[key])
		}
	}
	return value
}
