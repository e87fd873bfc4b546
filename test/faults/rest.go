// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/promotion"
)

// story is what people can see in the end, without what differs from one run to another: names of namespaces, times, UIDs and hashes.
type story struct {
	// Promotions are the states by name.
	Promotions map[string][]string
	// History are the types of the audit records, by promotion: those of several may come in any order.
	History map[string][]string
	// Environment is what it says of what runs.
	Environment []string
	// Releases are where each runs, by name.
	Releases map[string][]string
}

// rested says what is missing until nothing is left to do: every promotion has ended, and the Environment knows of it. Empty if nothing is.
func rested(seen view, gone map[string]bool) string {
	for _, p := range seen.promotions {
		if !promotion.Ended(p) {
			return fmt.Sprintf("promotion %q: %s", p.Name, describe(p))
		}
		used := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionOverridden)
		if used != nil && used.Reason == v1alpha1.ReasonUnacknowledged && p.Spec.Acknowledgement.Username != "" {
			return fmt.Sprintf("promotion %q does not say yet that its override is acknowledged", p.Name)
		}
	}
	state := audit.State{}
	for i := range seen.records {
		state = state.Follow(&seen.records[i])
	}
	if state.Open != nil {
		return fmt.Sprintf("promotion %q has an intent and no outcome on record", state.Open.Spec.Promotion.Name)
	}
	environment := seen.environments[production]
	if owed := state.Owed(environment); environment != nil && owed.Outcome != nil {
		return fmt.Sprintf("the environment does not know of record %d: %s of promotion %q", owed.Outcome.Spec.Sequence, owed.Outcome.Spec.Type, owed.Outcome.Spec.Promotion.Name)
	}
	for name := range gone {
		if seen.promotions[name] != nil {
			return fmt.Sprintf("promotion %q was deleted, and is there", name)
		}
	}
	return ""
}

// storyOf what is seen.
func storyOf(seen view) story {
	told := story{Promotions: map[string][]string{}, History: map[string][]string{}, Releases: map[string][]string{}}
	for name, p := range seen.promotions {
		told.Promotions[name] = conditionsOf(p.Status.Conditions, v1alpha1.ConditionApproved)
	}
	for i := range seen.records {
		about := seen.records[i].Spec.Promotion.Name
		told.History[about] = append(told.History[about], string(seen.records[i].Spec.Type))
	}
	if environment := seen.environments[production]; environment != nil {
		status := environment.Status
		told.Environment = append(conditionsOf(status.Conditions, ""),
			"runs "+status.Current.Promotion, "ran "+status.Previous.Promotion, fmt.Sprintf("%d waiting", len(status.Waiting)), fmt.Sprintf("%d overrides", len(status.Overrides)))
		var inventory []string
		for _, ref := range status.Inventory {
			inventory = append(inventory, ref.Kind+"/"+ref.Name)
		}
		sort.Strings(inventory)
		told.Environment = append(told.Environment, "holds "+strings.Join(inventory, " "))
	}
	for name, release := range seen.releases {
		for _, place := range release.Status.Environments {
			told.Releases[name] = append(told.Releases[name], place.Name+" by "+place.Promotion)
		}
	}
	return told
}

func conditionsOf(conditions []metav1.Condition, but string) []string {
	var said []string
	for _, condition := range conditions {
		if condition.Type != but {
			said = append(said, fmt.Sprintf("%s=%s (%s)", condition.Type, condition.Status, condition.Reason))
		}
	}
	sort.Strings(said)
	return said
}

// rest waits until nothing is left to do, and, where an undisturbed story is known, until it is the same.
func (r *Run) rest(ctx context.Context, undisturbed *story) (story, error) {
	var told story
	err := r.world.until(ctx, r.project.Name, "all is at rest", func(seen view) string {
		if missing := rested(seen, r.gone); missing != "" {
			return missing
		}
		told = storyOf(seen)
		if undisturbed != nil && !equality.Semantic.DeepEqual(told, *undisturbed) {
			return fmt.Sprintf("it ended as %s, and without the fault as %s", asJSON(told), asJSON(*undisturbed))
		}
		return ""
	})
	return told, err
}

// settled waits until the Environment is at rest and says so, before the swept part of a run begins.
func (r *Run) settled(ctx context.Context) error {
	return r.world.until(ctx, r.project.Name, "the environment is settled", func(seen view) string {
		if missing := rested(seen, r.gone); missing != "" {
			return missing
		}
		environment := seen.environments[production]
		if environment == nil {
			return "it has not been seen yet"
		}
		if ready := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionReady); ready == nil || ready.ObservedGeneration != environment.Generation {
			return "it is not ready as it is now"
		}
		return ""
	})
}

// kept are the states in which promotions ended, as far as they are not what they must be.
func (r *Run) kept(seen view) []violation {
	var broken []violation
	for name, state := range r.ends {
		if p := seen.promotions[name]; p != nil && promotion.State(p) != state {
			broken = append(broken, violation{Rule: "end", Detail: fmt.Sprintf("promotion %q had ended as %s: %s", name, state, describe(p))})
		}
	}
	return broken
}

// inOrder sorts records by their number.
func inOrder(records []v1alpha1.AuditRecord) []v1alpha1.AuditRecord {
	slices.SortFunc(records, func(a, b v1alpha1.AuditRecord) int { return cmp.Compare(a.Spec.Sequence, b.Spec.Sequence) })
	return records
}

func asJSON(value any) string {
	content, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// after waits for a moment of the clock, and no longer than ctx.
func after(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
