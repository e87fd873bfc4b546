// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
)

// putOverrideOnRecord tells everybody that an override is used, before anything is applied: the history, the Environment, an event and a metric. A
// process that takes over does again what it finds undone.
func (r *PromotionReconciler) putOverrideOnRecord(ctx context.Context, seen *view, next promotion.Start) error {
	p := seen.Promotion
	gates := p.Status.Overridden
	if len(gates) == 0 {
		return nil
	}
	if seen.rollout == nil || !seen.rollout.overridden {
		entry := entryOf(p, seen.Release, v1alpha1.AuditOverridden, seen.Now)
		entry.Gates, entry.By, entry.Reason = gates, p.Spec.Override.UsedBy, p.Spec.Override.Reason
		entry.PlanDigest, entry.RenderedDigest = seen.Planned.Plan.Digest, seen.Planned.Plan.RenderedDigest
		entry.Decisions, entry.DecidedBy = decisionsOf(p, next.Approvals)
		if _, err := r.Ledger.Append(ctx, p.Namespace, auditHead(seen.Environment), entry); err != nil {
			return err
		}
		for _, gate := range gates {
			overrides.WithLabelValues(p.Namespace, p.Spec.Environment, string(gate)).Inc()
		}
		r.Events.Eventf(p, nil, "Warning", "Overridden", "Override", "%s", note(promotion.Overridden(p, gates)))
	}
	mark := v1alpha1.UsedOverride{
		Promotion: p.Name, User: p.Spec.Override.UsedBy.Username, Gates: gates, Reason: p.Spec.Override.Reason, Time: p.Status.StartTime,
	}
	return r.mark(ctx, environmentOf(p), func(status *v1alpha1.EnvironmentStatus) { addOverride(status, mark) })
}

// acknowledge puts on record that somebody has taken note of an override, and takes the mark off the Environment.
func (r *PromotionReconciler) acknowledge(ctx context.Context, seen *view) error {
	p := seen.Promotion
	known, err := r.recall(ctx, p)
	if err != nil {
		return err
	}
	environment, err := find(ctx, r.Client, &v1alpha1.Environment{}, environmentOf(p))
	if err != nil {
		return err
	}
	if !known.acknowledged {
		entry := entryOf(p, nil, v1alpha1.AuditAcknowledged, seen.Now)
		by := p.Spec.Acknowledgement
		entry.By = v1alpha1.Person{Username: by.Username, UID: by.UID, Groups: by.Groups}
		entry.Gates, entry.Reason, entry.PlanDigest = p.Status.Overridden, by.Comment, p.Status.Plan.Digest
		if _, err := r.Ledger.Append(ctx, p.Namespace, auditHead(environment), entry); err != nil {
			return err
		}
	}
	return r.mark(ctx, environmentOf(p), func(status *v1alpha1.EnvironmentStatus) { removeOverride(status, p.Name) })
}

// mark changes an Environment's status against what the API server has. One that is gone needs no mark.
func (r *PromotionReconciler) mark(ctx context.Context, key types.NamespacedName, change func(*v1alpha1.EnvironmentStatus)) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		environment, err := find(ctx, r.Live, &v1alpha1.Environment{}, key)
		if environment == nil {
			return err
		}
		before := environment.Status.DeepCopy()
		change(&environment.Status)
		if equality.Semantic.DeepEqual(before.Overrides, environment.Status.Overrides) {
			return nil
		}
		if err := r.Client.Status().Update(ctx, environment); err != nil {
			return err
		}
		r.writes.wrote(environment)
		return nil
	})
}
