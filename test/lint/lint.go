// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lint looks at the status of our objects as their readers do: people, Flux and Helm by kstatus, and whoever relies on the Kubernetes API
// conventions. Every object that a test leaves behind has to pass.
//
// Each rule is about one object, but for RuleWaiting, which compares an Environment with its Promotions. What takes a moment to come, such as the
// generation that the operator has seen last, is right once nothing is under way: look again until nothing is found.
package lint

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Rule is what an object breaks.
type Rule string

// The rules.
const (
	// RuleType: a condition's type is one that the kind has, and is there once.
	RuleType Rule = "Type"
	// RuleReason: status and reason are among those that the condition can have together.
	RuleReason Rule = "Reason"
	// RuleMessage: a message is a sentence for people: some words, without what nobody can see or what a program has left in it.
	RuleMessage Rule = "Message"
	// RuleTime: times are set, none is in the future, and what ends does not end before it begins.
	RuleTime Rule = "Time"
	// RuleGeneration: what the operator has seen is the newest generation, in the status and in each condition that still speaks of it.
	RuleGeneration Rule = "Generation"
	// RuleState: the state of a Promotion, its conditions and its fields say the same.
	RuleState Rule = "State"
	// RuleKstatus: kstatus sees a Promotion that waits or has ended as Current, a rollout as InProgress, and one that is Invalid or has Failed as Failed.
	RuleKstatus Rule = "Kstatus"
	// RuleApprovals: what is counted was given, the sums are right, and nobody counts who is not counted.
	RuleApprovals Rule = "Approvals"
	// RuleProgress: no more is healthy than there is, nor applied.
	RuleProgress Rule = "Progress"
	// RuleEnvironment: an Environment's conditions and its fields say the same.
	RuleEnvironment Rule = "Environment"
	// RuleWaiting: what an Environment lists as waiting are Promotions that wait for it.
	RuleWaiting Rule = "Waiting"
)

// Finding is something that is wrong with an object.
type Finding struct {
	Rule Rule
	// Object as Kind namespace/name.
	Object string
	Detail string
}

// String is the finding as a failure shows it.
func (f Finding) String() string { return fmt.Sprintf("%s of %s: %s", f.Rule, f.Object, f.Detail) }

// Objects that are looked at together.
type Objects struct {
	Releases     []v1alpha1.Release
	Environments []v1alpha1.Environment
	Promotions   []v1alpha1.Promotion
}

// Collect the objects of projects as they are now, without those that are being deleted.
func Collect(ctx context.Context, reader client.Reader, projects ...string) (Objects, error) {
	var found Objects
	for _, project := range projects {
		var releases v1alpha1.ReleaseList
		var environments v1alpha1.EnvironmentList
		var promotions v1alpha1.PromotionList
		for _, list := range []client.ObjectList{&releases, &environments, &promotions} {
			if err := reader.List(ctx, list, client.InNamespace(project)); err != nil {
				return Objects{}, fmt.Errorf("listing the objects of project %q: %w", project, err)
			}
		}
		found.Releases = append(found.Releases, releases.Items...)
		found.Environments = append(found.Environments, environments.Items...)
		found.Promotions = append(found.Promotions, promotions.Items...)
	}
	found.Releases = slices.DeleteFunc(found.Releases, func(o v1alpha1.Release) bool { return !o.DeletionTimestamp.IsZero() })
	found.Environments = slices.DeleteFunc(found.Environments, func(o v1alpha1.Environment) bool { return !o.DeletionTimestamp.IsZero() })
	found.Promotions = slices.DeleteFunc(found.Promotions, func(o v1alpha1.Promotion) bool { return !o.DeletionTimestamp.IsZero() })
	return found, nil
}

// Findings of every rule, by the operator's clock. None means that every object is as its readers may expect.
func (o Objects) Findings(now time.Time) []Finding {
	found := o.Shape(now)
	for i := range o.Releases {
		l := about(&found, "Release", &o.Releases[i], now)
		l.generation(&o.Releases[i], o.Releases[i].Status.ObservedGeneration, o.Releases[i].Status.Conditions)
	}
	for i := range o.Promotions {
		p := &o.Promotions[i]
		l := about(&found, "Promotion", p, now)
		l.generation(p, p.Status.ObservedGeneration, p.Status.Conditions)
		l.promotion(p)
	}
	for i := range o.Environments {
		e := &o.Environments[i]
		l := about(&found, "Environment", e, now)
		l.generation(e, e.Status.ObservedGeneration, e.Status.Conditions)
		l.environment(e)
		l.waiting(e, o.Promotions)
	}
	return sorted(found)
}

// Shape is what can be said of objects that no operator has looked at, or that somebody else has written the status of: of each condition by itself.
func (o Objects) Shape(now time.Time) []Finding {
	var found []Finding
	for i := range o.Releases {
		about(&found, "Release", &o.Releases[i], now).conditions(releaseConditions, o.Releases[i].Status.Conditions)
	}
	for i := range o.Environments {
		about(&found, "Environment", &o.Environments[i], now).conditions(environmentConditions, o.Environments[i].Status.Conditions)
	}
	for i := range o.Promotions {
		about(&found, "Promotion", &o.Promotions[i], now).conditions(promotionConditions, o.Promotions[i].Status.Conditions)
	}
	return sorted(found)
}

func sorted(found []Finding) []Finding {
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Object, b.Object), strings.Compare(string(a.Rule), string(b.Rule)), strings.Compare(a.Detail, b.Detail))
	})
	return found
}

// linter looks at one object.
type linter struct {
	found  *[]Finding
	object string
	now    time.Time
}

func about(found *[]Finding, kind string, object client.Object, now time.Time) *linter {
	return &linter{found: found, object: fmt.Sprintf("%s %s/%s", kind, object.GetNamespace(), object.GetName()), now: now}
}

func (l *linter) add(rule Rule, format string, args ...any) {
	*l.found = append(*l.found, Finding{Rule: rule, Object: l.object, Detail: fmt.Sprintf(format, args...)})
}

// check adds a finding where something does not hold.
func (l *linter) check(holds bool, rule Rule, format string, args ...any) {
	if !holds {
		l.add(rule, format, args...)
	}
}
