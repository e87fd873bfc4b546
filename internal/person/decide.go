// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Decision on the plan of a Promotion.
type Decision struct {
	// Decision is empty for a withdrawal of the one that was made before.
	Decision v1alpha1.Decision
	Comment  string
}

// Decidable refuses what cannot have been meant: by *Ended, *Started, *Undecided or *Unplanned.
func (a Actor) Decidable(seen *v1alpha1.Promotion, decision v1alpha1.Decision) error {
	withdraws := decision == ""
	switch err := ended(seen); {
	case err != nil:
		return err
	case !seen.Status.StartTime.IsZero():
		return &Started{seen.Name}
	case withdraws && a.entry(seen) < 0:
		return &Undecided{Promotion: seen.Name, User: a.Me.Username}
	case !withdraws && seen.Status.Plan.Digest == "":
		return &Unplanned{seen.Name}
	default:
		return nil
	}
}

// Decide writes the person's own entry, and nothing else. It names everything that the guard would stamp, so that it is the same without stamping, and the plan that
// was looked at: where that has changed, the guard refuses (G7), and the error is a *PlanChanged. The resource version keeps the entry's place in the list from
// changing in between.
func (a Actor) Decide(ctx context.Context, seen *v1alpha1.Promotion, decision Decision) (*v1alpha1.Promotion, error) {
	if err := a.Decidable(seen, decision.Decision); err != nil {
		return nil, err
	}
	current := seen.DeepCopy()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		operations, err := a.operations(current, decision, seen.Status.Plan.Digest)
		if err != nil {
			return err
		}
		written := current.DeepCopy()
		err = a.patch(ctx, written, operations...)
		if !apierrors.IsConflict(err) && !apierrors.IsInvalid(err) {
			current = written
			return err
		}
		return a.elsewhere(ctx, seen, current, err)
	})
	if apierrors.IsForbidden(err) && decision.Decision != "" {
		return nil, a.moved(ctx, seen, err)
	}
	return current, err
}

// elsewhere reads the Promotion again that has refused a decision. The error is a conflict where the list is another one by now, so that the decision is sent again for
// that: a place that is not there any more is refused as invalid, before the resource version is looked at.
func (a Actor) elsewhere(ctx context.Context, seen, current *v1alpha1.Promotion, refusal error) error {
	tried := current.ResourceVersion
	if err := a.Client.Get(ctx, client.ObjectKeyFromObject(seen), current); err != nil {
		return err
	}
	switch {
	case current.UID != seen.UID:
		return &Replaced{Kind: "promotion", Name: seen.Name}
	case apierrors.IsInvalid(refusal) && current.ResourceVersion != tried:
		return apierrors.NewConflict(schema.GroupResource{Group: v1alpha1.GroupName, Resource: "promotions"}, seen.Name, refusal)
	default:
		return refusal
	}
}

func (a Actor) operations(current *v1alpha1.Promotion, decision Decision, shown v1alpha1.Digest) ([]operation, error) {
	at := a.entry(current)
	place := fmt.Sprintf("/spec/approvals/%d", at)
	entry := v1alpha1.Approval{
		User: a.Me.Username, UID: a.Me.UID, Groups: a.Me.Groups, Decision: decision.Decision, Comment: decision.Comment, PlanDigest: shown,
	}
	operations := []operation{{Op: "replace", Path: "/metadata/resourceVersion", Value: current.ResourceVersion}}
	switch {
	case decision.Decision == "" && at < 0:
		return nil, &Undecided{Promotion: current.Name, User: a.Me.Username, Meanwhile: true}
	case decision.Decision == "":
		return append(operations, operation{Op: "remove", Path: place}), nil
	case at >= 0:
		return append(operations, operation{Op: "replace", Path: place, Value: entry}), nil
	default:
		return append(operations, operation{Op: "add", Path: "/spec/approvals/-", Value: entry}), nil
	}
}

// entry is where the person's own decision stands in the list; -1 if there is none.
func (a Actor) entry(promotion *v1alpha1.Promotion) int {
	return slices.IndexFunc(promotion.Spec.Approvals, func(approval v1alpha1.Approval) bool { return approval.User == a.Me.Username })
}

// moved tells a refusal because the plan has changed from one because of who decides.
func (a Actor) moved(ctx context.Context, seen *v1alpha1.Promotion, refusal error) error {
	current := &v1alpha1.Promotion{}
	err := a.Client.Get(ctx, client.ObjectKeyFromObject(seen), current)
	if err != nil || current.Status.Plan.Digest == seen.Status.Plan.Digest {
		return refusal
	}
	return &PlanChanged{Promotion: seen.Name, Refusal: refusal}
}

// Cancel ends a Promotion that has not ended, and fills it with what came of it.
func (a Actor) Cancel(ctx context.Context, promotion *v1alpha1.Promotion, reason string) error {
	if err := ended(promotion); err != nil {
		return err
	}
	return a.merge(ctx, promotion, map[string]any{"spec": map[string]any{"cancel": v1alpha1.PromotionCancel{Reason: reason}}})
}
