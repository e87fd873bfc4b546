// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// What people and other things do to a world, in the words of the transcripts.

func (w *world) requested() {
	w.happens(`bob asks for release "shop-1.4.0" in environment "production"`, nil)
}

func (w *world) approves(user string, groups ...string) {
	plan := w.promotion.Status.Plan.Digest
	w.happens(fmt.Sprintf("%s approves plan %s", user, approval.Short(plan)), func() {
		w.decide(v1alpha1.Approval{User: user, Decision: v1alpha1.DecisionApproved, PlanDigest: plan, Groups: groups})
	})
}

func (w *world) rejects(user, comment string) {
	plan := w.promotion.Status.Plan.Digest
	w.happens(fmt.Sprintf("%s rejects plan %s", user, approval.Short(plan)), func() {
		w.decide(v1alpha1.Approval{User: user, Decision: v1alpha1.DecisionRejected, PlanDigest: plan, Comment: comment})
	})
}

// says decides with a comment, or with none.
func (w *world) says(user string, decision v1alpha1.Decision, comment string) {
	what := fmt.Sprintf("%s decides %s and says %q", user, decision, comment)
	if comment == "" {
		what = fmt.Sprintf("%s decides %s and says nothing", user, decision)
	}
	w.happens(what, func() {
		w.decide(v1alpha1.Approval{User: user, Decision: decision, PlanDigest: w.promotion.Status.Plan.Digest, Comment: comment})
	})
}

// decide writes a person's entry, as the guard lets them.
func (w *world) decide(entry v1alpha1.Approval) {
	w.forget(entry.User)
	w.promotion.Spec.Approvals = append(w.promotion.Spec.Approvals, entry)
}

func (w *world) forget(user string) {
	w.promotion.Generation++
	w.promotion.Spec.Approvals = slices.DeleteFunc(w.promotion.Spec.Approvals, func(a v1alpha1.Approval) bool { return a.User == user })
}

func (w *world) withdraws(user string) {
	w.happens(user+" withdraws", func() { w.forget(user) })
}

func (w *world) cancelled(user, reason string) {
	w.happens(user+" cancels", func() {
		w.promotion.Generation++
		w.promotion.Spec.Cancel.Reason = reason
	})
}

func (w *world) deleted(user string) {
	w.happens(user+" deletes the promotion", func() { w.promotion.DeletionTimestamp = ptr.To(metav1.NewTime(w.now)) })
}

func (w *world) loses(user string) {
	w.happens(user+" loses the right to approve", func() { w.lost[user] = true })
}

func (w *world) regains(user string) {
	w.happens(user+" has the right to approve again", func() { delete(w.lost, user) })
}

func (w *world) guardIsTakenAway() {
	w.happens("the guard is taken away", func() {
		w.guard = Guard{Problems: []string{`ValidatingAdmissionPolicy "assent-approvals" does not exist`}}
	})
}

func (w *world) guardIsBack() {
	w.happens("the guard is put back", func() { w.guard = Guard{Digest: digestOf("another guard")} })
}

func (w *world) otherStarts(promotion string) {
	w.happens(fmt.Sprintf("promotion %q starts in the same environment", promotion), func() { w.appendOther(promotion, v1alpha1.AuditIntent) })
}

func (w *world) otherEnds(promotion string) {
	w.happens(fmt.Sprintf("promotion %q has succeeded", promotion), func() { w.appendOther(promotion, v1alpha1.AuditSucceeded) })
}

func (w *world) releaseIs(ready metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&w.release.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: ready, Reason: reason, Message: message})
}

func (w *world) healthy(objects int32) {
	w.happens(fmt.Sprintf("%d of %d objects are healthy", objects, w.objects.total), func() { w.objects.healthy, w.objects.failing = objects, nil })
}

func (w *world) failing(what, message string, hopeless bool) {
	w.happens(what, func() {
		w.objects.hopeless = hopeless
		w.objects.failing = []v1alpha1.FailingObject{{
			ObjectReference: v1alpha1.ObjectReference{Group: "apps", Kind: "Deployment", Namespace: "shop-prod", Name: "shop"}, Message: message,
		}}
	})
}

func (w *world) passes(what string, duration time.Duration) {
	w.happens(what, func() { w.now = w.now.Add(duration) })
}

// dying lets the process die before its next write of that kind, while something happens.
func (w *world) dying(before string, happens func()) {
	w.diesBefore = before
	happens()
	if w.diesBefore != "" {
		w.t.Fatalf("the process did not die: there was no write of a %s", before)
	}
}

func (w *world) newProcess() { w.happens("a new process starts", nil) }

func (w *world) nothing() { w.happens("nothing", nil) }
