// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package autopromotion chooses the Release that an Environment asks for by itself.
//
//	a candidate is     ready and not blocked, of the Environment's application, of a semantic version that the constraint allows,
//	                   newer than what runs and than what was asked for by itself before
//	it is eligible     when it has passed every Environment of `after`, for as long as it has to soak
//	it is chosen       when it is the newest that is eligible, and nobody has asked for it yet and it has never run here
//
// What people have asked for is not asked for again, and neither is anything older than it: whoever rejected 1.5.0 gets no promotion of 1.4.0
// instead. What runs after a rollback is not replaced by what was rolled back.
package autopromotion

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/soak"
)

// Question is what a choice depends on.
type Question struct {
	Environment *v1alpha1.Environment
	// Releases of the project.
	Releases []*v1alpha1.Release
	// Upstream are the closed gates that stand between a Release and the Environment: none if it is eligible.
	Upstream func(*v1alpha1.Release) []v1alpha1.Blocker
	// Asked says whether there is a Promotion of a Release to the Environment, in whatever state.
	Asked func(*v1alpha1.Release) bool
}

// Choice is what to ask for.
type Choice struct {
	// Release to promote; nil if there is none.
	Release *v1alpha1.Release
	// Again is when to choose anew although nothing has happened: a newer Release has soaked by then. Zero for never.
	Again time.Time
}

// Choose the Release that the Environment should ask for now. It chooses none without a constraint that can be understood.
func Choose(q Question) Choice {
	var choice Choice
	for _, candidate := range candidates(q) {
		blockers := q.Upstream(candidate.release)
		if len(blockers) > 0 {
			choice.Again = sooner(choice.Again, opens(blockers))
			continue
		}
		if q.Asked(candidate.release) || soak.Find(&q.Environment.Status, string(candidate.release.UID)) != nil {
			return choice
		}
		choice.Release = candidate.release
		return choice
	}
	return choice
}

type candidate struct {
	release *v1alpha1.Release
	version *semver.Version
}

// candidates are the Releases that could be chosen, the newest first.
func candidates(q Question) []candidate {
	spec, status := &q.Environment.Spec, &q.Environment.Status
	constraint, err := semver.NewConstraint(spec.AutoPromotion.Versions)
	if spec.AutoPromotion.Versions == "" || err != nil {
		return nil
	}
	var found []candidate
	for _, release := range q.Releases {
		if release.Spec.Application != spec.Application || !ready(release) {
			continue
		}
		version := parse(release.Spec.Version)
		if version == nil || !constraint.Check(version) ||
			!newer(version, status.Current.Version) || !newer(version, status.AutoPromoted.Version) {
			continue
		}
		found = append(found, candidate{release, version})
	}
	slices.SortFunc(found, func(a, b candidate) int {
		if order := b.version.Compare(a.version); order != 0 {
			return order
		}
		// Versions that differ in their build alone are equal: the one that was created last goes first.
		if order := b.release.CreationTimestamp.Compare(a.release.CreationTimestamp.Time); order != 0 {
			return order
		}
		return strings.Compare(a.release.Name, b.release.Name)
	})
	return found
}

// ready says whether a Release could be rolled out at all.
func ready(release *v1alpha1.Release) bool {
	return release.DeletionTimestamp.IsZero() && release.Spec.Blocked.Reason == "" && release.Status.Digest != "" &&
		meta.IsStatusConditionTrue(release.Status.Conditions, v1alpha1.ConditionReady)
}

// newer says whether a version comes after another. What is no semantic version comes before and after nothing.
func newer(version *semver.Version, than string) bool {
	other := parse(than)
	return other == nil || version.GreaterThan(other)
}

// parse a semantic version, with or without a leading "v"; nil if it is none. "1.2" and "20261122" are none: nobody promotes by a guess.
func parse(version string) *semver.Version {
	parsed, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v"))
	if err != nil {
		return nil
	}
	return parsed
}

// opens is when all of these gates are open if nothing happens; zero if that takes more than time.
func opens(blockers []v1alpha1.Blocker) time.Time {
	var last time.Time
	for _, blocker := range blockers {
		if blocker.UntilTime.IsZero() {
			return time.Time{}
		}
		if blocker.UntilTime.After(last) {
			last = blocker.UntilTime.Time
		}
	}
	return last
}

// sooner of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// Name of the Promotion of a Release to an Environment that is asked for by itself. It is the same whenever it is asked for, so that the API server
// creates it once, and another for another Release or Environment of the same name.
func Name(release *v1alpha1.Release, environment *v1alpha1.Environment) string {
	const mostName, hashed = 253, 10
	sum := sha256.Sum256([]byte(string(release.UID) + "/" + string(environment.UID)))
	suffix := "-" + environment.Name + "-" + hex.EncodeToString(sum[:])[:hashed]
	name := release.Name
	if room := mostName - len(suffix); len(name) > room {
		name = strings.TrimRight(name[:room], "-.")
	}
	return name + suffix
}
