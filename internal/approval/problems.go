// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// mostApprovals is how many approvals a Promotion holds.
const mostApprovals = 16

// Problem is a rule of an Environment that can never be carried out.
type Problem struct {
	// Field of the Environment that is wrong, such as "spec.approval.rules[1]".
	Field string
	// Message says what is wrong with it, and what to do.
	Message string
}

// Problems of a policy: the rules that nobody could ever fill, by what the policy alone says, in the order of the rules. Who is
// in a group and who holds the verb `approve` is not asked. Of the rules with a `when`, one at a time is taken as applying: two of
// them may never do so together. Not found are rules that one person may fill several of and that name more than sixteen different
// people all the same.
func Problems(policy v1alpha1.ApprovalPolicy) []Problem {
	problems := absurdNumbers(policy)
	if len(problems) > 0 {
		return problems // what follows calculates with them
	}
	const none = -1
	problems = append(problems, problemsWith(policy, none)...)
	for i, rule := range Rules(policy) {
		if rule.When == "" {
			continue
		}
		for _, problem := range problemsWith(policy, i) {
			if !slices.Contains(problems, problem) {
				problems = append(problems, problem)
			}
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Field, b.Field) })
	return problems
}

// problemsWith are those of the rules that always apply and of one rule with a `when`.
func problemsWith(policy v1alpha1.ApprovalPolicy, conditional int) (problems []Problem) {
	rules := Rules(policy)
	var total int32
	for i := range rules {
		if rules[i].When != "" && i != conditional {
			rules[i].Required = ptr.To[int32](0) // as good as absent, and the others keep their numbers
		}
		total += *rules[i].Required
	}
	for _, short := range shortages(rules, policy, "") {
		problems = append(problems, Problem{Field: ruleField(short.rules[0]), Message: short.problem(rules, policy)})
	}
	if policy.OneRulePerPerson != v1alpha1.OneRulePerPersonNotRequired && total > mostApprovals {
		problems = append(problems, Problem{Field: "spec.approval.rules", Message: fmt.Sprintf(
			"the rules need %d approvals together, and a promotion holds %d: lower `required`, or set `oneRulePerPerson` to %q, so that one person fills every rule that they fit",
			total, mostApprovals, v1alpha1.OneRulePerPersonNotRequired)})
	}
	return problems
}

// absurdNumbers are those that the API server refuses: whoever has taken its schema away gets no gate open by them.
func absurdNumbers(policy v1alpha1.ApprovalPolicy) (problems []Problem) {
	for i, rule := range policy.Rules {
		if rule.Required != nil && (*rule.Required < 0 || *rule.Required > mostApprovals) {
			problems = append(problems, Problem{Field: ruleField(i) + ".required", Message: fmt.Sprintf(
				"rule %q requires %d approvals: it must be a number from 0 to %d, which is how many a promotion holds", rule.Name, *rule.Required, mostApprovals)})
		}
	}
	return problems
}

func ruleField(index int) string { return fmt.Sprintf("spec.approval.rules[%d]", index) }

// Unfillable are the rules of the question's policy that apply to its plan and that could be filled only with an approval by
// the requester, whose own does not count: a sentence for each, with the remedy. Nobody can ever approve such a promotion. It
// looks at the policy and the requester only, whatever has been approved yet; rules of groups can always be filled by somebody else.
func Unfillable(q Question) (sentences []string) {
	requester := q.RequestedBy.Username
	if q.Policy.SelfApproval == v1alpha1.SelfApprovalAllowed || !countable(q.Policy, requester) {
		return nil
	}
	rules, _ := Applicable(q.Policy, q.Rules)
	for _, short := range shortages(rules, q.Policy, requester) {
		named := slices.ContainsFunc(short.rules, func(i int) bool { return slices.Contains(rules[i].Users, requester) })
		if named && short.need-len(short.people) == 1 { // otherwise the requester's approval would not do either
			sentences = append(sentences, fmt.Sprintf(
				"%s without user %q, who asked for this promotion: cancel it and let somebody else ask for it, or let environment %q name more users",
				short.sentence(rules), requester, q.Environment))
		}
	}
	return sentences
}

// shortage is a set of rules that need more people than there are for them.
type shortage struct {
	// rules by their index, in their order. One, unless each could be filled if it were not for the others.
	rules []int
	// need is how many approvals they need together, and people are all who could give one, by name.
	need   int
	people []string
}

