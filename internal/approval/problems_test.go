// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const robot = "system:serviceaccount:ci:robot"

func mixed(name string, required int32, user string, groups ...string) v1alpha1.ApprovalRule {
	rule := group(name, required, groups...)
	rule.Users = []string{user}
	return rule
}

func several(policy v1alpha1.ApprovalPolicy) v1alpha1.ApprovalPolicy {
	policy.OneRulePerPerson = v1alpha1.OneRulePerPersonNotRequired
	return policy
}

func robotsCount(policy v1alpha1.ApprovalPolicy) v1alpha1.ApprovalPolicy {
	policy.ServiceAccounts = v1alpha1.ServiceAccountApprovalAllowed
	return policy
}

func TestRulesThatNobodyCanFillAreFound(t *testing.T) {
	crowd := func(n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("user-%02d", i))
		}
		return names
	}
	for _, test := range []struct {
		name   string
		policy v1alpha1.ApprovalPolicy
		want   []Problem
	}{
		{"no rules", rules(), nil},
		{"anyone fills a rule without users and groups", rules(rule("any", 16)), nil},
		{"a group may have any members", rules(group("owners", 16, "owners")), nil},
		{"as many users as are required", rules(users("leads", 2, "alice", "bob")), nil},
		{"a group beside too few users", rules(mixed("leads", 3, "alice", "leads")), nil},
		{"nobody is required", rules(users("none", 0, robot)), nil},

		// One rule
		{"fewer users than are required", rules(rule("any", 1), users("leads", 3, "alice", "bob")), []Problem{{"spec.approval.rules[1]",
			"rule \"leads\" needs 3 approvals, and only users \"alice\" and \"bob\" can give one: name more users, or a group, or lower `required`"}}},
		{"fewer users than are required, though one person may fill several rules", several(rules(users("leads", 2, "alice"))), []Problem{{"spec.approval.rules[0]",
			"rule \"leads\" needs 2 approvals, and only user \"alice\" can give one: name more users, or a group, or lower `required`"}}},
		{"a user who is named twice is one", rules(users("leads", 2, "alice", "alice")), []Problem{{"spec.approval.rules[0]",
			"rule \"leads\" needs 2 approvals, and only user \"alice\" can give one: name more users, or a group, or lower `required`"}}},
		{"a user without a name is nobody", rules(users("leads", 1, "")), []Problem{{"spec.approval.rules[0]",
			"rule \"leads\" needs 1 approval, and nobody can give one: name more users, or a group, or lower `required`"}}},
		{"many users, and not enough", rules(users("leads", 6, crowd(5)...)), []Problem{{"spec.approval.rules[0]",
			"rule \"leads\" needs 6 approvals, and only users \"user-00\" and \"user-01\" and \"user-02\" and 2 more can give one: name more users, or a group, or lower `required`"}}},
		{"two rules of one person that apply only sometimes, perhaps never together", rules(onlyWhen(users("lead", 1, "alice")), onlyWhen(users("owner", 1, "alice"))), nil},
		{"a rule that applies only sometimes", rules(onlyWhen(users("leads", 2, "alice"))), []Problem{{"spec.approval.rules[0]",
			"rule \"leads\" needs 2 approvals, and only user \"alice\" can give one: name more users, or a group, or lower `required`"}}},
		{"two rules, each of its own", rules(users("a", 2, "alice"), users("b", 2, "alice", "bob"), users("c", 2, "carol")), []Problem{
			{"spec.approval.rules[0]", "rule \"a\" needs 2 approvals, and only user \"alice\" can give one: name more users, or a group, or lower `required`"},
			{"spec.approval.rules[2]", "rule \"c\" needs 2 approvals, and only user \"carol\" can give one: name more users, or a group, or lower `required`"},
		}},

		// Service accounts
		{"a service account where none counts", rules(users("bots", 1, robot)), []Problem{{"spec.approval.rules[0]",
			"rule \"bots\" needs 1 approval, and nobody can give one, as service accounts do not count here: name more users, or a group, or lower `required`"}}},
		{"a service account that is one too few", rules(users("both", 2, robot, "alice")), []Problem{{"spec.approval.rules[0]",
			"rule \"both\" needs 2 approvals, and only user \"alice\" can give one, as service accounts do not count here: name more users, or a group, or lower `required`"}}},
		{"a service account where they count", robotsCount(rules(users("bots", 1, robot))), nil},
		{"groups of service accounts where none counts", rules(group("bots", 1, "system:serviceaccounts", "system:serviceaccounts:ci")), []Problem{{"spec.approval.rules[0]",
			"rule \"bots\" needs 1 approval, and nobody can give one, as service accounts do not count here: name more users, or a group, or lower `required`"}}},
		{"a group of service accounts where they count", robotsCount(rules(group("bots", 2, "system:serviceaccounts:ci"))), nil},
		{"a group of people beside one of service accounts", rules(group("all", 1, "system:serviceaccounts:ci", "owners")), nil},
		{"a group whose name only begins like theirs", rules(group("odd", 1, "system:serviceaccounts-of-ci")), nil},

		// One rule per person
		{"two rules that need the same person", rules(users("lead", 1, "alice"), rule("any", 1), users("security", 1, "alice")), []Problem{{"spec.approval.rules[0]",
			"rules \"lead\" and \"security\" need 2 approvals together, and only user \"alice\" can give one, and a person fills one rule: name more users, or a group, or set `oneRulePerPerson` to \"NotRequired\""}}},
		{"two rules that need the same person, who may fill both", several(rules(users("lead", 1, "alice"), users("security", 1, "alice"))), nil},
		{"two rules of the same two people", rules(users("lead", 1, "alice", "bob"), users("security", 1, "bob", "alice")), nil},
		{"one of them may be filled by a group", rules(users("lead", 1, "alice"), mixed("security", 1, "alice", "security")), nil},
		{"one of them requires nobody", rules(users("lead", 1, "alice"), users("security", 0, "alice")), nil},
		{"three rules, each pair of which can be filled", rules(users("a", 1, "1", "2"), users("b", 1, "2", "1"), users("c", 1, "1", "2")), []Problem{{"spec.approval.rules[0]",
			"rules \"a\" and \"b\" and \"c\" need 3 approvals together, and only users \"1\" and \"2\" can give one, and a person fills one rule: name more users, or a group, or set `oneRulePerPerson` to \"NotRequired\""}}},
		{"a rule that can be filled is not blamed", rules(users("a", 1, "1"), users("b", 1, "2", "3"), users("c", 1, "1")), []Problem{{"spec.approval.rules[0]",
			"rules \"a\" and \"c\" need 2 approvals together, and only user \"1\" can give one, and a person fills one rule: name more users, or a group, or set `oneRulePerPerson` to \"NotRequired\""}}},
		{"two pairs", rules(users("a", 1, "1"), users("b", 1, "2"), users("c", 1, "1"), users("d", 1, "2")), []Problem{
			{"spec.approval.rules[0]", "rules \"a\" and \"c\" need 2 approvals together, and only user \"1\" can give one, and a person fills one rule: name more users, or a group, or set `oneRulePerPerson` to \"NotRequired\""},
			{"spec.approval.rules[1]", "rules \"b\" and \"d\" need 2 approvals together, and only user \"2\" can give one, and a person fills one rule: name more users, or a group, or set `oneRulePerPerson` to \"NotRequired\""},
		}},
		{"problems come in the order of the rules", rules(users("a", 1, "1"), users("b", 1, "1"), users("c", 1, "2"), users("d", 2, "3"), users("e", 1, "2")), []Problem{
			{"spec.approval.rules[0]", "rules \"a\" and \"b\" need 2 approvals together, and only user \"1\" can give one, and a person fills one rule: name more users, or a group, or set `oneRulePerPerson` to \"NotRequired\""},
			{"spec.approval.rules[2]", "rules \"c\" and \"e\" need 2 approvals together, and only user \"2\" can give one, and a person fills one rule: name more users, or a group, or set `oneRulePerPerson` to \"NotRequired\""},
			{"spec.approval.rules[3]", "rule \"d\" needs 2 approvals, and only user \"3\" can give one: name more users, or a group, or lower `required`"},
		}},
		{"the same person in three rules is one problem", rules(users("a", 1, "1"), users("b", 1, "1"), users("c", 1, "1")), []Problem{{"spec.approval.rules[0]",
			"rules \"a\" and \"b\" and \"c\" need 3 approvals together, and only user \"1\" can give one, and a person fills one rule: name more users, or a group, or set `oneRulePerPerson` to \"NotRequired\""}}},
		{"a service account would have been the second", rules(users("a", 1, "1", robot), users("b", 1, "1")), []Problem{{"spec.approval.rules[0]",
			"rules \"a\" and \"b\" need 2 approvals together, and only user \"1\" can give one, as service accounts do not count here, and a person fills one rule: name more users, or a group, or set `oneRulePerPerson` to \"NotRequired\""}}},

		// Numbers
		{"sixteen approvals are held", rules(rule("a", 10), rule("b", 6)), nil},
		{"seventeen are not", rules(rule("a", 10), rule("b", 7)), []Problem{{"spec.approval.rules",
			"the rules need 17 approvals together, and a promotion holds 16: lower `required`, or set `oneRulePerPerson` to \"NotRequired\", so that one person fills every rule that they fit"}}},
		{"seventeen places that ten people fill", several(rules(rule("a", 10), rule("b", 7))), nil},
		{"a negative number", rules(rule("any", 1), rule("less", -1)), []Problem{{"spec.approval.rules[1].required",
			"rule \"less\" requires -1 approvals: it must be a number from 0 to 16, which is how many a promotion holds"}}},
		{"numbers beyond all bounds", rules(rule("more", 2147483647), rule("most", 2147483647)), []Problem{
			{"spec.approval.rules[0].required", "rule \"more\" requires 2147483647 approvals: it must be a number from 0 to 16, which is how many a promotion holds"},
			{"spec.approval.rules[1].required", "rule \"most\" requires 2147483647 approvals: it must be a number from 0 to 16, which is how many a promotion holds"},
		}},
		{"one more than is held, and nothing else is said of it", rules(users("more", 17, "alice")), []Problem{{"spec.approval.rules[0].required",
			"rule \"more\" requires 17 approvals: it must be a number from 0 to 16, which is how many a promotion holds"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Problems(test.policy); !slices.Equal(got, test.want) {
				t.Errorf("found\n%s\nwant\n%s", listed(got), listed(test.want))
			}
		})
	}
}

