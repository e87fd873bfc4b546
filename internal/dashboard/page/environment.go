// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/report"
)

// EnvironmentSeen is what was read for the page of an Environment, as the viewer.
type EnvironmentSeen struct {
	Environment *v1alpha1.Environment
	// Promotions to it that have not ended; others are left out.
	Promotions []*v1alpha1.Promotion
	// Records of its history.
	Records []v1alpha1.AuditRecord
	// ProjectHold is why its whole project is on hold; empty where it is not, or that cannot be read.
	ProjectHold string
	// Trouble is what the pods say; nil where nobody has looked.
	Trouble *report.Trouble
	// Rights on it.
	Rights Rights
}

// environmentPage is one that is being made.
type environmentPage struct {
	Context
	seen     EnvironmentSeen
	standing report.Standing
}

// Environment is the page of a place: what runs there and how it is, what is on its way, what has happened, and the rules in words.
func Environment(c Context, seen EnvironmentSeen) (View, error) {
	open := make([]v1alpha1.Promotion, 0, len(seen.Promotions))
	for _, promotion := range seen.Promotions {
		open = append(open, *promotion)
	}
	e := &environmentPage{Context: c, seen: seen, standing: report.Stand(seen.Environment, open)}
	view := View{Title: plan.Visible(seen.Environment.Name + " of " + seen.Environment.Namespace), Template: "environment"}
	for _, slot := range []struct {
		id    string
		parts func() ([]Part, error)
	}{
		{"environment-head", e.head}, {"environment-runs", e.runs}, {"environment-waiting", e.waiting}, {"environment-overrides", e.overrides},
		{"environment-actions", e.actions}, {"environment-calendar", e.calendar}, {"environment-rules", e.rules}, {"environment-history", e.history},
	} {
		parts, err := slot.parts()
		if err != nil {
			return View{}, err
		}
		view.Slots = append(view.Slots, Slot{ID: slot.id, Parts: parts})
	}
	return view, nil
}

// environmentHead is what the place is, and how it is.
type environmentHead struct {
	Project, Name, Application, Stage string
	Badges                            []stateBadge
	Hold, ProjectHold                 string
	Target                            v1alpha1.Target
}

func (e *environmentPage) head() ([]Part, error) {
	spec := e.seen.Environment.Spec
	head := environmentHead{
		Project: e.standing.Project, Name: e.standing.Environment, Application: e.standing.Application, Stage: e.standing.Stage,
		Hold: e.standing.Hold, ProjectHold: e.seen.ProjectHold, Target: spec.Target,
	}
	if e.standing.Release == "" {
		head.Badges = append(head.Badges, stateBadge{"quiet", "clock", "Nothing runs yet"})
	}
	for _, condition := range conditionsShown(e.standing.Conditions, e.standing.Release != "") {
		head.Badges = append(head.Badges, condition.Badge)
	}
	if head.Hold != "" || head.ProjectHold != "" {
		head.Badges = append(head.Badges, stateBadge{"stop", "hold", "On hold"})
	}
	return e.one("environment-head-card", "environment-head", head)
}

// conditionShown is one in words.
type conditionShown struct {
	Badge   stateBadge
	Message string
	Since   time.Time
}

// conditionsShown in the words of the reports. Those of what runs are left out where nothing does; that it is ready is worth no word.
func conditionsShown(conditions []metav1.Condition, runs bool) []conditionShown {
	var shown []conditionShown
	for _, each := range []struct {
		kind               string
		good, bad, unknown stateBadge
	}{
		{v1alpha1.ConditionReady, stateBadge{}, stateBadge{"bad", "failed", "Not ready"}, stateBadge{"quiet", "clock", "Perhaps not ready"}},
		{
			v1alpha1.ConditionHealthy, stateBadge{"good", "ok", "Healthy"}, stateBadge{"bad", "failed", "Not healthy"},
			stateBadge{"quiet", "clock", "Health unknown"},
		},
		{
			v1alpha1.ConditionInSync, stateBadge{"good", "lock", "As approved"}, stateBadge{"wait", "drift", "Not as approved"},
			stateBadge{"quiet", "drift", "Not compared"},
		},
	} {
		condition := meta.FindStatusCondition(conditions, each.kind)
		if condition == nil || (!runs && each.kind != v1alpha1.ConditionReady) {
			continue
		}
		badge := map[metav1.ConditionStatus]stateBadge{metav1.ConditionTrue: each.good, metav1.ConditionFalse: each.bad}[condition.Status]
		if condition.Status != metav1.ConditionTrue {
			badge = cmp.Or(badge, each.unknown)
		}
		if badge.Text != "" {
			shown = append(shown, conditionShown{badge, condition.Message, condition.LastTransitionTime.Time})
		}
	}
	return shown
}

// waitingShown is a Promotion that is on its way here.
type waitingShown struct {
	Name, To, Release, RequestedBy, Progress string
	Badge                                    stateBadge
	Since                                    time.Time
	Approvals                                string
	Blockers                                 []promotionBlocker
}

// waiting has a part for each Promotion that has not ended, the oldest first.
func (e *environmentPage) waiting() ([]Part, error) {
	var parts []Part
	for _, told := range e.standing.Promotions {
		at := slices.IndexFunc(e.seen.Promotions, func(p *v1alpha1.Promotion) bool { return p.Name == told.Promotion })
		promotion := e.seen.Promotions[at]
		shown := waitingShown{
			Name: told.Promotion, To: e.Promotion(told.Project, told.Promotion), Release: told.Release, RequestedBy: told.RequestedBy,
			Badge: promotionState(promotion), Since: promotion.CreationTimestamp.Time, Approvals: told.Approvals,
			Blockers: blockersShown(told.Blockers),
		}
		if !promotion.Status.StartTime.IsZero() {
			shown.Progress = report.Progress(promotion)
		}
		part, err := e.part("waiting-"+told.Promotion, "environment-waiting", shown)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// overrideShown is an override of which nobody has taken note yet.
type overrideShown struct {
	v1alpha1.UsedOverride
	To    string
	Gates string
	At    time.Time
}

func (e *environmentPage) overrides() ([]Part, error) {
	if len(e.standing.Overrides) == 0 {
		return nil, nil
	}
	shown := make([]overrideShown, 0, len(e.standing.Overrides))
	for _, used := range e.standing.Overrides {
		shown = append(shown, overrideShown{used, e.Promotion(e.standing.Project, used.Promotion), gatesText(used.Gates), used.Time.Time})
	}
	return e.one("environment-overrides-card", "environment-overrides", shown)
}

func (e *environmentPage) rules() ([]Part, error) {
	return e.one("environment-rules-card", "environment-rules", rulesInWords(e.seen.Environment))
}

func (e *environmentPage) calendar() ([]Part, error) {
	return e.one("environment-calendar-card", "environment-calendar", calendarOf(e.seen.Environment.Spec.Windows, e.Now))
}
