// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
)

// versions is an observation of objects in these versions.
func versions(asked, release, environment string) promotion.Observation {
	seen := promotion.Observation{Promotion: &v1alpha1.Promotion{}, Release: &v1alpha1.Release{}, Environment: &v1alpha1.Environment{}}
	seen.Promotion.ResourceVersion, seen.Release.ResourceVersion, seen.Environment.ResourceVersion = asked, release, environment
	return seen
}

func TestAPlanThatWasAnticipatedCountsForTheVeryVersionsThatItWasMadeFrom(t *testing.T) {
	inputs := v1alpha1.PlanInputs{ReleaseDigest: "sha256:1"}
	for name, c := range map[string]struct {
		seen   promotion.Observation
		inputs v1alpha1.PlanInputs
		err    error
		counts bool
	}{
		"nothing has changed":                {seen: versions("1", "2", "3"), inputs: inputs, counts: true},
		"somebody has written the promotion": {seen: versions("4", "2", "3"), inputs: inputs},
		"the Release is another":             {seen: versions("1", "4", "3"), inputs: inputs},
		"the Environment has changed":        {seen: versions("1", "2", "4"), inputs: inputs},
		"what it is made of has changed":     {seen: versions("1", "2", "3"), inputs: v1alpha1.PlanInputs{ReleaseDigest: "sha256:1", GuardDigest: "sha256:2"}},
		"it could not be made":               {seen: versions("1", "2", "3"), inputs: inputs, err: errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			made := &anticipation{inputs: inputs, seen: versions("1", "2", "3"), done: make(chan struct{}), planned: &promotion.Planned{}, err: c.err}
			close(made.done)
			planned, _, counts := made.plan(c.seen, c.inputs)
			g.Expect(counts).To(Equal(c.counts))
			if counts {
				g.Expect(planned).To(BeIdenticalTo(made.planned))
			}
		})
	}
}

func TestWithoutAnAnticipationThereIsNoPlan(t *testing.T) {
	g := NewWithT(t)
	var none *anticipation
	_, _, counts := none.plan(versions("1", "2", "3"), v1alpha1.PlanInputs{})
	g.Expect(counts).To(BeFalse())
	g.Expect((&Planner{}).anticipate(t.Context(), versions("1", "2", "3"), v1alpha1.PlanInputs{})).To(BeNil())
}
