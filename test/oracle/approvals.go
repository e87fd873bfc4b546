// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// judgeIntents looks at every Intent: what the Promotion said when it was put on record, and who had agreed to it.
func (s *story) judgeIntents(verdict *verdict) {
	for _, environment := range sorted(s.histories) {
		for _, each := range s.histories[environment] {
			if each.Spec.Type == v1alpha1.AuditIntent {
				s.judgeIntent(verdict, each)
			}
		}
	}
}

func (s *story) judgeIntent(verdict *verdict, intent *record) {
	known := s.promotions[intent.Spec.Promotion.UID]
	now := known.before(intent.version)
	if now == nil && s.Scene.Lossy {
		return
	}
	if now == nil || now.object.Name != intent.Spec.Promotion.Name {
		verdict.add(RuleRecord, "%s: there was no such promotion with UID %q", intent, intent.Spec.Promotion.UID)
		return
	}
	closed := closing(known)
	if now.object.Status.StartTime.IsZero() && (closed == nil || !s.Scene.Lossy) {
		verdict.add(RuleClosed, "%s was written before the decisions were closed", intent)
	}
	s.judgeTruth(verdict, intent, &now.object)
	if closed == nil {
		closed = now
	}
	s.judgeApprovals(verdict, intent, known, closed)
}

// closing is the write that has closed the decisions; nil if none has.
func closing(known *told[v1alpha1.Promotion]) *state[v1alpha1.Promotion] {
	for i := range known.states {
		if !known.states[i].object.Status.StartTime.IsZero() {
			return &known.states[i]
		}
	}
	return nil
}

// judgeTruth compares an intent with the Promotion that it speaks of.
func (s *story) judgeTruth(verdict *verdict, intent *record, p *v1alpha1.Promotion) {
	if p.Status.Plan.Digest != intent.Spec.PlanDigest {
		verdict.add(RuleRecord, "%s names plan %q, and the promotion's plan was %q", intent, intent.Spec.PlanDigest, p.Status.Plan.Digest)
	}
	if p.Spec.RequestedBy.Username != intent.Spec.RequestedBy.Username {
		verdict.add(RuleRecord, "%s says that %q has asked, and it was %q", intent, intent.Spec.RequestedBy.Username, p.Spec.RequestedBy.Username)
	}
	for _, told := range intent.Spec.Decisions {
		given := slices.ContainsFunc(p.Spec.Approvals, func(a v1alpha1.Approval) bool {
			return a.User == told.User && a.Decision == told.Decision && a.UID == told.UID && a.Comment == told.Comment && slices.Equal(a.Groups, told.Groups)
		})
		if !given {
			verdict.add(RuleRecord, "%s tells of a decision of %q that the promotion did not hold", intent, told.User)
		}
	}
}

// judgeApprovals judges whether enough people had agreed when the decisions were closed, by rules that the Environment had then.
func (s *story) judgeApprovals(verdict *verdict, intent *record, known *told[v1alpha1.Promotion], closed *state[v1alpha1.Promotion]) {
	environments := s.environmentsAt(intent, known, closed)
	if len(environments) == 0 {
		if !s.Scene.Lossy {
			verdict.add(RuleApprovals, "%s: environment %q was never seen", intent, intent.Spec.Environment)
		}
		return
	}
	if s.overridden(verdict, intent, closed) {
		return
	}
	var missing string
	for _, environment := range environments {
		if missing = s.missing(intent, closed, environment); missing == "" {
			return
		}
	}
	verdict.add(RuleApprovals, "%s: %s", intent, missing)
}

// environmentsAt are the Environment as it was when the promotion was last written before the decisions were closed, and as it became until the intent.
// The rollout was approved by the rules of one of them. Nearly always there is one alone.
func (s *story) environmentsAt(intent *record, known *told[v1alpha1.Promotion], closed *state[v1alpha1.Promotion]) []*v1alpha1.Environment {
	since := closed.version
	if previous := known.before(closed.version); previous != nil {
		since = previous.version
	}
	all := s.environments[intent.Spec.Environment]
	if all == nil {
		return nil
	}
	var found []*v1alpha1.Environment
	if first := all.before(since); first != nil {
		found = append(found, &first.object)
	}
	for i := range all.states {
		if each := &all.states[i]; each.version >= since && each.version < intent.version {
			found = append(found, &each.object)
		}
	}
	return found
}

