// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/report"
)

// way of a Promotion to its Environment: where it stands.
type way struct {
	mark
	Link        template.HTMLAttr
	Version, By string
	Rollback    bool
	// At is since when: it was asked for, has started or has ended.
	At template.HTML
	// Then is what it waits for as well.
	Then *mark
	// More is how many others wait for the same Environment.
	More int

	kind Kind
}

// state is how a state of a Promotion looks and reads. The order is that of how near it is to its start.
type state struct {
	kind             Kind
	icon, tone, text string
	order            int
}

// states by the reason of the condition Succeeded. Those with an order have not ended.
var states = map[string]state{
	"":                              {KindBlocked, "clock", "quiet", "not looked at yet", 1},
	v1alpha1.ReasonPlanning:         {KindBlocked, "clock", "quiet", "planning", 2},
	v1alpha1.ReasonAwaitingApproval: {KindWaiting, "waiting", "wait", "waits for approval", 3},
	v1alpha1.ReasonBlocked:          {KindBlocked, "blocked", "stop", "blocked", 4},
	v1alpha1.ReasonQueued:           {KindBlocked, "queued", "run", "queued", 5},
	v1alpha1.ReasonRollingOut:       {KindMoving, "running", "run", "rolling out", 6},
	v1alpha1.ReasonVerifying:        {KindMoving, "verifying", "run", "verifying", 6},
	v1alpha1.ReasonRollingBack:      {KindMoving, "rollback", "bad", "rolling back", 6},
	v1alpha1.ReasonSucceeded:        {KindHealthy, "ok", "good", "succeeded", 0},
	v1alpha1.ReasonRejected:         {KindEnded, "rejected", "stop", "rejected", 0},
	v1alpha1.ReasonExpired:          {KindEnded, "expired", "quiet", "expired", 0},
	v1alpha1.ReasonSuperseded:       {KindEnded, "superseded", "quiet", "superseded", 0},
	v1alpha1.ReasonCancelled:        {KindEnded, "ended", "quiet", "cancelled", 0},
	v1alpha1.ReasonInvalid:          {KindTrouble, "invalid", "bad", "invalid", 0},
	v1alpha1.ReasonRolledBack:       {KindTrouble, "rollback", "bad", "failed, rolled back", 0},
	v1alpha1.ReasonFailed:           {KindTrouble, "failed", "bad", "failed", 0},
}

// newWay of a Promotion.
func newWay(c Context, promotion *v1alpha1.Promotion, k known) *way {
	reason, _ := report.State(promotion)
	is, known := states[reason]
	if !known { // of an operator that is newer than this
		is = state{KindBlocked, "clock", "quiet", reason, 0}
	}
	made := &way{
		mark: newMark(is.icon, is.tone, is.text), kind: is.kind,
		Link: to(c.Promotion(promotion.Namespace, promotion.Name)), Version: k.releases.version(promotion.Spec.Release),
		By: promotion.Spec.RequestedBy.Username, Rollback: promotion.Spec.Type == v1alpha1.PromotionTypeRollback, At: aged(since(promotion)),
	}
	switch reason {
	case v1alpha1.ReasonAwaitingApproval:
		made.Text = cmp.Or(approvals(promotion.Status.Approvals), is.text)
		if next := others(promotion); next != nil {
			told := blocked(k.before, *next)
			made.Then = &told
		}
	case v1alpha1.ReasonBlocked:
		if next := others(promotion); next != nil {
			made.mark = blocked(k.before, *next)
		}
	case v1alpha1.ReasonRollingOut, v1alpha1.ReasonRollingBack:
		made.Text += progress(promotion.Status.Progress)
		if len(promotion.Status.Progress.Failing) > 0 {
			made.Tone = "bad"
		}
	}
	return made
}

func since(promotion *v1alpha1.Promotion) time.Time {
	for _, at := range []time.Time{promotion.Status.CompletionTime.Time, promotion.Status.StartTime.Time} {
		if !at.IsZero() {
			return at
		}
	}
	return promotion.CreationTimestamp.Time
}

// approvals is how far they are, and whose are missing: "1 of 2, needs security".
func approvals(status v1alpha1.ApprovalStatus) string {
	if status.Required == nil {
		return status.Summary
	}
	text := fmt.Sprintf("%d of %d approvals", ptr.Deref(status.Granted, 0), *status.Required)
	if *status.Required == 1 {
		text = fmt.Sprintf("%d of 1 approval", ptr.Deref(status.Granted, 0))
	}
	var missing []string
	for _, rule := range status.Rules {
		if int(ptr.Deref(rule.Required, 0)) > len(rule.ApprovedBy) && rule.Name != approval.DefaultRule {
			missing = append(missing, rule.Name)
		}
	}
	if len(missing) == 0 {
		return text
	}
	return text + ", needs " + strings.Join(missing, " and ")
}

// others is the first closed gate beside Approval; nil if there is none.
func others(promotion *v1alpha1.Promotion) *v1alpha1.Blocker {
	for i := range promotion.Status.Blockers {
		if promotion.Status.Blockers[i].Gate != v1alpha1.GateApproval {
			return &promotion.Status.Blockers[i]
		}
	}
	return nil
}

// blocked says which gate is closed, in a few words. The page of the Promotion has the whole message.
func blocked(before []*v1alpha1.Environment, by v1alpha1.Blocker) mark {
	var told mark
	switch by.Gate {
	case v1alpha1.GateWindow:
		told = newMark("window", "stop", "outside its window")
		if strings.HasPrefix(by.Message, "a freeze ") {
			told.Text = "freeze"
		}
	case v1alpha1.GateHold:
		told = newMark("hold", "stop", "held")
	case v1alpha1.GateUpstream:
		told = newMark("forward", "stop", "not proven"+in(before))
	case v1alpha1.GateSoak:
		told = newMark("clock", "stop", "soaking"+in(before))
	case v1alpha1.GateSchedule:
		told = newMark("clock", "stop", "scheduled")
	case v1alpha1.GateCheck:
		told = newMark("verifying", "stop", "a check has not passed")
	case v1alpha1.GateRelease:
		told = newMark("lock", "stop", "the release is not ready")
	case v1alpha1.GateTarget:
		told = newMark("blocked", "stop", "the target is not ready")
	case v1alpha1.GateGuard:
		told = newMark("blocked", "bad", "the guard is not in place")
	case v1alpha1.GateQueue:
		told = newMark("queued", "run", "another rollout runs")
	case v1alpha1.GateApproval:
		told = newMark("waiting", "wait", "approval")
	default: // a gate of a newer operator
		told = newMark("blocked", "stop", string(by.Gate))
	}
	told.Until = atMoment(by.UntilTime.Time)
	return told
}

// in the stages of Environments.
func in(environments []*v1alpha1.Environment) string {
	var stages []string
	for _, environment := range environments {
		if stage := report.StageOf(environment); !slices.Contains(stages, stage) {
			stages = append(stages, stage)
		}
	}
	if len(stages) == 0 {
		return ""
	}
	return " in " + strings.Join(stages, " and ")
}

// progress of a rollout, such as ", 2 of 4 healthy".
func progress(of v1alpha1.RolloutProgress) string {
	if of.Total == nil {
		return ""
	}
	text := fmt.Sprintf(", %d of %d healthy", ptr.Deref(of.Healthy, 0), *of.Total)
	if len(of.Failing) > 0 {
		text += ", " + of.Failing[0].Name + " fails"
	}
	return text
}
