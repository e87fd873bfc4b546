// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"slices"
	"strings"
)

// stage is a mood of the clusters, and which tests are run in it on a mutant, one filter of labels after the other, until some test fails: first
// those that are the likeliest to notice it.
type stage struct {
	mood mood
	// about says what is looked for.
	about   string
	filters func(mutant) []string
	// last says that it is for the mutants alone that no exception is made of.
	last bool
}

var stages = []stage{
	{mood: alone, about: "attacks on the guard alone, against the changed rules", filters: attacksOnRules},
	{mood: whole, about: "what the changed policy permits, stamps and heals", filters: permissions},
	{mood: alone, about: "attacks against all other rules", filters: otherAttacks, last: true},
	{mood: whole, about: "everything else", filters: everythingElse, last: true},
}

const stamping = "stamping"

func attacksOnRules(m mutant) []string {
	switch {
	case m.kind == failing || m.kind == remote:
		return []string{"static"}
	case m.policy == stamping:
		return nil
	default:
		rules := ofRules(m)
		return []string{"alone && !takeout && first && " + rules, "alone && !takeout && !first && " + rules}
	}
}

func permissions(m mutant) []string {
	if m.kind == failing || m.kind == remote {
		return nil
	}
	return []string{
		"!alone && !again && !recognised && first && " + m.policy,
		"!alone && !again && !recognised && !first && !slow && " + m.policy,
		"!alone && !again && !recognised && slow && " + m.policy,
	}
}

func otherAttacks(m mutant) []string {
	if m.kind == failing || m.kind == remote || m.policy == stamping {
		return nil
	}
	return []string{"alone && !takeout && !" + ofRules(m)}
}

func everythingElse(m mutant) []string {
	if m.kind == failing || m.kind == remote {
		return nil
	}
	return []string{"!alone && !again && !recognised && !" + m.policy, "again && !recognised"}
}

func ofRules(m mutant) string {
	return "(" + strings.Join(m.rules, " || ") + ")"
}

// covering is a filter for all tests that the stage runs on any of the mutants.
func (s stage) covering(mutants []mutant) string {
	var filters []string
	for _, m := range mutants {
		for _, filter := range s.filters(m) {
			filters = append(filters, "("+filter+")")
		}
	}
	slices.Sort(filters)
	return strings.Join(slices.Compact(filters), " || ")
}
