// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// kind of a mutant: what of a policy is changed.
type kind string

const (
	// validationRemoved and validationNegated are of a whole validation.
	validationRemoved kind = "validation removed"
	validationNegated kind = "validation negated"
	// withinExpression is of a part of any expression.
	withinExpression kind = "within an expression"
	// variableFixed is of a variable that is true or false.
	variableFixed kind = "variable fixed"
	// conditionRemoved is of a matchCondition.
	conditionRemoved kind = "match condition"
	// matching is of the requests that a policy meets.
	matching kind = "matching"
	// bound is of a binding.
	bound kind = "binding"
	// failing is of what happens to a request that a policy cannot judge.
	failing kind = "failure policy"
	// recorded is of an audit annotation.
	recorded kind = "audit annotation"
	// stamped is of a mutation: what is stamped, or healed.
	stamped kind = "stamping"
	// remote is of which policies a remote cluster gets.
	remote kind = "remote"
)

// mutant is one change of the guard that a test has to notice.
type mutant struct {
	// name is stable as long as the changed part stays as it is: exceptions are found by it.
	name string
	kind kind
	// policy is the short name of the changed one, by which tests are labelled.
	policy string
	// rules that it has to do with, by their numbers: whose tests are the likeliest to notice.
	rules []string
	// changed is the file as it becomes.
	changed manifest
	// before and after are the changed text.
	before, after string
	// excepted says that nobody has to notice it.
	excepted bool
}

// longest that the changed part of a name may be; the rest of it is told apart by a digest.
const longest = 110

// called shortens what a name says of the changed part.
func called(what string) string {
	what = strings.Join(strings.Fields(what), " ")
	if len(what) <= longest {
		return what
	}
	digest := sha256.Sum256([]byte(what))
	return fmt.Sprintf("%s… #%s", what[:longest], hex.EncodeToString(digest[:4]))
}

// collection gathers mutants: no two do the same, and no two have the same name.
type collection struct {
	mutants []mutant
	done    map[string]bool
	names   map[string]int
}

func newCollection() *collection {
	return &collection{done: map[string]bool{}, names: map[string]int{}}
}

// add takes a mutant unless the same is done in the same place already.
func (c *collection) add(m mutant, place string) {
	key := strings.Join([]string{m.changed.path, place, m.after}, "\n")
	if c.done[key] {
		return
	}
	c.done[key] = true
	c.names[m.name]++
	if n := c.names[m.name]; n > 1 {
		m.name = fmt.Sprintf("%s (%d)", m.name, n)
	}
	c.mutants = append(c.mutants, m)
}
