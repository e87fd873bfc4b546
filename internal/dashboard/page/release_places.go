// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/report"
	"github.com/assent-dev/assent/internal/soak"
)

// releasePlace is an Environment, and how the Release stands to it.
type releasePlace struct {
	Name, To, Stage string
	Badge           stateBadge
	// Here says that it runs here, since Since. Version is what runs here else; empty where nothing does.
	Here    bool
	Since   time.Time
	Version string
	// Succeeded is when it last succeeded here; zero where it never has.
	Succeeded time.Time
	// Healthy is for how long it was healthy here, in words.
	Healthy string
	// Stopped says that the Release itself cannot be promoted, as its head says.
	Stopped bool
	// Ahead is what else stands in its way, as far as it can be said before there is a plan, and Approvals who has to approve then.
	Ahead     []releaseBlocker
	Approvals []string
	// Open are Promotions of it that have not ended.
	Open []releaseOpen
	// Promote and Rollback are forms that are shown.
	Promote, Rollback *releaseForm
}

// releaseBlocker is a gate that would not hold, and when it clears by itself.
type releaseBlocker struct {
	v1alpha1.Blocker
	Until time.Time
}

// releaseOpen is a Promotion that is on its way.
type releaseOpen struct {
	Name, To, Message string
	Badge             stateBadge
}

// releaseForm asks for a Promotion.
type releaseForm struct {
	ID, To               string
	Release, Environment string
	Type                 v1alpha1.PromotionType
	Label                string
	// Main says that it is the way forward.
	Main bool
}

func (p *releasePage) where() ([]Part, error) {
	var parts []Part
	for _, environment := range p.places {
		part, err := p.part("place-"+environment.Name, "release-place", p.place(environment))
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return p.one("places-none", "release-nowhere", p.release.Spec.Application)
	}
	return parts, nil
}

func (p *releasePage) place(environment *v1alpha1.Environment) releasePlace {
	current := environment.Status.Current
	shown := releasePlace{
		Name: environment.Name, To: p.Environment(environment.Namespace, environment.Name), Stage: report.StageOf(environment),
		Here: current.Release == p.release.Name, Since: current.SinceTime.Time, Version: current.Version,
	}
	if known := soak.Find(&environment.Status, string(p.release.UID)); known != nil {
		shown.Succeeded = known.SucceededTime.Time
		if !shown.Here && known.HealthySeconds != nil {
			shown.Healthy = spanText(time.Duration(*known.HealthySeconds) * time.Second)
		}
	}
	for _, blocker := range promotion.Ahead(v1alpha1.PromotionTypePromote, p.release, p.seen.Bundled, environment, p.project, p.Now) {
		if blocker.Gate == v1alpha1.GateRelease {
			shown.Stopped = true
			continue
		}
		shown.Ahead = append(shown.Ahead, releaseBlocker{blocker, blocker.UntilTime.Time})
	}
	for _, rule := range approval.Rules(environment.Spec.Approval) {
		shown.Approvals = append(shown.Approvals, releaseRule(rule))
	}
	for _, each := range p.seen.Promotions {
		if each.Spec.Environment == environment.Name && !report.Ended(each) {
			_, message := report.State(each)
			shown.Open = append(shown.Open, releaseOpen{each.Name, p.Promotion(each.Namespace, each.Name), message, promotionState(each)})
		}
	}
	shown.Badge = shown.badge()
	p.offer(&shown, environment)
	return shown
}

// badge says in a few words how the Release stands to the place.
func (s releasePlace) badge() stateBadge {
	switch {
	case len(s.Open) > 0:
		return s.Open[0].Badge
	case s.Here:
		return stateBadge{"good", "ok", "Runs here"}
	case s.Stopped:
		return stateBadge{"stop", "blocked", "Cannot be promoted"}
	case slices.ContainsFunc(s.Ahead, func(b releaseBlocker) bool { return b.Gate == v1alpha1.GateHold }):
		return stateBadge{"stop", "hold", "On hold"}
	case len(s.Ahead) == 0:
		return stateBadge{"run", "forward", "Can be promoted"}
	}
	return stateBadge{"wait", "waiting", "Would wait"}
}

// offer the forms that the viewer may send, and that could come to something.
func (p *releasePage) offer(shown *releasePlace, environment *v1alpha1.Environment) {
	rights := p.seen.Rights[environment.Name]
	if p.blocked != nil || len(shown.Open) > 0 {
		return
	}
	form := releaseForm{To: p.Path("projects", p.release.Namespace, "promotions"), Release: p.release.Name, Environment: environment.Name}
	if rights[RightPromote] {
		promote := form
		promote.ID, promote.Type, promote.Label = "promote-"+environment.Name, v1alpha1.PromotionTypePromote, "Promote to "+environment.Name
		promote.Main = !shown.Here
		if shown.Here {
			promote.Label = "Promote to " + environment.Name + " again"
		}
		shown.Promote = &promote
	}
	if rights[RightRollback] && !shown.Succeeded.IsZero() && !shown.Here {
		back := form
		back.ID, back.Type, back.Label = "rollback-"+environment.Name, v1alpha1.PromotionTypeRollback, "Roll back to this version"
		shown.Rollback = &back
	}
}

// releaseRule is who has to approve, in words.
func releaseRule(rule v1alpha1.ApprovalRule) string {
	required := 1
	if rule.Required != nil {
		required = int(*rule.Required)
	}
	text := rule.Name + ": " + counted(required, "approval") + " " + whoFits(rule)
	if required == 0 {
		text = rule.Name + ": nobody’s approval"
	}
	if rule.When != "" {
		text += ", if the plan is one of those that the rule is for"
	}
	return text
}

// spanText is a span of time in words, of two units at most.
func spanText(span time.Duration) string {
	if span < 0 {
		span = 0
	}
	units := []struct {
		of   time.Duration
		word string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	var words []string
	for _, unit := range units {
		if number := int(span / unit.of); number > 0 || (unit.of == time.Second && len(words) == 0) {
			words = append(words, fmt.Sprintf("%d %s", number, unit.word))
			span -= time.Duration(number) * unit.of
		} else if len(words) > 0 {
			break
		}
		if len(words) == 2 {
			break
		}
	}
	return strings.Join(words, " ")
}
