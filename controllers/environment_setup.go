// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/health"
)

func newEnvironments(mgr ctrl.Manager, ledger *Ledger, passing clock.WithDelayedExecution, promotions *PromotionReconciler) (*EnvironmentReconciler, error) {
	woken := promotions.places.environments
	standing, err := newStanding(mgr, woken.ring)
	if err != nil {
		return nil, fmt.Errorf("set up the watches of what runs in environments: %w", err)
	}
	r := &EnvironmentReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Ledger: ledger, Clock: passing, Promotions: promotions,
		Standing: standing, Mapper: mgr.GetRESTMapper(), Promoters: NewPromoters(mgr.GetConfig(), mgr.GetScheme(), mgr.GetRESTMapper()),
		backlog: newBacklog(), woken: woken, timers: newTimers(passing, woken.ring), recoveries: newRecoveries(), drifts: newDrifts(passing),
	}
	if err := mgr.Add(&comparer{r}); err != nil {
		return nil, fmt.Errorf("set up the comparisons of environments: %w", err)
	}
	return r, nil
}

// newStanding watches with the operator's rights, where they suffice.
func newStanding(mgr ctrl.Manager, ring func(types.NamespacedName)) (*health.Standing, error) {
	objects, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	alone, err := metadata.NewForConfigAndClient(metadata.ConfigFor(mgr.GetConfig()), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	standing := health.NewStanding(health.Readers{Objects: objects, Metadata: alone}, mgr.GetRESTMapper(), ring)
	return standing, mgr.Add(standing)
}

// setup says what wakes an Environment: itself, the other Environments of its project, its Promotions, Releases where it asks for them by itself,
// what runs in it, and time.
func (r *EnvironmentReconciler) setup(mgr ctrl.Manager, options Options) error {
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Environment{}).
		Watches(&v1alpha1.Environment{}, r.neighbours(), changes(rulesMatter)).
		Watches(&v1alpha1.Environment{}, r.automaticAfter(), changes(upstreamMatters)).
		Watches(&v1alpha1.Promotion{}, r.ofPromotions()).
		Watches(&v1alpha1.Release{}, r.automaticOf(), changes(eligibilityMatters)).
		WatchesMetadata(&corev1.Namespace{}, r.held(), changes(holdMatters)).
		WatchesRawSource(source.Func(r.woken.start)).
		WithOptions(concurrency(options, retryFirst, retryMost)).Complete(r)
}

// changes are objects that come and go, and the updates that matter.
func changes(matter func(event.UpdateEvent) bool) builder.WatchesOption {
	return builder.WithPredicates(notAtStart, predicate.Funcs{UpdateFunc: matter})
}

// notAtStart leaves out what is there at the start. It wakes nobody else: everybody is looked at then, once.
var notAtStart = predicate.Funcs{CreateFunc: func(created event.CreateEvent) bool { return !created.IsInInitialList }}

// held wakes the Environments of a project that have drifted and would be corrected, when a hold of the project begins or ends.
func (r *EnvironmentReconciler) held() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, namespace client.Object) []reconcile.Request {
		var requests []reconcile.Request
		for _, key := range r.drifts.drifted(namespace.GetName()) {
			requests = append(requests, reconcile.Request{NamespacedName: key})
		}
		return requests
	})
}

// neighbours wakes the other Environments of a project that may have other problems when the rules of one have changed.
func (r *EnvironmentReconciler) neighbours() handler.EventHandler {
	return r.environments(func(object client.Object, environment *v1alpha1.Environment) bool {
		changed, is := object.(*v1alpha1.Environment)
		return is && concerns(changed, environment)
	})
}

// concerns says whether the rules of one Environment may matter to another: one names the other in `after`, or a cycle may run through both.
func concerns(changed, other *v1alpha1.Environment) bool {
	return changed.Name != other.Name && (slices.Contains(other.Spec.After, changed.Name) || slices.Contains(changed.Spec.After, other.Name) ||
		(len(other.Spec.After) > 0 && other.Spec.Application == changed.Spec.Application))
}

// automaticAfter wakes the Environments that come after one and ask for Releases by themselves.
func (r *EnvironmentReconciler) automaticAfter() handler.EventHandler {
	return r.environments(func(before client.Object, environment *v1alpha1.Environment) bool {
		return environment.Spec.AutoPromotion.Versions != "" && slices.Contains(environment.Spec.After, before.GetName())
	})
}

// automaticOf wakes the Environments that ask for Releases of an application by themselves.
func (r *EnvironmentReconciler) automaticOf() handler.EventHandler {
	return r.environments(func(object client.Object, environment *v1alpha1.Environment) bool {
		release, is := object.(*v1alpha1.Release)
		return is && environment.Spec.AutoPromotion.Versions != "" && environment.Spec.Application == release.Spec.Application
	})
}

// environments wakes those of the object's project that are chosen.
func (r *EnvironmentReconciler) environments(chosen func(client.Object, *v1alpha1.Environment) bool) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		var all v1alpha1.EnvironmentList
		if err := r.Client.List(ctx, &all, readOnly, client.InNamespace(object.GetNamespace())); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "list environments to wake")
			return nil
		}
		var requests []reconcile.Request
		for i := range all.Items {
			if environment := &all.Items[i]; chosen(object, environment) {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(environment)})
			}
		}
		return requests
	})
}

// ofPromotions keeps the backlog, and wakes an Environment when what its status shows may change: not by each of the many writes of a Promotion that
// waits beside many others.
func (r *EnvironmentReconciler) ofPromotions() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	told := func(before, after client.Object, queue queue) {
		was, _ := before.(*v1alpha1.Promotion)
		is, _ := after.(*v1alpha1.Promotion)
		now := r.Clock.Now()
		matters, in := r.backlog.told(was, is, now)
		for _, p := range []*v1alpha1.Promotion{was, is} {
			if p != nil && matters {
				queue.Add(reconcile.Request{NamespacedName: environmentOf(p)})
			}
		}
		if is != nil {
			r.timers.sooner(environmentOf(is), now, in)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, created event.CreateEvent, queue queue) { told(nil, created.Object, queue) },
		UpdateFunc: func(_ context.Context, updated event.UpdateEvent, queue queue) {
			told(updated.ObjectOld, updated.ObjectNew, queue)
		},
		DeleteFunc: func(_ context.Context, deleted event.DeleteEvent, queue queue) { told(deleted.Object, nil, queue) },
	}
}

// rulesMatter says whether an update of an Environment can matter to the rules of others.
func rulesMatter(update event.UpdateEvent) bool {
	return update.ObjectOld.GetGeneration() != update.ObjectNew.GetGeneration() || update.ObjectOld.GetUID() != update.ObjectNew.GetUID()
}

// eligibilityMatters says whether an update of a Release can matter to those who would ask for it by themselves.
func eligibilityMatters(update event.UpdateEvent) bool {
	before, was := update.ObjectOld.(*v1alpha1.Release)
	after, is := update.ObjectNew.(*v1alpha1.Release)
	return was && is && (before.Generation != after.Generation || before.UID != after.UID || before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
		!equality.Semantic.DeepEqual(before.Status.Conditions, after.Status.Conditions))
}
