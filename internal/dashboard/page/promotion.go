// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"slices"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/report"
)

// PromotionSeen is what was read for the page of a Promotion, as the viewer.
type PromotionSeen struct {
	Promotion *v1alpha1.Promotion
	// Environment and Release that it names; nil where they do not exist, or the viewer may not read them.
	Environment *v1alpha1.Environment
	Release     *v1alpha1.Release
	// Releases of the same application.
	Releases []*v1alpha1.Release
	// Records of the audit that speak of it.
	Records []v1alpha1.AuditRecord
	// Rights on its Environment, and RightChange on it.
	Rights Rights
}

// promotionPage is one that is being made.
type promotionPage struct {
	Context
	seen PromotionSeen
	// told is what is said of it everywhere.
	told report.Explanation
	// environment is never nil: one that nobody could read has no rules.
	environment *v1alpha1.Environment
}

// Promotion is the page on which people decide: what would change, what was said about it, what it waits for, and what has become of it.
func Promotion(c Context, seen PromotionSeen) (View, error) {
	p := &promotionPage{Context: c, seen: seen, told: report.Explain(seen.Promotion), environment: seen.Environment}
	if p.environment == nil {
		p.environment = &v1alpha1.Environment{}
		p.environment.Namespace, p.environment.Name = seen.Promotion.Namespace, seen.Promotion.Spec.Environment
	}
	view := View{Title: plan.Visible(seen.Promotion.Spec.Release + " → " + seen.Promotion.Spec.Environment), Template: "promotion"}
	for _, slot := range []struct {
		id    string
		parts func() ([]Part, error)
	}{
		{"promotion-head", p.head}, {"promotion-blockers", p.blockers}, {"promotion-progress", p.progress}, {"promotion-diff", p.diff},
		{"promotion-notes", p.notes}, {"promotion-actions", p.actions}, {"promotion-approvals", p.approvals}, {"promotion-checks", p.checks},
		{"promotion-timeline", p.timeline},
	} {
		parts, err := slot.parts()
		if err != nil {
			return View{}, err
		}
		view.Slots = append(view.Slots, Slot{ID: slot.id, Parts: parts})
	}
	return view, nil
}

// one part is all that the slot has.
func (c Context) one(id, name string, data any) ([]Part, error) {
	part, err := c.part(id, name, data)
	return []Part{part}, err
}

// promotionHead is what it asks for, and where it stands.
type promotionHead struct {
	Badge                stateBadge
	Promotion            *v1alpha1.Promotion
	Message              string
	Rollback             bool
	Overridden           []string
	ToRelease, ToEnv     string
	Requested, NotBefore time.Time
	Version              string
	// Runs is what runs in the Environment now, unless it is this.
	Runs string
	// Gone says that the Environment could not be read.
	Gone bool
}

func (p *promotionPage) head() ([]Part, error) {
	promotion := p.seen.Promotion
	head := promotionHead{
		Badge: promotionState(promotion), Promotion: promotion, Message: p.told.Message,
		Rollback:  promotion.Spec.Type == v1alpha1.PromotionTypeRollback,
		ToRelease: p.Release(promotion.Namespace, promotion.Spec.Release), ToEnv: p.Environment(promotion.Namespace, promotion.Spec.Environment),
		Requested: promotion.CreationTimestamp.Time, Runs: p.environment.Status.Current.Release, Gone: p.seen.Environment == nil,
	}
	if p.told.State == "" {
		head.Message = "The operator has not looked at it yet. If that lasts, ask whoever runs Assent whether the operator runs."
	}
	if p.seen.Release != nil {
		head.Version = p.seen.Release.Spec.Version
	}
	if head.Runs == promotion.Spec.Release {
		head.Runs = ""
	}
	if at := promotion.Spec.NotBeforeTime; !at.IsZero() && promotion.Status.StartTime.IsZero() && !p.told.Ended {
		head.NotBefore = at.Time
	}
	for _, gate := range promotion.Status.Overridden {
		head.Overridden = append(head.Overridden, string(gate))
	}
	return p.one("promotion-head-card", "promotion-head", head)
}

// promotionBlocker is a gate that does not hold, and when it clears by itself.
type promotionBlocker struct {
	v1alpha1.Blocker
	Until     time.Time
	UntilWord string
}

func (p *promotionPage) blockers() ([]Part, error) {
	if len(p.told.Blockers) == 0 || p.told.Ended {
		return nil, nil
	}
	return p.one("promotion-blockers-card", "promotion-blockers", blockersShown(p.told.Blockers))
}

func blockersShown(blockers []v1alpha1.Blocker) []promotionBlocker {
	shown := make([]promotionBlocker, 0, len(blockers))
	for _, blocker := range blockers {
		one := promotionBlocker{Blocker: blocker, Until: blocker.UntilTime.Time, UntilWord: "clears by itself"}
		if blocker.Gate == v1alpha1.GateApproval {
			one.UntilWord = "expires unanswered"
		}
		shown = append(shown, one)
	}
	return shown
}

// promotionCheck is a check of the Environment, and what it has found.
type promotionCheck struct {
	Name, When, Message string
	Badge               stateBadge
	At                  time.Time
	Times               string
}

func (p *promotionPage) checks() ([]Part, error) {
	var shown []promotionCheck
	status := p.seen.Promotion.Status
	result := func(name string) (v1alpha1.CheckStatus, bool) {
		at := slices.IndexFunc(status.Checks, func(c v1alpha1.CheckStatus) bool { return c.Name == name })
		if at < 0 {
			return v1alpha1.CheckStatus{}, false
		}
		return status.Checks[at], true
	}
	for _, check := range p.environment.Spec.Checks {
		found, ran := result(check.Name)
		if !ran && p.told.Ended {
			continue
		}
		shown = append(shown, checkShown(check.Name, checkMoment(check.Phase), found, ran, status.Plan.Digest))
	}
	for _, found := range status.Checks {
		if !slices.ContainsFunc(p.environment.Spec.Checks, func(c v1alpha1.Check) bool { return c.Name == found.Name }) {
			shown = append(shown, checkShown(found.Name, "", found, true, status.Plan.Digest))
		}
	}
	if len(shown) == 0 {
		return nil, nil
	}
	return p.one("promotion-checks-card", "promotion-checks", shown)
}

func checkMoment(phase v1alpha1.CheckPhase) string {
	if phase == v1alpha1.CheckAfter {
		return "after the rollout"
	}
	return "before the start"
}

func checkShown(name, when string, found v1alpha1.CheckStatus, ran bool, digest v1alpha1.Digest) promotionCheck {
	shown := promotionCheck{Name: name, When: when, Message: found.Message, At: found.Time.Time, Badge: stateBadge{"quiet", "clock", "Not run yet"}}
	switch {
	case !ran:
	case found.PlanDigest != digest:
		shown.Badge = stateBadge{"quiet", "clock", "Of an earlier plan"}
	case found.Result == v1alpha1.CheckPassed:
		shown.Badge = stateBadge{"good", "ok", "Passed"}
	default:
		shown.Badge = stateBadge{"bad", "failed", "Failed"}
	}
	if found.Times != nil && *found.Times > 1 {
		shown.Times = counted(int(*found.Times), "time") + " in succession"
	}
	return shown
}