// shortages among the rules that name users only: nobody else can fill those. The person except gives no approval.
func shortages(rules []v1alpha1.ApprovalRule, policy v1alpha1.ApprovalPolicy, except string) []shortage {
	var short []shortage
	var others []int // can be filled one by one
	for i, rule := range rules {
		if !closed(rule, policy) {
			continue
		}
		alone := shortageOf(rules, []int{i}, policy, except)
		if alone.need > len(alone.people) {
			short = append(short, alone)
		} else {
			others = append(others, i)
		}
	}
	if policy.OneRulePerPerson != v1alpha1.OneRulePerPersonNotRequired {
		short = append(short, sharedShortages(rules, others, policy, except)...)
	}
	slices.SortStableFunc(short, func(a, b shortage) int { return cmp.Compare(a.rules[0], b.rules[0]) })
	return short
}

// sharedShortages are the sets of rules that compete for the same people. All people are assigned to the rules as approvals
// are; a rule that stays short is short together with every rule that holds on to somebody who fits it, and so on: by Hall's
// theorem the rules found that way need more people than they name.
func sharedShortages(all []v1alpha1.ApprovalRule, among []int, policy v1alpha1.ApprovalPolicy, except string) (short []shortage) {
	rules := make([]v1alpha1.ApprovalRule, len(among))
	for k, i := range among {
		rules[k] = v1alpha1.ApprovalRule{Required: all[i].Required, Users: all[i].Users}
	}
	var people []Ballot
	for _, user := range shortageOf(all, among, policy, except).people {
		people = append(people, Ballot{Approval: v1alpha1.Approval{User: user}})
	}
	for _, set := range competing(rules, assignOnce(rules, people)) {
		together := make([]int, len(set))
		for k, member := range set {
			together[k] = among[member]
		}
		short = append(short, shortageOf(all, together, policy, except))
	}
	return short
}

// competing are the sets of rules that are short together: a rule that is short, and every rule that holds on to somebody whom
// a rule of the set could use. Sets that share a rule are one.
func competing(rules []v1alpha1.ApprovalRule, assigned [][]string) (sets [][]int) {
	for k := range rules {
		if len(assigned[k]) == int(*rules[k].Required) {
			continue
		}
		set := holding(rules, assigned, k)
		sets = slices.DeleteFunc(sets, func(earlier []int) bool {
			shared := slices.ContainsFunc(earlier, func(i int) bool { return slices.Contains(set, i) })
			if shared {
				set = append(set, earlier...)
			}
			return shared
		})
		slices.Sort(set)
		sets = append(sets, slices.Compact(set))
	}
	return sets
}

// holding are the rule first and, step by step, every rule that holds on to somebody whom one of them could use.
func holding(rules []v1alpha1.ApprovalRule, assigned [][]string, first int) []int {
	found := []int{first}
	for next := 0; next < len(found); next++ {
		wanted := func(user string) bool { return slices.Contains(rules[found[next]].Users, user) }
		for i := range rules {
			if !slices.Contains(found, i) && slices.ContainsFunc(assigned[i], wanted) {
				found = append(found, i)
			}
		}
	}
	return found
}

// shortageOf sums up what some rules need and who could give it.
func shortageOf(rules []v1alpha1.ApprovalRule, among []int, policy v1alpha1.ApprovalPolicy, except string) shortage {
	sum := shortage{rules: among}
	for _, i := range among {
		sum.need += int(*rules[i].Required)
		for _, user := range rules[i].Users {
			if user != except && countable(policy, user) {
				sum.people = append(sum.people, user)
			}
		}
	}
	slices.Sort(sum.people)
	sum.people = slices.Compact(sum.people)
	return sum
}

// closed says whether only the users that a rule names can fill it.
func closed(rule v1alpha1.ApprovalRule, policy v1alpha1.ApprovalPolicy) bool {
	if len(rule.Users) == 0 && len(rule.Groups) == 0 {
		return false
	}
	return !slices.ContainsFunc(rule.Groups, func(group string) bool {
		// Kubernetes puts nobody but service accounts into these.
		robots := group == "system:serviceaccounts" || strings.HasPrefix(group, "system:serviceaccounts:")
		return !robots || policy.ServiceAccounts == v1alpha1.ServiceAccountApprovalAllowed
	})
}

// countable says whether a user's approval could ever count.
func countable(policy v1alpha1.ApprovalPolicy, user string) bool {
	return user != "" && (!isServiceAccount(user) || policy.ServiceAccounts == v1alpha1.ServiceAccountApprovalAllowed)
}
