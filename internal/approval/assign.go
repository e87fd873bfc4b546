// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// fill assigns approvals to rules and sums up.
func (r *Result) fill(rules []v1alpha1.ApprovalRule, approvals []Ballot, perPerson v1alpha1.OneRulePerPerson) {
	assigned := assign(rules, approvals, perPerson)
	var required, granted int32
	r.Filled = map[string][]string{}
	for i, rule := range rules {
		need, have := *rule.Required, int32(len(assigned[i])) //nolint:gosec // at most 16 approvals
		required += need
		granted += min(need, have)
		if have < need {
			r.Missing = append(r.Missing, Missing{Rule: rule, Count: int(need - have)})
		}
		for _, user := range assigned[i] {
			r.Filled[user] = append(r.Filled[user], rule.Name)
		}
		r.Status.Rules = append(r.Status.Rules, v1alpha1.RuleStatus{Name: rule.Name, Required: rule.Required, ApprovedBy: assigned[i]})
	}
	r.Status.Required, r.Status.Granted = ptr.To(required), ptr.To(granted)
	r.Status.Summary = fmt.Sprintf("%d/%d", granted, required)
}

// metSince is when the first approvals that together meet the rules had all been seen; zero if it took none, or if the rules
// are not met. Approvals only ever add to what is filled, so the first moment is found by letting them in one after the other.
func metSince(rules []v1alpha1.ApprovalRule, approvals []Ballot, perPerson v1alpha1.OneRulePerPerson) time.Time {
	if met(rules, nil, perPerson) {
		return time.Time{}
	}
	arrived := slices.SortedStableFunc(slices.Values(approvals), func(a, b Ballot) int { return a.FirstSeen.Compare(b.FirstSeen) })
	for i, last := range arrived {
		if met(rules, arrived[:i+1], perPerson) {
			return last.FirstSeen
		}
	}
	return time.Time{}
}

// met says whether approvals fill every place of every rule.
func met(rules []v1alpha1.ApprovalRule, approvals []Ballot, perPerson v1alpha1.OneRulePerPerson) bool {
	for i, people := range assign(rules, approvals, perPerson) {
		if len(people) < int(*rules[i].Required) {
			return false
		}
	}
	return true
}

// assign approvals to rules: the people who fill each, by name.
func assign(rules []v1alpha1.ApprovalRule, approvals []Ballot, perPerson v1alpha1.OneRulePerPerson) [][]string {
	if perPerson == v1alpha1.OneRulePerPersonNotRequired {
		return assignEvery(rules, approvals)
	}
	return assignOnce(rules, approvals)
}

// assignEvery lets each person fill every rule that they fit.
func assignEvery(rules []v1alpha1.ApprovalRule, approvals []Ballot) [][]string {
	assigned := make([][]string, len(rules))
	for i, rule := range rules {
		for _, ballot := range approvals {
			if fits(rule, ballot) {
				assigned[i] = append(assigned[i], ballot.User)
			}
		}
	}
	return assigned
}

// assignOnce lets each person fill one place of one rule, and fills as many places as can be filled. It is the textbook
// maximum bipartite matching by augmenting paths: a person who finds a rule full makes one who is there move on, if that one can.
func assignOnce(rules []v1alpha1.ApprovalRule, approvals []Ballot) [][]string {
	matching := matching{rules: rules, approvals: approvals, placed: make([][]int, len(rules))}
	for person := range approvals {
		matching.place(person, make([]bool, len(rules)))
	}
	assigned := make([][]string, len(rules))
	for i, people := range matching.placed {
		for _, person := range people {
			assigned[i] = append(assigned[i], approvals[person].User)
		}
		slices.Sort(assigned[i])
	}
	return assigned
}

type matching struct {
	rules     []v1alpha1.ApprovalRule
	approvals []Ballot
	placed    [][]int // people by rule
}

// place finds a rule for person, moving others on if need be. Rules in visited have been tried on this path.
func (m *matching) place(person int, visited []bool) bool {
	for i, rule := range m.rules {
		if visited[i] || !fits(rule, m.approvals[person]) {
			continue
		}
		visited[i] = true
		if len(m.placed[i]) < int(*rule.Required) {
			m.placed[i] = append(m.placed[i], person)
			return true
		}
		for k, other := range m.placed[i] {
			if m.place(other, visited) {
				m.placed[i][k] = person
				return true
			}
		}
	}
	return false
}
