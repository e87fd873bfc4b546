// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// person is somebody whose approval counts.
type person struct {
	name   string
	groups []string
}

// seat is one approval that a rule needs.
type seat struct {
	rule  v1alpha1.ApprovalRule
	taken int // by the person of that number; -1 if it is free
}

// lacks says which rules these people do not fill; empty if they fill all. Where each counts for one rule alone, they are seated so that as many seats as
// possible are taken (Kuhn's algorithm: a seat for each approval, and whoever finds theirs taken asks who sits there to move).
func lacks(rules []v1alpha1.ApprovalRule, people []person, once bool) string {
	var seats []seat
	var empty []string
	for _, rule := range rules {
		fitting := 0
		for _, each := range people {
			if fits(rule, each) {
				fitting++
			}
		}
		needed := int(ptr.Deref(rule.Required, 1))
		if !once && fitting < needed {
			empty = append(empty, fmt.Sprintf("rule %q needs %d and has %d", rule.Name, needed, fitting))
		}
		for range needed {
			seats = append(seats, seat{rule: rule, taken: -1})
		}
	}
	if once {
		for number := range people {
			sit(seats, people, number, make([]bool, len(seats)))
		}
		for _, each := range seats {
			if each.taken < 0 {
				empty = append(empty, fmt.Sprintf("rule %q lacks a person", each.rule.Name))
			}
		}
	}
	return strings.Join(empty, ", ")
}

// sit finds a seat for a person, and makes others move if need be.
func sit(seats []seat, people []person, number int, asked []bool) bool {
	for i := range seats {
		if asked[i] || !fits(seats[i].rule, people[number]) {
			continue
		}
		asked[i] = true
		if seats[i].taken < 0 || sit(seats, people, seats[i].taken, asked) {
			seats[i].taken = number
			return true
		}
	}
	return false
}

func fits(rule v1alpha1.ApprovalRule, who person) bool {
	if len(rule.Users) == 0 && len(rule.Groups) == 0 {
		return true
	}
	inGroup := slices.ContainsFunc(who.groups, func(group string) bool { return slices.Contains(rule.Groups, group) })
	return inGroup || slices.Contains(rule.Users, who.name)
}
