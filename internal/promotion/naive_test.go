// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/window"
)

// naive says which gates are closed, by the plainest reading of the rules, written down a second time. It asks none of the gates.
type naive struct {
	Observation
	// plan that is current.
	plan v1alpha1.Plan
}

// closed are the gates that are closed and that nothing opens, and those that are closed and that the override opens.
func (n naive) closed() (blocking, overridden []v1alpha1.Gate) {
	hard := map[v1alpha1.Gate]bool{
		v1alpha1.GateGuard:   len(n.Guard.Problems) > 0,
		v1alpha1.GateQueue:   n.Running != "",
		v1alpha1.GateTarget:  n.Environment == nil,
		v1alpha1.GateRelease: !n.fetched(),
	}
	if n.Planned != nil && (n.Planned.Unable != "" || n.Planned.Plan.Digest == "") {
		hard[cmp.Or(n.Planned.Gate, v1alpha1.GateTarget)] = true
	}
	soft := map[v1alpha1.Gate]bool{
		v1alpha1.GateRelease:  n.Release != nil && n.Release.Spec.Blocked.Reason != "",
		v1alpha1.GateHold:     n.held(),
		v1alpha1.GateUpstream: n.asksUpstream() && !n.succeededUpstream(),
		v1alpha1.GateSoak:     n.asksUpstream() && !n.soaked(),
		v1alpha1.GateApproval: n.plan.Digest != "" && !n.approved().Met(),
		v1alpha1.GateSchedule: n.Now.Before(n.Promotion.Spec.NotBeforeTime.Time),
		v1alpha1.GateWindow:   n.Environment != nil && n.Promotion.Spec.Type != "Rollback" && !n.windowOpen(),
		v1alpha1.GateCheck:    n.plan.Digest != "" && n.Environment != nil && n.unchecked(false),
	}
	opens := n.opens()
	for _, gate := range importance {
		if gate == v1alpha1.GateCheck {
			continue
		}
		if soft[gate] && slices.Contains(opens, gate) {
			overridden = append(overridden, gate)
			soft[gate] = false
		}
		if hard[gate] || soft[gate] {
			blocking = append(blocking, gate)
		}
	}
	// Only when nothing else is in the way, an answer that has become too old keeps the gate closed.
	if soft[v1alpha1.GateCheck] || (len(blocking) == 0 && n.plan.Digest != "" && n.Environment != nil && n.unchecked(true)) {
		if slices.Contains(opens, v1alpha1.GateCheck) {
			return blocking, append(overridden, v1alpha1.GateCheck)
		}
		blocking = append(blocking, v1alpha1.GateCheck)
	}
	return blocking, overridden
}

func (n naive) fetched() bool {
	if n.Release == nil || n.Release.Status.Digest == "" {
		return false
	}
	ready := meta.FindStatusCondition(n.Release.Status.Conditions, "Ready")
	return ready != nil && (ready.Status == "True" || ready.Reason == "Blocked")
}

func (n naive) held() bool {
	if n.ProjectHold != "" {
		return true
	}
	return n.Environment != nil && strings.TrimSpace(n.Environment.Spec.Hold.Reason+n.Environment.Annotations["assent.dev/hold"]) != ""
}

// asksUpstream says whether Upstream and Soak are asked at all.
func (n naive) asksUpstream() bool {
	return n.Release != nil && n.Environment != nil && n.Promotion.Spec.Type != "Rollback"
}

func (n naive) succeededUpstream() bool {
	for _, name := range n.Environment.Spec.After {
		before := n.Project[name]
		if before == nil || before.Spec.Application != n.Environment.Spec.Application || n.leadsBack(name, 10) {
			return false
		}
		known := false
		for _, release := range before.Status.Releases {
			known = known || release.UID == string(n.Release.UID)
		}
		if !known || (before.Status.Current.Release == n.Release.Name && !meta.IsStatusConditionTrue(before.Status.Conditions, "Healthy")) {
			return false
		}
	}
	return true
}

// leadsBack says whether one comes back to the Environment from another that it comes after.
func (n naive) leadsBack(name string, most int) bool {
	if name == n.Environment.Name {
		return true
	}
	at := n.Project[name]
	return at != nil && most > 0 && slices.ContainsFunc(at.Spec.After, func(next string) bool { return n.leadsBack(next, most-1) })
}

