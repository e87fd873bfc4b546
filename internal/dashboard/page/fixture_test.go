// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// friday is now.
var friday = time.Date(2031, 3, 7, 10, 0, 0, 0, time.UTC)

func before(length time.Duration) metav1.Time { return metav1.NewTime(friday.Add(-length)) }

func viewer() Context {
	return Context{Me: v1alpha1.Person{Username: "alice", Groups: []string{"shop-owners", "security", "system:authenticated"}}, Now: friday}
}

// change of an object of a fixture.
type (
	environmentChange func(*v1alpha1.Environment)
	promotionChange   func(*v1alpha1.Promotion)
)

// environmentOf an application, in which nothing has run.
func environmentOf(project, name, of string, changes ...environmentChange) *v1alpha1.Environment {
	made := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name}, Spec: v1alpha1.EnvironmentSpec{Application: of}}
	for _, change := range changes {
		change(made)
	}
	return made
}

func after(names ...string) environmentChange {
	return func(e *v1alpha1.Environment) { e.Spec.After = names }
}

func inStage(name string) environmentChange {
	return func(e *v1alpha1.Environment) { e.Spec.Stage = name }
}

// running a version, as healthy and in sync.
func running(version string, since time.Duration) environmentChange {
	return func(e *v1alpha1.Environment) {
		e.Status.Current = v1alpha1.Deployment{
			Release: e.Spec.Application + "-" + version, Version: version, Promotion: e.Spec.Application + "-" + version + "-" + e.Name,
			StartedTime: before(since + time.Minute), SinceTime: before(since),
		}
		withCondition(v1alpha1.ConditionHealthy, metav1.ConditionTrue, v1alpha1.ReasonRolledOut)(e)
		withCondition(v1alpha1.ConditionInSync, metav1.ConditionTrue, v1alpha1.ReasonRolledOut)(e)
	}
}

func withCondition(kind string, status metav1.ConditionStatus, reason string) environmentChange {
	return func(e *v1alpha1.Environment) {
		for i := range e.Status.Conditions {
			if e.Status.Conditions[i].Type == kind {
				e.Status.Conditions[i].Status, e.Status.Conditions[i].Reason = status, reason
				return
			}
		}
		e.Status.Conditions = append(e.Status.Conditions, metav1.Condition{Type: kind, Status: status, Reason: reason})
	}
}

func onHold(reason string) environmentChange {
	return func(e *v1alpha1.Environment) { e.Spec.Hold.Reason = reason }
}

func overridden(by string) environmentChange {
	return func(e *v1alpha1.Environment) {
		e.Status.Overrides = []v1alpha1.UsedOverride{{Promotion: "p", User: by, Gates: []v1alpha1.OverridableGate{"Window"}, Reason: "incident", Time: before(time.Hour)}}
	}
}

func releaseOf(project, of, version string, age time.Duration) *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: of + "-" + version, CreationTimestamp: before(age)},
		Spec:       v1alpha1.ReleaseSpec{Application: of, Version: version},
	}
}

// promotionTo an Environment, of a Release, in a state.
func promotionTo(environment *v1alpha1.Environment, version, state string, age time.Duration, changes ...promotionChange) *v1alpha1.Promotion {
	made := &v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: environment.Namespace, Name: environment.Spec.Application + "-" + version + "-" + environment.Name, CreationTimestamp: before(age), UID: "u1",
		},
		Spec: v1alpha1.PromotionSpec{
			Release: environment.Spec.Application + "-" + version, Environment: environment.Name, Type: v1alpha1.PromotionTypePromote,
			Reason: "vouchers for everybody", RequestedBy: v1alpha1.Person{Username: "bob"},
		},
	}
	if state != "" {
		status := metav1.ConditionUnknown
		if states[state].order == 0 {
			status = metav1.ConditionFalse
			made.Status.CompletionTime = before(age)
		}
		if state == v1alpha1.ReasonSucceeded {
			status = metav1.ConditionTrue
		}
		made.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: status, Reason: state, Message: "said so"}}
	}
	for _, change := range changes {
		change(made)
	}
	return made
}

func approvedBy(required int32, missing string, users ...string) promotionChange {
	return func(p *v1alpha1.Promotion) {
		p.Status.Plan.Digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
		p.Status.Approvals = v1alpha1.ApprovalStatus{
			Summary: fmt.Sprintf("%d/%d", len(users), required), Required: ptr.To(required), Granted: ptr.To(int32(len(users))),
			Rules: []v1alpha1.RuleStatus{{Name: "owners", Required: ptr.To(int32(len(users))), ApprovedBy: users}, {Name: missing, Required: ptr.To(required - int32(len(users)))}},
		}
		blockedBy(v1alpha1.GateApproval, "needs 1 more approval", -48*time.Hour)(p)
	}
}

// blockedBy a gate, for so long.
func blockedBy(gate v1alpha1.Gate, message string, until time.Duration) promotionChange {
	return func(p *v1alpha1.Promotion) {
		blocker := v1alpha1.Blocker{Gate: gate, Message: message, Clears: "time"}
		if until != 0 {
			blocker.UntilTime = before(until)
		}
		p.Status.Blockers = append(p.Status.Blockers, blocker)
	}
}

func progressing(healthy, total int32, failing ...string) promotionChange {
	return func(p *v1alpha1.Promotion) {
		p.Status.StartTime = before(time.Minute)
		p.Status.Progress = v1alpha1.RolloutProgress{Applied: ptr.To(total), Healthy: ptr.To(healthy), Total: ptr.To(total)}
		for _, name := range failing {
			p.Status.Progress.Failing = append(p.Status.Progress.Failing, v1alpha1.FailingObject{ObjectReference: v1alpha1.ObjectReference{Kind: "Deployment", Name: name}, Message: "ImagePullBackOff"})
		}
	}
}

