// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// runsShown is what runs in an Environment and how it is.
type runsShown struct {
	Release, Version, ToRelease string
	Promotion, ToPromotion      string
	Since                       time.Time
	Previous, ToPrevious        string
	Conditions                  []conditionShown
	Objects                     string
	Trouble                     []treeShown
	Unknown                     string
	PlanDigest                  v1alpha1.Digest
	Short                       string
}

// treeShown is something that is wrong, and what is known of it.
type treeShown struct {
	Badge stateBadge
	Name  string
	Text  string
	Under []string
	// Log is the end of what a container said.
	Log []string
}

func (e *environmentPage) runs() ([]Part, error) {
	status, project := e.seen.Environment.Status, e.standing.Project
	shown := runsShown{
		Release: e.standing.Release, Version: e.standing.Version, ToRelease: e.Release(project, e.standing.Release),
		Promotion: e.standing.Promotion, ToPromotion: e.Promotion(project, e.standing.Promotion), Since: e.standing.SinceTime.Time,
		Previous: e.standing.Previous, ToPrevious: e.Release(project, e.standing.Previous),
		Conditions: conditionsShown(e.standing.Conditions, e.standing.Release != ""), Objects: counted(len(status.Inventory), "object"),
		Trouble: e.tree(), PlanDigest: status.Current.Digest, Short: shortDigest(status.Current.Digest),
	}
	if e.seen.Trouble != nil {
		shown.Unknown = e.seen.Trouble.Unknown
	}
	return e.one("environment-runs-card", "environment-runs", shown)
}

// tree of what is wrong: objects that a rollout waits for, objects that somebody else has changed, and what the pods say.
func (e *environmentPage) tree() []treeShown {
	var found []treeShown
	for _, told := range e.standing.Promotions {
		for _, failing := range told.Failing {
			trouble := troubleOf(failing.ObjectReference, failing.Message)
			found = append(found, treeShown{Badge: stateBadge{"bad", "failed", "Not healthy"}, Name: trouble.Kind + " " + trouble.Name, Text: trouble.Message})
		}
	}
	for _, drifted := range e.standing.Drifted {
		trouble := troubleOf(drifted.ObjectReference, drifted.Message)
		found = append(found, treeShown{
			Badge: stateBadge{"wait", "drift", "Not as approved"}, Name: trouble.Kind + " " + trouble.Name, Text: trouble.Message, Under: drifted.Fields,
		})
	}
	if e.seen.Trouble == nil {
		return found
	}
	for _, pod := range e.seen.Trouble.Pods {
		said := treeShown{Badge: stateBadge{"bad", "failed", "Pod"}, Name: pod.Name, Text: pod.Reason, Log: pod.Log}
		if pod.Event != nil {
			said.Under = []string{pod.Event.Reason + ": " + pod.Event.Message}
		}
		found = append(found, said)
	}
	for _, event := range e.seen.Trouble.Events {
		found = append(found, treeShown{Badge: stateBadge{"wait", "failed", "Warning"}, Name: event.Kind + " " + event.Name, Text: event.Reason + ": " + event.Message})
	}
	return found
}

// environmentActions are what the viewer can do with the place.
type environmentActions struct {
	Name, UID string
	// ToHold and ToResume are addresses; empty where that cannot be done.
	ToHold, ToResume string
	Held             string
	// ToRollback is where a Promotion is asked for, and Back the Releases that it can go back to, the one before first.
	ToRollback string
	Back       []backShown
	Runs       string
}

// backShown is a Release that can be gone back to.
type backShown struct {
	Name, Version string
	Previous      bool
}

func (e *environmentPage) actions() ([]Part, error) {
	environment, address := e.seen.Environment, e.Environment(e.standing.Project, e.standing.Environment)
	shown := environmentActions{Name: environment.Name, UID: string(environment.UID), Held: e.standing.Hold, Runs: e.standing.Release}
	switch {
	case shown.Held == "" && e.seen.Rights[RightHold]:
		shown.ToHold = address + "/hold"
	case shown.Held != "" && e.seen.Rights[RightResume]:
		shown.ToResume = address + "/resume"
	}
	if shown.Back = goneBackTo(environment); len(shown.Back) > 0 && e.seen.Rights[RightRollback] {
		shown.ToRollback = e.Path("projects", e.standing.Project, "promotions")
	}
	if shown.ToHold == "" && shown.ToResume == "" && shown.ToRollback == "" {
		return nil, nil
	}
	return e.one("environment-actions-card", "environment-actions", shown)
}

// goneBackTo are the Releases that have succeeded here and do not run now; the one that ran before is the first.
func goneBackTo(environment *v1alpha1.Environment) []backShown {
	status := environment.Status
	if status.Current.Release == "" {
		return nil
	}
	var back []backShown
	for _, succeeded := range status.Releases {
		if succeeded.Name != status.Current.Release {
			back = append(back, backShown{succeeded.Name, succeeded.Version, succeeded.Name == status.Previous.Release})
		}
	}
	slices.SortStableFunc(back, func(a, b backShown) int {
		switch {
		case a.Previous == b.Previous:
			return 0
		case a.Previous:
			return -1
		default:
			return 1
		}
	})
	return back
}

// historyShown is what has happened in an Environment.
type historyShown struct {
	ToCSV string
	Rows  []happeningShown
	// More is how many older happenings are not shown.
	More int
}

// happeningShown is one row.
type happeningShown struct {
	At                   time.Time
	Badge                stateBadge
	Promotion, To        string
	Release, Took        string
	RequestedBy, Decided string
	Override, Why        string
	First, Last          int64
}

// mostHappenings is how many rows the history of the page has; the audit page has all of it.
const mostHappenings = 30

func (e *environmentPage) history() ([]Part, error) {
	told := report.Tell(slices.Clone(e.seen.Records)) // it sorts what it is given, and others look at it too
	query := url.Values{"project": {e.standing.Project}, "environment": {e.standing.Environment}}
	shown := historyShown{ToCSV: e.Path("audit", "export.csv") + "?" + query.Encode()}
	if len(told.Items) > mostHappenings {
		shown.More, told.Items = len(told.Items)-mostHappenings, told.Items[:mostHappenings]
	}
	for _, item := range told.Items {
		row := happeningShown{
			At: item.Time.Time, Badge: badgeOf(item.Result), Promotion: item.Promotion, To: e.Promotion(item.Project, item.Promotion), Release: item.Release,
			RequestedBy: item.RequestedBy, Decided: strings.Join(item.DecidedBy, ", "), Why: item.Reason, First: item.FirstSequence, Last: item.LastSequence,
		}
		if item.Type == v1alpha1.PromotionTypeRollback {
			row.Badge.Text += " (rollback)"
		}
		if item.Seconds != nil {
			row.Took = duration.HumanDuration(time.Duration(*item.Seconds) * time.Second)
		}
		if item.Result != string(v1alpha1.AuditSucceeded) {
			row.Why = cmp.Or(item.Message, item.Reason)
		}
		if item.OverriddenBy != "" {
			row.Override = item.OverriddenBy + " opened " + gatesText(item.Gates)
		}
		shown.Rows = append(shown.Rows, row)
	}
	return e.one("environment-history-card", "environment-history", shown)
}
