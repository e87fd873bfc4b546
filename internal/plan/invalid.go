// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"strings"
)

// InvalidError says why objects cannot be applied to an Environment: each problem names the object, the field and the remedy.
type InvalidError struct {
	Problems []string
}

// maxProblems keeps a message readable, and within what a condition can hold.
const maxProblems = 10

// Error lists the first ten problems and says how many more there are.
func (e *InvalidError) Error() string {
	return ListProblems(e.Problems)
}

// ListProblems joins problems for a message: the first ten, and how many more there are.
func ListProblems(problems []string) string {
	if len(problems) <= maxProblems {
		return strings.Join(problems, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(problems[:maxProblems], "; "), len(problems)-maxProblems)
}
