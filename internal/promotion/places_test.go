// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/soak"
)

// What happens in the Environments of a world, in the words of the transcripts.

// comesAfter puts Environments before production, and asks for a soak time.
func (w *world) comesAfter(soakSeconds int32, names ...string) {
	for _, name := range names {
		w.upstream[name] = &v1alpha1.Environment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "environment-uid", Generation: 1},
			Spec:       v1alpha1.EnvironmentSpec{Application: "shop"},
		}
	}
	w.environment.Spec.After, w.environment.Spec.SoakSeconds = names, soakSeconds
}

// newRelease is another Release of the application.
func newRelease(version string) *v1alpha1.Release {
	release := &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-" + version, UID: "release-uid", Generation: 1},
		Spec:       v1alpha1.ReleaseSpec{Application: "shop", Version: version},
	}
	if version != "1.4.0" {
		release.UID = "uid-of-another-release"
	}
	return release
}

// runsIn puts a Release into an Environment's status, as its success does.
func runsIn(environment *v1alpha1.Environment, release *v1alpha1.Release, at time.Time) {
	status := &environment.Status
	status.Previous = status.Current
	status.Current = v1alpha1.Deployment{Release: release.Name, Version: release.Spec.Version, SinceTime: metav1.NewTime(at), StartedTime: metav1.NewTime(at)}
	soak.Succeeded(status, v1alpha1.SucceededRelease{
		Name: release.Name, UID: string(release.UID), Version: release.Spec.Version, SucceededTime: metav1.NewTime(at),
	})
	isHealthy(environment, metav1.ConditionTrue, v1alpha1.ReasonRolledOut, "every object is healthy")
}

func isHealthy(environment *v1alpha1.Environment, healthy metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&environment.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionHealthy, Status: healthy, Reason: reason, Message: message})
}

// ranBefore lets a Release have succeeded in production before the story begins.
func (w *world) ranBefore(release *v1alpha1.Release) {
	w.succeededIn(w.environment, release)
}

// succeededIn puts it on record, too.
func (w *world) succeededIn(environment *v1alpha1.Environment, release *v1alpha1.Release) {
	for _, kind := range []v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditSucceeded} {
		promotion := "earlier-" + release.Name + "-" + environment.Name
		entry := v1alpha1.AuditRecordSpec{
			Environment: environment.Name, Type: kind, Time: metav1.NewTime(w.now),
			Promotion: v1alpha1.ObjectIdentity{Name: promotion, UID: promotion + "-uid"},
			Release:   v1alpha1.AuditedRelease{ObjectIdentity: identity(release), Version: release.Spec.Version, Digest: digestOf("content")},
		}
		if environment.Name == "production" {
			w.append(entry)
			continue
		}
		record, err := audit.Seal("shop", environment.Status.Audit, entry)
		if err != nil {
			w.t.Fatal(err)
		}
		environment.Status.Audit = audit.HeadOf(record)
		w.elsewhere = append(w.elsewhere, *record)
	}
	runsIn(environment, release, w.now)
}

func (w *world) succeedsIn(name, version string) {
	w.happens(fmt.Sprintf("release %q succeeds in environment %q", "shop-"+version, name), func() { w.succeededIn(w.upstream[name], newRelease(version)) })
}

func (w *world) unhealthyIn(name, message string) {
	w.happens(fmt.Sprintf("what runs in environment %q becomes unhealthy", name), func() {
		soak.Stopped(&w.upstream[name].Status, w.now)
		isHealthy(w.upstream[name], metav1.ConditionFalse, v1alpha1.ReasonUnhealthy, message)
	})
}

func (w *world) healthyIn(name string) {
	w.happens(fmt.Sprintf("what runs in environment %q is healthy again", name), func() {
		soak.Resumed(&w.upstream[name].Status, w.upstream[name].Status.Releases[0].UID, w.now)
		isHealthy(w.upstream[name], metav1.ConditionTrue, v1alpha1.ReasonRolledOut, "every object is healthy")
	})
}

// check adds a check to the rules of production.
func (w *world) check(name string, validSeconds int32) {
	w.environment.Spec.Checks = append(w.environment.Spec.Checks, v1alpha1.Check{
		Name: name, ValidSeconds: validSeconds, HTTP: v1alpha1.HTTPCheck{URL: "https://tickets.example.com/" + name},
	})
}

// answers lets a check that runs end.
func (w *world) answers(name string, result v1alpha1.CheckResult, message string) {
	w.happens(fmt.Sprintf("check %q ends: %s", name, message), func() {
		running := w.checks[name]
		if !running.Running {
			w.t.Fatalf("check %q does not run:\n%s", name, w.log.String())
		}
		w.checks[name] = CheckProgress{Plan: running.Plan, Rerun: running.Rerun, Found: &v1alpha1.CheckStatus{
			Name: name, Result: result, Message: message, Time: metav1.NewTime(w.now), PlanDigest: running.Plan, Rerun: running.Rerun,
		}}
	})
}

func (w *world) rerun(user, wish string) {
	w.happens(user+" wants the checks to run again", func() {
		metav1.SetMetaDataAnnotation(&w.promotion.ObjectMeta, v1alpha1.AnnotationRerunChecks, wish)
	})
}

func (w *world) held(reason string) {
	w.happens(`somebody sets `+"`spec.hold`"+` of environment "production"`, func() { w.environment.Spec.Hold.Reason = reason })
}

func (w *world) resumed() {
	w.happens("the hold is taken away", func() {
		w.environment.Spec.Hold.Reason, w.projectHold = "", ""
		w.environment.Annotations = nil
	})
}

// frozen is a freeze of production between two times.
func (w *world) frozen(from, to time.Duration, reason string) {
	w.environment.Spec.Windows.Freeze = append(w.environment.Spec.Windows.Freeze, v1alpha1.Window{
		StartTime: metav1.NewTime(monday.Add(from)), EndTime: metav1.NewTime(monday.Add(to)), Reason: reason,
	})
}

func (w *world) overrides(user, reason string, gates ...v1alpha1.OverridableGate) {
	w.happens(fmt.Sprintf("%s overrides %s", user, gateWords(gates)), func() {
		w.promotion.Generation++
		w.promotion.Spec.Override = v1alpha1.PromotionOverride{
			Gates: gates, Reason: reason, PlanDigest: w.promotion.Status.Plan.Digest, UsedBy: v1alpha1.Person{Username: user},
		}
	})
}

func (w *world) acknowledges(user string) {
	w.happens(user+" acknowledges the override", func() {
		w.promotion.Generation++
		w.promotion.Spec.Acknowledgement = v1alpha1.Acknowledgement{Username: user}
	})
}
