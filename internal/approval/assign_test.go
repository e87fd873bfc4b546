// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// mostFilled tries every way to give each person one place of one rule, or none, and returns how many places the best one fills.
func mostFilled(rules []v1alpha1.ApprovalRule, people []Ballot, free []int32) int {
	if len(people) == 0 {
		return 0
	}
	best := mostFilled(rules, people[1:], free)
	for i, rule := range rules {
		if free[i] == 0 || !fits(rule, people[0]) {
			continue
		}
		free[i]--
		best = max(best, 1+mostFilled(rules, people[1:], free))
		free[i]++
	}
	return best
}

// smallCase is a random handful of rules and people. Groups are few, so that they overlap.
func smallCase(random *rand.Rand) ([]v1alpha1.ApprovalRule, []Ballot) {
	groups := []string{"a", "b", "c"}
	some := func(from []string) []string {
		return slices.DeleteFunc(slices.Clone(from), func(string) bool { return random.IntN(2) == 0 })
	}
	rules := make([]v1alpha1.ApprovalRule, 1+random.IntN(4))
	for i := range rules {
		rules[i] = v1alpha1.ApprovalRule{Name: fmt.Sprintf("rule-%d", i), Required: ptr.To(int32(random.IntN(3))), Groups: some(groups)}
		if random.IntN(4) == 0 {
			rules[i].Users = []string{fmt.Sprintf("user-%d", random.IntN(6))}
		}
	}
	people := make([]Ballot, random.IntN(7))
	for i := range people {
		people[i] = approves(fmt.Sprintf("user-%d", i), some(groups)...)
	}
	return rules, people
}

func TestAsManyPlacesAreFilledAsCanBeFilled(t *testing.T) {
	const seed = 4711
	random := rand.New(rand.NewPCG(seed, seed))
	for range 5000 {
		rules, people := smallCase(random)
		var free []int32
		for _, rule := range rules {
			free = append(free, *rule.Required)
		}
		result := Count(Question{Plan: thisPlan, Policy: v1alpha1.ApprovalPolicy{Rules: rules}, Ballots: people})
		if best := mostFilled(rules, people, free); int(*result.Status.Granted) != best {
			t.Fatalf("filled %d of %d places, and %d can be filled\nrules %+v\npeople %+v", *result.Status.Granted, *result.Status.Required, best, rules, people)
		}
		checkAssignment(t, rules, people, result)
	}
}

// checkAssignment holds what a count says against the rules: everybody is where they fit, once, and no place is given twice.
func checkAssignment(t *testing.T, rules []v1alpha1.ApprovalRule, people []Ballot, result Result) {
	t.Helper()
	seen := map[string]bool{}
	missing := 0
	for i, rule := range result.Status.Rules {
		if len(rule.ApprovedBy) > int(*rule.Required) || !slices.IsSorted(rule.ApprovedBy) {
			t.Fatalf("rule %q requires %d and is filled by %v", rule.Name, *rule.Required, rule.ApprovedBy)
		}
		missing += int(*rule.Required) - len(rule.ApprovedBy)
		for _, user := range rule.ApprovedBy {
			person := slices.IndexFunc(people, func(ballot Ballot) bool { return ballot.User == user })
			if seen[user] || !fits(rules[i], people[person]) || !slices.Equal(result.Filled[user], []string{rule.Name}) {
				t.Fatalf("%q fills rule %q wrongly: %+v", user, rule.Name, result)
			}
			seen[user] = true
		}
	}
	reported := 0
	for _, rule := range result.Missing {
		reported += rule.Count
	}
	if reported != missing || result.Met() != (missing == 0) || len(result.Filled) != len(seen) {
		t.Fatalf("%d places are free, and %d are reported: %+v", missing, reported, result)
	}
}
