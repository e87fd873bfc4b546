// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/promotion"
)

const (
	// waitingAfter is how long a Promotion waits before its Environment shows it: what is answered at once costs no write.
	waitingAfter = 10 * time.Second
	// mostWaiting is how many waiting Promotions an Environment shows; the API's bound.
	mostWaiting = 16
	// mostWaitingBlockers and mostWaitingMessage are how many gates it shows of each, and how much of what they say; the API's bounds.
	mostWaitingBlockers, mostWaitingMessage = 4, 256
	// deployerRecheck is how often a missing deployer is looked for again; service accounts are not watched.
	deployerRecheck = time.Minute
)

// EnvironmentReconciler keeps an Environment's status true, and closes rollouts whose Promotion was deleted.
type EnvironmentReconciler struct {
	// Client reads from caches and writes.
	Client client.Client
	// Live reads from the API server.
	Live   client.Reader
	Ledger *Ledger
	Clock  clock.PassiveClock
	// Promotions closes what a deleted Promotion left open.
	Promotions *PromotionReconciler
}

// surroundings are what an Environment's status depends on.
type surroundings struct {
	now         time.Time
	hasDeployer bool
	promotions  []v1alpha1.Promotion
}

// Reconcile brings one Environment's status up to date.
func (r *EnvironmentReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	environment := &v1alpha1.Environment{}
	if err := r.Client.Get(ctx, request.NamespacedName, environment); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.Promotions.writes.ahead(environment) {
		return ctrl.Result{}, nil
	}
	if closed, err := r.closeOrphan(ctx, environment); err != nil || closed {
		return ctrl.Result{}, err // the Environment was written, and its event brings us back
	}
	seen, err := r.observe(ctx, environment)
	if err != nil {
		return ctrl.Result{}, err
	}
	status, again := environmentStatus(environment, seen)
	if !equality.Semantic.DeepEqual(environment.Status, status) {
		environment.Status = status
		if err := r.Client.Status().Update(ctx, environment); err != nil {
			if errors.Is(moved(err), errMoved) {
				return ctrl.Result{RequeueAfter: time.Second}, nil
			}
			return ctrl.Result{}, err
		}
		r.Promotions.writes.wrote(environment)
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

func (r *EnvironmentReconciler) observe(ctx context.Context, environment *v1alpha1.Environment) (surroundings, error) {
	seen := surroundings{now: r.Clock.Now(), hasDeployer: true}
	var all v1alpha1.PromotionList
	if err := r.Client.List(ctx, &all, readOnly, client.InNamespace(environment.Namespace), client.MatchingFields{indexEnvironment: environment.Name}); err != nil {
		return seen, fmt.Errorf("list the promotions to environment %q: %w", environment.Name, err)
	}
	seen.promotions = all.Items
	if accepted(environment) {
		return seen, nil // it was there; that it went missing is found by whoever needs it
	}
	target := environment.Spec.Target
	deployer, err := find(ctx, r.Live, &corev1.ServiceAccount{}, types.NamespacedName{Namespace: target.Namespace, Name: target.ServiceAccountName})
	seen.hasDeployer = deployer != nil
	return seen, err
}

// accepted says whether the Environment was found in order, as it is now.
func accepted(environment *v1alpha1.Environment) bool {
	ready := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == environment.Generation
}

// environmentStatus is what the status says, and when to look again. It is pure.
func environmentStatus(environment *v1alpha1.Environment, seen surroundings) (v1alpha1.EnvironmentStatus, time.Duration) {
	status := *environment.Status.DeepCopy()
	status.ObservedGeneration = environment.Generation
	status.Stage = cmp.Or(environment.Spec.Stage, environment.Name)
	var again time.Duration
	status.Waiting, again = waitingOf(environment, seen)
	status.WaitingCount = ptr.To(int32(len(status.Waiting))) //nolint:gosec // as many as there are promotions
	status.Waiting = status.Waiting[:min(len(status.Waiting), mostWaiting)]

	set := func(kind string, value metav1.ConditionStatus, reason, message string) {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: kind, Status: value, Reason: reason, Message: message,
			ObservedGeneration: environment.Generation, LastTransitionTime: metav1.NewTime(seen.now),
		})
	}
	target := environment.Spec.Target
	if seen.hasDeployer {
		set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonAccepted,
			fmt.Sprintf("rollouts go to namespace %q as service account %q", target.Namespace, target.ServiceAccountName))
	} else {
		set(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeployerMissing,
			fmt.Sprintf("`spec.target`: service account %q does not exist in namespace %q: create it, and bind it to a Role that allows what releases need there",
				target.ServiceAccountName, target.Namespace))
		again = sooner(again, deployerRecheck)
	}
	for _, kind := range []string{v1alpha1.ConditionHealthy, v1alpha1.ConditionInSync} {
		if known := meta.FindStatusCondition(status.Conditions, kind); known != nil {
			known.ObservedGeneration = environment.Generation
			continue
		}
		set(kind, metav1.ConditionUnknown, v1alpha1.ReasonNotDeployed, "nothing was rolled out here yet")
	}
	return status, again
}

// waitingOf lists the Promotions that have waited for a while, oldest first, and says when the next has.
func waitingOf(environment *v1alpha1.Environment, seen surroundings) ([]v1alpha1.WaitingPromotion, time.Duration) {
	var waiting []v1alpha1.WaitingPromotion
	var again time.Duration
	for i := range seen.promotions {
		p := &seen.promotions[i]
		if shown := shownWaiting(environment, p); shown != nil && promotion.Started(p) {
			waiting = append(waiting, *shown) // taken off by the write that ends its rollout, not by one of its own
			continue
		}
		if !waits(p) {
			continue
		}
		if left := p.CreationTimestamp.Add(waitingAfter).Sub(seen.now); left > 0 {
			again = sooner(again, left)
			continue
		}
		entry := v1alpha1.WaitingPromotion{Promotion: p.Name, Since: p.CreationTimestamp}
		for _, blocker := range p.Status.Blockers[:min(len(p.Status.Blockers), mostWaitingBlockers)] {
			entry.Blockers = append(entry.Blockers, v1alpha1.WaitingBlocker{
				Gate: blocker.Gate, Message: promotion.Clip(blocker.Message, mostWaitingMessage), UntilTime: blocker.UntilTime,
			})
		}
		waiting = append(waiting, entry)
	}
	slices.SortFunc(waiting, func(a, b v1alpha1.WaitingPromotion) int {
		if order := a.Since.Compare(b.Since.Time); order != 0 {
			return order
		}
		return cmp.Compare(a.Promotion, b.Promotion)
	})
	return waiting, again
}

// shownWaiting is a Promotion as the Environment shows it now; nil if it does not.
func shownWaiting(environment *v1alpha1.Environment, p *v1alpha1.Promotion) *v1alpha1.WaitingPromotion {
	for i := range environment.Status.Waiting {
		if environment.Status.Waiting[i].Promotion == p.Name {
			return &environment.Status.Waiting[i]
		}
	}
	return nil
}

// sooner of two waits, of which zero is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

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
