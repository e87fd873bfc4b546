// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/audit"
)

// carryOut a decision in the simplest way. It returns false if the process has died.
func (w *world) carryOut(seen Observation, next Decision) bool {
	status := func() bool { return w.act("status", func() { w.setStatus(Status(seen, next)) }) }
	switch next := next.(type) {
	case Wait:
		w.run(seen, next.Run)
	case Verify:
		w.run(seen, next.Run)
	case Start:
		return w.start(seen, next)
	case Apply:
		w.wave++
		w.objects.applied = w.objects.total * int32(w.wave) / int32(w.waves)
	case Prune:
		w.objects.prunes = false
	case Finish:
		return w.record(next.Type, next.Message, approval.Result{}) && status()
	case End:
		return w.record(next.Type, next.Message, next.Approvals) && status()
	case Acknowledge:
		return w.acknowledge() && status()
	case Rest, MakePlan, Prove, Watch, RollBack, Conclude:
	}
	return status()
}

// run checks, which end when the story says so.
func (w *world) run(seen Observation, names []string) {
	for _, name := range names {
		w.checks[name] = CheckProgress{Running: true, Plan: currentPlan(seen).Digest, Rerun: Rerun(w.promotion)}
	}
}

// start closes the decisions first, so that what was decided on is what is recorded; then everybody is told of the use of an override, then of
// the intent. Whoever takes over does again what is undone.
func (w *world) start(seen Observation, next Start) bool {
	if w.promotion.Status.StartTime.IsZero() && !w.act("status", func() { w.setStatus(Status(seen, next)) }) {
		return false
	}
	if gates := w.promotion.Status.Overridden; len(gates) > 0 {
		override := w.promotion.Spec.Override
		if !w.has(v1alpha1.AuditOverridden) && !w.act("override", func() {
			entry := w.entry(v1alpha1.AuditOverridden, override.Reason, next.Approvals)
			entry.Gates, entry.By = gates, override.UsedBy
			w.append(entry)
		}) {
			return false
		}
		if !w.act("mark", func() {
			w.unmark()
			w.environment.Status.Overrides = append(w.environment.Status.Overrides, v1alpha1.UsedOverride{
				Promotion: w.promotion.Name, User: override.UsedBy.Username, Gates: gates, Reason: override.Reason, Time: w.promotion.Status.StartTime,
			})
		}) {
			return false
		}
	}
	return w.record(v1alpha1.AuditIntent, "", next.Approvals)
}

// acknowledge puts it on record, and takes the mark away.
func (w *world) acknowledge() bool {
	if !w.has(v1alpha1.AuditAcknowledged) && !w.act("record", func() {
		entry := w.entry(v1alpha1.AuditAcknowledged, "", approval.Result{})
		entry.By.Username = w.promotion.Spec.Acknowledgement.Username
		w.append(entry)
	}) {
		return false
	}
	return w.act("mark", w.unmark)
}

func (w *world) unmark() {
	w.environment.Status.Overrides = slices.DeleteFunc(w.environment.Status.Overrides, func(m v1alpha1.UsedOverride) bool { return m.Promotion == w.promotion.Name })
}

// marks of overrides in the Environment that nobody has acknowledged.
func (w *world) marks() []string {
	var marks []string
	if w.environment != nil {
		for _, used := range w.environment.Status.Overrides {
			marks = append(marks, fmt.Sprintf("%s by %s", used.Promotion, used.User))
		}
	}
	return marks
}

// act does one write, unless the process dies before it.
func (w *world) act(what string, write func()) bool {
	if w.diesBefore == what {
		return false
	}
	write()
	return true
}

// setStatus keeps the status as the API server would.
func (w *world) setStatus(status v1alpha1.PromotionStatus) {
	checkBounds(w.t, status)
	w.promotion.Status = asStored(w.t, status)
}

// asStored is a status as the API server gives it back: times have whole seconds, what is empty is not there.
func asStored(t *testing.T, status v1alpha1.PromotionStatus) v1alpha1.PromotionStatus {
	raw, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var stored v1alpha1.PromotionStatus
	if err := json.Unmarshal(raw, &stored); err != nil {
		t.Fatal(err)
	}
	return stored
}

// has says whether a record of that type is there for the promotion.
func (w *world) has(kind v1alpha1.AuditType) bool {
	return slices.ContainsFunc(w.records, func(r v1alpha1.AuditRecord) bool {
		return r.Spec.Promotion.Name == w.promotion.Name && r.Spec.Type == kind
	})
}

// record what happens to the promotion, and tell the Environment of what runs there.
func (w *world) record(kind v1alpha1.AuditType, reason string, approvals approval.Result) bool {
	return kind == "" || w.act("record", func() {
		w.append(w.entry(kind, reason, approvals))
		if kind == v1alpha1.AuditSucceeded {
			runsIn(w.environment, w.release, w.now)
		}
	})
}

// entry of the history about the promotion.
func (w *world) entry(kind v1alpha1.AuditType, reason string, approvals approval.Result) v1alpha1.AuditRecordSpec {
	p := w.promotion
	entry := v1alpha1.AuditRecordSpec{
		Environment: "production", Type: kind, Time: metav1.NewTime(w.now), Reason: reason, RequestedBy: p.Spec.RequestedBy,
		Promotion: v1alpha1.ObjectIdentity{Name: p.Name, UID: string(p.UID)}, PlanDigest: p.Status.Plan.Digest,
	}
	if w.release != nil {
		entry.Release = v1alpha1.AuditedRelease{ObjectIdentity: identity(w.release), Version: w.release.Spec.Version, Digest: w.release.Status.Digest}
	}
	if kind == v1alpha1.AuditIntent {
		entry.Fallback = p.Status.Plan.Fallback
	}
	for _, counted := range approvals.Status.Counted {
		i := slices.IndexFunc(p.Spec.Approvals, func(a v1alpha1.Approval) bool { return a.User == counted.User })
		decided := p.Spec.Approvals[i]
		entry.Decisions = append(entry.Decisions, v1alpha1.AuditedDecision{
			User: decided.User, Groups: decided.Groups, Decision: decided.Decision, Comment: decided.Comment, Time: counted.Time,
		})
	}
	return entry
}

// append to the Environment's history.
func (w *world) append(entry v1alpha1.AuditRecordSpec) {
	record, err := audit.Seal("shop", w.history.Head, entry)
	if err != nil {
		w.t.Fatal(err)
	}
	w.records = append(w.records, *record)
	w.history = w.history.Follow(record)
	if w.environment != nil {
		w.environment.Status.Audit = w.history.Head
	}
}

// appendOther appends what happens to another promotion.
func (w *world) appendOther(promotion string, kind v1alpha1.AuditType) {
	release := strings.TrimSuffix(promotion, "-production")
	w.append(v1alpha1.AuditRecordSpec{
		Environment: "production", Type: kind, Time: metav1.NewTime(w.now),
		Promotion: v1alpha1.ObjectIdentity{Name: promotion, UID: promotion + "-uid"},
		Release:   v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: release, UID: release + "-uid"}, Version: strings.TrimPrefix(release, "shop-")},
	})
}
