// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/guard"
	"github.com/assent-dev/assent/internal/health"
	"github.com/assent-dev/assent/internal/promotion"
	contents "github.com/assent-dev/assent/internal/source"
)

const (
	// indexEnvironment and indexRelease find Promotions in the cache.
	indexEnvironment = "spec.environment"
	indexRelease     = "spec.release"
	// retryFirst and retryMost bound how soon a fault is tried again; the time doubles from one to the other.
	retryFirst = 100 * time.Millisecond
	retryMost  = 2 * time.Minute
	// fetchFirst and fetchMost do the same for a source that cannot be fetched: a registry that is down gets no storm.
	fetchFirst = time.Second
	fetchMost  = 5 * time.Minute
)

// readOnly lists what the cache holds without copying it: an Environment's promotions are looked through often, and most of
// them ended long ago. What is found must not be changed.
var readOnly = client.UnsafeDisableDeepCopy

// Setup registers the reconcilers with a manager. Lines receives each audit record as a line of JSON.
func Setup(mgr ctrl.Manager, options Options, passing clock.PassiveClock, lines io.Writer) error {
	if err := index(mgr); err != nil {
		return err
	}
	fetcher, err := contents.New(options.CacheDir, contents.Limits{})
	if err != nil {
		return fmt.Errorf("set up the folder for fetched artifacts (--cache-dir): %w", err)
	}
	released := &Contents{Sources: fetcher, Live: mgr.GetAPIReader()}
	ledger := NewLedger(mgr.GetClient(), mgr.GetAPIReader(), lines)

	releases := &ReleaseReconciler{Client: mgr.GetClient(), Contents: released, Clock: passing, Events: mgr.GetEventRecorder("assent")}
	if err := releases.SetupWithManager(mgr, concurrency(options, fetchFirst, fetchMost)); err != nil {
		return fmt.Errorf("set up the release controller: %w", err)
	}
	promotions, err := newPromotions(mgr, released, ledger, passing)
	if err != nil {
		return err
	}
	if err := promotions.setup(mgr, options); err != nil {
		return fmt.Errorf("set up the promotion controller: %w", err)
	}
	environments := &EnvironmentReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Ledger: ledger, Clock: passing, Promotions: promotions,
	}
	if err := environments.setup(mgr, options); err != nil {
		return fmt.Errorf("set up the environment controller: %w", err)
	}
	return registerMetrics(mgr.GetClient())
}

func newPromotions(mgr ctrl.Manager, released *Contents, ledger *Ledger, passing clock.PassiveClock) (*PromotionReconciler, error) {
	operator, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("set up the health tracker: %w", err)
	}
	woken := &alarm{}
	tracker := health.NewTracker(operator, mgr.GetRESTMapper(), woken.ring)
	if err := mgr.Add(tracker); err != nil {
		return nil, fmt.Errorf("set up the health tracker: %w", err)
	}
	deployers := apply.NewFactory(mgr.GetConfig(), mgr.GetRESTMapper())
	return &PromotionReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(),
		Planner:   &Planner{Contents: released, Deployers: deployers, Clock: passing},
		Deployers: deployers, Health: tracker, Ledger: ledger, Clock: passing, Events: mgr.GetEventRecorder("assent"),
		rollouts: newRollouts(), writes: newWrites(), working: newLocks(), starting: newLocks(), woken: woken,
	}, nil
}

// alarm wakes promotions whose objects' health has changed. It never blocks.
type alarm struct {
	queue atomic.Pointer[workqueue.TypedRateLimitingInterface[reconcile.Request]]
}

// start takes the queue of the controller. It is a source of its events.
func (a *alarm) start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	a.queue.Store(&queue)
	return nil
}

func (a *alarm) ring(key types.NamespacedName) {
	if queue := a.queue.Load(); queue != nil {
		(*queue).Add(reconcile.Request{NamespacedName: key})
	}
}

// index makes the cache find Promotions by what they name.
func index(mgr ctrl.Manager) error {
	fields := map[string]func(*v1alpha1.Promotion) string{
		indexEnvironment: func(p *v1alpha1.Promotion) string { return p.Spec.Environment },
		indexRelease:     func(p *v1alpha1.Promotion) string { return p.Spec.Release },
	}
	for field, value := range fields {
		err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Promotion{}, field, func(object client.Object) []string {
			if p, is := object.(*v1alpha1.Promotion); is {
				return []string{value(p)}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("index promotions by %s: %w", field, err)
		}
	}
	return nil
}

func concurrency(options Options, first, most time.Duration) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: options.Concurrency,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](first, most),
	}
}

// setup says what wakes a Promotion: itself, its Release, its Environment, its rivals, the guard, and what it applied.
func (r *PromotionReconciler) setup(mgr ctrl.Manager, options Options) error {
	shipped := builder.WithPredicates(predicate.NewPredicateFuncs(isGuard), predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Promotion{}).
		Watches(&v1alpha1.Release{}, r.waitingFor(indexRelease)).
		Watches(&v1alpha1.Environment{}, r.waitingFor(indexEnvironment)).
		Watches(&v1alpha1.Promotion{}, r.rivals(), builder.WithPredicates(predicate.Funcs{UpdateFunc: startedOrEnded})).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicy{}, r.everyWaiting(), shipped).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, r.everyWaiting(), shipped).
		WatchesRawSource(source.Func(r.woken.start)).
		WithOptions(concurrency(options, retryFirst, retryMost)).Complete(r)
}

// setup says what wakes an Environment: itself, and its Promotions.
func (r *EnvironmentReconciler) setup(mgr ctrl.Manager, options Options) error {
	promotions := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		p, is := object.(*v1alpha1.Promotion)
		if !is {
			return nil
		}
		return []reconcile.Request{{NamespacedName: environmentOf(p)}}
	})
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Environment{}).
		Watches(&v1alpha1.Promotion{}, promotions).WithOptions(concurrency(options, retryFirst, retryMost)).Complete(r)
}

// waitingFor wakes the Promotions that name the object and have not started.
func (r *PromotionReconciler) waitingFor(field string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.waiting(ctx, client.InNamespace(object.GetNamespace()), client.MatchingFields{field: object.GetName()})
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
