// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// Slots of the inbox.
const (
	slotInbox      = "inbox"
	slotInboxEmpty = "inbox-empty"
)

// request is one Promotion that waits for the person.
type request struct {
	Project, Application, Version, Release, Environment, Stage string
	URL, ReleaseURL, EnvironmentURL                            string
	Rollback                                                   bool
	By, Reason                                                 string
	At                                                         time.Time
	// Replaces is the version that runs there now; empty where nothing does.
	Replaces string
	// Changes of the plan in numbers, and Approvals given of those needed.
	Changes   string
	Approvals mark
	// Others are the gates that are closed beside the approvals.
	Others []mark
	// Override are the gates that the request opens without what they ask for.
	Override string
	// Expires is when it ends unanswered; zero if that is not known.
	Expires time.Time
}

// Inbox shows the Promotions that wait for the person's decision, the oldest first. Which those are is for the caller to find out.
func Inbox(c Context, world *World, promotions []*v1alpha1.Promotion) (View, error) {
	known := indexOf(world)
	promotions = slices.Clone(promotions)
	slices.SortStableFunc(promotions, func(a, b *v1alpha1.Promotion) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	list, empty := Slot{ID: slotInbox}, Slot{ID: slotInboxEmpty}
	for _, promotion := range promotions {
		made, err := c.part("request/"+promotion.Namespace+"/"+promotion.Name, "inbox-request", newRequest(c, known, promotion))
		if err != nil {
			return View{}, err
		}
		list.Parts = append(list.Parts, made)
	}
	title := fmt.Sprintf("Inbox (%d)", len(promotions))
	if len(promotions) == 0 {
		title = "Inbox"
		made, err := c.part("nothing-waits", "inbox-empty", nil)
		if err != nil {
			return View{}, err
		}
		empty.Parts = []Part{made}
	}
	return View{Title: title, Template: "inbox", Slots: []Slot{list, empty}}, nil
}

func newRequest(c Context, known *index, promotion *v1alpha1.Promotion) request {
	spec, status, project := promotion.Spec, promotion.Status, promotion.Namespace
	made := request{
		Project: project, Version: spec.Release, Release: spec.Release, Environment: spec.Environment, Stage: spec.Environment,
		URL: c.Promotion(project, promotion.Name), ReleaseURL: c.Release(project, spec.Release), EnvironmentURL: c.Environment(project, spec.Environment),
		Rollback: spec.Type == v1alpha1.PromotionTypeRollback, By: spec.RequestedBy.Username, Reason: spec.Reason, At: promotion.CreationTimestamp.Time,
		Changes: report.Differ(promotion).Counts(), Approvals: newMark("waiting", "wait", approvals(status.Approvals)),
		Override: gates(spec.Override.Gates),
	}
	var before []*v1alpha1.Environment
	if environment := known.environments[Place{project, spec.Environment}]; environment != nil {
		before = known.before(environment)
		made.Application, made.Stage, made.Replaces = environment.Spec.Application, report.StageOf(environment), environment.Status.Current.Version
		made.Version = newLineage(known.releases[application{project, made.Application}]).version(spec.Release)
	}
	for _, blocker := range status.Blockers {
		if blocker.Gate == v1alpha1.GateApproval {
			made.Expires = blocker.UntilTime.Time
			continue
		}
		made.Others = append(made.Others, blocked(before, blocker))
	}
	return made
}

func gates(opened []v1alpha1.OverridableGate) string {
	names := make([]string, 0, len(opened))
	for _, gate := range opened {
		names = append(names, string(gate))
	}
	return strings.Join(names, ", ")
}
