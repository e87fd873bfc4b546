// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/expression"
)

// questionOf the count: the Promotion's decisions, judged for the current plan.
func questionOf(seen Observation) approval.Question {
	plan := currentPlan(seen)
	question := approval.Question{
		Environment: seen.Promotion.Spec.Environment,
		Policy:      policyOf(seen),
		Plan:        plan.Digest,
		Rules:       plan.Rules,
		RequestedBy: seen.Promotion.Spec.RequestedBy,
	}
	for _, entry := range seen.Promotion.Spec.Approvals {
		authority, proven := seen.Authority[entry.User]
		switch {
		case !proven && seen.Live:
			authority = approval.AuthorityLost // whom nobody has asked about does not count when it matters
		case !proven:
			authority = approval.AuthorityUnproven
		}
		question.Ballots = append(question.Ballots, approval.Ballot{Approval: entry, Authority: authority, FirstSeen: firstSeen(seen, entry)})
	}
	return question
}

// countApprovals of the promotion for the current plan.
func countApprovals(seen Observation) approval.Result { return approval.Count(questionOf(seen)) }

// firstSeen is when a decision on this plan was first seen: the time in status if it is there, else now. Status holds
// approvals: a rejection that counts ends the promotion at once, so the time of an earlier approval is not its own.
func firstSeen(seen Observation, entry v1alpha1.Approval) time.Time {
	if entry.Decision == v1alpha1.DecisionRejected {
		return seen.Now.Truncate(time.Second)
	}
	for _, counted := range seen.Promotion.Status.Approvals.Counted {
		if counted.User == entry.User && counted.PlanDigest == entry.PlanDigest {
			return counted.Time.Time
		}
	}
	return seen.Now.Truncate(time.Second)
}

// PlanRules evaluates the `when` of an Environment's rules for a plan with these changes: all of them, not those that a status has room for.
// What cannot be evaluated is Unknown, and nothing starts.
func PlanRules(environment *v1alpha1.Environment, about expression.RuleInput) []v1alpha1.PlanRule {
	var found []v1alpha1.PlanRule
	for _, rule := range environment.Spec.Approval.Rules {
		if rule.When == "" {
			continue
		}
		evaluated := v1alpha1.PlanRule{Name: rule.Name, Applicability: v1alpha1.RuleDoesNotApply}
		applies, err := evaluate(rule.When, about)
		switch {
		case err != nil:
			evaluated.Applicability, evaluated.Message = v1alpha1.RuleUnknown, Clip(err.Error(), 1024)
		case applies:
			evaluated.Applicability = v1alpha1.RuleApplies
		}
		found = append(found, evaluated)
	}
	return found
}

func evaluate(source string, about expression.RuleInput) (bool, error) {
	rule, err := expression.CompileRule(source)
	if err != nil {
		return false, err
	}
	return rule.Applies(about)
}

// approvalGate is closed until every rule that applies to the current plan is met.
func approvalGate(seen Observation, approvals approval.Result) *v1alpha1.Blocker {
	switch {
	case currentPlan(seen).Digest == "":
		return nil // there is nothing to approve yet, and another gate says why
	case approvals.Met():
		return nil
	}
	blocker := &v1alpha1.Blocker{Gate: v1alpha1.GateApproval}
	var clears []string
	if len(approvals.Missing) > 0 {
		missing := missingApprovals(seen, approvals)
		blocker.Message, blocker.Users, blocker.Groups = missing.Message, missing.Users, missing.Groups
		clears = append(clears, missing.Clears)
	}
	environment := seen.Promotion.Spec.Environment
	for _, rule := range approvals.Unknown {
		blocker.Message = joined(blocker.Message, fmt.Sprintf("nobody knows whether rule %q applies, so nothing starts: %s", rule.Name, cmp.Or(rule.Message, "its `when` was not evaluated")))
		clears = append(clears, fmt.Sprintf("whoever may change environment %q, by mending the `when` of rule %q; that voids the approvals given so far", environment, rule.Name))
	}
	for _, rejection := range approvals.Unexplained {
		clears = append(clears, fmt.Sprintf("%q, with a comment or by taking the rejection back", rejection.User))
		blocker.Users = append(blocker.Users, rejection.User)
	}
	for _, ignored := range approvals.Status.Ignored {
		told := fmt.Sprintf("%q %s", ignored.User, ignored.Reason)
		if !slices.ContainsFunc(approvals.Unexplained, func(b approval.Ballot) bool { return b.User == ignored.User }) {
			told = "not counted: " + told // an unexplained rejection does count, in its way
		}
		blocker.Message = joined(blocker.Message, told)
	}
	blocker.Clears = sentence(clears)
	if ttl := requestTTL(seen); ttl > 0 {
		blocker.UntilTime = metav1.NewTime(seen.Promotion.CreationTimestamp.Add(ttl))
	}
	return blocker
}

