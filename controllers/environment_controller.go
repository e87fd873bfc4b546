// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/check"
	"github.com/assent-dev/assent/internal/health"
	"github.com/assent-dev/assent/internal/render"
	"github.com/assent-dev/assent/internal/rules"
	"github.com/assent-dev/assent/internal/signature"
)

// recheck is how often something is looked for again that is not watched: a missing deployer, and the rights of a promoter.
const recheck = time.Minute

// EnvironmentReconciler keeps an Environment's status true, asks for promotions by itself where the Environment says so, and closes rollouts whose
// Promotion was deleted.
type EnvironmentReconciler struct {
	// Client reads from caches and writes.
	Client client.Client
	// Live reads from the API server.
	Live   client.Reader
	Ledger *Ledger
	Clock  clock.WithDelayedExecution
	// Promotions closes what a deleted Promotion left open.
	Promotions *PromotionReconciler
	// Standing watches what rollouts have left behind.
	Standing *health.Standing
	Mapper   meta.RESTMapper
	// Promoters ask for promotions by themselves.
	Promoters *Promoters

	// backlog is what waits for each Environment.
	backlog *backlog
	// woken is rung when health changes and when a time has come.
	woken  *alarm
	timers *timers
	// recoveries are the Environments that have become healthy again, until that is believed.
	recoveries *recoveries
	// drifts are what comparisons have found.
	drifts *drifts
}

// surroundings are what an Environment's status depends on.
type surroundings struct {
	now         time.Time
	hasDeployer bool
	// unreachable says why the target's cluster cannot be used; empty if it can.
	unreachable string
	// problems with the rules.
	problems []rules.Problem
	// waiting are the Promotions that have waited for a while, oldest first, at most as many as are shown, and waitingCount all of them.
	waiting      []*v1alpha1.Promotion
	waitingCount int
	// started are the Promotions that the status shows as waiting, and that roll out by now.
	started map[string]bool
	health  standing
	// drift is what the last comparison has found; nil if nothing was compared since the last rollout.
	drift *comparison
	asked automatic
	// again is when to look again although nothing may have happened; zero for never.
	again time.Time
}

// Reconcile brings one Environment's status up to date.
func (r *EnvironmentReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	environment := &v1alpha1.Environment{}
	if err := r.Client.Get(ctx, request.NamespacedName, environment); err != nil {
		r.forget(request.NamespacedName)
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
	status := environmentStatus(environment, seen)
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
	r.wake(request.NamespacedName, seen)
	return ctrl.Result{}, nil
}

// wake the Environment when its status may change although nothing happens.
func (r *EnvironmentReconciler) wake(key types.NamespacedName, seen surroundings) {
	var after time.Duration
	if !seen.again.IsZero() {
		after = max(seen.again.Sub(seen.now), time.Millisecond)
	}
	r.timers.set(key, seen.now, after)
	// Asked for after the timer is set: a Promotion that comes in between sets the timer itself.
	r.timers.sooner(key, seen.now, r.backlog.next(key, seen.now))
}

// forget an Environment that is no more.
func (r *EnvironmentReconciler) forget(key types.NamespacedName) {
	r.letGo(key)
	r.timers.stop(key)
}

// observe gathers what the status depends on. It asks for a promotion as well, if there is one to ask for: that is what the status tells.
func (r *EnvironmentReconciler) observe(ctx context.Context, environment *v1alpha1.Environment) (surroundings, error) {
	seen := surroundings{now: r.Clock.Now(), hasDeployer: true}
	project, err := r.project(ctx, environment)
	if err != nil {
		return seen, err
	}
	var closes time.Time
	seen.problems, closes = problemsOf(environment, project, seen.now)
	seen.again = earlier(seen.again, closes)
	if err := r.lookAtWaiting(ctx, environment, &seen); err != nil {
		return seen, err
	}
	if err := r.lookAtStanding(ctx, environment, &seen); err != nil {
		return seen, err
	}
	if len(seen.problems) > 0 {
		return seen, nil
	}
	if !accepted(environment) { // it was there; that it went missing is found by whoever needs it
		if err := r.lookAtTarget(ctx, environment, &seen); err != nil || seen.unreachable != "" || !seen.hasDeployer {
			seen.again = earlier(seen.again, seen.now.Add(recheck))
			return seen, err
		}
	}
	seen.asked, err = r.autoPromote(ctx, environment, project, seen.now)
	seen.again = earlier(seen.again, seen.asked.again)
	return seen, err
}

// lookAtTarget finds out whether the target's cluster can be reached, and whether the deployer is there.
func (r *EnvironmentReconciler) lookAtTarget(ctx context.Context, environment *v1alpha1.Environment, seen *surroundings) error {
	target := environment.Spec.Target
	where, err := r.Promotions.places.lately(ctx, environment.Namespace, target)
	if err == nil {
		err = where.deployers.CheckDeployer(ctx, target)
	}
	closed := unreachable(err)
	switch {
	case closed != nil:
		seen.unreachable = closed.Message
		return nil
	case err != nil && apply.KindOf(err) == apply.DeployerError:
		seen.hasDeployer = false
		return nil
	}
	return err
}

// project is every Environment of the project by name, this one as it is at hand. They must not be changed.
func (r *EnvironmentReconciler) project(ctx context.Context, environment *v1alpha1.Environment) (map[string]*v1alpha1.Environment, error) {
	var all v1alpha1.EnvironmentList
	if err := r.Client.List(ctx, &all, readOnly, client.InNamespace(environment.Namespace)); err != nil {
		return nil, fmt.Errorf("list the environments of project %q: %w", environment.Namespace, err)
	}
	project := make(map[string]*v1alpha1.Environment, len(all.Items)+1)
	for i := range all.Items {
		project[all.Items[i].Name] = &all.Items[i]
	}
	project[environment.Name] = environment
	return project, nil
}

// problemsOf are all problems with the rules of an Environment, and when there may be one more although nothing has changed. What its own spec shows
// was found out when its generation was first seen.
func problemsOf(environment *v1alpha1.Environment, project map[string]*v1alpha1.Environment, now time.Time) ([]rules.Problem, time.Time) {
	closed, closes := rules.NeverOpens(environment, now)
	problems := [][]rules.Problem{rules.Upstreams(environment, project), closed}
	if !understood(environment) {
		problems = append(problems, rules.Own(environment))
		for _, problem := range check.Problems(environment.Spec.Checks) {
			problems = append(problems, []rules.Problem{rules.Problem(problem)})
		}
		for _, problem := range render.OverlayProblems(environment.Spec.Overlay) {
			problems = append(problems, []rules.Problem{rules.Problem(problem)})
		}
		problems = append(problems, signature.Problems(environment.Spec.Signatures))
	}
	return rules.Join(problems...), closes
}

// understood says whether the Environment's own rules were found in order, as they are now.
func understood(environment *v1alpha1.Environment) bool {
	ready := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Reason != v1alpha1.ReasonInvalidRules && ready.ObservedGeneration == environment.Generation
}

// accepted says whether the Environment was found in order, its deployer included, as it is now.
func accepted(environment *v1alpha1.Environment) bool {
	ready := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.ObservedGeneration == environment.Generation &&
		(ready.Reason == v1alpha1.ReasonAccepted || ready.Reason == v1alpha1.ReasonAutoPromotionRefused)
}

// earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
