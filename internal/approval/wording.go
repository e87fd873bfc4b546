// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// problem says what is wrong with an Environment whose rules are short of people, and what to do.
func (s shortage) problem(rules []v1alpha1.ApprovalRule, policy v1alpha1.ApprovalPolicy) string {
	message := s.sentence(rules)
	robot := func(user string) bool { return isServiceAccount(user) && !countable(policy, user) }
	if slices.ContainsFunc(s.rules, func(i int) bool { return slices.ContainsFunc(rules[i].Users, robot) || len(rules[i].Groups) > 0 }) {
		message += ", as service accounts do not count here"
	}
	if len(s.rules) == 1 {
		return message + ": name more users, or a group, or lower `required`"
	}
	return message + fmt.Sprintf(", and a person fills one rule: name more users, or a group, or set `oneRulePerPerson` to %q", v1alpha1.OneRulePerPersonNotRequired)
}

// sentence says which rules need how many approvals, and who could give them.
func (s shortage) sentence(rules []v1alpha1.ApprovalRule) string {
	var names []string
	for _, i := range s.rules {
		names = append(names, fmt.Sprintf("%q", rules[i].Name))
	}
	who := "nobody can give one"
	if len(s.people) > 0 {
		who = fmt.Sprintf("only %s can give one", userNames(s.people))
	}
	if len(names) == 1 {
		return fmt.Sprintf("rule %s needs %s, and %s", names[0], counted(s.need), who)
	}
	return fmt.Sprintf("rules %s need %s together, and %s", strings.Join(names, " and "), counted(s.need), who)
}

func counted(approvals int) string {
	if approvals == 1 {
		return "1 approval"
	}
	return fmt.Sprintf("%d approvals", approvals)
}

// userNames names users, at most three.
func userNames(users []string) string {
	const most = 3
	var names []string
	for i, user := range users {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(users)-most))
			break
		}
		names = append(names, fmt.Sprintf("%q", user))
	}
	noun := "user "
	if len(users) > 1 {
		noun = "users "
	}
	return noun + strings.Join(names, " and ")
}
