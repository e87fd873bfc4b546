// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"cmp"
	"slices"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// DefaultRule is the rule where no other applies: one approval by anyone who may approve.
const DefaultRule = "approval"

// Rules of a policy with their defaults, those with a `when` too.
func Rules(policy v1alpha1.ApprovalPolicy) []v1alpha1.ApprovalRule {
	if len(policy.Rules) == 0 {
		return defaultRules()
	}
	rules := slices.Clone(policy.Rules)
	for i := range rules {
		required := ptr.Deref(rules[i].Required, 1)
		if required < 0 { // the API server refuses it; here it must not open the gate
			required = 1
		}
		rules[i].Required = &required
	}
	return rules
}

func defaultRules() []v1alpha1.ApprovalRule {
	return []v1alpha1.ApprovalRule{{Name: DefaultRule, Required: ptr.To[int32](1)}}
}

// Applicable are the rules of a policy that a plan has to meet, with their defaults, and those of which it is unknown whether
// it has to, each with a message. A rule without `when` always applies; one with a `when` applies as planRules says, and is
// unknown where planRules does not name it. Where no rule is left, the DefaultRule applies: there is always one to meet.
func Applicable(policy v1alpha1.ApprovalPolicy, planRules []v1alpha1.PlanRule) (rules []v1alpha1.ApprovalRule, unknown []v1alpha1.PlanRule) {
	for _, rule := range Rules(policy) {
		if rule.When == "" {
			rules = append(rules, rule)
			continue
		}
		switch verdict := verdictOn(rule, planRules); verdict.Applicability {
		case v1alpha1.RuleApplies:
			rules = append(rules, rule)
		case v1alpha1.RuleDoesNotApply:
		case v1alpha1.RuleUnknown:
			unknown = append(unknown, verdict)
		}
	}
	if len(rules) == 0 {
		rules = defaultRules()
	}
	return rules, unknown
}

// verdictOn is what came of a rule's `when`: whatever does not say clearly that the rule applies or does not is unknown.
func verdictOn(rule v1alpha1.ApprovalRule, planRules []v1alpha1.PlanRule) v1alpha1.PlanRule {
	verdict := v1alpha1.PlanRule{Name: rule.Name, Applicability: v1alpha1.RuleUnknown, Message: "the plan does not say whether it applies"}
	if i := slices.IndexFunc(planRules, func(entry v1alpha1.PlanRule) bool { return entry.Name == rule.Name }); i >= 0 {
		verdict = planRules[i]
	}
	if verdict.Applicability != v1alpha1.RuleApplies && verdict.Applicability != v1alpha1.RuleDoesNotApply {
		verdict.Applicability = v1alpha1.RuleUnknown
		verdict.Message = cmp.Or(verdict.Message, "its `when` could not be evaluated")
	}
	return verdict
}