// overridden says whether an override had opened the approval gate, and judges that.
func (s *story) overridden(verdict *verdict, intent *record, closed *state[v1alpha1.Promotion]) bool {
	p := &closed.object
	if len(p.Status.Overridden) == 0 {
		return false
	}
	used := p.Spec.Override
	told := slices.ContainsFunc(s.recordsOf(string(p.UID)), func(r *record) bool {
		return r.Spec.Type == v1alpha1.AuditOverridden && r.Spec.Sequence < intent.Spec.Sequence &&
			slices.Equal(r.Spec.Gates, p.Status.Overridden) && r.Spec.By.Username == used.UsedBy.Username
	})
	if !told {
		verdict.add(RuleOverride, "%s went through gates that %q has opened, and no record before it says so", intent, used.UsedBy.Username)
	}
	for _, gate := range p.Status.Overridden {
		if !slices.Contains(used.Gates, gate) {
			verdict.add(RuleOverride, "%s went through gate %s, which the override does not name", intent, gate)
		}
	}
	if !s.Scene.holds(v1alpha1.VerbOverride, p.Spec.Environment, used.UsedBy.Username, used.UsedBy.Groups, closed.at()) {
		verdict.add(RuleOverride, "%s went through gates that %q has opened, who might not override when the decisions were closed", intent, used.UsedBy.Username)
	}
	opened := slices.Contains(p.Status.Overridden, v1alpha1.OverridableGate(v1alpha1.GateApproval))
	if opened && used.PlanDigest != intent.Spec.PlanDigest {
		verdict.add(RuleOverride, "%s: the override of Approval was for plan %q, and the intent is for %q", intent, used.PlanDigest, intent.Spec.PlanDigest)
	}
	return opened
}

// missing says what an intent lacks under an Environment's rules; empty if nothing.
func (s *story) missing(intent *record, closed *state[v1alpha1.Promotion], environment *v1alpha1.Environment) string {
	p, policy := &closed.object, environment.Spec.Approval
	var people []person
	var refused []string
	for _, entry := range p.Spec.Approvals {
		held := s.Scene.holds(v1alpha1.VerbApprove, p.Spec.Environment, entry.User, entry.Groups, closed.at())
		why := disqualified(entry, p, policy, intent.Spec.PlanDigest)
		switch {
		case entry.Decision == v1alpha1.DecisionRejected && held:
			return fmt.Sprintf("%q, who might approve, had rejected it", entry.User)
		case !held:
			refused = append(refused, fmt.Sprintf("%q might not approve when the decisions were closed", entry.User))
		case why != "":
			refused = append(refused, fmt.Sprintf("the decision of %q %s", entry.User, why))
		default:
			people = append(people, person{name: entry.User, groups: entry.Groups})
		}
	}
	lacking := lacks(s.rulesOf(p, environment), people, policy.OneRulePerPerson != v1alpha1.OneRulePerPersonNotRequired)
	if lacking == "" {
		return ""
	}
	return strings.Join(append([]string{lacking}, refused...), "; ")
}

// disqualified says why a decision does not count whoever has given it; empty if it does.
func disqualified(entry v1alpha1.Approval, p *v1alpha1.Promotion, policy v1alpha1.ApprovalPolicy, digest v1alpha1.Digest) string {
	switch {
	case entry.Decision != v1alpha1.DecisionApproved:
		return "is no approval"
	case entry.PlanDigest == "" || entry.PlanDigest != digest:
		return fmt.Sprintf("is for plan %q", entry.PlanDigest)
	case entry.User == p.Spec.RequestedBy.Username && policy.SelfApproval != v1alpha1.SelfApprovalAllowed:
		return "is the requester's own"
	case strings.HasPrefix(entry.User, "system:serviceaccount:") && policy.ServiceAccounts != v1alpha1.ServiceAccountApprovalAllowed:
		return "is a service account's"
	case policy.Comment == v1alpha1.CommentAlways && strings.IndexFunc(entry.Comment, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }) < 0:
		return "gives no comment"
	}
	return ""
}

// rulesOf are the rules that have to be met for a plan.
func (s *story) rulesOf(p *v1alpha1.Promotion, environment *v1alpha1.Environment) []v1alpha1.ApprovalRule {
	free := p.Spec.Type == v1alpha1.PromotionTypeRollback && environment.Spec.Rollback.Approval == v1alpha1.RollbackApprovalNotRequired
	if free && sameValues(p, environment) {
		return nil
	}
	var rules []v1alpha1.ApprovalRule
	for _, rule := range environment.Spec.Approval.Rules {
		if s.Scene.applies(rule, p.Status.Plan) {
			rules = append(rules, rule)
		}
	}
	if len(rules) == 0 {
		return []v1alpha1.ApprovalRule{{Name: "approval"}}
	}
	return rules
}

// sameValues says whether a rollback takes the Helm values that its Release has succeeded with.
func sameValues(p *v1alpha1.Promotion, environment *v1alpha1.Environment) bool {
	return slices.ContainsFunc(environment.Status.Releases, func(r v1alpha1.SucceededRelease) bool {
		return r.UID == p.Status.Plan.Inputs.Release.UID && r.ValuesDigest == p.Status.Plan.Inputs.ValuesDigest
	})
}