func TestARuleThatAppliesSometimesIsHeldAgainstThoseThatAlwaysDo(t *testing.T) {
	problems := Problems(rules(users("lead", 1, "alice"), onlyWhen(users("owner", 1, "alice"))))
	if len(problems) != 1 || !strings.Contains(problems[0].Message, `"lead"`) || !strings.Contains(problems[0].Message, `"owner"`) {
		t.Errorf("the problems are %v", problems)
	}
}

func listed(problems []Problem) string {
	var lines []string
	for _, problem := range problems {
		lines = append(lines, problem.Field+": "+problem.Message)
	}
	return strings.Join(lines, "\n")
}

// fillable tries every way to fill the places one after the other, with each person who is not used yet, if they are used up.
func fillable(rules []v1alpha1.ApprovalRule, candidates func(rule v1alpha1.ApprovalRule) []string, usedUp bool) bool {
	var places []v1alpha1.ApprovalRule
	for _, rule := range rules {
		for range *rule.Required {
			places = append(places, rule)
		}
	}
	var fill func(place int, used map[string]bool) bool
	fill = func(place int, used map[string]bool) bool {
		if place == len(places) {
			return true
		}
		for _, user := range candidates(places[place]) {
			key := user
			if !usedUp {
				key = places[place].Name + "/" + user
			}
			if used[key] {
				continue
			}
			used[key] = true
			if fill(place+1, used) {
				return true
			}
			delete(used, key)
		}
		return false
	}
	return fill(0, map[string]bool{})
}

