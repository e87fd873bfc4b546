// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/expression"
	"github.com/assent-dev/assent/internal/plan"
)

// observe the world, from caches or live.
func (w *world) observe(live bool) Observation {
	seen := Observation{
		Now: w.now, Live: live, Promotion: w.promotion.DeepCopy(), Release: w.release.DeepCopy(), Environment: w.environment.DeepCopy(),
		Guard: w.guard, ValuesDigest: w.values, Newer: w.newer, ProjectHold: w.projectHold, Project: w.project(), Checks: maps.Clone(w.checks),
	}
	if w.environment != nil {
		rules := w.environment.DeepCopy().Spec
		rules.Hold, rules.AutoPromotion = v1alpha1.Hold{}, v1alpha1.AutoPromotion{}
		seen.EnvironmentDigest = digestOf(rules)
	}
	if w.history.Open != nil && w.history.Open.Spec.Promotion.Name != w.promotion.Name {
		seen.Running = w.history.Open.Spec.Promotion.Name
	}
	if live {
		w.observeOverride(&seen)
		seen.Authority = map[string]approval.Authority{}
		for _, entry := range w.promotion.Spec.Approvals {
			seen.Authority[entry.User] = approval.AuthorityHeld
			if w.lost[entry.User] {
				seen.Authority[entry.User] = approval.AuthorityLost
			}
		}
	}
	intent, outcome := w.recorded()
	if !w.promotion.Status.StartTime.IsZero() {
		seen.Rollout = w.rollout(intent, outcome)
	} else if live && outcome != nil {
		seen.Rollout = &Rollout{Outcome: outcome}
	}
	return seen
}

// observeOverride asks whether whoever has set the override may.
func (w *world) observeOverride(seen *Observation) {
	if len(w.promotion.Spec.Override.Gates) == 0 {
		return
	}
	seen.OverrideAuthority = approval.AuthorityHeld
	if user := w.promotion.Spec.Override.UsedBy.Username; user == "" || w.powerless[user] {
		seen.OverrideAuthority = approval.AuthorityLost
	}
}

// project are the Environments by name.
func (w *world) project() map[string]*v1alpha1.Environment {
	project := map[string]*v1alpha1.Environment{}
	for name, environment := range w.upstream {
		project[name] = environment.DeepCopy()
	}
	if w.environment != nil {
		project[w.environment.Name] = w.environment.DeepCopy()
	}
	return project
}

// recorded is what the history says of the promotion.
func (w *world) recorded() (intent, outcome *v1alpha1.AuditRecord) {
	for i := range w.records {
		switch record := &w.records[i]; {
		case record.Spec.Promotion.Name != w.promotion.Name:
		case record.Spec.Type == v1alpha1.AuditIntent:
			intent = record
		case record.Spec.Type != v1alpha1.AuditOverridden && record.Spec.Type != v1alpha1.AuditAcknowledged:
			outcome = record
		}
	}
	return intent, outcome
}

func (w *world) rollout(intent, outcome *v1alpha1.AuditRecord) *Rollout {
	if GoesBack(w.promotion) && !w.back { // other objects from now on
		w.back, w.wave, w.failure, w.objects = true, 0, "", objects{total: w.objects.total, prunes: w.objects.prunes}
	}
	rollout := &Rollout{
		Intent: intent, Outcome: outcome, Failure: w.failure, Hopeless: w.wave > 0 && w.objects.hopeless, Prunes: w.objects.prunes,
		Wave: w.wave, Waves: w.waves, Applied: w.wave == w.waves, Healthy: w.wave > 0 && w.objects.healthy >= w.objects.applied,
	}
	if w.wave > 0 {
		rollout.Progress = v1alpha1.RolloutProgress{
			Applied: ptr.To(w.objects.applied), Healthy: ptr.To(w.objects.healthy), Total: ptr.To(w.objects.total), Failing: w.objects.failing,
		}
	}
	return rollout
}

// plan pretends to render: the digest is that of the inputs.
func (w *world) plan(inputs v1alpha1.PlanInputs) *Planned {
	switch {
	case w.refused != "":
		return &Planned{Refused: w.refused}
	case w.noDeployer:
		return &Planned{
			Unable: fmt.Sprintf(`service account %q does not exist in namespace "shop-prod"`, w.environment.Spec.Target.ServiceAccountName),
			Remedy: "whoever administers namespace \"shop-prod\", by `kubectl -n shop-prod create serviceaccount " + w.environment.Spec.Target.ServiceAccountName + "`",
		}
	}
	var fallback v1alpha1.Fallback
	if runs := w.environment.Status.Current; w.environment.Spec.Rollout.OnFailure == v1alpha1.OnFailureRollback && runs.Release != "" {
		fallback = v1alpha1.Fallback{
			Release: v1alpha1.ObjectIdentity{Name: runs.Release, UID: runs.Release + "-uid"}, Version: runs.Version, ReleaseDigest: digestOf(runs.Release), RenderedDigest: digestOf(runs),
		}
	}
	rules := PlanRules(w.environment, expression.RuleInput{Changes: w.changes, Release: w.release, Environment: w.environment, Promotion: w.promotion})
	return &Planned{Plan: v1alpha1.Plan{
		Changes: w.changes, Rules: rules, Fallback: fallback,
		Digest: digestOf(plan.Decisive(inputs)), RenderedDigest: digestOf(inputs.ReleaseDigest), Objects: ptr.To(w.objects.total), Inputs: inputs,
		Diff: "+ image: shop:1.4.0", PlannedTime: metav1.NewTime(w.now),
	}}
}
