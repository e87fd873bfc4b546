// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/promotion"
)

// PromotionReconciler takes Promotions from request to outcome.
type PromotionReconciler struct {
	// Client reads from caches and writes.
	Client client.Client
	// Live reads from the API server.
	Live    client.Reader
	Planner *Planner
	// Deployers of this cluster.
	Deployers *apply.Factory
	Ledger    *Ledger
	Clock     clock.WithDelayedExecution
	Events    events.EventRecorder

	// places are the clusters that promotions go to, and values what their Environments take values from.
	places *places
	values *valueWatches

	// guard is read live.
	guard    *sharedRead[promotion.Guard]
	rollouts *rollouts
	writes   *writes
	// working is held while a promotion is worked on, so that nobody closes its rollout at the same time.
	working *locks
	// starting is held from the proof to the intent, so that one promotion of an Environment at a time goes that way.
	starting *locks
	// woken is rung when the health of what a promotion has applied changes, when a check has ended, and when a time has come.
	woken  *alarm
	timers *timers
	checks *checks
}

// outcome is what came of an action.
type outcome struct {
	// again says that the next decision can be made at once.
	again bool
	// after is when to look again if nothing happens; zero for never. It counts from the time that was looked at.
	after  time.Duration
	looked time.Time
}

// Reconcile takes one Promotion as far as it goes now.
func (r *PromotionReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	defer r.working.lock(request.NamespacedName)()
	p := &v1alpha1.Promotion{}
	if err := r.Client.Get(ctx, request.NamespacedName, p); err != nil {
		r.forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.writes.ahead(p) {
		return ctrl.Result{}, nil
	}
	if project, err := projectOf(ctx, r.Client, p.Namespace); err != nil || (waits(p) && leaves(project)) {
		return ctrl.Result{}, err // what waits goes with its project, and nothing starts there any more
	}
	for {
		done, err := r.step(ctx, p)
		if errors.Is(err, errMoved) {
			return ctrl.Result{RequeueAfter: time.Second}, nil
		}
		if err != nil {
			return ctrl.Result{}, err
		}
		if !done.again {
			r.timers.set(request.NamespacedName, done.looked, done.after)
			return ctrl.Result{}, nil
		}
	}
}

// step observes, decides, acts and records, once. It leaves p as the API server has it.
func (r *PromotionReconciler) step(ctx context.Context, p *v1alpha1.Promotion) (outcome, error) {
	seen, next, err := r.observe(ctx, p)
	defer seen.release()
	if err != nil {
		return outcome{}, err
	}
	done, err := r.act(ctx, seen, next)
	if err != nil {
		return outcome{}, err
	}
	done, err = r.record(ctx, p, seen, next, done)
	done.looked = seen.Now
	return done, err
}

// errMoved says that somebody changed or deleted the promotion since it was read. Nothing is decided on what it was: the
// event of that change brings us back, with the change in view.
var errMoved = errors.New("the promotion has changed since it was read")

// moved turns a conflict, and the absence of the promotion itself, into errMoved.
func moved(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return errMoved
	}
	return err
}

// forget a promotion that is no more. Its Environment is told of a rollout that it leaves: when it was told of the deletion, the intent may not have been on record.
func (r *PromotionReconciler) forget(key types.NamespacedName) {
	if left := r.rollouts.of(key); left != nil && left.intent != nil {
		r.places.environments.ring(types.NamespacedName{Namespace: key.Namespace, Name: left.intent.Spec.Environment})
	}
	r.places.stop(key)
	r.rollouts.drop(key)
	r.Planner.findings.forget(key)
	r.checks.forget(key)
	r.timers.stop(key)
}

// keyOf names a promotion.
func keyOf(p *v1alpha1.Promotion) types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
}

// environmentOf names the Environment of a promotion.
func environmentOf(p *v1alpha1.Promotion) types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Spec.Environment}
}

// waits says whether a promotion has neither started nor ended.
func waits(p *v1alpha1.Promotion) bool { return !promotion.Ended(p) && !promotion.Started(p) }
