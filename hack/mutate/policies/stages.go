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
	{mood: alone, about: "the guard alone: attacks and permissions of the changed rules", filters: attacksOnRules},
	{mood: whole, about: "the whole installation: what the changed policy permits, stamps and heals", filters: permissions},
	{mood: alone, about: "the guard alone: everything else", filters: otherAttacks, last: true},
	{mood: whole, about: "the whole installation: everything else", filters: everythingElse, last: true},
}

const stamping = "stamping"

func attacksOnRules(m mutant) []string {
	switch {
	case m.kind == failing || m.kind == remote:
		return []string{"static"}
	case m.policy == stamping:
		return nil
	case m.kind == matching:
		// Other kinds of writes are other requests.
		return []string{"alone && !takeout && first && " + ofRules(m), "alone && !takeout && !first && " + ofRules(m)}
	default:
		return []string{"alone && !takeout && first && " + ofRules(m)}
	}
}

func permissions(m mutant) []string {
	switch {
	case m.kind == failing || m.kind == remote:
		return nil
	case m.policy == stamping:
		return []string{
			"!alone && !again && !recognised && first && stamping", "!alone && !again && !recognised && !first && !slow && stamping",
		}
	default:
		return []string{"!alone && !again && !recognised && !first && !slow && " + m.policy}
	}
}

func otherAttacks(m mutant) []string {
	if m.kind == failing || m.kind == remote || m.policy == stamping {
		return nil
	}
	return []string{"alone && !takeout && !first && " + ofRules(m), "alone && !takeout && !" + ofRules(m)}
}

func everythingElse(m mutant) []string {
	if m.kind == failing || m.kind == remote {
		return nil
	}
	return []string{
		"!alone && !again && !recognised && slow && " + m.policy, "!alone && !again && !recognised && !" + m.policy, "again && !recognised",
	}
}

func ofRules(m mutant) string {
	return "(" + strings.Join(m.rules, " || ") + ")"
}

// ready is a filter for tests that leave a cluster as the stage needs it.
func (s stage) ready() string {
	if s.mood == alone {
		return "static || alone && first && G2"
	}
	return "static"
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