// smallPolicy is a random handful of rules, mostly of the same few users.
func smallPolicy(random *rand.Rand) v1alpha1.ApprovalPolicy {
	policy := v1alpha1.ApprovalPolicy{
		SelfApproval:     oneOf(random, "", v1alpha1.SelfApprovalAllowed),
		ServiceAccounts:  oneOf(random, "", v1alpha1.ServiceAccountApprovalAllowed),
		OneRulePerPerson: oneOf(random, "", v1alpha1.OneRulePerPersonRequired, v1alpha1.OneRulePerPersonNotRequired),
	}
	for i := range 1 + random.IntN(4) {
		var named []string
		for _, user := range []string{"alice", "bob", "carol", "dave", robot} {
			if random.IntN(2) == 0 {
				named = append(named, user)
			}
		}
		rule := users(fmt.Sprintf("rule-%d", i), int32(random.IntN(3)), named...)
		if random.IntN(6) == 0 {
			rule.Groups = []string{oneOf(random, "owners", "system:serviceaccounts")}
		}
		policy.Rules = append(policy.Rules, rule)
	}
	return policy
}

// whoFits is everybody who could fill a rule if nobody but the users that rules name and eight others in each group existed.
func whoFits(policy v1alpha1.ApprovalPolicy, except string) func(rule v1alpha1.ApprovalRule) []string {
	robots := policy.ServiceAccounts == v1alpha1.ServiceAccountApprovalAllowed
	return func(rule v1alpha1.ApprovalRule) (people []string) {
		for _, user := range rule.Users {
			if user != except && (robots || user != robot) {
				people = append(people, user)
			}
		}
		anyone := len(rule.Users) == 0 && len(rule.Groups) == 0
		for i := range 8 {
			if anyone || slices.Contains(rule.Groups, "owners") {
				people = append(people, fmt.Sprintf("owner-%d", i))
			}
			if robots && (anyone || slices.Contains(rule.Groups, "system:serviceaccounts")) {
				people = append(people, fmt.Sprintf("system:serviceaccount:ci:robot-%d", i))
			}
		}
		return people
	}
}

