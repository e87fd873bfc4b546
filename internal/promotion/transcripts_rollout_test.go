// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// verifiedBy adds a check after the rollout to the rules of production.
func (w *world) verifiedBy(name string, times int32) {
	w.environment.Spec.Checks = append(w.environment.Spec.Checks, v1alpha1.Check{
		Name: name, Phase: v1alpha1.CheckAfter, Times: times, Attempts: 2, TimeoutSeconds: 30, IntervalSeconds: 30,
		HTTP: v1alpha1.HTTPCheck{URL: "https://shop.example.com/" + name},
	})
}

// goesBack lets a rollout that fails go back to release 1.3.0, which runs in production.
func (w *world) goesBack() {
	w.environment.Spec.Rollout.OnFailure = v1alpha1.OnFailureRollback
	runsIn(w.environment, newRelease("1.3.0"), monday.Add(-time.Hour))
	w.environment.Status.Current.Release, w.environment.Status.Current.Version = "shop-1.3.0", "1.3.0"
}

// rolloutTranscripts are promotions of which it matters what happens after the start.
var rolloutTranscripts = map[string]func(w *world){
	"waves": func(w *world) {
		w.nobodyApproves()
		w.waves = 3
		w.requested()
		w.healthy(1)
		w.happens("the process dies, and a new one starts", w.dies)
		w.healthy(2)
		w.healthy(3)
	},
	"wave-never-healthy": func(w *world) {
		w.nobodyApproves()
		w.waves = 3
		w.requested()
		w.healthy(1)
		w.passes("the time-out passes", 5*time.Minute)
	},
	"verified": func(w *world) {
		w.nobodyApproves()
		w.verifiedBy("smoke", 1)
		w.verifiedBy("errors", 5)
		w.objects.prunes = true
		w.requested()
		w.healthy(3)
		w.answers("smoke", v1alpha1.CheckPassed, "status is 200")
		w.passes("the time-out passes in which the rollout had to become healthy", 5*time.Minute)
		w.answers("errors", v1alpha1.CheckPassed, "0.001 errors a second")
	},
	"verification-failed": func(w *world) {
		w.nobodyApproves()
		w.check("change-ticket", 600)
		w.verifiedBy("smoke", 1)
		w.requested()
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
		w.healthy(3)
		w.answers("smoke", v1alpha1.CheckFailed, "status is 500")
		w.nothing()
	},
	"verification-never-ends": func(w *world) {
		w.nobodyApproves()
		w.verifiedBy("errors", 5)
		w.requested()
		w.healthy(3)
		w.passes("everything is given its longest time", 30*time.Minute)
	},
	"verification-while-a-pod-fails": func(w *world) {
		w.nobodyApproves()
		w.verifiedBy("errors", 5)
		w.requested()
		w.healthy(3)
		w.objects.healthy = 2
		w.failing("a pod does not answer", "1 of 2 pods are ready", false)
		w.answers("errors", v1alpha1.CheckPassed, "0.001 errors a second")
		w.healthy(3)
	},
	"verification-and-the-process-dies": func(w *world) {
		w.nobodyApproves()
		w.verifiedBy("smoke", 1)
		w.verifiedBy("errors", 5)
		w.requested()
		w.healthy(3)
		w.answers("smoke", v1alpha1.CheckPassed, "status is 200")
		w.happens("the process dies, and a new one starts", w.dies)
		w.answers("errors", v1alpha1.CheckPassed, "0.001 errors a second")
	},
	"verification-cancelled": func(w *world) {
		w.nobodyApproves()
		w.verifiedBy("errors", 5)
		w.requested()
		w.healthy(3)
		w.cancelled("alice", "orders fail")
	},
	"rolled-back": func(w *world) {
		w.nobodyApproves()
		w.goesBack()
		w.requested()
		w.failing("the deployment gives up", "progress deadline exceeded", true)
		w.healthy(1)
		w.healthy(3)
		w.nothing()
	},
	"rolled-back-after-a-failed-check": func(w *world) {
		w.nobodyApproves()
		w.goesBack()
		w.verifiedBy("smoke", 1)
		w.requested()
		w.healthy(3)
		w.answers("smoke", v1alpha1.CheckFailed, "status is 500")
		w.happens("what the failed release brought has to go", func() { w.objects.prunes = true })
		w.healthy(3)
	},
	"rolled-back-late": func(w *world) {
		w.nobodyApproves()
		w.goesBack()
		w.requested()
		w.passes("the time-out passes", 5*time.Minute)
		w.passes("almost as much passes again", 4*time.Minute)
		w.healthy(3)
	},
	"rolled-back-because-the-api-server-refused": func(w *world) {
		w.nobodyApproves()
		w.goesBack()
		w.failure = `Ingress "shop": the deployer "assent-deployer" of namespace "shop-prod" must not patch ingresses`
		w.requested()
		w.healthy(3)
	},
	"nothing-to-go-back-to": func(w *world) {
		w.nobodyApproves()
		w.environment.Spec.Rollout.OnFailure = v1alpha1.OnFailureRollback
		w.requested()
		w.failing("the deployment gives up", "progress deadline exceeded", true)
	},
	"way-back-fails-too": func(w *world) {
		w.nobodyApproves()
		w.goesBack()
		w.requested()
		w.failing("the deployment gives up", "progress deadline exceeded", true)
		w.healthy(2)
		w.passes("the time-out passes", 5*time.Minute)
		w.nothing()
	},
	"way-back-refused": func(w *world) {
		w.nobodyApproves()
		w.goesBack()
		w.requested()
		w.dying("status", func() { w.failing("the deployment gives up", "progress deadline exceeded", true) })
		w.newProcess()
		w.happens("release 1.3.0 was deleted", func() {
			w.wave, w.failure = 0, `release "shop-1.3.0" does not exist any more`
		})
	},
	"process-dies-before-the-way-back": func(w *world) {
		w.nobodyApproves()
		w.goesBack()
		w.requested()
		w.dying("status", func() { w.failing("the deployment gives up", "progress deadline exceeded", true) })
		w.happens("a new process starts, and the deployment has recovered", func() { w.objects.hopeless, w.objects.failing, w.objects.healthy = false, nil, 3 })
	},
	"process-dies-on-the-way-back": func(w *world) {
		w.nobodyApproves()
		w.goesBack()
		w.requested()
		w.failing("the deployment gives up", "progress deadline exceeded", true)
		w.healthy(2)
		w.happens("the process dies, and a new one starts", w.dies)
		w.dying("record", func() { w.healthy(3) })
		w.newProcess()
	},
	"process-dies-between-going-back-and-status": func(w *world) {
		w.nobodyApproves()
		w.goesBack()
		w.requested()
		w.failing("the deployment gives up", "progress deadline exceeded", true)
		w.dying("status", func() { w.healthy(3) })
		w.newProcess()
	},
	"cancelled-on-the-way-back": func(w *world) {
		w.nobodyApproves()
		w.goesBack()
		w.requested()
		w.failing("the deployment gives up", "progress deadline exceeded", true)
		w.healthy(1)
		w.cancelled("alice", "leave it as it is")
	},
}
