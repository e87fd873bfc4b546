// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"slices"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Found is what came of a scope.
type Found struct {
	// From and To are the ends of the period: it is of whole days in UTC, of which the last is today.
	From, To time.Time
	// Known is since when anything is known of what is in scope; zero where there is nothing at all.
	Known time.Time
	// Figures of the scope, in the order of Kinds.
	Figures []Figure
	// Rows are the stages of each application in scope, whatever stage was asked for, without events and buckets.
	Rows []Row
	// Unplaced are rollouts whose Environment and Release are gone: nobody knows what application they were of.
	Unplaced int
}

// Row is one stage of one application.
type Row struct {
	Project, Application, Stage string
	// Figures in the order of Kinds.
	Figures []Figure
}

// Of makes the figures of a scope, as the package's comment defines them.
func Of(past Past, scope Scope, now time.Time) Found {
	scope.Days = max(1, scope.Days)
	histories, unplaced := past.rollouts()
	all := gather(past, histories, now)
	known := past.begins(scope, slices.Concat(histories...))
	length := time.Duration(scope.Days) * day
	end := now.UTC().Truncate(day).Add(day)
	of := period{from: end.Add(-length), to: end, until: now, known: known}
	before := period{from: of.from.Add(-length), to: of.from, until: of.from, known: known}
	found := Found{From: of.from, To: of.to, Known: known, Unplaced: unplaced}
	for _, kind := range Kinds {
		figure := all.figure(kind, of, before, scope.chosen)
		figure.Buckets = of.buckets(figure.Events, scope.Days)
		found.Figures = append(found.Figures, figure)
	}
	lines := all.lines()
	for _, place := range past.rows(scope, histories) {
		row := Row{Project: place.Project, Application: place.Application, Stage: place.Stage}
		for _, kind := range Kinds {
			figure := lines[place].figure(kind, of, before, func(Place) bool { return true })
			figure.Events = nil
			row.Figures = append(row.Figures, figure)
		}
		found.Rows = append(found.Rows, row)
	}
	return found
}

// rows are the places of a scope, one for each stage of an application.
func (p Past) rows(scope Scope, histories [][]*rollout) []Place {
	var found []Place
	for _, place := range p.places() {
		found = append(found, place)
	}
	for _, history := range histories {
		for _, each := range history {
			found = append(found, each.Place)
		}
	}
	found = slices.DeleteFunc(found, func(place Place) bool { return !scope.holds(place) })
	for i := range found {
		found[i] = found[i].line()
	}
	slices.SortFunc(found, Place.inOrder)
	return slices.Compact(found)
}

// gathered are the events of all places, by figure.
type gathered struct {
	events, missing map[Kind][]Event
	open            []Event
}

func nothing() gathered { return gathered{events: map[Kind][]Event{}, missing: map[Kind][]Event{}} }

// lines are the same events by stages of applications.
func (g gathered) lines() map[Place]gathered {
	found := map[Place]gathered{}
	at := func(event Event) gathered {
		line := event.line()
		if _, known := found[line]; !known {
			found[line] = nothing()
		}
		return found[line]
	}
	for _, kind := range Kinds {
		for _, event := range g.events[kind] {
			to := at(event)
			to.events[kind] = append(to.events[kind], event)
		}
		for _, event := range g.missing[kind] {
			to := at(event)
			to.missing[kind] = append(to.missing[kind], event)
		}
	}
	for _, event := range g.open {
		to := at(event)
		to.open = append(to.open, event)
		found[event.line()] = to
	}
	return found
}

// figure of the places that are chosen.
func (g gathered) figure(kind Kind, of, before period, chosen func(Place) bool) Figure {
	only := func(events []Event) []Event {
		return slices.DeleteFunc(slices.Clone(events), func(event Event) bool { return !chosen(event.Place) })
	}
	events := only(g.events[kind])
	figure := Figure{Kind: kind, Events: of.of(events), Missing: len(of.of(only(g.missing[kind])))}
	figure.Now, figure.Before = kind.measure(figure.Events, of), kind.measure(before.of(events), before)
	if before.known.IsZero() || before.known.After(before.from) { // a part of it is no measure for the whole
		figure.Before.Enough = false
	}
	if kind == Restore {
		figure.Open = len(only(g.open))
	}
	return figure
}

// gather the events of all figures.
func gather(past Past, histories [][]*rollout, now time.Time) gathered {
	found := nothing()
	created := map[string]time.Time{}
	for _, release := range past.Releases {
		created[string(release.UID)] = release.CreationTimestamp.Time
	}
	for _, history := range histories {
		for _, each := range incidents(history) { // first, because it finds what was reverted
			if each.restored.IsZero() {
				found.open = append(found.open, each.event(each.since, now))
				continue
			}
			event := each.event(each.restored, now)
			event.Took = span(each.since, each.restored)
			found.events[Restore] = append(found.events[Restore], event)
		}
		before := map[string]bool{}
		for _, each := range history {
			found.decisions(each, now)
			found.deployment(each, now)
			if uid := each.release.UID; !each.back && each.outcome == v1alpha1.AuditSucceeded && !before[uid] {
				before[uid] = true
				found.timed(LeadTime, each.event(each.ended, now), created[uid], each.ended)
			}
		}
	}
	return found
}

// deployment counts what has put a change in place, or tried to.
func (g gathered) deployment(of *rollout, now time.Time) {
	if !of.deployed() {
		return
	}
	event := of.event(of.ended, now)
	if of.outcome == v1alpha1.AuditSucceeded {
		g.events[Frequency] = append(g.events[Frequency], event)
	}
	event.Marked = of.failed() || of.reverted
	g.events[FailureRate] = append(g.events[FailureRate], event)
}

// decisions counts how a rollout came to start.
func (g gathered) decisions(of *rollout, now time.Time) {
	event := of.event(of.began, now)
	event.Marked = of.overridden
	g.events[Override] = append(g.events[Override], event)
	if !of.approved.IsZero() && !of.unapproved {
		g.timed(Approve, of.event(of.approved, now), of.requested, of.approved)
	}
}

// timed counts a span, if its beginning is known.
func (g gathered) timed(kind Kind, event Event, from, to time.Time) {
	if from.IsZero() {
		g.missing[kind] = append(g.missing[kind], event)
		return
	}
	event.Took = span(from, to)
	g.events[kind] = append(g.events[kind], event)
}

// span between two times, of clocks that may differ.
func span(from, to time.Time) time.Duration { return max(0, to.Sub(from)) }

// event of a rollout at a time, which is not to come.
func (r *rollout) event(at, now time.Time) Event {
	if at.After(now) {
		at = now
	}
	return Event{Place: r.Place, Promotion: r.promotion, Release: r.release.Name, Version: r.release.Version, At: at}
}
