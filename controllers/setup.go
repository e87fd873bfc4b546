// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cluster"
	"github.com/assent-dev/assent/internal/signature"
	contents "github.com/assent-dev/assent/internal/source"
)

const (
	// indexEnvironment and indexRelease find Promotions in the cache.
	indexEnvironment = "spec.environment"
	indexRelease     = "spec.release"
	// indexStarted finds by their Environment those that have started; most have not, and what has not bothers nobody.
	indexStarted = "started"
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
func Setup(mgr ctrl.Manager, options Options, passing clock.WithDelayedExecution, lines io.Writer) error {
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
	promotions, err := newPromotions(mgr, released, ledger, passing, options)
	if err != nil {
		return err
	}
	if err := promotions.setup(mgr, options); err != nil {
		return fmt.Errorf("set up the promotion controller: %w", err)
	}
	environments, err := newEnvironments(mgr, ledger, passing, promotions)
	if err != nil {
		return err
	}
	if err := environments.setup(mgr, options); err != nil {
		return fmt.Errorf("set up the environment controller: %w", err)
	}
	return registerMetrics(mgr.GetClient())
}

func newPromotions(mgr ctrl.Manager, released *Contents, ledger *Ledger, passing clock.WithDelayedExecution, options Options) (*PromotionReconciler, error) {
	woken := &alarm{}
	clusters, err := cluster.New(cluster.Local{Config: mgr.GetConfig(), HTTPClient: mgr.GetHTTPClient(), Mapper: mgr.GetRESTMapper()}, mgr.GetAPIReader(), passing)
	if err != nil {
		return nil, fmt.Errorf("set up the clusters: %w", err)
	}
	where, err := newPlaces(clusters, passing, woken.hurry)
	if err != nil {
		return nil, fmt.Errorf("set up the clusters: %w", err)
	}
	if err := mgr.Add(where); err != nil {
		return nil, fmt.Errorf("set up the clusters: %w", err)
	}
	running, err := setUpChecks(mgr, passing, options, woken.ring)
	if err != nil {
		return nil, fmt.Errorf("set up the checks: %w", err)
	}
	promotions := &PromotionReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(),
		Planner: &Planner{
			Contents: released, Values: mgr.GetAPIReader(), Signatures: signature.New(signature.WithPlainHTTP(options.plainHTTPRegistries()...)),
			Clock: passing, places: where, findings: newFindings(),
		},
		Deployers: where.here.deployers, Ledger: ledger, Clock: passing, Events: mgr.GetEventRecorder("assent"), places: where,
		guard:    newSharedRead((&judgedGuard{live: mgr.GetAPIReader()}).read),
		rollouts: newRollouts(), writes: newWrites(), working: newLocks(), starting: newLocks(), woken: woken,
		timers: newTimers(passing, woken.ring), checks: running,
	}
	promotions.values = newValueWatches(where.here.Dynamic, mgr.GetAPIReader(), promotions.wakeWaiting)
	if err := mgr.Add(promotions.values); err != nil {
		return nil, fmt.Errorf("set up the watches of values: %w", err)
	}
	return promotions, nil
}

// wakeWaiting wakes the Promotions to an Environment that have not started.
func (r *PromotionReconciler) wakeWaiting(environment types.NamespacedName) {
	for _, request := range r.waiting(context.Background(), client.InNamespace(environment.Namespace), client.MatchingFields{indexEnvironment: environment.Name}) {
		r.woken.ring(request.NamespacedName)
	}
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

// hurry wakes one before all that merely came earlier. What rolls out is brought to its end before more is begun: when a thousand promotions are
// approved at once, the first of them does not have to wait for the start of the last, and few of them hold their watches at the same time.
func (a *alarm) hurry(key types.NamespacedName) {
	queue := a.queue.Load()
	if queue == nil {
		return
	}
	if first, is := (*queue).(priorityqueue.PriorityQueue[reconcile.Request]); is {
		first.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(1)}, reconcile.Request{NamespacedName: key})
		return
	}
	a.ring(key)
}

// index makes the cache find Promotions by what they name.
func index(mgr ctrl.Manager) error {
	fields := map[string]func(*v1alpha1.Promotion) string{
		indexEnvironment: func(p *v1alpha1.Promotion) string { return p.Spec.Environment },
		indexRelease:     func(p *v1alpha1.Promotion) string { return p.Spec.Release },
		indexStarted:     startedIn,
	}
	for field, value := range fields {
		err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Promotion{}, field, func(object client.Object) []string {
			if p, is := object.(*v1alpha1.Promotion); is && value(p) != "" {
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

// startedIn is the Environment of a Promotion that has started; empty if it has not.
func startedIn(p *v1alpha1.Promotion) string {
	if p.Status.StartTime.IsZero() {
		return ""
	}
	return p.Spec.Environment
}

func concurrency(options Options, first, most time.Duration) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: options.Concurrency,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](first, most),
	}
}
