// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"slices"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Ahead is what would be in the way of a Release to an Environment now, as far as it can be said before there is a Promotion: Release, Upstream, Soak, Hold and
// Window. What needs a plan is not in it: approvals, checks and the deployer. Neither is whether the whole project is on hold. Bundled are the Releases that
// a bundle names, and project the Environments by name.
func Ahead(kind v1alpha1.PromotionType, release *v1alpha1.Release, bundled []*v1alpha1.Release, environment *v1alpha1.Environment, project map[string]*v1alpha1.Environment, now time.Time) []v1alpha1.Blocker {
	asked := &v1alpha1.Promotion{Spec: v1alpha1.PromotionSpec{Release: release.Name, Environment: environment.Name, Type: kind}}
	asked.Namespace = environment.Namespace
	seen := Observation{Now: now, Promotion: asked, Release: release, Bundled: bundled, Environment: environment, Project: project}
	var found judgement
	for _, blocker := range []*v1alpha1.Blocker{blockedGate(seen), unreleased(seen), holdGate(seen), upstreamGate(seen), soakGate(seen), windowGate(seen)} {
		found.add(blocker)
	}
	slices.SortStableFunc(found.blockers, func(a, b v1alpha1.Blocker) int {
		return slices.Index(importance, a.Gate) - slices.Index(importance, b.Gate)
	})
	return found.blockers
}
