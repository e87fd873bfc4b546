// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// pairTranscripts are promotions in which two gates, or a gate and an end, have to do with each other.
var pairTranscripts = map[string]func(w *world){
	"freeze-outlasts-the-approval": func(w *world) {
		w.environment.Spec.Approval.ValidSeconds = 86400
		w.frozen(-time.Hour, 50*time.Hour, "quarter end")
		w.requested()
		w.approves("alice")
		w.waits("a day has passed since the approval")
	},
	"approval-outlasts-the-freeze": func(w *world) {
		w.environment.Spec.Approval.ValidSeconds = 86400
		w.frozen(-time.Hour, 20*time.Hour, "quarter end")
		w.requested()
		w.approves("alice")
		w.waits("the freeze is over")
	},
	"freeze-ends-with-the-approval": func(w *world) {
		w.environment.Spec.Approval.ValidSeconds = 86400
		w.frozen(-time.Hour, 24*time.Hour+2*time.Minute, "quarter end")
		w.requested()
		w.approves("alice")
		w.waits("both end in the same second")
	},
	"soak-and-replaced-before": func(w *world) {
		w.nobodyApproves()
		w.comesAfter(3600, "staging")
		w.succeedsIn("staging", "1.4.0")
		w.requested()
		w.passes("half an hour passes", 30*time.Minute)
		w.succeedsIn("staging", "1.4.1")
		w.passes("a day passes", 24*time.Hour)
		w.succeedsIn("staging", "1.4.0")
		w.waits("the rest of the hour has passed")
	},
	"soak-and-replaced-after": func(w *world) {
		w.comesAfter(3600, "staging")
		w.succeedsIn("staging", "1.4.0")
		w.requested()
		w.passes("an hour passes", time.Hour)
		w.succeedsIn("staging", "1.4.1")
		w.unhealthyIn("staging", `Deployment "shop": 1 of 2 pods are ready`)
		w.approves("alice")
	},
	"override-of-one-of-two-gates": func(w *world) {
		w.frozen(-time.Hour, 50*time.Hour, "quarter end")
		w.held("incident 4711")
		w.requested()
		w.approves("alice")
		w.overrides("oscar", "customers cannot pay", "Window")
		w.resumed()
	},
	"override-of-the-hold-of-a-project": func(w *world) {
		w.nobodyApproves()
		w.projectHold = "the data centre moves"
		w.requested()
		w.overrides("oscar", "customers cannot pay", "Hold")
	},
	"rollback-during-a-freeze": func(w *world) {
		w.promotion.Spec.Type = v1alpha1.PromotionTypeRollback
		w.frozen(-time.Hour, 50*time.Hour, "quarter end")
		w.ranBefore(w.release)
		w.ranBefore(newRelease("1.5.0"))
		w.requested()
		w.approves("alice")
	},
	"superseded-while-queued": func(w *world) {
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.approves("alice")
		w.happens(`the other one ends, and the newer promotion "shop-1.5.0-production" starts`, func() {
			w.appendOther("shop-1.3.9-production", v1alpha1.AuditSucceeded)
			w.appendOther("shop-1.5.0-production", v1alpha1.AuditIntent)
			w.newer = "shop-1.5.0-production"
		})
	},
	"queued-behind-an-older-one-that-fails": func(w *world) {
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.approves("alice")
		w.happens(`promotion "shop-1.3.9-production" fails`, func() { w.appendOther("shop-1.3.9-production", v1alpha1.AuditFailed) })
	},
	"override-and-a-rejection": func(w *world) {
		w.frozen(-time.Hour, 50*time.Hour, "quarter end")
		w.requested()
		w.overrides("oscar", "customers cannot pay", "Approval")
		w.rejects("dave", "this does not mend it")
	},
	"override-and-an-unexplained-rejection": func(w *world) {
		w.frozen(-time.Hour, 50*time.Hour, "quarter end")
		w.requested()
		w.says("dave", v1alpha1.DecisionRejected, "")
		w.overrides("oscar", "customers cannot pay", "Approval", "Window")
	},
	"override-does-not-open-the-guard": func(w *world) {
		w.nobodyApproves()
		w.requestedWithEverythingOverridden()
		w.guardIsTakenAway()
		w.resumed()
	},
	"override-does-not-open-the-queue": func(w *world) {
		w.nobodyApproves()
		w.otherStarts("shop-1.3.9-production")
		w.requestedWithEverythingOverridden()
		w.otherEnds("shop-1.3.9-production")
	},
	"override-and-the-request-expires": func(w *world) {
		w.environment.Spec.Approval.RequestTTLSeconds = 3600
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.overrides("oscar", "customers cannot pay", "Approval")
		w.passes("two hours pass", 2*time.Hour)
		w.otherEnds("shop-1.3.9-production")
	},
	"schedule-then-window": func(w *world) {
		w.nobodyApproves()
		w.environment.Spec.Windows.Allow = []v1alpha1.Window{{Schedule: "0 9 * * *", DurationSeconds: 7200}}
		w.promotion.Spec.NotBeforeTime = metav1.NewTime(monday.Add(3 * time.Hour))
		w.requested()
		w.waits("the time has come, and the window has closed")
		w.waits("the next window opens")
	},
	"window-then-schedule": func(w *world) {
		w.nobodyApproves()
		w.frozen(-time.Hour, time.Hour, "quarter end")
		w.promotion.Spec.NotBeforeTime = metav1.NewTime(monday.Add(3 * time.Hour))
		w.requested()
		w.waits("the freeze is over")
		w.waits("the time has come")
	},
	"check-stale-when-the-approval-comes": func(w *world) {
		w.check("change-ticket", 600)
		w.requested()
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
		w.passes("an hour passes", time.Hour)
		w.approves("alice")
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
	},
	"check-fresh-when-the-approval-comes": func(w *world) {
		w.check("change-ticket", 600)
		w.requested()
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
		w.approves("alice")
	},
	"check-failed-and-overridden": func(w *world) {
		w.nobodyApproves()
		w.check("change-ticket", 600)
		w.requested()
		w.answers("change-ticket", v1alpha1.CheckFailed, "the ticket server does not answer")
		w.overrides("oscar", "the ticket server is what this release mends", "Check")
	},
	"process-dies-before-the-override-is-on-record": func(w *world) {
		w.nobodyApproves()
		w.held("incident 4711")
		w.requested()
		w.dying("override", func() { w.overrides("oscar", "this release mends incident 4711", "Hold") })
		w.newProcess()
	},
	"process-dies-before-the-mark-of-an-override": func(w *world) {
		w.nobodyApproves()
		w.held("incident 4711")
		w.requested()
		w.dying("mark", func() { w.overrides("oscar", "this release mends incident 4711", "Hold") })
		w.newProcess()
	},
	"process-dies-between-the-mark-and-the-intent": func(w *world) {
		w.nobodyApproves()
		w.held("incident 4711")
		w.requested()
		w.dying("record", func() { w.overrides("oscar", "this release mends incident 4711", "Hold") })
		w.newProcess()
	},
	"process-dies-after-the-sixteenth-mark": func(w *world) {
		w.nobodyApproves()
		for i := range 15 {
			w.environment.Status.Overrides = append(w.environment.Status.Overrides, v1alpha1.UsedOverride{Promotion: fmt.Sprintf("p%d", i), User: "oscar"})
		}
		w.held("incident 4711")
		w.requested()
		w.dying("record", func() { w.overrides("oscar", "this release mends incident 4711", "Hold") })
		w.newProcess()
	},
	"process-dies-and-the-overridden-gate-opens-by-itself": func(w *world) {
		w.nobodyApproves()
		w.held("incident 4711")
		w.requested()
		w.dying("record", func() { w.overrides("oscar", "this release mends incident 4711", "Hold") })
		w.resumed()
	},
	"process-dies-and-another-overridden-gate-closes": func(w *world) {
		w.nobodyApproves()
		w.held("incident 4711")
		w.requested()
		w.dying("record", func() { w.overrides("oscar", "this release mends incident 4711", "Hold", "Release") })
		w.happens("the release is blocked, and a new process starts", func() { w.release.Spec.Blocked.Reason = "loses orders" })
	},
	"process-dies-before-intent-and-a-gate-closes-that-an-override-names": func(w *world) {
		w.requested()
		w.happens("oscar overrides Hold, which is open", func() {
			w.promotion.Spec.Override = v1alpha1.PromotionOverride{Gates: []v1alpha1.OverridableGate{"Hold"}, Reason: "just in case", UsedBy: v1alpha1.Person{Username: "oscar"}}
		})
		w.dying("record", func() { w.approves("alice") })
		w.held("incident 4711")
	},
	"process-dies-before-intent-and-the-check-becomes-stale": func(w *world) {
		w.nobodyApproves()
		w.check("change-ticket", 600)
		w.requested()
		w.dying("record", func() { w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved") })
		w.passes("an hour passes, and a new process starts", time.Hour)
	},
	"process-dies-before-intent-and-a-freeze-begins": func(w *world) {
		w.nobodyApproves()
		w.frozen(2*time.Minute, 50*time.Hour, "quarter end")
		w.dying("record", w.requested)
		w.newProcess()
	},
	"process-dies-before-intent-and-the-approval-expires": func(w *world) {
		w.environment.Spec.Approval.ValidSeconds = 60
		w.requested()
		w.dying("record", func() { w.approves("alice") })
		w.newProcess()
	},
	"process-dies-between-expiry-and-status": func(w *world) {
		w.environment.Spec.Approval.RequestTTLSeconds = 3600
		w.requested()
		w.dying("status", func() { w.passes("an hour passes", time.Hour) })
		w.approves("alice")
	},
	"process-dies-between-acknowledgement-and-mark": func(w *world) {
		w.nobodyApproves()
		w.held("incident 4711")
		w.requested()
		w.overrides("oscar", "this release mends incident 4711", "Hold")
		w.healthy(3)
		w.dying("mark", func() { w.acknowledges("alice") })
		w.newProcess()
	},
}

// requestedWithEverythingOverridden names every gate that an override can, and two that it cannot, as if the API server let it through.
func (w *world) requestedWithEverythingOverridden() {
	w.promotion.Spec.Override = v1alpha1.PromotionOverride{
		Gates:  []v1alpha1.OverridableGate{"Release", "Upstream", "Soak", "Approval", "Window", "Hold", "Schedule", "Check", "Guard", "Queue", "Target"},
		Reason: "everything, now", UsedBy: v1alpha1.Person{Username: "oscar"},
	}
	if w.history.Open == nil {
		w.environment.Spec.Hold.Reason = "incident 4711"
		w.guard = Guard{Problems: []string{`ValidatingAdmissionPolicy "assent-approvals" does not exist`}}
	}
	w.requested()
}
