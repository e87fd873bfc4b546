// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/check"
	"github.com/assent-dev/assent/internal/promotion"
)

const (
	// checksAtOnce is how many attempts of checks are under way at a time.
	checksAtOnce = 64
	// mostCheckMessage is how long a check's message may be; within the API's bound.
	mostCheckMessage = 1900
	// mostSoFar is how long is what a check has found so far: a status holds those of several.
	mostSoFar = 400
	// tellAgain is how long a check keeps to itself what it has found since it told how far it is: nobody decides on that.
	tellAgain = time.Minute
)

// checks runs the checks of Promotions, and keeps what they find until it is in a status. A process that dies loses nothing but the answers that
// were under way: they are asked for again, and a Job that runs is found again by its name.
type checks struct {
	http  *check.HTTP
	jobs  *check.Jobs
	clock clock.Clock
	ring  func(types.NamespacedName)
	slots chan struct{}

	mu    sync.Mutex
	byKey map[types.NamespacedName]map[string]*checkRun
}

// checkRun is a check that runs or has run.
type checkRun struct {
	uid   types.UID
	plan  v1alpha1.Digest
	rerun string
	// soFar is what it has told until now, and told when.
	soFar string
	told  time.Time
	found *v1alpha1.CheckStatus
	stop  context.CancelFunc
}

func newChecks(http *check.HTTP, jobs *check.Jobs, passing clock.Clock, ring func(types.NamespacedName)) *checks {
	return &checks{
		http: http, jobs: jobs, clock: passing, ring: ring,
		slots: make(chan struct{}, checksAtOnce), byKey: map[types.NamespacedName]map[string]*checkRun{},
	}
}

// Start ends every check when the context ends. It makes the checks a part of the operator's manager.
func (c *checks) Start(ctx context.Context) error {
	<-ctx.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, runs := range c.byKey {
		for _, run := range runs {
			run.stop()
		}
	}
	return nil
}

// progress of a Promotion's checks, by name.
func (c *checks) progress(p *v1alpha1.Promotion) map[string]promotion.CheckProgress {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string]promotion.CheckProgress{}
	for name, run := range c.byKey[keyOf(p)] {
		if run.uid == p.UID {
			found[name] = promotion.CheckProgress{Running: run.found == nil, Plan: run.plan, Rerun: run.rerun, SoFar: run.soFar, Found: run.found}
		}
	}
	return found
}

// forget the checks of a Promotion that needs them no more.
func (c *checks) forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, run := range c.byKey[key] {
		run.stop()
	}
	delete(c.byKey, key)
}

// run a check for a plan. One that runs for another plan is stopped.
func (c *checks) run(about check.Subject, asked v1alpha1.Check) {
	p := about.Promotion
	ctx, stop := context.WithCancel(context.Background()) // it outlives the reconcile that starts it; forget and Start end it
	run := &checkRun{uid: p.UID, plan: about.PlanDigest, rerun: promotion.Rerun(p), stop: stop}
	c.mu.Lock()
	defer c.mu.Unlock()
	runs := c.byKey[keyOf(p)]
	if runs == nil {
		runs = map[string]*checkRun{}
		c.byKey[keyOf(p)] = runs
	}
	if previous := runs[asked.Name]; previous != nil {
		previous.stop()
	}
	runs[asked.Name] = run
	go c.carryOut(ctx, run, about, asked)
}

// carryOut tries a check until its course has ended.
func (c *checks) carryOut(ctx context.Context, run *checkRun, about check.Subject, asked v1alpha1.Check) {
	defer run.stop()
	for course := check.NewCourse(asked); ; {
		finding, err := c.attempt(ctx, about, asked, course.Made()+1)
		if err != nil {
			return // nobody wants to know any more
		}
		if course.Count(finding) {
			c.found(run, about, asked, course)
			return
		}
		c.tell(run, about, asked, course)
		select {
		case <-ctx.Done():
			return
		case <-c.clock.After(time.Duration(asked.IntervalSeconds) * time.Second):
		}
	}
}