func (n naive) soaked() bool {
	for _, name := range n.Environment.Spec.After {
		if before := n.Project[name]; before != nil {
			for _, release := range before.Status.Releases {
				if release.UID == string(n.Release.UID) && healthyFor(release, n.Now) < int64(n.Environment.Spec.SoakSeconds) {
					return false
				}
			}
		}
	}
	return true
}

func healthyFor(release v1alpha1.SucceededRelease, now time.Time) int64 {
	had := ptr.Deref(release.HealthySeconds, 0)
	if !release.HealthySinceTime.IsZero() {
		had += max(0, now.Unix()-release.HealthySinceTime.Unix())
	}
	return had
}

func (n naive) windowOpen() bool {
	policy, problems := window.Parse(n.Environment.Spec.Windows)
	return len(problems) == 0 && policy.At(n.Now).Open
}

// unchecked says whether a check lacks an answer that counts: a good one, and, where that is asked for, one that is not too old.
func (n naive) unchecked(fresh bool) bool {
	wish := Rerun(n.Promotion)
	for _, check := range n.Environment.Spec.Checks {
		if check.Phase == v1alpha1.CheckAfter {
			continue
		}
		var newest *v1alpha1.CheckStatus
		answers := slices.Clone(n.Promotion.Status.Checks)
		progress := n.Checks[check.Name]
		if progress.Found != nil {
			answers = append(answers, *progress.Found)
		}
		for i, answer := range answers {
			if answer.Name == check.Name && answer.PlanDigest == n.plan.Digest && answer.Rerun == wish && (newest == nil || answer.Time.After(newest.Time.Time)) {
				newest = &answers[i]
			}
		}
		running := progress.Running && progress.Plan == n.plan.Digest && progress.Rerun == wish
		if running || newest == nil || newest.Result != "Passed" || (fresh && n.Now.Sub(newest.Time.Time) >= time.Duration(check.ValidSeconds)*time.Second) {
			return true
		}
	}
	return false
}

// approved counts what people have decided, with as little of the policy as the count needs: everything else is judged here.
func (n naive) approved() approval.Result {
	policy := v1alpha1.ApprovalPolicy{}
	if n.Environment != nil {
		policy = *n.Environment.Spec.Approval.DeepCopy()
		if n.Promotion.Spec.Type == "Rollback" && n.Environment.Spec.Rollback.Approval == "NotRequired" {
			policy.Rules = []v1alpha1.ApprovalRule{{Name: "rollback", Required: ptr.To[int32](0)}}
		}
	}
	spec := n.Promotion.Spec
	question := approval.Question{Plan: "any", Policy: v1alpha1.ApprovalPolicy{
		OneRulePerPerson: policy.OneRulePerPerson, SelfApproval: "Allowed", ServiceAccounts: "Allowed", Comment: "Never",
	}}
	unknown, refused := false, false
	for _, rule := range policy.Rules {
		applies := v1alpha1.RuleApplies
		if rule.When != "" {
			i := slices.IndexFunc(n.plan.Rules, func(r v1alpha1.PlanRule) bool { return r.Name == rule.Name })
			applies = v1alpha1.RuleUnknown
			if i >= 0 {
				applies = n.plan.Rules[i].Applicability
			}
		}
		rule.When = ""
		unknown = unknown || applies == v1alpha1.RuleUnknown
		if applies == v1alpha1.RuleApplies {
			question.Policy.Rules = append(question.Policy.Rules, rule)
		}
	}
	for _, entry := range spec.Approvals {
		silent := strings.TrimSpace(entry.Comment) == ""
		if n.Authority[entry.User] == approval.AuthorityLost {
			continue
		}
		if entry.Decision == "Rejected" {
			refused = refused || (silent && policy.Comment != "Never")
			continue
		}
		self := entry.User == spec.RequestedBy.Username && policy.SelfApproval != "Allowed"
		robot := strings.HasPrefix(entry.User, "system:serviceaccount:") && policy.ServiceAccounts != "Allowed"
		if entry.PlanDigest != "" && entry.PlanDigest == n.plan.Digest && !self && !robot && (!silent || policy.Comment != "Always") {
			ballot := approval.Ballot{Approval: entry, Authority: approval.AuthorityHeld, FirstSeen: n.firstSeenNaively(entry)}
			ballot.PlanDigest = "any"
			question.Ballots = append(question.Ballots, ballot)
		}
	}
	result := approval.Count(question)
	if unknown || refused {
		result.Unknown = []v1alpha1.PlanRule{{Name: "unknown"}} // closed, whatever else is counted
		result.MetSince = time.Time{}
	}
	return result
}

