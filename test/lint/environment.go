// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// environment across its fields.
func (l *linter) environment(e *v1alpha1.Environment) {
	s := &e.Status
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionHealthy, v1alpha1.ConditionInSync} {
		l.check(find(s.Conditions, kind) != nil, RuleState, "it has no condition %s", kind)
	}
	if sync := find(s.Conditions, v1alpha1.ConditionInSync); sync != nil {
		l.check((sync.Reason == v1alpha1.ReasonDrifted) == (len(s.Drifted) > 0), RuleEnvironment, "InSync is %s with reason %s, and `drifted` names %d objects", sync.Status, sync.Reason, len(s.Drifted))
		l.check((sync.Reason == v1alpha1.ReasonNotDeployed) == (s.Audit.Sequence == 0), RuleEnvironment, "InSync has reason %s, and the history stands at %d", sync.Reason, s.Audit.Sequence)
	}
	l.check((s.Audit.Sequence == 0) == (s.Audit.Head == ""), RuleEnvironment, "the history stands at %d with hash %q", s.Audit.Sequence, s.Audit.Head)
	l.check(s.Current.Release == "" || len(s.Inventory) > 0, RuleEnvironment, "release %q runs here, and the inventory is empty", s.Current.Release)
	l.check(s.Previous.Release == "" || s.Current.Release != "", RuleEnvironment, "release %q ran here before, and none runs now", s.Previous.Release)
	l.check(s.Stage != "", RuleEnvironment, "it stands in no stage")
	for i, ref := range s.Inventory {
		l.check(!slices.Contains(s.Inventory[:i], ref), RuleEnvironment, "the inventory has %s %q twice", ref.Kind, ref.Name)
	}
	for _, deployment := range []v1alpha1.Deployment{s.Current, s.Previous} {
		l.past("the start of release "+deployment.Release, deployment.StartedTime)
		l.past("the health of release "+deployment.Release, deployment.SinceTime)
		l.check(!deployment.StartedTime.After(deployment.SinceTime.Time), RuleTime, "release %q was healthy at %s and started at %s", deployment.Release, deployment.SinceTime, deployment.StartedTime)
	}
	if s.Current.Release != "" {
		known := slices.ContainsFunc(s.Releases, func(r v1alpha1.SucceededRelease) bool { return r.Name == s.Current.Release })
		l.check(known, RuleEnvironment, "release %q runs here, and is not among those that have succeeded", s.Current.Release)
	}
	for _, release := range s.Releases {
		l.past("the success of release "+release.Name, release.SucceededTime)
		l.check(ptr.Deref(release.HealthySeconds, 0) >= 0, RuleTime, "release %q was healthy for %d seconds", release.Name, ptr.Deref(release.HealthySeconds, 0))
	}
}

// waiting compares what an Environment lists with the Promotions of the project. One that has come just now is not listed yet.
func (l *linter) waiting(e *v1alpha1.Environment, promotions []v1alpha1.Promotion) {
	s := &e.Status
	l.check(int(ptr.Deref(s.WaitingCount, 0)) >= len(s.Waiting), RuleWaiting, "%d are listed, and %d are counted", len(s.Waiting), ptr.Deref(s.WaitingCount, 0))
	for i, listed := range s.Waiting {
		l.past("promotion "+listed.Promotion, listed.Since)
		l.check(i == 0 || !listed.Since.Before(&s.Waiting[i-1].Since), RuleWaiting, "promotion %q is not in its order: the oldest comes first", listed.Promotion)
		at := slices.IndexFunc(promotions, func(p v1alpha1.Promotion) bool { return p.Namespace == e.Namespace && p.Name == listed.Promotion })
		if at < 0 {
			l.add(RuleWaiting, "promotion %q is listed, and is not there", listed.Promotion)
			continue
		}
		p := &promotions[at]
		succeeded := find(p.Status.Conditions, v1alpha1.ConditionSucceeded)
		// It leaves the list with the write that ends its rollout: docs/decisions/0003-six-writes.md.
		unended := p.Spec.Environment == e.Name && succeeded != nil && succeeded.Status == metav1.ConditionUnknown
		l.check(unended, RuleWaiting, "promotion %q is listed, and does not wait for this environment", listed.Promotion)
		if unended && p.Status.StartTime.IsZero() && len(listed.Blockers) > 0 && len(p.Status.Blockers) > 0 {
			l.check(listed.Blockers[0].Gate == p.Status.Blockers[0].Gate, RuleWaiting, "promotion %q is listed as waiting for %s, and says that it waits for %s", listed.Promotion, listed.Blockers[0].Gate, p.Status.Blockers[0].Gate)
		}
	}
}