func TestAProblemIsFoundExactlyWhereNoWayToFillTheRulesExists(t *testing.T) {
	const seed = 1935 // the year of Hall's theorem
	random := rand.New(rand.NewPCG(seed, seed))
	found := 0
	for range 5000 {
		policy := smallPolicy(random)
		problems := Problems(policy)
		can := fillable(policy.Rules, whoFits(policy, ""), policy.OneRulePerPerson != v1alpha1.OneRulePerPersonNotRequired)
		if can != (len(problems) == 0) {
			t.Fatalf("the rules can be filled: %t, and the problems are\n%s\nrules %+v", can, listed(problems), policy)
		}
		found += min(1, len(problems))
		checkShortages(t, policy)
	}
	if found < 500 || found > 4500 {
		t.Errorf("%d of 5000 policies have problems", found)
	}
}

// checkShortages holds each set of rules that is said to be short of people against the definition, and no rule is in two.
func checkShortages(t *testing.T, policy v1alpha1.ApprovalPolicy) {
	t.Helper()
	seen := map[int]bool{}
	for _, short := range shortages(policy.Rules, policy, "") {
		var need int
		people := map[string]bool{}
		for _, i := range short.rules {
			need += int(*policy.Rules[i].Required)
			for _, user := range whoFits(policy, "")(policy.Rules[i]) {
				people[user] = true
			}
			if seen[i] {
				t.Fatalf("rule %d is short twice: %+v", i, policy)
			}
			seen[i] = true
		}
		if need <= len(people) || need != short.need || len(people) != len(short.people) {
			t.Fatalf("%+v is not short of people: needs %d of %v", short, need, people)
		}
	}
}