// monday at nine, from friday.
const monday = -71 * time.Hour

// everything is a world in which each state occurs.
func everything() *World {
	const day = 24 * time.Hour
	w := &World{Projects: []string{"payments", "shop"}}
	environment := func(project, name, of string, changes ...environmentChange) *v1alpha1.Environment {
		made := environmentOf(project, name, of, changes...)
		w.Environments = append(w.Environments, made)
		return made
	}
	promotion := func(to *v1alpha1.Environment, version, state string, age time.Duration, changes ...promotionChange) {
		w.Promotions = append(w.Promotions, promotionTo(to, version, state, age, changes...))
	}
	releases := func(project, of string, versions ...string) {
		for i, version := range versions {
			w.Releases = append(w.Releases, releaseOf(project, of, version, time.Duration(len(versions)-i)*day))
		}
	}
	three := func(project, of string, dev, staging, production []environmentChange) (d, s, p *v1alpha1.Environment) {
		d = environment(project, of+"-dev", of, append(dev, inStage("dev"))...)
		s = environment(project, of+"-staging", of, append(staging, inStage("staging"), after(of+"-dev"))...)
		p = environment(project, of+"-production", of, append(production, inStage("production"), after(of+"-staging"))...)
		return d, s, p
	}
	runs := func(version string, since time.Duration, more ...environmentChange) []environmentChange {
		return append([]environmentChange{running(version, since)}, more...)
	}

	releases("payments", "ledger", "2.0.0", "2.1.0", "2.2.0-rc.1")
	d, s, p := three("payments", "ledger", runs("2.1.0", 3*time.Hour), runs("2.1.0", 2*time.Hour), runs("2.0.0", 40*day))
	promotion(d, "2.1.0", v1alpha1.ReasonSucceeded, 3*time.Hour)
	promotion(s, "2.1.0", v1alpha1.ReasonSucceeded, 2*time.Hour)
	promotion(p, "2.1.0", v1alpha1.ReasonAwaitingApproval, time.Hour, approvedBy(2, "security", "carol"), blockedBy(v1alpha1.GateWindow, "a freeze lasts until Monday: year end", monday))

	releases("payments", "gateway", "7.1.0", "7.2.0", "7.3.0")
	d, s, p = three("payments", "gateway", runs("7.3.0", time.Hour), runs("7.2.0", 5*day), runs("7.1.0", 12*day, onHold("incident 4711")))
	promotion(d, "7.3.0", v1alpha1.ReasonSucceeded, time.Hour)
	promotion(s, "7.3.0", v1alpha1.ReasonBlocked, 30*time.Minute, blockedBy(v1alpha1.GateSoak, "soaking", -40*time.Minute))
	promotion(p, "7.2.0", v1alpha1.ReasonBlocked, 4*day, blockedBy(v1alpha1.GateHold, "on hold", 0))

	releases("shop", "cart", "1.3.0", "1.4.0", "1.5.0", "1.6.0")
	d, s, p = three("shop", "cart", runs("1.5.0", 50*time.Minute), runs("1.4.0", 26*time.Hour), runs("1.3.0", 9*day))
	promotion(d, "1.6.0", v1alpha1.ReasonRollingOut, 5*time.Minute, progressing(2, 4))
	promotion(s, "1.5.0", v1alpha1.ReasonQueued, 20*time.Minute)
	promotion(p, "1.4.0", v1alpha1.ReasonBlocked, time.Hour, blockedBy(v1alpha1.GateWindow, "outside the allow windows", monday))

	releases("shop", "search", "0.9.0", "0.9.1", "1.0.0")
	d, s, p = three("shop", "search", runs("1.0.0", 2*day), runs("0.9.1", 8*day, withCondition(v1alpha1.ConditionHealthy, metav1.ConditionFalse, v1alpha1.ReasonUnhealthy)),
		runs("0.9.0", 30*day, withCondition(v1alpha1.ConditionInSync, metav1.ConditionFalse, v1alpha1.ReasonDrifted), overridden("dave")))
	promotion(d, "0.9.1", v1alpha1.ReasonSuperseded, 24*time.Hour)
	promotion(s, "1.0.0", v1alpha1.ReasonFailed, 30*time.Minute)
	promotion(p, "0.9.1", v1alpha1.ReasonRejected, 3*day)

	releases("shop", "web", "3.0.0", "3.1.0", "3.2.0")
	d, s, p = three("shop", "web", runs("3.2.0", time.Hour), runs("3.1.0", 7*day), nil)
	promotion(d, "3.2.0", v1alpha1.ReasonVerifying, 4*time.Minute, progressing(4, 4))
	promotion(s, "3.2.0", v1alpha1.ReasonRollingBack, 2*time.Minute, progressing(1, 4, "web"))
	promotion(p, "3.1.0", v1alpha1.ReasonExpired, 2*day)

	releases("shop", "worker", "12", "13", "14")
	d, s, p = three("shop", "worker", runs("14", time.Hour), runs("13", 7*day), runs("12", 90*day))
	promotion(d, "15", v1alpha1.ReasonInvalid, 10*time.Minute)
	promotion(s, "14", v1alpha1.ReasonCancelled, 2*time.Hour)
	promotion(p, "13", v1alpha1.ReasonRolledBack, 3*time.Hour)
	west := environment("shop", "worker-production-us", "worker", running("13", 30*day), inStage("production"), after("worker-staging"))
	promotion(west, "14", v1alpha1.ReasonPlanning, time.Second)
	return w
}
