// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"time"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// progressShown is how far a rollout is.
type progressShown struct {
	Badge stateBadge
	// Title says what it is the progress of.
	Title                   string
	Applied, Healthy, Total int32
	// Counted says that there are numbers.
	Counted     bool
	Wave        string
	Started     time.Time
	Verifying   time.Time
	Failing     []objectTrouble
	RollbackTo  string
	RollbackWhy string
	RollbackAt  time.Time
	ToRollback  string
	Done        bool
}

// objectTrouble is an object that something is wrong with.
type objectTrouble struct{ Kind, Name, Message string }

func troubleOf(ref v1alpha1.ObjectReference, message string) objectTrouble {
	kind := ref.Kind
	if ref.Group != "" {
		kind += "." + ref.Group
	}
	return objectTrouble{Kind: kind, Name: ref.Name, Message: message}
}

// progress of the rollout, once it has started.
func (p *promotionPage) progress() ([]Part, error) {
	promotion := p.seen.Promotion
	status := promotion.Status
	if status.StartTime.IsZero() {
		return nil, nil
	}
	shown := progressShown{
		Badge: promotionState(promotion), Title: "Rollout", Started: status.StartTime.Time, Verifying: status.Progress.VerifyingSinceTime.Time,
		Done: p.told.Ended && p.told.State == v1alpha1.ReasonSucceeded,
	}
	if status.Progress.Total != nil {
		shown.Counted, shown.Total = true, *status.Progress.Total
		shown.Applied, shown.Healthy = ptr.Deref(status.Progress.Applied, 0), ptr.Deref(status.Progress.Healthy, 0)
	}
	if status.Progress.Waves > 0 {
		shown.Wave = fmt.Sprintf("wave %d of %d", status.Progress.Wave, status.Progress.Waves)
	}
	if back := status.Rollback; back.Release != "" {
		shown.Title, shown.RollbackTo, shown.RollbackWhy, shown.RollbackAt = "The way back", back.Release, back.Reason, back.StartTime.Time
		shown.ToRollback = p.Release(promotion.Namespace, back.Release)
	}
	if !shown.Done {
		for _, failing := range status.Progress.Failing {
			shown.Failing = append(shown.Failing, troubleOf(failing.ObjectReference, failing.Message))
		}
	}
	return p.one("promotion-progress-card", "promotion-progress", shown)
}

// pathOf an object, as the diff has it.
func pathOf(ref v1alpha1.ObjectReference) string { return plan.Visible(plan.Path(ref)) }
