// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/guard"
	"github.com/assent-dev/assent/internal/promotion"
)

// setup says what wakes a Promotion: itself, its Release, its Environment, its rivals, the guard, and what it applied.
func (r *PromotionReconciler) setup(mgr ctrl.Manager, options Options) error {
	shipped := builder.WithPredicates(predicate.NewPredicateFuncs(isGuard), predicate.GenerationChangedPredicate{}, notAtStart)
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Promotion{}).
		Watches(&v1alpha1.Release{}, r.waitingForRelease(), changes(releaseMatters)).
		Watches(&v1alpha1.Environment{}, r.waitingFor(indexEnvironment), changes(environmentMatters)).
		Watches(&v1alpha1.Environment{}, r.downstream(), changes(upstreamMatters)).
		WatchesMetadata(&corev1.Namespace{}, r.waitingIn(), changes(holdMatters)).
		Watches(&v1alpha1.Promotion{}, r.rivals(), changes(startedOrEnded)).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicy{}, r.everyWaiting(), shipped).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, r.everyWaiting(), shipped).
		WatchesRawSource(source.Func(r.woken.start)).
		WithOptions(concurrency(options, retryFirst, retryMost)).Complete(r)
}

// waitingFor wakes the Promotions that name the object and have not started.
func (r *PromotionReconciler) waitingFor(field string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.waiting(ctx, client.InNamespace(object.GetNamespace()), client.MatchingFields{field: object.GetName()})
	})
}

// waitingForRelease wakes the Promotions that name a Release, or a bundle of it, and have not started.
func (r *PromotionReconciler) waitingForRelease() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, release client.Object) []reconcile.Request {
		var requests []reconcile.Request
		for _, name := range append(bundlesOf(ctx, r.Client, release), release.GetName()) {
			requests = append(requests, r.waiting(ctx, client.InNamespace(release.GetNamespace()), client.MatchingFields{indexRelease: name})...)
		}
		return requests
	})
}

// rivals wakes the other Promotions to the same Environment that have not ended.
func (r *PromotionReconciler) rivals() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		p, is := object.(*v1alpha1.Promotion)
		if !is {
			return nil
		}
		return r.unended(ctx, client.InNamespace(p.Namespace), client.MatchingFields{indexEnvironment: p.Spec.Environment})
	})
}

// everyWaiting wakes all Promotions that have not started.
func (r *PromotionReconciler) everyWaiting() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request { return r.waiting(ctx) })
}

func (r *PromotionReconciler) waiting(ctx context.Context, selection ...client.ListOption) []reconcile.Request {
	return r.requests(ctx, waits, selection)
}

func (r *PromotionReconciler) unended(ctx context.Context, selection ...client.ListOption) []reconcile.Request {
	return r.requests(ctx, func(p *v1alpha1.Promotion) bool { return !promotion.Ended(p) }, selection)
}

func (r *PromotionReconciler) requests(ctx context.Context, chosen func(*v1alpha1.Promotion) bool, selection []client.ListOption) []reconcile.Request {
	var all v1alpha1.PromotionList
	if err := r.Client.List(ctx, &all, append(selection, readOnly)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list promotions to wake")
		return nil
	}
	var requests []reconcile.Request
	for i := range all.Items {
		if chosen(&all.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: keyOf(&all.Items[i])})
		}
	}
	return requests
}

// startedOrEnded says whether an update of a Promotion can matter to its rivals.
func startedOrEnded(update event.UpdateEvent) bool {
	before, was := update.ObjectOld.(*v1alpha1.Promotion)
	after, is := update.ObjectNew.(*v1alpha1.Promotion)
	return was && is && (promotion.Started(before) != promotion.Started(after) || promotion.Ended(before) != promotion.Ended(after))
}

// isGuard says whether an admission policy or binding is one of ours.
func isGuard(object client.Object) bool {
	policies, bindings := guard.Names()
	return slices.Contains(policies, object.GetName()) || slices.Contains(bindings, object.GetName())
}

// waitingIn wakes the Promotions of a project that have not started.
func (r *PromotionReconciler) waitingIn() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, namespace client.Object) []reconcile.Request {
		return r.waiting(ctx, client.InNamespace(namespace.GetName()))
	})
}

// downstream wakes the Promotions to the Environments that come after this one, as far as they have not started.
func (r *PromotionReconciler) downstream() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, before client.Object) []reconcile.Request {
		var all v1alpha1.EnvironmentList
		if err := r.Client.List(ctx, &all, readOnly, client.InNamespace(before.GetNamespace())); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "list environments whose promotions are to wake")
			return nil
		}
		var requests []reconcile.Request
		for i := range all.Items {
			if environment := &all.Items[i]; slices.Contains(environment.Spec.After, before.GetName()) {
				requests = append(requests, r.waiting(ctx, client.InNamespace(environment.Namespace), client.MatchingFields{indexEnvironment: environment.Name})...)
			}
		}
		return requests
	})
}

// releaseMatters says whether an update of a Release can matter to those who want to roll it out.
func releaseMatters(update event.UpdateEvent) bool {
	before, was := update.ObjectOld.(*v1alpha1.Release)
	after, is := update.ObjectNew.(*v1alpha1.Release)
	return was && is && (before.Generation != after.Generation || before.Status.Digest != after.Status.Digest ||
		!equality.Semantic.DeepEqual(before.Status.Conditions, after.Status.Conditions))
}

// environmentMatters says whether an update of an Environment can matter to the Promotions to it: that another one waits does not.
func environmentMatters(update event.UpdateEvent) bool {
	before, was := update.ObjectOld.(*v1alpha1.Environment)
	after, is := update.ObjectNew.(*v1alpha1.Environment)
	return was && is && (before.Generation != after.Generation || before.UID != after.UID || before.Status.Audit != after.Status.Audit ||
		promotion.HoldReason(before) != promotion.HoldReason(after) || len(before.Status.Overrides) != len(after.Status.Overrides) ||
		len(before.Status.Releases) != len(after.Status.Releases) || before.Status.DriftDigest != after.Status.DriftDigest)
}

// upstreamMatters says whether an update of an Environment can matter to the Promotions to those after it: what has succeeded there, and its health.
func upstreamMatters(update event.UpdateEvent) bool {
	before, was := update.ObjectOld.(*v1alpha1.Environment)
	after, is := update.ObjectNew.(*v1alpha1.Environment)
	return was && is && (before.Generation != after.Generation || before.UID != after.UID || before.Status.Current != after.Status.Current ||
		!equality.Semantic.DeepEqual(before.Status.Releases, after.Status.Releases) ||
		!equality.Semantic.DeepEqual(healthOf(before), healthOf(after)))
}

func healthOf(environment *v1alpha1.Environment) any {
	if healthy := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionHealthy); healthy != nil {
		return []string{string(healthy.Status), healthy.Message}
	}
	return nil
}

// holdMatters says whether a project was put on hold, or is no longer.
func holdMatters(update event.UpdateEvent) bool {
	return promotion.HoldReason(update.ObjectOld) != promotion.HoldReason(update.ObjectNew)
}