// missingApprovals says what the rules still need, and from whom.
func missingApprovals(seen Observation, approvals approval.Result) v1alpha1.Blocker {
	var blocker v1alpha1.Blocker
	var needs, clears []string
	for _, missing := range approvals.Missing {
		needs = append(needs, need(missing))
		if whose := cmp.Or(members(missing.Rule), "anyone"); !slices.Contains(clears, whose) {
			clears = append(clears, whose)
		}
		blocker.Users = append(blocker.Users, missing.Rule.Users...)
		blocker.Groups = append(blocker.Groups, missing.Rule.Groups...)
	}
	blocker.Message = fmt.Sprintf("needs %s; %s", strings.Join(needs, ", and "), given(approvals))
	if people := idle(approvals); len(people) > 0 {
		blocker.Message += fmt.Sprintf("; the approval of %s fits no rule that is open", quoted(people, "and"))
	}
	for _, unfillable := range approval.Unfillable(questionOf(seen)) {
		blocker.Message += "; " + unfillable
	}
	blocker.Clears = fmt.Sprintf("%s, with the verb `approve` on environment %q%s", strings.Join(clears, ", and "), seen.Promotion.Spec.Environment, exceptRequester(seen))
	return blocker
}

// requestTTL is for how long a Promotion may wait for approvals; zero for ever.
func requestTTL(seen Observation) time.Duration {
	if seen.Environment == nil {
		return 0
	}
	return seconds(seen.Environment.Spec.Approval.RequestTTLSeconds)
}

// joined puts a sentence behind another, if there is one.
func joined(message, more string) string {
	if message == "" {
		return more
	}
	return message + "; " + more
}

// idle are the people whose approval counts and is not needed: every rule that they fit is full without them. Nobody has
// rejected it: that would have ended it.
func idle(approvals approval.Result) []string {
	var people []string
	for _, counted := range approvals.Status.Counted {
		if _, fills := approvals.Filled[counted.User]; !fills {
			people = append(people, counted.User)
		}
	}
	return people
}

// given says in words how many approvals there are.
func given(approvals approval.Result) string {
	return fmt.Sprintf("%d of %d given", ptr.Deref(approvals.Status.Granted, 0), ptr.Deref(approvals.Status.Required, 0))
}

// exceptRequester says that the requester cannot approve, where that is so.
func exceptRequester(seen Observation) string {
	if seen.Environment != nil && seen.Environment.Spec.Approval.SelfApproval == v1alpha1.SelfApprovalAllowed {
		return ""
	}
	return fmt.Sprintf("; not %q, who asked for it", seen.Promotion.Spec.RequestedBy.Username)
}

// need says in words what a rule lacks.
func need(missing approval.Missing) string {
	noun := "approvals"
	if missing.Count == 1 {
		noun = "approval"
	}
	from := ""
	if whose := members(missing.Rule); whose != "" {
		from = " from " + whose
	}
	if missing.Rule.Name == approval.DefaultRule {
		return fmt.Sprintf("%d more %s%s", missing.Count, noun, from) // nobody has named it
	}
	return fmt.Sprintf("%d more %s%s (rule %q)", missing.Count, noun, from, missing.Rule.Name)
}

// members names the users and groups of a rule.
func members(rule v1alpha1.ApprovalRule) string {
	var parts []string
	if len(rule.Groups) > 0 {
		parts = append(parts, "group "+quoted(rule.Groups, "or"))
	}
	if len(rule.Users) > 0 {
		parts = append(parts, "user "+quoted(rule.Users, "or"))
	}
	return strings.Join(parts, " or ")
}
