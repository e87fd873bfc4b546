// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// at is when the write of a state came in.
func (s *state[T]) at() time.Time {
	if s.by == nil {
		return time.Time{}
	}
	return s.by.Received
}

// judgeAuthors looks at every write of a Promotion: who has written decisions, and whether they were still open.
func (s *story) judgeAuthors(verdict *verdict) {
	for _, uid := range sorted(s.promotions) {
		states := s.promotions[uid].states
		for i := range states {
			var before v1alpha1.Promotion
			if i > 0 {
				before = states[i-1].object
			}
			s.judgeDecisions(verdict, &before, &states[i])
		}
		if first := states[0]; first.by != nil && first.by.Verb == "create" && first.object.Spec.RequestedBy.Username != first.by.Actor().Username {
			verdict.add(RuleAuthor, "promotion %q was asked for by %q, and says that it was %q", first.object.Name, first.by.Actor().Username, first.object.Spec.RequestedBy.Username)
		}
	}
}

// judgeDecisions judges what one write has changed in the decisions.
func (s *story) judgeDecisions(verdict *verdict, before *v1alpha1.Promotion, now *state[v1alpha1.Promotion]) {
	p := &now.object
	touched := map[string]v1alpha1.Approval{}
	for _, entry := range changed(before.Spec.Approvals, p.Spec.Approvals) {
		touched[entry.User] = entry
	}
	overrides := !equality.Semantic.DeepEqual(before.Spec.Override, p.Spec.Override)
	if len(touched) == 0 && !overrides {
		return
	}
	if !before.Status.StartTime.IsZero() || !before.Status.CompletionTime.IsZero() {
		verdict.add(RuleClosed, "the decisions of promotion %q were changed after they had been closed, by %s", p.Name, whose(now.by))
	}
	if unlogged(before, now) {
		if !s.Scene.Lossy {
			verdict.add(RuleAuthor, "who has written the decisions of promotion %q is not in the log; they are there in what %s has stored", p.Name, whose(now.by))
		}
		return
	}
	who := now.by.Actor()
	for _, user := range sorted(touched) {
		if user != who.Username {
			verdict.add(RuleAuthor, "the decision of %q on promotion %q was written by %s", user, p.Name, now.by)
		}
	}
	s.judgeStamps(verdict, now, touched, overrides)
}

// judgeStamps compares whom what was written names with who has written it.
func (s *story) judgeStamps(verdict *verdict, now *state[v1alpha1.Promotion], touched map[string]v1alpha1.Approval, overrides bool) {
	p, who := &now.object, now.by.Actor()
	for _, entry := range p.Spec.Approvals {
		if _, new := touched[entry.User]; new && (entry.UID != who.UID || !sameSet(entry.Groups, who.Groups)) {
			verdict.add(RuleAuthor, "the decision of %q on promotion %q names UID %q and groups %v, and the API server knows %q and %v",
				entry.User, p.Name, entry.UID, entry.Groups, who.UID, who.Groups)
		}
	}
	if used := p.Spec.Override; overrides && len(used.Gates) > 0 && used.UsedBy.Username != who.Username {
		verdict.add(RuleAuthor, "the override of promotion %q names %q, and was written by %s", p.Name, used.UsedBy.Username, now.by)
	}
}

// unlogged says whether what was written is not what the request has written: a write before it is not in the log. A write of the status changes no
// decision, and each other one counts the generation up by one.
func unlogged(before *v1alpha1.Promotion, now *state[v1alpha1.Promotion]) bool {
	return now.by == nil || now.by.ObjectRef.Subresource != "" || now.object.Generation != before.Generation+1
}

// changed are the entries that were added, changed or taken away.
func changed(before, now []v1alpha1.Approval) []v1alpha1.Approval {
	var found []v1alpha1.Approval
	for _, entry := range now {
		if !slices.ContainsFunc(before, func(b v1alpha1.Approval) bool { return equality.Semantic.DeepEqual(b, entry) }) {
			found = append(found, entry)
		}
	}
	for _, entry := range before {
		if !slices.ContainsFunc(now, func(n v1alpha1.Approval) bool { return n.User == entry.User }) {
			found = append(found, entry)
		}
	}
	return found
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

func whose(by *cluster.Request) string {
	if by == nil {
		return "a write that is not in the log"
	}
	return by.String()
}

// judgeEnds looks at every Promotion from its end on: it never moves again, and it has one Intent and one outcome at most.
func (s *story) judgeEnds(verdict *verdict) {
	for _, uid := range sorted(s.promotions) {
		var ended *state[v1alpha1.Promotion]
		states := s.promotions[uid].states
		for i := range states {
			now := &states[i]
			if ended == nil {
				if terminal(&now.object) {
					ended = now
				}
				continue
			}
			if !equality.Semantic.DeepEqual(asEnded(ended.object.Status), asEnded(now.object.Status)) {
				verdict.add(RuleEnd, "promotion %q had ended as %s, and then %s has changed its status, to %s", now.object.Name, ending(&ended.object), whose(now.by), ending(&now.object))
			}
		}
		s.judgeOnce(verdict, uid, ended)
	}
}

// judgeOnce counts the records of a promotion.
func (s *story) judgeOnce(verdict *verdict, uid string, ended *state[v1alpha1.Promotion]) {
	kinds := map[string][]*record{}
	for _, each := range s.recordsOf(uid) {
		switch {
		case each.Spec.Type == v1alpha1.AuditIntent, each.Spec.Type == v1alpha1.AuditOverridden, each.Spec.Type == v1alpha1.AuditAcknowledged:
			kinds[string(each.Spec.Type)] = append(kinds[string(each.Spec.Type)], each)
		case each.Spec.Type != v1alpha1.AuditCorrected:
			kinds["end"] = append(kinds["end"], each)
		}
		late := each.Spec.Type != v1alpha1.AuditCorrected && each.Spec.Type != v1alpha1.AuditAcknowledged
		if ended != nil && late && each.version > ended.version {
			verdict.add(RuleOnce, "%s was written after the promotion had ended as %s", each, ending(&ended.object))
		}
	}
	for _, kind := range sorted(kinds) {
		if many := kinds[kind]; len(many) > 1 {
			verdict.add(RuleOnce, "promotion %q is told of twice: %s and %s", many[0].Spec.Promotion.Name, many[0], many[1])
		}
	}
}

func terminal(p *v1alpha1.Promotion) bool {
	succeeded := conditionOf(p, v1alpha1.ConditionSucceeded)
	return !p.Status.CompletionTime.IsZero() || succeeded != nil && succeeded.Status != metav1.ConditionUnknown
}

// ending is the state that a Promotion shows.
func ending(p *v1alpha1.Promotion) string {
	if succeeded := conditionOf(p, v1alpha1.ConditionSucceeded); succeeded != nil {
		return fmt.Sprintf("%s (%s)", succeeded.Reason, succeeded.Status)
	}
	return "nothing"
}

func conditionOf(p *v1alpha1.Promotion, kind string) *metav1.Condition {
	i := slices.IndexFunc(p.Status.Conditions, func(c metav1.Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &p.Status.Conditions[i]
}

// asEnded is what must not change: all but that somebody has acknowledged an override.
func asEnded(status v1alpha1.PromotionStatus) v1alpha1.PromotionStatus {
	status.ObservedGeneration = 0
	status.Conditions = slices.DeleteFunc(slices.Clone(status.Conditions), func(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionOverridden })
	return status
}