func TestAPromotionThatOnlyItsRequesterCouldCompleteIsFound(t *testing.T) {
	selfAllowed := rules(users("lead", 1, "bob"))
	selfAllowed.SelfApproval = v1alpha1.SelfApprovalAllowed
	for _, test := range []struct {
		name   string
		policy v1alpha1.ApprovalPolicy
		plan   []v1alpha1.PlanRule
		want   []string
	}{
		{"no rules", rules(), nil, nil},
		{"anybody else may", rules(rule("any", 1)), nil, nil},
		{"the requester's group has others", rules(mixed("owners", 1, "bob", "owners")), nil, nil},
		{"the requester and another", rules(users("lead", 1, "bob", "alice")), nil, nil},
		{"the requester alone", rules(users("lead", 1, "bob")), nil, []string{
			"rule \"lead\" needs 1 approval, and nobody can give one without user \"bob\", who asked for this promotion: cancel it and let somebody else ask for it, or let environment \"production\" name more users"}},
		{"the requester and a user without a name", rules(users("lead", 1, "bob", "")), nil, []string{
			"rule \"lead\" needs 1 approval, and nobody can give one without user \"bob\", who asked for this promotion: cancel it and let somebody else ask for it, or let environment \"production\" name more users"}},
		{"the requester alone, whose own approval counts", selfAllowed, nil, nil},
		{"the requester and one too few others", rules(users("leads", 2, "bob", "alice")), nil, []string{
			"rule \"leads\" needs 2 approvals, and only user \"alice\" can give one without user \"bob\", who asked for this promotion: cancel it and let somebody else ask for it, or let environment \"production\" name more users"}},
		{"one too few others for two rules", rules(users("a", 1, "alice", "bob"), users("b", 1, "alice", "bob")), nil, []string{
			"rules \"a\" and \"b\" need 2 approvals together, and only user \"alice\" can give one without user \"bob\", who asked for this promotion: cancel it and let somebody else ask for it, or let environment \"production\" name more users"}},
		{"one too few others for two rules, and one person may fill both", several(rules(users("a", 1, "alice", "bob"), users("b", 1, "alice", "bob"))), nil, nil},
		{"others are missing too: that is the environment's problem", rules(users("leads", 2, "bob")), nil, nil},
		{"others are missing, and the requester is not named: that is the environment's problem", rules(users("leads", 2, "alice")), nil, nil},
		{"the requester is not asked for", rules(users("lead", 1, "alice")), nil, nil},
		{"nobody is required", rules(users("lead", 0, "bob")), nil, nil},
		{"a rule that does not apply", rules(onlyWhen(users("lead", 1, "bob"))), []v1alpha1.PlanRule{doesNotApply("lead")}, nil},
		{"a rule of which nobody knows whether it applies", rules(onlyWhen(users("lead", 1, "bob"))), nil, nil},
		{"a rule that applies", rules(onlyWhen(users("lead", 1, "bob"))), []v1alpha1.PlanRule{applies("lead")}, []string{
			"rule \"lead\" needs 1 approval, and nobody can give one without user \"bob\", who asked for this promotion: cancel it and let somebody else ask for it, or let environment \"production\" name more users"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			question := Question{Environment: "production", Policy: test.policy, Rules: test.plan, RequestedBy: v1alpha1.Person{Username: "bob"}}
			if got := Unfillable(question); !slices.Equal(got, test.want) {
				t.Errorf("said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestAServiceAccountThatAskedIsNotMissedWhereItWouldNotCountAnyway(t *testing.T) {
	question := Question{Policy: rules(users("bots", 1, robot)), RequestedBy: v1alpha1.Person{Username: robot}}
	if got := Unfillable(question); got != nil {
		t.Errorf("said %q, and that is the environment's problem", got)
	}
	question.Policy = robotsCount(question.Policy)
	if got := Unfillable(question); len(got) != 1 {
		t.Errorf("said %q, want one sentence", got)
	}
}

func TestAPromotionIsUnfillableExactlyWhereItsRequesterMakesTheDifference(t *testing.T) {
	const seed = 1931 // the year of König's
	random := rand.New(rand.NewPCG(seed, seed))
	found := 0
	for range 5000 {
		policy := smallPolicy(random)
		policy.SelfApproval = ""
		usedUp := policy.OneRulePerPerson != v1alpha1.OneRulePerPersonNotRequired
		requester := oneOf(random, "alice", "bob", robot)
		if len(Problems(policy)) > 0 {
			continue // the environment says so
		}
		can := fillable(policy.Rules, whoFits(policy, requester), usedUp)
		got := Unfillable(Question{Policy: policy, RequestedBy: v1alpha1.Person{Username: requester}})
		if can != (len(got) == 0) {
			t.Fatalf("without %q the rules can be filled: %t, and it says %q\nrules %+v", requester, can, got, policy)
		}
		found += min(1, len(got))
	}
	if found < 100 {
		t.Errorf("%d promotions only are unfillable", found)
	}
}

func TestWhatIsWrongWhateverAppliesIsSaidOnce(t *testing.T) {
	policy := rules(users("leads", 3, "alice"), onlyWhen(group("security", 1, "security")), onlyWhen(group("network", 1, "network")))
	if found := Problems(policy); len(found) != 1 || found[0].Field != "spec.approval.rules[0]" {
		t.Errorf("found %s", listed(found))
	}
}

func TestARuleThatSaysNoNumberIsNoProblem(t *testing.T) {
	policy := rules(group("owners", 1, "owners"))
	policy.Rules[0].Required = nil
	if found := Problems(policy); len(found) > 0 {
		t.Errorf("found %s", listed(found))
	}
}
