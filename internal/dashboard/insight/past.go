// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Past is what figures are made of.
type Past struct {
	// Records of the history, in any order; one that comes twice counts once.
	Records []v1alpha1.AuditRecord
	// Environments say which application and stage a history belongs to, and Releases when they were created. A history without either belongs nowhere.
	Environments []*v1alpha1.Environment
	Releases     []*v1alpha1.Release
	// Requests are when Promotions were created, by their UIDs.
	Requests map[string]time.Time
	// Since is when the records that were read begin, where older ones were left out; zero where there are no others.
	Since time.Time
}

// Place is where rollouts go.
type Place struct {
	Project, Application, Stage, Environment string
	// Last says that no other Environment of the application comes after it.
	Last bool
}

// key of a history.
type key struct{ project, environment string }

// places of all Environments that there are.
func (p Past) places() map[key]Place {
	followed := map[key]bool{}
	for _, environment := range p.Environments {
		for _, before := range environment.Spec.After {
			followed[key{environment.Namespace, before}] = true
		}
	}
	found := map[key]Place{}
	for _, environment := range p.Environments {
		at := key{environment.Namespace, environment.Name}
		found[at] = Place{
			Project: environment.Namespace, Application: environment.Spec.Application, Environment: environment.Name,
			Stage: cmp.Or(environment.Status.Stage, environment.Spec.Stage, environment.Name), Last: !followed[at],
		}
	}
	return found
}

// histories in the order of their sequences.
func (p Past) histories() map[key][]*v1alpha1.AuditRecord {
	found := map[key][]*v1alpha1.AuditRecord{}
	for i := range p.Records {
		record := &p.Records[i]
		of := key{record.Namespace, record.Spec.Environment}
		found[of] = append(found[of], record)
	}
	for of, records := range found {
		slices.SortStableFunc(records, func(a, b *v1alpha1.AuditRecord) int { return cmp.Compare(a.Spec.Sequence, b.Spec.Sequence) })
		found[of] = slices.CompactFunc(records, func(a, b *v1alpha1.AuditRecord) bool { return a.Spec.Sequence == b.Spec.Sequence })
	}
	return found
}

// begins is the time before which nothing is known of what is in scope: nothing was read, or nothing was there. Zero where there is nothing at all.
func (p Past) begins(scope Scope, rollouts []*rollout) time.Time {
	var first time.Time
	earlier := func(at time.Time) {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	for _, environment := range p.Environments {
		if scope.holds(Place{Project: environment.Namespace, Application: environment.Spec.Application}) {
			earlier(environment.CreationTimestamp.Time)
		}
	}
	for _, each := range rollouts {
		if scope.holds(each.Place) {
			earlier(each.began)
		}
	}
	if p.Since.After(first) {
		return p.Since
	}
	return first
}

// Scope is what is asked for.
type Scope struct {
	// Project and Application; empty for all of them.
	Project, Application string
	// Stage; empty for the last stage of each application.
	Stage string
	// Days of the period, of which the last is today. The one before it is as long.
	Days int
}

// holds says whether a place is of the project and application that are asked for, whatever its stage is.
func (s Scope) holds(place Place) bool {
	return (s.Project == "" || s.Project == place.Project) && (s.Application == "" || s.Application == place.Application)
}

// chosen says whether a place is of the stage that is asked for, too.
func (s Scope) chosen(place Place) bool {
	if !s.holds(place) {
		return false
	}
	if s.Stage == "" {
		return place.Last
	}
	return s.Stage == place.Stage
}

// inOrder of projects, applications, stages and Environments.
func (p Place) inOrder(other Place) int {
	return cmp.Or(strings.Compare(p.Project, other.Project), strings.Compare(p.Application, other.Application), strings.Compare(p.Stage, other.Stage),
		strings.Compare(p.Environment, other.Environment))
}

// line is what stands for all Environments of a stage of an application.
func (p Place) line() Place {
	return Place{Project: p.Project, Application: p.Application, Stage: p.Stage}
}
