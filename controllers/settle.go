// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/soak"
)

const (
	// mostInventory is how many objects an Environment's inventory can name; the API's bound.
	mostInventory = 2000
	// mostOverrides is how many overrides that nobody has acknowledged an Environment shows; the API's bound.
	mostOverrides = 16
)

// settle brings an Environment up to date with the outcome of a rollout. It does so once: a status that has seen the outcome
// is left alone. An Environment that is gone needs nothing.
func (r *PromotionReconciler) settle(ctx context.Context, intent, end *v1alpha1.AuditRecord) error {
	if intent == nil {
		return nil
	}
	key := types.NamespacedName{Namespace: intent.Namespace, Name: intent.Spec.Environment}
	counted, err := r.waitedForAWhile(ctx, intent)
	if err != nil {
		return err
	}
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		environment, err := find(ctx, r.Live, &v1alpha1.Environment{}, key)
		if err != nil || environment == nil || environment.Status.Audit.Sequence >= end.Spec.Sequence {
			return err
		}
		if counted {
			takeOffCount(&environment.Status, intent.Spec.Promotion.Name)
		}
		afterRollout(&environment.Status, environment, intent, end)
		if err := r.Client.Status().Update(ctx, environment); err != nil {
			return err
		}
		r.writes.wrote(environment)
		return nil
	})
	if err == nil {
		r.Ledger.Settled(key, end)
	}
	return err
}

// waitedForAWhile says whether a promotion waited for so long before its start that its Environment counts it among those that wait.
func (r *PromotionReconciler) waitedForAWhile(ctx context.Context, intent *v1alpha1.AuditRecord) (bool, error) {
	p, err := find(ctx, r.Client, &v1alpha1.Promotion{}, types.NamespacedName{Namespace: intent.Namespace, Name: intent.Spec.Promotion.Name})
	if err != nil || p == nil || string(p.UID) != intent.Spec.Promotion.UID {
		return false, err
	}
	return intent.Spec.Time.Sub(p.CreationTimestamp.Time) >= waitingAfter, nil
}

// afterRollout is an Environment's status after a rollout. It is pure.
//
// The Release that ran before has soaked until the rollout started: from then on its objects were being replaced.
func afterRollout(status *v1alpha1.EnvironmentStatus, environment *v1alpha1.Environment, intent, end *v1alpha1.AuditRecord) {
	status.Audit = audit.HeadOf(end)
	takeOff(status, intent.Spec.Promotion.Name)
	soak.Stopped(status, intent.Spec.Time.Time)
	if end.Spec.Type == v1alpha1.AuditSucceeded {
		status.Previous = status.Current
		status.Current = v1alpha1.Deployment{
			Release: intent.Spec.Release.Name, Version: intent.Spec.Release.Version, Promotion: intent.Spec.Promotion.Name,
			Digest: intent.Spec.PlanDigest, StartedTime: intent.Spec.Time, SinceTime: end.Spec.Time,
		}
		status.Inventory = intent.Spec.Objects
		soak.Succeeded(status, v1alpha1.SucceededRelease{
			Name: intent.Spec.Release.Name, UID: intent.Spec.Release.UID, Version: intent.Spec.Release.Version, SucceededTime: end.Spec.Time,
			ValuesDigest: intent.Spec.ValuesDigest,
		})
		setRolledOut(status, environment, metav1.ConditionTrue, v1alpha1.ReasonRolledOut, rolledOut(status.Current), end.Spec.Time)
		return
	}
	if end.Spec.Type == v1alpha1.AuditRolledBack {
		status.Inventory = end.Spec.Objects
		setRolledOut(status, environment, metav1.ConditionTrue, v1alpha1.ReasonRolledBackTo, end.Spec.Reason, end.Spec.Time)
		return
	}
	status.Inventory = union(status.Inventory, intent.Spec.Objects)
	reason := v1alpha1.ReasonRolloutFailed
	if end.Spec.Type == v1alpha1.AuditCancelled {
		reason = v1alpha1.ReasonRolloutStopped
	}
	setRolledOut(status, environment, metav1.ConditionFalse, reason,
		fmt.Sprintf("promotion %q of release %q did not end well and may have applied a part of its objects: %s; promote a release that works to mend it",
			intent.Spec.Promotion.Name, intent.Spec.Release.Name, end.Spec.Reason), end.Spec.Time)
}

// rolledOut says what runs, while nobody knows of anything that is wrong with it.
func rolledOut(current v1alpha1.Deployment) string {
	return fmt.Sprintf("release %q was rolled out by promotion %q", current.Release, current.Promotion)
}

// takeOff the list of what waits a promotion that no longer does.
func takeOff(status *v1alpha1.EnvironmentStatus, name string) {
	before := len(status.Waiting)
	status.Waiting = slices.DeleteFunc(status.Waiting, func(w v1alpha1.WaitingPromotion) bool { return w.Promotion == name })
	if gone := before - len(status.Waiting); gone > 0 && status.WaitingCount != nil {
		status.WaitingCount = ptr.To(*status.WaitingCount - int32(gone)) //nolint:gosec // at most 16
	}
}

// takeOffCount counts a promotion that no longer waits out of those that wait and are not listed, so that it costs no write of its own.
func takeOffCount(status *v1alpha1.EnvironmentStatus, name string) {
	listed := slices.ContainsFunc(status.Waiting, func(w v1alpha1.WaitingPromotion) bool { return w.Promotion == name })
	if count := ptr.Deref(status.WaitingCount, 0); !listed && int(count) > len(status.Waiting) {
		status.WaitingCount = ptr.To(count - 1)
	}
}

// union of the objects that may be there after a rollout that did not end well. Old ones that find no place any more are
// left out last, as they were applied longest ago.
func union(before, applied []v1alpha1.ObjectReference) []v1alpha1.ObjectReference {
	all := slices.Clone(applied)
	there := make(map[v1alpha1.ObjectReference]bool, len(applied))
	for _, ref := range applied {
		there[ref] = true
	}
	for _, ref := range before {
		if !there[ref] && len(all) < mostInventory {
			all = append(all, ref)
		}
	}
	return all
}

func setRolledOut(status *v1alpha1.EnvironmentStatus, environment *v1alpha1.Environment, value metav1.ConditionStatus, reason, message string, at metav1.Time) {
	for _, kind := range []string{v1alpha1.ConditionHealthy, v1alpha1.ConditionInSync} {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: kind, Status: value, Reason: reason, Message: message,
			ObservedGeneration: environment.Generation, LastTransitionTime: at,
		})
	}
}

// addOverride marks an Environment with an override that was used there, until it is acknowledged. A mark of the same promotion is put in its place.
// While as many are listed as there is room for, no other is carried out, so that none has to be left out.
func addOverride(status *v1alpha1.EnvironmentStatus, mark v1alpha1.UsedOverride) {
	overrides := slices.Clone(status.Overrides)
	if i := slices.IndexFunc(overrides, func(o v1alpha1.UsedOverride) bool { return o.Promotion == mark.Promotion }); i >= 0 {
		overrides[i] = mark
	} else if len(overrides) < mostOverrides {
		overrides = append(overrides, mark)
	}
	status.Overrides = overrides
}

// removeOverride takes the mark of a promotion off, if there is one.
func removeOverride(status *v1alpha1.EnvironmentStatus, promotion string) {
	status.Overrides = slices.DeleteFunc(slices.Clone(status.Overrides), func(o v1alpha1.UsedOverride) bool { return o.Promotion == promotion })
}
