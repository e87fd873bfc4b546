// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"cmp"
	"slices"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
)

// rollout from its Intent on.
type rollout struct {
	Place
	promotion string
	release   v1alpha1.AuditedRelease
	// back says that it is a rollback.
	back  bool
	began time.Time
	// ended is zero while there is no outcome.
	ended   time.Time
	outcome v1alpha1.AuditType
	// overridden says that an override has opened gates for it, and unapproved that Approval was among them.
	overridden, unapproved bool
	// requested is when its Promotion was created, and approved when its last approval was seen; zero where that is not known, or there is none.
	requested, approved time.Time
	// reverted says that it has succeeded, and that a rollback followed soon.
	reverted bool
}

// rollouts of all histories by Environment, each in the order of its history, and how many could not be placed.
func (p Past) rollouts() (found [][]*rollout, unplaced int) {
	places, applications := p.places(), map[string]string{}
	for _, release := range p.Releases {
		applications[string(release.UID)] = release.Spec.Application
	}
	histories := p.histories()
	of := make([]key, 0, len(histories))
	for at := range histories {
		of = append(of, at)
	}
	slices.SortFunc(of, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.project, b.project), cmp.Compare(a.environment, b.environment))
	})
	for _, at := range of {
		told := p.tell(histories[at])
		place, known := places[at]
		told = slices.DeleteFunc(told, func(each *rollout) bool {
			each.Place = place
			if !known { // the Environment is gone
				each.Place = Place{Project: at.project, Application: applications[each.release.UID], Stage: at.environment, Environment: at.environment}
			}
			if each.Application == "" {
				unplaced++
			}
			return each.Application == ""
		})
		found = append(found, told)
	}
	return found, unplaced
}

// tell the rollouts of one history.
func (p Past) tell(history []*v1alpha1.AuditRecord) []*rollout {
	var told []*rollout
	var open *rollout
	opened, running := map[string][]v1alpha1.OverridableGate{}, ""
	for _, record := range history {
		spec := &record.Spec
		switch {
		case spec.Type == v1alpha1.AuditOverridden:
			opened[spec.Promotion.UID] = spec.Gates
		case spec.Type == v1alpha1.AuditIntent:
			running = spec.Promotion.UID
			open = &rollout{
				promotion: spec.Promotion.Name, release: spec.Release, back: spec.PromotionType == v1alpha1.PromotionTypeRollback, began: spec.Time.Time,
				requested: p.Requests[running], approved: approved(spec),
			}
			if gates, overridden := opened[running]; overridden {
				open.overridden, open.unapproved = true, slices.Contains(gates, v1alpha1.OverridableGate(v1alpha1.GateApproval))
			}
			told = append(told, open)
		case open != nil && running == spec.Promotion.UID && audit.IsOutcome(spec.Type):
			open.ended, open.outcome = spec.Time.Time, spec.Type
			open = nil
		}
	}
	return told
}

// approved is when the last of the approvals that counted was seen; zero where there was none.
func approved(spec *v1alpha1.AuditRecordSpec) time.Time {
	var last time.Time
	for _, decision := range spec.Decisions {
		if decision.Decision == v1alpha1.DecisionApproved && decision.Time.After(last) {
			last = decision.Time.Time
		}
	}
	return last
}

// deployed says whether it has put a change in place, or tried to.
func (r *rollout) deployed() bool {
	return !r.back && (r.outcome == v1alpha1.AuditSucceeded || r.failed())
}

func (r *rollout) failed() bool {
	return r.outcome == v1alpha1.AuditFailed || r.outcome == v1alpha1.AuditRolledBack
}