func (n naive) firstSeenNaively(entry v1alpha1.Approval) time.Time {
	for _, counted := range n.Promotion.Status.Approvals.Counted {
		if counted.User == entry.User && counted.PlanDigest == entry.PlanDigest {
			return counted.Time.Time
		}
	}
	return n.Now.Truncate(time.Second)
}

// opens are the gates that the override opens if they are closed.
func (n naive) opens() []v1alpha1.Gate {
	override := n.Promotion.Spec.Override
	if override.UsedBy.Username == "" || strings.TrimSpace(override.Reason) == "" || n.OverrideAuthority == approval.AuthorityLost || (n.Live && n.OverrideAuthority != approval.AuthorityHeld) {
		return nil
	}
	if n.Environment != nil && len(n.Environment.Status.Overrides) == 16 {
		return nil
	}
	var gates []v1alpha1.Gate
	for _, gate := range override.Gates {
		if gate != "Approval" || (n.plan.Digest != "" && override.PlanDigest == n.plan.Digest) {
			gates = append(gates, v1alpha1.Gate(gate))
		}
	}
	return gates
}

// expired says whether the Promotion has waited for too long.
func (n naive) expired() bool {
	if n.Environment == nil {
		return false
	}
	if _, overridden := n.closed(); slices.Contains(overridden, v1alpha1.GateApproval) {
		return false
	}
	policy, counted := n.Environment.Spec.Approval, n.approved()
	if !counted.Met() {
		return policy.RequestTTLSeconds > 0 && !n.Now.Before(n.Promotion.CreationTimestamp.Add(time.Duration(policy.RequestTTLSeconds)*time.Second))
	}
	return policy.ValidSeconds > 0 && !counted.MetSince.IsZero() && !n.Now.Before(counted.MetSince.Add(time.Duration(policy.ValidSeconds)*time.Second))
}

// checkNaively holds a decision on a promotion that has not started against the naive rules.
func checkNaively(t *testing.T, seen Observation, next Decision) {
	t.Helper()
	if !seen.Promotion.Status.StartTime.IsZero() {
		return
	}
	n := naive{Observation: seen, plan: seen.Promotion.Status.Plan}
	var shown, opened []v1alpha1.Gate
	switch next := next.(type) {
	case Start:
		n.plan = seen.Planned.Plan
		for _, gate := range next.Overridden {
			opened = append(opened, v1alpha1.Gate(gate))
		}
	case Wait:
		n.plan = Status(seen, next).Plan
		for _, blocker := range next.Blockers {
			shown = append(shown, blocker.Gate)
		}
	case End:
		if seen.Planned != nil {
			n.plan = Status(seen, Wait{Blockers: []v1alpha1.Blocker{{}}}).Plan
		}
		if next.Reason == v1alpha1.ReasonExpired && !n.expired() {
			t.Errorf("it has expired: %s", next.Message)
		}
		return
	default:
		return
	}
	if n.expired() {
		t.Errorf("it should have expired, and decided %T", next)
	}
	blocking, overridden := n.closed()
	if !slices.IsSortedFunc(shown, func(a, b v1alpha1.Gate) int { return slices.Index(importance, a) - slices.Index(importance, b) }) {
		t.Errorf("the blockers are not sorted by importance: %v", shown)
	}
	slices.Sort(shown)
	slices.Sort(blocking)
	if !slices.Equal(shown, blocking) {
		t.Errorf("decided %T with the gates %v closed, and closed are %v", next, shown, blocking)
	}
	slices.Sort(opened)
	slices.Sort(overridden)
	if _, starts := next.(Start); starts && !slices.Equal(opened, overridden) {
		t.Errorf("the override is said to open %v, and opens %v", opened, overridden)
	}
}

// standing are the closed gates that no time opens.
func (n naive) standing() []v1alpha1.Gate {
	blocking, _ := n.closed()
	return slices.DeleteFunc(blocking, func(gate v1alpha1.Gate) bool {
		if gate == v1alpha1.GateWindow {
			policy, problems := window.Parse(n.Environment.Spec.Windows)
			return len(problems) == 0 && !policy.At(n.Now).Opens.IsZero()
		}
		later := n
		later.Now = n.Now.Add(100 * 365 * 24 * time.Hour)
		return gate == v1alpha1.GateSchedule || (gate == v1alpha1.GateSoak && later.soaked())
	})
}
