// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// fixed are the gates that break-glass cannot open.
var fixedGates = []v1alpha1.Gate{v1alpha1.GateQueue, v1alpha1.GateGuard, v1alpha1.GateTarget}

// actionShown is a form about a Promotion. It carries what the viewer looks at: where that has changed, the API server refuses what is sent.
type actionShown struct {
	// To is the address of the Promotion; what is done is posted below it.
	To          string
	UID         string
	Digest      v1alpha1.Digest
	Short       string
	Release     string
	Environment string
	// Approve, Reject and Withdraw say which decisions can be sent.
	Approve, Reject, Withdraw bool
	// CommentNeeded says that an approval needs a comment.
	CommentNeeded bool
	// Words say why there is nothing to approve.
	Words string
	// Gates that an override could open.
	Gates []string
	// Rolling says that the rollout has started.
	Rolling bool
}

func (p *promotionPage) actions() ([]Part, error) {
	promotion := p.seen.Promotion
	form := actionShown{
		To: p.Promotion(promotion.Namespace, promotion.Name), UID: string(promotion.UID), Digest: promotion.Status.Plan.Digest,
		Short: shortDigest(promotion.Status.Plan.Digest), Release: promotion.Spec.Release, Environment: promotion.Spec.Environment,
		Rolling: !promotion.Status.StartTime.IsZero(),
	}
	var parts []Part
	add := func(id string, data actionShown) error {
		part, err := p.part(id, id, data)
		parts = append(parts, part)
		return err
	}
	if decide, shown := p.decide(form); shown {
		if err := add("action-decide", decide); err != nil {
			return nil, err
		}
	}
	if p.awaitsNotice() {
		form.Words = p.mayNotAcknowledge()
		if err := add("action-acknowledge", form); err != nil {
			return nil, err
		}
		form.Words = ""
	}
	if form.Gates = p.openable(); len(form.Gates) > 0 && p.seen.Rights[RightOverride] {
		if err := add("action-override", form); err != nil {
			return nil, err
		}
	}
	if !p.told.Ended && promotion.Spec.Cancel.Reason == "" && p.seen.Rights[RightChange] {
		if err := add("action-cancel", form); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// decide is what the viewer can decide, and if nothing, why.
func (p *promotionPage) decide(form actionShown) (actionShown, bool) {
	promotion, may := p.seen.Promotion, p.seen.Rights[RightApprove]
	if p.told.Ended || !promotion.Status.StartTime.IsZero() {
		return form, false
	}
	mine := slices.IndexFunc(promotion.Spec.Approvals, func(a v1alpha1.Approval) bool { return a.User == p.Me.Username })
	form.Withdraw = mine >= 0 && (may || p.seen.Rights[RightChange])
	planned := promotion.Status.Plan.Digest != ""
	form.Approve = may && planned && report.CouldApprove(promotion, p.environment, p.Me)
	form.Reject = may && planned && (mine < 0 || promotion.Spec.Approvals[mine].Decision != v1alpha1.DecisionRejected)
	form.CommentNeeded = p.environment.Spec.Approval.Comment == v1alpha1.CommentAlways
	if !form.Approve {
		form.Words = p.mayNotApprove()
	}
	return form, true
}

// mayNotApprove says why the viewer has nothing to approve. It explains what report.CouldApprove has judged, and judges nothing.
func (p *promotionPage) mayNotApprove() string {
	promotion, environment := p.seen.Promotion, p.environment.Name
	policy := p.environment.Spec.Approval
	mine := slices.IndexFunc(promotion.Spec.Approvals, func(a v1alpha1.Approval) bool { return a.User == p.Me.Username })
	var open []string
	for _, rule := range promotion.Status.Approvals.Rules {
		if status := p.rule(rule); status.Badge.Icon == "waiting" {
			open = append(open, status.Name)
		}
	}
	switch {
	case promotion.Status.Plan.Digest == "":
		return "There is no plan to decide on yet."
	case mine >= 0 && report.Decided(promotion, p.Me) && promotion.Spec.Approvals[mine].Decision == v1alpha1.DecisionApproved:
		return "You have approved this plan."
	case mine >= 0 && report.Decided(promotion, p.Me):
		return "You have rejected this plan."
	case len(open) == 0:
		return "No further approval is needed."
	case !p.seen.Rights[RightApprove]:
		return fmt.Sprintf("You may not approve here: you do not hold the verb “approve” on environment %s.", environment)
	case promotion.Spec.RequestedBy.Username == p.Me.Username && policy.SelfApproval != v1alpha1.SelfApprovalAllowed:
		return fmt.Sprintf("You may not approve here: you asked for this promotion, and environment %s does not count the requester’s own approval; somebody else has to approve.", environment)
	default:
		return fmt.Sprintf("You may not approve here: what is still open is for other people (rule %s).", enumerated(open, "and"))
	}
}

// openable are the closed gates that an override could open, before the rollout has started. It is for a plan that was looked at: there must be one.
func (p *promotionPage) openable() []string {
	if p.told.Ended || !p.seen.Promotion.Status.StartTime.IsZero() || p.seen.Promotion.Status.Plan.Digest == "" {
		return nil
	}
	var gates []string
	for _, blocker := range p.told.Blockers {
		if !slices.Contains(fixedGates, blocker.Gate) {
			gates = append(gates, string(blocker.Gate))
		}
	}
	return gates
}

// awaitsNotice says whether somebody still has to take note of an override that was used.
func (p *promotionPage) awaitsNotice() bool {
	return meta.IsStatusConditionTrue(p.seen.Promotion.Status.Conditions, v1alpha1.ConditionOverridden)
}

// mayNotAcknowledge says why the viewer cannot take note of the override; empty where they can.
func (p *promotionPage) mayNotAcknowledge() string {
	switch {
	case p.seen.Promotion.Spec.Override.UsedBy.Username == p.Me.Username:
		return "You have used it: somebody else who holds the verb “override” has to acknowledge it."
	case !p.seen.Rights[RightOverride]:
		return "Somebody who holds the verb “override” has to acknowledge it; you do not."
	default:
		return ""
	}
}
