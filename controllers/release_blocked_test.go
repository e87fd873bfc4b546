// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func runningIn(name, release, uid string) v1alpha1.Environment {
	environment := v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}}
	environment.Status.Current = v1alpha1.Deployment{Release: release, Promotion: "p-" + name, SinceTime: metav1.NewTime(noon)}
	if uid != "" {
		environment.Status.Releases = []v1alpha1.SucceededRelease{{Name: release, UID: uid}}
	}
	return environment
}

func TestABlockedReleaseTellsWhereItRunsNow(t *testing.T) {
	release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: "shop-1", UID: "u1"}}
	release.Spec.Blocked.Reason = "known to lose orders"
	var everywhere []v1alpha1.Environment
	for i := range 80 {
		everywhere = append(everywhere, runningIn(fmt.Sprintf("e%02d", i), "shop-1", "u1"))
	}
	for name, c := range map[string]struct {
		project []v1alpha1.Environment
		count   int
		message string
	}{
		"nowhere": {[]v1alpha1.Environment{runningIn("staging", "shop-2", "u2"), runningIn("new", "", "")}, 0, "blocked: known to lose orders; it runs nowhere now"},
		"in one":  {[]v1alpha1.Environment{runningIn("staging", "shop-1", "u1")}, 1, `blocked: known to lose orders; it runs now in environment "staging"`},
		"in two": {
			[]v1alpha1.Environment{runningIn("staging", "shop-1", "u1"), runningIn("production", "shop-1", "")}, 2,
			`blocked: known to lose orders; it runs now in environments "production", "staging"`,
		},
		"another of its name": {[]v1alpha1.Environment{runningIn("staging", "shop-1", "u0")}, 0, "blocked: known to lose orders; it runs nowhere now"},
		"in more than there is room for": {
			everywhere, mostRunsIn, `blocked: known to lose orders; it runs now in environments "e00", "e01", "e02", "e03", "e04", "e05", "e06", "e07", "e08", "e09", ` +
				`"e10", "e11", "e12", "e13", "e14", "e15", 48 more`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			found := environmentsOf(release, nil, c.project)
			g.Expect(found).To(HaveLen(c.count))
			g.Expect(blockedMessage(release, found)).To(Equal(c.message))
			for _, environment := range found {
				g.Expect(environment).To(And(HaveField("Promotion", "p-"+environment.Name), HaveField("SinceTime.Time", noon)))
			}
		})
	}
}

func TestAReleaseIsLookedAtAgainWhenItIsBlockedOrUnblocked(t *testing.T) {
	for name, c := range map[string]struct {
		status             metav1.ConditionStatus
		reason             string
		observed           int64
		isSettled, isFound bool
	}{
		"resolved":                        {metav1.ConditionTrue, v1alpha1.ReasonResolved, 2, true, true},
		"resolved, and blocked since":     {metav1.ConditionTrue, v1alpha1.ReasonResolved, 1, false, true},
		"blocked":                         {metav1.ConditionFalse, v1alpha1.ReasonBlockedRelease, 2, false, true},
		"blocked, and unblocked since":    {metav1.ConditionFalse, v1alpha1.ReasonBlockedRelease, 1, false, true},
		"invalid":                         {metav1.ConditionFalse, v1alpha1.ReasonInvalidSource, 2, true, false},
		"not fetched yet":                 {metav1.ConditionFalse, v1alpha1.ReasonFetchFailed, 2, false, false},
		"not fetched yet, and blocked":    {metav1.ConditionFalse, v1alpha1.ReasonFetchFailed, 1, false, false},
		"of another digest, and blocked":  {metav1.ConditionFalse, v1alpha1.ReasonDigestMismatch, 1, false, false},
		"of another digest for ever more": {metav1.ConditionFalse, v1alpha1.ReasonDigestMismatch, 2, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
			release.Status.Digest = "sha256:1"
			release.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: c.status, Reason: c.reason, ObservedGeneration: c.observed}}
			g.Expect(settled(release)).To(Equal(c.isSettled))
			g.Expect(inOrder(release)).To(Equal(c.isFound), "found in order, so that nothing is fetched again")
		})
	}
}
