// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// nobody has to approve, so that another gate stands alone.
func (w *world) nobodyApproves() {
	w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "none", Required: ptr.To[int32](0)}}
}

// gateTranscripts are promotions that meet one gate each.
var gateTranscripts = map[string]func(w *world){
	"release-blocked": func(w *world) {
		w.nobodyApproves()
		w.release.Spec.Blocked.Reason = "loses orders"
		w.releaseIs(metav1.ConditionFalse, v1alpha1.ReasonBlockedRelease, "loses orders")
		w.requested()
		w.happens("the release is unblocked", func() {
			w.release.Spec.Blocked.Reason = ""
			w.releaseIs(metav1.ConditionTrue, v1alpha1.ReasonResolved, "the content has been fetched")
		})
	},
	"upstream": func(w *world) {
		w.nobodyApproves()
		w.comesAfter(0, "integration", "staging")
		w.requested()
		w.succeedsIn("integration", "1.4.0")
		w.unhealthyIn("integration", `Deployment "shop": 1 of 2 pods are ready`)
		w.succeedsIn("staging", "1.4.0")
		w.healthyIn("integration")
	},
	"upstream-missing": func(w *world) {
		w.nobodyApproves()
		w.environment.Spec.After = []string{"stagin"}
		w.requested()
		w.happens("the name is corrected", func() { w.comesAfter(0, "staging") })
	},
	"upstream-of-another-application": func(w *world) {
		w.nobodyApproves()
		w.comesAfter(60, "staging")
		w.upstream["staging"].Spec.Application = "billing"
		w.requested()
	},
	"upstream-cycle": func(w *world) {
		w.nobodyApproves()
		w.comesAfter(0, "staging")
		w.upstream["staging"].Spec.After = []string{"production"}
		w.requested()
		w.happens("the cycle is broken", func() { w.upstream["staging"].Spec.After = nil })
		w.succeedsIn("staging", "1.4.0")
	},
	"upstream-of-another-release-by-the-same-name": func(w *world) {
		w.nobodyApproves()
		w.comesAfter(0, "staging")
		other := newRelease("1.4.0")
		other.UID = "deleted-since"
		w.succeededIn(w.upstream["staging"], other)
		w.requested()
	},
	"soak": func(w *world) {
		w.nobodyApproves()
		w.comesAfter(3600, "integration", "staging")
		w.succeedsIn("integration", "1.4.0")
		w.requested()
		w.succeedsIn("staging", "1.4.0")
		w.waits("the first hour has passed")
		w.waits("the second hour has passed")
	},
	"soak-interrupted": func(w *world) {
		w.nobodyApproves()
		w.comesAfter(3600, "staging")
		w.succeedsIn("staging", "1.4.0")
		w.requested()
		w.passes("half an hour passes", 30*time.Minute)
		w.unhealthyIn("staging", `Deployment "shop": 1 of 2 pods are ready`)
		w.passes("ten minutes pass", 10*time.Minute)
		w.healthyIn("staging")
		w.waits("the rest of the hour has passed")
	},
	"approval-when": func(w *world) {
		w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{
			{Name: "owners", Required: ptr.To[int32](1), Groups: []string{"shop-owners"}},
			{Name: "security", Required: ptr.To[int32](1), Groups: []string{"security"}, When: "plan.changes.exists(c, c.kind == 'NetworkPolicy')"},
			{Name: "data", Required: ptr.To[int32](1), Groups: []string{"data"}, When: "plan.changes.exists(c, c.kind == 'StatefulSet')"},
		}
		w.changes = []v1alpha1.Change{{ObjectReference: v1alpha1.ObjectReference{Kind: "NetworkPolicy", Name: "shop"}, Action: v1alpha1.ChangeUpdate}}
		w.requested()
		w.approves("alice", "shop-owners")
		w.approves("erin", "security")
	},
	"approval-when-no-rule-applies": func(w *world) {
		w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{
			{Name: "security", Required: ptr.To[int32](2), Groups: []string{"security"}, When: "plan.changes.exists(c, c.kind == 'NetworkPolicy')"},
		}
		w.requested()
		w.approves("alice")
	},
	"approval-when-unknown": func(w *world) {
		w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{
			{Name: "owners", Required: ptr.To[int32](1), Groups: []string{"shop-owners"}},
			{Name: "security", Required: ptr.To[int32](1), Groups: []string{"security"}, When: "plan.chages.size() > 0"},
		}
		w.requested()
		w.approves("alice", "shop-owners")
		w.happens("the rule is mended", func() { w.environment.Spec.Approval.Rules[1].When = "plan.changes.size() > 100" })
		w.approves("alice", "shop-owners")
	},
	"approval-comment": func(w *world) {
		w.environment.Spec.Approval.Comment = v1alpha1.CommentAlways
		w.requested()
		w.approves("alice")
		w.says("alice", v1alpha1.DecisionApproved, "tested it on my own tenant")
	},
	"rejection-unexplained-then-explained": func(w *world) {
		w.requested()
		w.says("dave", v1alpha1.DecisionRejected, "")
		w.approves("alice")
		w.says("dave", v1alpha1.DecisionRejected, "the port is open to the world")
	},
	"rejection-unexplained-then-withdrawn": func(w *world) {
		w.requested()
		w.says("dave", v1alpha1.DecisionRejected, "")
		w.approves("alice")
		w.withdraws("dave")
	},
	"rejection-unexplained-and-the-right-lost": func(w *world) {
		w.requested()
		w.says("dave", v1alpha1.DecisionRejected, "")
		w.approves("alice")
		w.loses("dave")
	},
	"window-allow": func(w *world) {
		w.nobodyApproves()
		w.environment.Spec.Windows.Allow = []v1alpha1.Window{{Schedule: "0 14 * * 1-4", DurationSeconds: 7200, TimeZone: "Europe/Zurich"}}
		w.requested()
		w.waits("the window opens")
	},
	"window-freeze": func(w *world) {
		w.nobodyApproves()
		w.frozen(-time.Hour, 50*time.Hour, "quarter end")
		w.environment.Spec.Windows.Allow = []v1alpha1.Window{{Schedule: "0 9 * * *", DurationSeconds: 28800, TimeZone: "Europe/Zurich"}}
		w.requested()
		w.waits("the freeze is over, and the next window opens")
	},
	"window-never-opens": func(w *world) {
		w.nobodyApproves()
		w.environment.Spec.Windows.Allow = []v1alpha1.Window{{StartTime: metav1.NewTime(monday.Add(-2 * time.Hour)), EndTime: metav1.NewTime(monday.Add(-time.Hour))}}
		w.requested()
	},
	"window-not-understood": func(w *world) {
		w.nobodyApproves()
		w.environment.Spec.Windows.Allow = []v1alpha1.Window{{Schedule: "0 9 * * 1-4", DurationSeconds: 28800, TimeZone: "Europe/Zuerich"}}
		w.requested()
	},
	"hold-of-the-environment": func(w *world) {
		w.nobodyApproves()
		w.environment.Spec.Hold.Reason = "incident 4711"
		w.requested()
		w.resumed()
	},
	"hold-by-annotation": func(w *world) {
		w.requested()
		w.happens(`somebody annotates environment "production" with a hold`, func() {
			w.environment.Annotations = map[string]string{v1alpha1.AnnotationHold: "incident 4711"}
		})
		w.approves("alice")
		w.resumed()
	},
	"hold-of-the-project": func(w *world) {
		w.nobodyApproves()
		w.projectHold = "the data centre moves"
		w.environment.Spec.Hold.Reason = "incident 4711"
		w.requested()
		w.resumed()
	},
	"schedule": func(w *world) {
		w.promotion.Spec.NotBeforeTime = metav1.NewTime(monday.Add(3 * time.Hour))
		w.requested()
		w.approves("alice")
		w.waits("the time has come")
	},
	"check-passed": func(w *world) {
		w.nobodyApproves()
		w.check("change-ticket", 600)
		w.requested()
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
	},
	"check-failed": func(w *world) {
		w.nobodyApproves()
		w.check("change-ticket", 600)
		w.check("load", 600)
		w.requested()
		w.answers("change-ticket", v1alpha1.CheckFailed, "`when` does not hold: the ticket is open")
		w.answers("load", v1alpha1.CheckPassed, "the load is low")
		w.waits("the answer is stale")
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
		w.answers("load", v1alpha1.CheckPassed, "the load is low")
	},
	"check-stale-while-another-has-failed": func(w *world) {
		w.nobodyApproves()
		w.check("change-ticket", 60)
		w.check("load", 600)
		w.requested()
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
		w.answers("load", v1alpha1.CheckFailed, "the load is high")
		w.nothing()
		w.waits("the answer about the load is stale")
		w.answers("load", v1alpha1.CheckPassed, "the load is low")
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
	},
	"check-rerun": func(w *world) {
		w.nobodyApproves()
		w.check("change-ticket", 600)
		w.requested()
		w.answers("change-ticket", v1alpha1.CheckFailed, "`when` does not hold: the ticket is open")
		w.rerun("bob", "now")
		w.rerun("bob", "and once more, while it runs")
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
	},
	"check-garbage": func(w *world) {
		w.nobodyApproves()
		w.check("change-ticket", 600)
		w.requested()
		w.answers("change-ticket", v1alpha1.CheckFailed, "`when` cannot be evaluated: no such key: state; the server answered 200 with 12 bytes of text/html")
	},
	"check-and-the-plan-changes": func(w *world) {
		w.check("change-ticket", 600)
		w.requested()
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
		w.happens("somebody changes where production is", func() { w.environment.Spec.Target.Namespace = "shop-prod-2" })
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
		w.approves("alice")
	},
	"check-runs-while-the-plan-changes": func(w *world) {
		w.nobodyApproves()
		w.check("change-ticket", 600)
		w.requested()
		w.happens("somebody changes where production is", func() { w.environment.Spec.Target.Namespace = "shop-prod-2" })
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
	},
	"process-dies-while-a-check-runs": func(w *world) {
		w.nobodyApproves()
		w.check("change-ticket", 600)
		w.requested()
		w.dies()
		w.newProcess()
		w.answers("change-ticket", v1alpha1.CheckPassed, "the ticket is approved")
	},
	"request-expires": func(w *world) {
		w.environment.Spec.Approval.RequestTTLSeconds = 86400
		w.requested()
		w.waits("a day has passed since the request")
		w.approves("alice")
	},
	"approval-expires": func(w *world) {
		w.environment.Spec.Approval.RequestTTLSeconds = 3600
		w.environment.Spec.Approval.ValidSeconds = 86400
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.approves("alice")
		w.waits("a day has passed since the approval")
		w.otherEnds("shop-1.3.9-production")
	},
	"approval-does-not-expire-twice": func(w *world) {
		w.environment.Spec.Approval.RequestTTLSeconds = 7200
		w.environment.Spec.Approval.ValidSeconds = 3600
		w.otherStarts("shop-1.3.9-production")
		w.requested()
		w.approves("alice")
		w.passes("half an hour passes", 30*time.Minute)
		w.withdraws("alice")
		w.approves("carol")
		w.passes("half an hour passes", 30*time.Minute)
		w.otherEnds("shop-1.3.9-production")
	},
	"override": func(w *world) {
		w.held("incident 4711")
		w.requested()
		w.approves("alice")
		w.overrides("oscar", "this release mends incident 4711", "Hold")
		w.healthy(3)
		w.acknowledges("alice")
		w.nothing()
	},
	"override-acknowledged-during-the-rollout": func(w *world) {
		w.held("incident 4711")
		w.requested()
		w.approves("alice")
		w.overrides("oscar", "this release mends incident 4711", "Hold")
		w.acknowledges("alice")
		w.healthy(3)
	},
	"override-acknowledged-by-its-user": func(w *world) {
		w.nobodyApproves()
		w.held("incident 4711")
		w.requested()
		w.overrides("oscar", "this release mends incident 4711", "Hold")
		w.healthy(3)
		w.acknowledges("oscar")
	},
	"override-by-somebody-who-lost-the-right": func(w *world) {
		w.held("incident 4711")
		w.requested()
		w.approves("alice")
		w.powerless["oscar"] = true
		w.overrides("oscar", "this release mends incident 4711", "Hold")
		w.happens("oscar holds the verb again", func() { delete(w.powerless, "oscar") })
	},
	"override-of-another-plan": func(w *world) {
		w.frozen(-time.Hour, 50*time.Hour, "quarter end")
		w.requested()
		w.overrides("oscar", "customers cannot pay", "Approval")
		w.happens("somebody changes where production is", func() { w.environment.Spec.Target.Namespace = "shop-prod-2" })
		w.overrides("oscar", "customers cannot pay", "Approval", "Window")
	},
	"override-not-needed": func(w *world) {
		w.requested()
		w.happens("oscar overrides Window and Hold, which are open", func() {
			w.promotion.Spec.Override = v1alpha1.PromotionOverride{Gates: []v1alpha1.OverridableGate{"Window", "Hold"}, Reason: "just in case", UsedBy: v1alpha1.Person{Username: "oscar"}}
		})
		w.approves("alice")
		w.healthy(3)
		w.acknowledges("alice")
	},
	"override-with-sixteen-unacknowledged": func(w *world) {
		w.nobodyApproves()
		for i := range 16 {
			w.environment.Status.Overrides = append(w.environment.Status.Overrides, v1alpha1.UsedOverride{Promotion: fmt.Sprintf("p%d", i), User: "oscar"})
		}
		w.held("incident 4711")
		w.requested()
		w.overrides("oscar", "this release mends incident 4711", "Hold")
		w.happens("somebody acknowledges one of them", func() { w.environment.Status.Overrides = w.environment.Status.Overrides[1:] })
	},
	"rollback-with-approval": func(w *world) {
		w.promotion.Spec.Type = v1alpha1.PromotionTypeRollback
		w.ranBefore(w.release)
		w.ranBefore(newRelease("1.5.0"))
		w.comesAfter(3600, "staging")
		w.requested()
		w.approves("alice")
		w.healthy(3)
	},
	"rollback-without-approval": func(w *world) {
		w.promotion.Spec.Type = v1alpha1.PromotionTypeRollback
		w.environment.Spec.Rollback.Approval = v1alpha1.RollbackApprovalNotRequired
		w.ranBefore(w.release)
		w.ranBefore(newRelease("1.5.0"))
		w.requested()
	},
	"rollback-without-approval-and-with-other-values": func(w *world) {
		w.promotion.Spec.Type = v1alpha1.PromotionTypeRollback
		w.environment.Spec.Rollback.Approval = v1alpha1.RollbackApprovalNotRequired
		w.ranBefore(w.release)
		w.environment.Status.Releases[0].ValuesDigest = digestOf("the values then")
		w.values = digestOf("the values now")
		w.requested()
		w.happens("the ConfigMap is as it was", func() { w.values = digestOf("the values then") })
	},
	"rollback-on-hold-and-blocked": func(w *world) {
		w.promotion.Spec.Type = v1alpha1.PromotionTypeRollback
		w.environment.Spec.Rollback.Approval = v1alpha1.RollbackApprovalNotRequired
		w.release.Spec.Blocked.Reason = "loses orders"
		w.ranBefore(w.release)
		w.held("incident 4711")
		w.requested()
	},
}
