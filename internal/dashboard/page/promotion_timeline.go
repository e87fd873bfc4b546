// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"slices"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// momentShown is one thing that has happened.
type momentShown struct {
	// At is when; zero where nobody knows.
	At    time.Time
	Badge stateBadge
	Who   string
	// Text is what was said.
	Text string
	// Record is the sequence number of the audit record that tells of it; 0 if there is none.
	Record int64
}

// timeline is what has happened to the Promotion, the first thing first.
func (p *promotionPage) timeline() ([]Part, error) {
	promotion := p.seen.Promotion
	moments := []momentShown{{
		At: promotion.CreationTimestamp.Time, Badge: stateBadge{"quiet", "release", "Asked for"},
		Who: promotion.Spec.RequestedBy.Username, Text: promotion.Spec.Reason,
	}}
	if at := promotion.Status.Plan.PlannedTime; !at.IsZero() {
		moments = append(moments, momentShown{At: at.Time, Badge: stateBadge{"quiet", "search", "Planned"}, Text: "plan " + shortDigest(promotion.Status.Plan.Digest)})
	}
	for _, decision := range p.decisions() {
		text := decision.Comment
		if decision.Ignored != "" && !p.told.Ended {
			text = "does not count"
		}
		moments = append(moments, momentShown{At: decision.At, Badge: decision.Badge, Who: decision.User, Text: text})
	}
	moments = append(moments, p.recorded()...)
	moments = append(moments, p.unrecorded()...)
	return p.one("promotion-timeline-card", "promotion-timeline", inTime(moments))
}

// inTime sorts moments. One of which nobody knows the time stays behind the one that it follows.
func inTime(moments []momentShown) []momentShown {
	type placed struct {
		at time.Time
		momentShown
	}
	sorted, last := make([]placed, 0, len(moments)), time.Time{}
	for _, moment := range moments {
		if !moment.At.IsZero() {
			last = moment.At
		}
		sorted = append(sorted, placed{last, moment})
	}
	slices.SortStableFunc(sorted, func(a, b placed) int { return a.at.Compare(b.at) })
	for i := range sorted {
		moments[i] = sorted[i].momentShown
	}
	return moments
}

// recorded is what the audit records tell.
func (p *promotionPage) recorded() []momentShown {
	var moments []momentShown
	records := slices.Clone(p.seen.Records)
	slices.SortFunc(records, func(a, b v1alpha1.AuditRecord) int { return int(a.Spec.Sequence - b.Spec.Sequence) })
	for i := range records {
		spec := records[i].Spec
		moment := momentShown{At: spec.Time.Time, Text: spec.Reason, Record: spec.Sequence}
		switch spec.Type {
		case v1alpha1.AuditIntent:
			moment.Badge, moment.Text = stateBadge{"run", "running", "Rollout started"}, ""
		case v1alpha1.AuditOverridden:
			moment.Badge, moment.Who = stateBadge{"stop", "override", "Gates opened: " + gatesText(spec.Gates)}, spec.By.Username
		case v1alpha1.AuditAcknowledged:
			moment.Badge, moment.Who = stateBadge{"quiet", "ok", "Override acknowledged"}, spec.By.Username
		case v1alpha1.AuditCorrected:
			moment.Badge = stateBadge{"wait", "drift", "Corrected"}
		case v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditRolledBack, v1alpha1.AuditRejected, v1alpha1.AuditExpired,
			v1alpha1.AuditSuperseded, v1alpha1.AuditCancelled:
			moment.Badge = badgeOf(string(spec.Type))
		default:
			moment.Badge = badgeOf(string(spec.Type))
		}
		moments = append(moments, moment)
	}
	return moments
}

// unrecorded is what the status says and no record that could be read: the start, the way back, the end.
func (p *promotionPage) unrecorded() []momentShown {
	status := p.seen.Promotion.Status
	has := func(types ...v1alpha1.AuditType) bool {
		return slices.ContainsFunc(p.seen.Records, func(r v1alpha1.AuditRecord) bool { return slices.Contains(types, r.Spec.Type) })
	}
	var moments []momentShown
	if at := status.StartTime; !at.IsZero() && !has(v1alpha1.AuditIntent) {
		moments = append(moments, momentShown{At: at.Time, Badge: stateBadge{"run", "running", "Rollout started"}})
	}
	if at := status.Rollback.StartTime; !at.IsZero() {
		moments = append(moments, momentShown{At: at.Time, Badge: stateBadge{"wait", "rollback", "Way back to " + status.Rollback.Release}, Text: status.Rollback.Reason})
	}
	if at := status.Progress.VerifyingSinceTime; !at.IsZero() {
		moments = append(moments, momentShown{At: at.Time, Badge: stateBadge{"good", "ok", "Everything healthy"}})
	}
	state, message := report.State(p.seen.Promotion)
	ended := has(v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditRolledBack, v1alpha1.AuditRejected, v1alpha1.AuditExpired,
		v1alpha1.AuditSuperseded, v1alpha1.AuditCancelled)
	if at := status.CompletionTime; !at.IsZero() && !ended {
		moments = append(moments, momentShown{At: at.Time, Badge: badgeOf(state), Text: message})
	}
	return moments
}

func gatesText(gates []v1alpha1.OverridableGate) string {
	words := make([]string, 0, len(gates))
	for _, gate := range gates {
		words = append(words, string(gate))
	}
	return enumerated(words, "and")
}