// attempt once, when there is a slot. The error is the context's.
func (c *checks) attempt(ctx context.Context, about check.Subject, asked v1alpha1.Check, attempt int32) (check.Finding, error) {
	select {
	case <-ctx.Done():
		return check.Finding{}, ctx.Err()
	case c.slots <- struct{}{}:
	}
	defer func() { <-c.slots }()
	var finding check.Finding
	if asked.Job.Template != "" {
		finding = c.jobs.Run(ctx, asked, about, attemptName(about.Promotion, asked, attempt))
	} else {
		finding = c.http.Ask(ctx, asked, about)
	}
	return finding, ctx.Err()
}

// attemptName tells one attempt from those before it: each gets a Job of its own, what was asked again as well, and a process that takes over finds
// the one that runs and those that have ended. A check after the rollout is asked for once in the life of a Promotion, whatever its status says of it.
func attemptName(p *v1alpha1.Promotion, asked v1alpha1.Check, attempt int32) string {
	if asked.Phase == v1alpha1.CheckAfter {
		return fmt.Sprintf("%s/after/%d", promotion.Rerun(p), attempt)
	}
	var last int64
	for _, earlier := range p.Status.Checks {
		if earlier.Name == asked.Name {
			last = earlier.Time.Unix()
		}
	}
	return fmt.Sprintf("%s/%d/%d", promotion.Rerun(p), last, attempt)
}

// tell how far a check is. The Promotion is woken for a check after the rollout alone: one before it holds a gate closed, however far it is.
func (c *checks) tell(run *checkRun, about check.Subject, asked v1alpha1.Check, course *check.Course) {
	now := c.clock.Now()
	if asked.Phase != v1alpha1.CheckAfter || now.Before(run.told.Add(tellAgain)) {
		return
	}
	c.mu.Lock()
	run.soFar, run.told = promotion.Clip(course.SoFar(), mostSoFar), now
	c.mu.Unlock()
	c.ring(keyOf(about.Promotion))
}

// found keeps an answer, and wakes the Promotion.
func (c *checks) found(run *checkRun, about check.Subject, asked v1alpha1.Check, course *check.Course) {
	finding := course.Finding()
	answer := &v1alpha1.CheckStatus{
		Name: asked.Name, Result: finding.Result, Message: promotion.Clip(finding.Message, mostCheckMessage),
		Time: metav1.NewTime(c.clock.Now().Truncate(time.Second)), Attempts: ptr.To(course.Made()), PlanDigest: run.plan, Rerun: run.rerun,
	}
	if asked.Phase == v1alpha1.CheckAfter {
		answer.Times = ptr.To(course.Passed())
	}
	c.mu.Lock()
	run.found = answer
	c.mu.Unlock()
	c.ring(keyOf(about.Promotion))
}

// runChecks starts what a decision to wait asks for.
func (r *PromotionReconciler) runChecks(seen *view, next promotion.Decision, names []string) {
	if len(names) == 0 {
		return
	}
	about := check.Subject{
		Promotion: seen.Promotion.DeepCopy(), Release: seen.Release, Environment: seen.Environment,
		PlanDigest: promotion.Status(seen.Observation, next).Plan.Digest,
	}
	for _, asked := range seen.Environment.Spec.Checks {
		if slices.Contains(names, asked.Name) {
			r.checks.run(about, asked)
		}
	}
}

// setUpChecks makes what runs checks a part of the operator's manager.
func setUpChecks(mgr ctrl.Manager, passing clock.Clock, options Options, ring func(types.NamespacedName)) (*checks, error) {
	jobs, err := check.NewJobs(mgr.GetConfig(), mgr.GetHTTPClient(), mgr.GetRESTMapper())
	if err != nil {
		return nil, err
	}
	running := newChecks(&check.HTTP{Secrets: mgr.GetAPIReader(), Networks: options.checkNetworks}, jobs, passing, ring)
	return running, mgr.Add(running)
}
