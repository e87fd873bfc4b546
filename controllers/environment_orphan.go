// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
)

// closeOrphan ends a rollout whose Promotion was deleted before the Environment knew of its end, so that no intent stays
// without an outcome, and nothing is applied that the inventory does not know. The promotion's own lock makes sure that nobody
// is still applying. It says whether there was one.
func (r *EnvironmentReconciler) closeOrphan(ctx context.Context, environment *v1alpha1.Environment) (bool, error) {
	key := client.ObjectKeyFromObject(environment)
	state, known := r.Ledger.Known(key)
	if !known {
		var err error
		if state, err = r.Ledger.State(ctx, key, environment.Status.Audit); err != nil {
			return false, err
		}
	}
	left := state.Owed(environment)
	if state.Open != nil {
		left = audit.Rollout{Intent: state.Open}
	}
	if left.Intent == nil {
		return false, nil
	}
	promotionKey := types.NamespacedName{Namespace: environment.Namespace, Name: left.Intent.Spec.Promotion.Name}
	if there, err := r.stands(ctx, r.Client, promotionKey, left.Intent); err != nil || there {
		return false, err
	}
	defer r.Promotions.working.lock(promotionKey)()
	if there, err := r.stands(ctx, r.Live, promotionKey, left.Intent); err != nil || there {
		return false, err
	}
	if left.Outcome == nil {
		var err error
		if left.Outcome, err = r.cancelDeleted(ctx, environment, left.Intent); err != nil {
			return false, err
		}
	}
	return true, r.Promotions.settle(ctx, left.Intent, left.Outcome)
}

// cancelDeleted puts the outcome of a rollout on record whose Promotion is gone.
func (r *EnvironmentReconciler) cancelDeleted(ctx context.Context, environment *v1alpha1.Environment, intent *v1alpha1.AuditRecord) (*v1alpha1.AuditRecord, error) {
	entry := intent.Spec
	entry.Type, entry.Time = v1alpha1.AuditCancelled, metav1.NewTime(r.Clock.Now().UTC().Truncate(time.Second))
	entry.Decisions, entry.DecidedBy, entry.Objects = nil, "", nil
	entry.Reason = "the promotion was deleted during its rollout, which stopped where it was"
	return r.Ledger.Append(ctx, environment.Namespace, environment.Status.Audit, entry)
}

// stands says whether the promotion of an intent still exists.
func (r *EnvironmentReconciler) stands(ctx context.Context, reader client.Reader, key types.NamespacedName, intent *v1alpha1.AuditRecord) (bool, error) {
	p, err := find(ctx, reader, &v1alpha1.Promotion{}, key)
	return p != nil && string(p.UID) == intent.Spec.Promotion.UID, err
}
