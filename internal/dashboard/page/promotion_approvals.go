// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// ruleShown is how far a rule is met, in words.
type ruleShown struct {
	Name  string
	Badge stateBadge
	Text  string
}

// decisionShown is what one person has decided.
type decisionShown struct {
	User, Comment string
	Badge         stateBadge
	// At is when the operator first saw it; zero where nobody knows.
	At time.Time
	// Ignored says why it does not count.
	Ignored string
}

type approvalsShown struct {
	Summary   string
	Rules     []ruleShown
	Decisions []decisionShown
}

func (p *promotionPage) approvals() ([]Part, error) {
	promotion := p.seen.Promotion
	shown := approvalsShown{Rules: p.rules(), Decisions: p.decisions()}
	if required := promotion.Status.Approvals.Required; required != nil {
		shown.Summary = fmt.Sprintf("%d of %d", ptr.Deref(promotion.Status.Approvals.Granted, 0), *required)
	}
	if len(shown.Rules) == 0 && len(shown.Decisions) == 0 {
		return nil, nil
	}
	return p.one("promotion-approvals-card", "promotion-approvals", shown)
}

// rules that the plan has to meet, and those that it need not or of which that is unknown.
func (p *promotionPage) rules() []ruleShown {
	status := p.seen.Promotion.Status
	var rules []ruleShown
	for _, rule := range status.Approvals.Rules {
		rules = append(rules, p.rule(rule))
	}
	for _, verdict := range status.Plan.Rules {
		switch verdict.Applicability {
		case v1alpha1.RuleApplies:
		case v1alpha1.RuleDoesNotApply:
			rules = append(rules, ruleShown{verdict.Name, stateBadge{"quiet", "ended", "Not needed"}, "does not apply to this plan"})
		case v1alpha1.RuleUnknown:
			rules = append(rules, ruleShown{verdict.Name, stateBadge{"bad", "failed", "Unknown"}, "nobody knows whether it applies: " + verdict.Message})
		}
	}
	return rules
}

// rule in words, such as "1 of 2, by alice; needs 1 more of group security".
func (p *promotionPage) rule(status v1alpha1.RuleStatus) ruleShown {
	required, given := int(ptr.Deref(status.Required, 1)), len(status.ApprovedBy)
	text := fmt.Sprintf("%d of %d", given, required)
	if given > 0 {
		text += ", by " + enumerated(status.ApprovedBy, "and")
	}
	if required == 0 {
		text = "needs nobody’s approval"
	}
	if given >= required {
		return ruleShown{status.Name, stateBadge{"good", "ok", "Met"}, text}
	}
	badge := stateBadge{"wait", "waiting", "Open"}
	if p.told.Ended {
		badge = stateBadge{"quiet", "ended", "Not met"}
		return ruleShown{status.Name, badge, text}
	}
	return ruleShown{status.Name, badge, fmt.Sprintf("%s; needs %d more %s", text, required-given, p.whoFits(status.Name))}
}

// whoFits the rule of that name, in words that follow a number.
func (p *promotionPage) whoFits(name string) string {
	for _, rule := range approval.Rules(p.environment.Spec.Approval) {
		if rule.Name == name {
			return whoFits(rule)
		}
	}
	return whoFits(v1alpha1.ApprovalRule{})
}

// whoFits says who can fill a rule.
func whoFits(rule v1alpha1.ApprovalRule) string {
	var who []string
	switch len(rule.Groups) {
	case 0:
	case 1:
		who = append(who, "of group "+rule.Groups[0])
	default:
		who = append(who, "of the groups "+enumerated(rule.Groups, "or"))
	}
	if len(rule.Users) > 0 {
		who = append(who, "by "+enumerated(rule.Users, "or"))
	}
	if len(who) == 0 {
		return "by anyone who may approve here"
	}
	return strings.Join(who, ", or ")
}

// decisions of people, those that count with the time at which the operator first saw them.
func (p *promotionPage) decisions() []decisionShown {
	promotion := p.seen.Promotion
	var shown []decisionShown
	for _, given := range promotion.Spec.Approvals {
		decision := decisionShown{User: given.User, Comment: given.Comment, At: p.firstSeen(given), Badge: stateBadge{"good", "ok", "Approved"}}
		if given.Decision == v1alpha1.DecisionRejected {
			decision.Badge = stateBadge{"stop", "ended", "Rejected"}
		}
		for _, ignored := range promotion.Status.Approvals.Ignored {
			if ignored.User == given.User {
				decision.Ignored = ignored.Reason
				decision.Badge.Class = "quiet"
			}
		}
		shown = append(shown, decision)
	}
	return shown
}

// firstSeen is when the operator first saw a decision, as the status says or, once it has ended, the audit record.
func (p *promotionPage) firstSeen(given v1alpha1.Approval) time.Time {
	for _, counted := range p.seen.Promotion.Status.Approvals.Counted {
		if counted.User == given.User && counted.PlanDigest == given.PlanDigest {
			return counted.Time.Time
		}
	}
	for i := range p.seen.Records {
		decisions := p.seen.Records[i].Spec.Decisions
		if at := slices.IndexFunc(decisions, func(d v1alpha1.AuditedDecision) bool { return d.User == given.User && d.Decision == given.Decision }); at >= 0 {
			return decisions[at].Time.Time
		}
	}
	return time.Time{}
}
