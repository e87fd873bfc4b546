// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// memoryFile is the committed list of which test has noticed each mutant, from the repository's root.
const memoryFile = "hack/mutate/policies/noticed.yaml"

// memory is which test has noticed a mutant the last time, by the mutant's name. It decides nothing: a test that no longer notices, or is not
// there any more, costs the time to find another.
type memory map[string]remembered

type remembered struct {
	In   mood   `json:"in"`
	Test string `json:"test"`
}

func readMemory(path string) (memory, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading which tests to run first: %w", err)
	}
	m := memory{}
	if err := yaml.UnmarshalStrict(content, &m); err != nil {
		return nil, fmt.Errorf("reading which tests to run first in %q: %w", path, err)
	}
	return m, nil
}

// write adds what has been seen.
func (m memory) write(path string, outcomes []outcome) error {
	for _, o := range outcomes {
		if o.killedBy != "" {
			m[o.mutant.name] = remembered{In: o.in, Test: o.killedBy}
		}
	}
	content, err := yaml.Marshal(m)
	if err != nil {
		return fmt.Errorf("writing which tests to run first: %w", err)
	}
	const heading = "# Which test has noticed each mutant the last time, by `mutate policies --remember`: it is run first, for speed alone.\n"
	if err := os.WriteFile(path, append([]byte(heading), content...), 0o600); err != nil {
		return fmt.Errorf("writing which tests to run first: %w", err)
	}
	return nil
}
