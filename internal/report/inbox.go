// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// AwaitsApproval says whether a Promotion has a plan that still needs an approval.
func AwaitsApproval(promotion *v1alpha1.Promotion) bool {
	return !Ended(promotion) && promotion.Status.StartTime.IsZero() && promotion.Status.Plan.Digest != "" &&
		slices.ContainsFunc(promotion.Status.Blockers, func(b v1alpha1.Blocker) bool { return b.Gate == v1alpha1.GateApproval })
}

// CouldApprove says whether an approval of this person is still missing: they have not decided on this plan, it is neither their own request
// nor are they a service account where that does not count, and a rule that is not met is open to them. Whether they hold the verb is for the API server to say.
func CouldApprove(promotion *v1alpha1.Promotion, environment *v1alpha1.Environment, me v1alpha1.Person) bool {
	policy := environment.Spec.Approval
	own := promotion.Spec.RequestedBy.Username == me.Username && policy.SelfApproval != v1alpha1.SelfApprovalAllowed
	machine := strings.HasPrefix(me.Username, "system:serviceaccount:") && policy.ServiceAccounts != v1alpha1.ServiceAccountApprovalAllowed
	if Decided(promotion, me) || own || machine {
		return false
	}
	return slices.ContainsFunc(promotion.Status.Approvals.Rules, func(status v1alpha1.RuleStatus) bool {
		return int(number(status.Required)) > len(status.ApprovedBy) && fits(policy.Rules, status.Name, me)
	})
}

// Decided says whether somebody has decided on the plan of the moment.
func Decided(promotion *v1alpha1.Promotion, who v1alpha1.Person) bool {
	return slices.ContainsFunc(promotion.Spec.Approvals, func(a v1alpha1.Approval) bool {
		return a.User == who.Username && a.PlanDigest == promotion.Status.Plan.Digest
	})
}

// fits says whether somebody can fill the rule of that name. One that the Environment does not have is the default: anybody can.
func fits(rules []v1alpha1.ApprovalRule, name string, me v1alpha1.Person) bool {
	at := slices.IndexFunc(rules, func(rule v1alpha1.ApprovalRule) bool { return rule.Name == name })
	if at < 0 {
		return true
	}
	rule := rules[at]
	return (len(rule.Users) == 0 && len(rule.Groups) == 0) || slices.Contains(rule.Users, me.Username) ||
		slices.ContainsFunc(rule.Groups, func(group string) bool { return slices.Contains(me.Groups, group) })
}

// Inbox is a table of Promotions that wait for somebody's decision.
func Inbox(promotions []v1alpha1.Promotion, wide bool, now time.Time) *Table {
	headings := []string{"PROJECT", "PROMOTION", "RELEASE", "ENVIRONMENT", "APPROVALS", "ASKED BY", "AGE", "REASON"}
	if wide {
		headings = append(headings, "PLAN", "ALSO WAITS FOR")
	}
	table := NewTable(headings...)
	for i := range promotions {
		p := &promotions[i]
		cells := []string{
			p.Namespace, p.Name, p.Spec.Release, p.Spec.Environment, p.Status.Approvals.Summary, p.Spec.RequestedBy.Username,
			age(p.CreationTimestamp.Time, now), p.Spec.Reason,
		}
		if wide {
			cells = append(cells, string(p.Status.Plan.Digest), others(p))
		}
		table.Add(cells...)
	}
	return table
}

// others are the gates beside Approval that are closed.
func others(promotion *v1alpha1.Promotion) string {
	text := ""
	for _, blocker := range promotion.Status.Blockers {
		if blocker.Gate == v1alpha1.GateApproval {
			continue
		}
		if text != "" {
			text += ","
		}
		text += string(blocker.Gate)
	}
	return text
}
