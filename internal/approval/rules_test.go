// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"slices"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// onlyWhen is a rule with a `when`. What it says does not matter here: the plan has the answer.
func onlyWhen(rule v1alpha1.ApprovalRule) v1alpha1.ApprovalRule {
	rule.When = "plan.changes.size() > 0"
	return rule
}

func applies(name string) v1alpha1.PlanRule {
	return v1alpha1.PlanRule{Name: name, Applicability: v1alpha1.RuleApplies}
}

func doesNotApply(name string) v1alpha1.PlanRule {
	return v1alpha1.PlanRule{Name: name, Applicability: v1alpha1.RuleDoesNotApply}
}

func unknown(name, message string) v1alpha1.PlanRule {
	return v1alpha1.PlanRule{Name: name, Applicability: v1alpha1.RuleUnknown, Message: message}
}

func TestOnlyTheRulesThatApplyToThePlanHaveToBeMet(t *testing.T) {
	always := group("owners", 1, "owners")
	security, network := onlyWhen(group("security", 1, "security")), onlyWhen(group("network", 1, "network"))
	owner, guard, stranger := approves("alice", "owners"), approves("dave", "security"), approves("erin")
	for _, test := range []struct {
		name    string
		policy  v1alpha1.ApprovalPolicy
		plan    []v1alpha1.PlanRule
		ballots []Ballot
		want    string
	}{
		{"a rule that applies has to be met", rules(always, security), []v1alpha1.PlanRule{applies("security")}, []Ballot{owner},
			"security needs 1, 1/2, owners by alice"},
		{"a rule that applies is met as any other", rules(always, security), []v1alpha1.PlanRule{applies("security")}, []Ballot{owner, guard},
			"met, 2/2, owners by alice, security by dave"},
		{"a rule that does not apply is left out", rules(always, security), []v1alpha1.PlanRule{doesNotApply("security")}, []Ballot{owner},
			"met, 1/1, owners by alice"},
		{"a rule that does not apply uses nobody up", rules(onlyWhen(rule("two", 2)), always), []v1alpha1.PlanRule{doesNotApply("two")}, []Ballot{owner},
			"met, 1/1, owners by alice"},
		{"a rule without `when` applies whatever the plan says of its name", rules(always), []v1alpha1.PlanRule{doesNotApply("owners")}, []Ballot{stranger},
			"owners needs 1, 0/1"},
		{"what the plan says of rules that the environment does not have does not matter", rules(always), []v1alpha1.PlanRule{applies("gone"), unknown("lost", "")}, []Ballot{owner},
			"met, 1/1, owners by alice"},

		// No rule applies
		{"where no rule applies, one approval is needed", rules(security, network), []v1alpha1.PlanRule{doesNotApply("security"), doesNotApply("network")}, nil,
			"approval needs 1, 0/1"},
		{"where no rule applies, anyone authorised fills the place", rules(security, network), []v1alpha1.PlanRule{doesNotApply("security"), doesNotApply("network")}, []Ballot{stranger},
			"met, 1/1, approval by erin"},
		{"a rule that requires nobody and applies is a rule", rules(onlyWhen(rule("none", 0))), []v1alpha1.PlanRule{applies("none")}, nil,
			"met, 0/0"},
		{"a rule that requires nobody and does not apply opens nothing", rules(onlyWhen(rule("none", 0))), []v1alpha1.PlanRule{doesNotApply("none")}, nil,
			"approval needs 1, 0/1"},

		// Nobody knows
		{"an unknown rule keeps the gate closed", rules(always, security), []v1alpha1.PlanRule{unknown("security", "no such key")}, []Ballot{owner, guard},
			"1/1, owners by alice, security unknown"},
		{"a rule that the plan does not name is unknown", rules(always, security), nil, []Ballot{owner, guard},
			"1/1, owners by alice, security unknown"},
		{"a rule of which the plan says something else is unknown", rules(always, security), []v1alpha1.PlanRule{{Name: "security", Applicability: "Maybe"}}, []Ballot{owner, guard},
			"1/1, owners by alice, security unknown"},
		{"a rule of which the plan says nothing is unknown", rules(always, security), []v1alpha1.PlanRule{{Name: "security"}}, []Ballot{owner, guard},
			"1/1, owners by alice, security unknown"},
		{"where every rule is unknown, one approval is needed besides", rules(security, network), []v1alpha1.PlanRule{unknown("network", "")}, []Ballot{stranger},
			"1/1, approval by erin, security unknown, network unknown"},
		{"an unknown rule that would require nobody keeps the gate closed", rules(onlyWhen(rule("none", 0))), nil, []Ballot{stranger},
			"1/1, approval by erin, none unknown"},
	} {
		t.Run(test.name, func(t *testing.T) {
			question := Question{Policy: test.policy, Plan: thisPlan, Rules: test.plan, Ballots: test.ballots}
			if got := outcome(Count(question)); got != test.want {
				t.Errorf("counted\n%s, want\n%s", got, test.want)
			}
			slices.Reverse(question.Rules)
			if got := outcome(Count(question)); got != test.want {
				t.Errorf("with the plan's rules in another order, counted\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func TestAnUnknownRuleSaysWhy(t *testing.T) {
	policy := rules(onlyWhen(rule("failed", 1)), onlyWhen(rule("silent", 1)), onlyWhen(rule("odd", 1)), onlyWhen(rule("unnamed", 1)))
	_, got := Applicable(policy, []v1alpha1.PlanRule{unknown("failed", "no such key: replicas"), unknown("silent", ""), {Name: "odd", Applicability: "Maybe", Message: "who knows"}})
	want := []v1alpha1.PlanRule{
		unknown("failed", "no such key: replicas"),
		unknown("silent", "its `when` could not be evaluated"),
		unknown("odd", "who knows"),
		unknown("unnamed", "the plan does not say whether it applies"),
	}
	if !slices.Equal(got, want) {
		t.Errorf("said\n%v, want\n%v", got, want)
	}
}

func TestTheRulesThatApplyHaveTheirDefaults(t *testing.T) {
	got, _ := Applicable(rules(onlyWhen(v1alpha1.ApprovalRule{Name: "any"})), []v1alpha1.PlanRule{applies("any")})
	if len(got) != 1 || ptr.Deref(got[0].Required, 0) != 1 {
		t.Errorf("the rules are %v, want one that requires 1", got)
	}
}

func TestANegativeNumberOpensNoGate(t *testing.T) {
	if got, want := outcome(Count(Question{Plan: thisPlan, Policy: rules(rule("less", -1))})), "less needs 1, 0/1"; got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
}

func TestWithoutRulesThereIsOneToMeet(t *testing.T) {
	if found := Rules(v1alpha1.ApprovalPolicy{}); len(found) != 1 || found[0].Name != DefaultRule || *found[0].Required != 1 {
		t.Errorf("found %+v", found)
	}
}
