// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// gatesBeforePlan are the closed gates without which no plan can be made.
func gatesBeforePlan(seen Observation) []v1alpha1.Blocker {
	var blockers []v1alpha1.Blocker
	add := func(blocker *v1alpha1.Blocker) {
		if blocker != nil {
			blockers = append(blockers, *blocker)
		}
	}
	add(releaseGate(seen))
	add(environmentGate(seen))
	add(guardGate(seen))
	return blockers
}

// gatesAfterPlan are the closed gates that a plan is judged by.
func gatesAfterPlan(seen Observation, approvals approval.Result) []v1alpha1.Blocker {
	var blockers []v1alpha1.Blocker
	if blocker := targetGate(seen); blocker != nil {
		blockers = append(blockers, *blocker)
	}
	if blocker := approvalGate(seen, approvals); blocker != nil {
		blockers = append(blockers, *blocker)
	}
	if seen.Running != "" {
		blockers = append(blockers, v1alpha1.Blocker{
			Gate:    v1alpha1.GateQueue,
			Message: fmt.Sprintf("promotion %q is rolling out in environment %q", seen.Running, seen.Promotion.Spec.Environment),
			Clears:  "the end of that rollout; nobody has to do anything",
		})
	}
	return blockers
}

func releaseGate(seen Observation) *v1alpha1.Blocker {
	name := seen.Promotion.Spec.Release
	if seen.Release == nil {
		return &v1alpha1.Blocker{
			Gate:    v1alpha1.GateRelease,
			Message: fmt.Sprintf("release %q does not exist in project %q", name, seen.Promotion.Namespace),
			Clears:  "whoever creates the release; if the name is wrong, delete this promotion and create one with the right `spec.release`",
		}
	}
	ready := meta.FindStatusCondition(seen.Release.Status.Conditions, v1alpha1.ConditionReady)
	if ready != nil && ready.Status == metav1.ConditionTrue && seen.Release.Status.Digest != "" {
		return nil
	}
	message := fmt.Sprintf("release %q is not ready yet: its content has not been fetched", name)
	if ready != nil {
		message = fmt.Sprintf("release %q is not ready: %s: %s", name, ready.Reason, ready.Message)
	}
	return &v1alpha1.Blocker{
		Gate: v1alpha1.GateRelease, Message: clip(message),
		Clears: fmt.Sprintf("the operator, once the content can be fetched; `kubectl describe release %s` says more", name),
	}
}

func environmentGate(seen Observation) *v1alpha1.Blocker {
	if seen.Environment != nil {
		return nil
	}
	return &v1alpha1.Blocker{
		Gate:    v1alpha1.GateTarget,
		Message: fmt.Sprintf("environment %q does not exist in project %q", seen.Promotion.Spec.Environment, seen.Promotion.Namespace),
		Clears:  "whoever creates the environment; if the name is wrong, delete this promotion and create one with the right `spec.environment`",
	}
}

// targetGate is closed when the deployer cannot carry out the plan, or when none can be made now.
func targetGate(seen Observation) *v1alpha1.Blocker {
	if seen.Planned == nil || (seen.Planned.Plan.Digest != "" && seen.Planned.Unable == "") {
		return nil
	}
	return &v1alpha1.Blocker{
		Gate:    cmp.Or(seen.Planned.Gate, v1alpha1.GateTarget),
		Message: clip(cmp.Or(seen.Planned.Unable, "no plan could be made")),
		Clears:  clip(cmp.Or(seen.Planned.Remedy, "the operator, which tries again every minute")),
	}
}

func guardGate(seen Observation) *v1alpha1.Blocker {
	if len(seen.Guard.Problems) == 0 {
		return nil
	}
	return &v1alpha1.Blocker{
		Gate:    v1alpha1.GateGuard,
		Message: clip("the admission policies that enforce who may approve are not as they were shipped, so nothing starts: " + sentence(seen.Guard.Problems)),
		Clears:  "a cluster administrator, by `kubectl apply -k config/guard`; approvals that were given before are void then",
	}
}

func approvalGate(seen Observation, approvals approval.Result) *v1alpha1.Blocker {
	switch {
	case currentPlan(seen).Digest == "":
		return nil // there is nothing to approve yet, and another gate says why
	case approvals.Met():
		return nil
	}
	var needs, clears []string
	for _, missing := range approvals.Missing {
		needs = append(needs, need(missing))
		if whose := cmp.Or(members(missing.Rule), "anyone"); !slices.Contains(clears, whose) {
			clears = append(clears, whose)
		}
	}
	message := fmt.Sprintf("needs %s; %s", strings.Join(needs, ", and "), given(approvals))
	if people := idle(approvals); len(people) > 0 {
		message += fmt.Sprintf("; the approval of %s fits no rule that is open", quoted(people, "and"))
	}
	for _, ignored := range approvals.Status.Ignored {
		message += fmt.Sprintf("; not counted: %q %s", ignored.User, ignored.Reason)
	}
	return &v1alpha1.Blocker{
		Gate: v1alpha1.GateApproval, Message: clip(message),
		Clears: clip(fmt.Sprintf("%s, with the verb `approve` on environment %q%s",
			strings.Join(clears, ", and "), seen.Promotion.Spec.Environment, exceptRequester(seen))),
	}
}

// idle are the people whose approval counts and is not needed: every rule that they fit is full without them. Nobody has
// rejected it: that would have ended it.
func idle(approvals approval.Result) []string {
	var people []string
	for _, counted := range approvals.Status.Counted {
		if _, fills := approvals.Filled[counted.User]; !fills {
			people = append(people, counted.User)
		}
	}
	return people
}

// given says in words how many approvals there are.
func given(approvals approval.Result) string {
	return fmt.Sprintf("%d of %d given", ptr.Deref(approvals.Status.Granted, 0), ptr.Deref(approvals.Status.Required, 0))
}

// exceptRequester says that the requester cannot approve, where that is so.
func exceptRequester(seen Observation) string {
	if seen.Environment != nil && seen.Environment.Spec.Approval.SelfApproval == v1alpha1.SelfApprovalAllowed {
		return ""
	}
	return fmt.Sprintf("; not %q, who asked for it", seen.Promotion.Spec.RequestedBy.Username)
}

// need says in words what a rule lacks.
func need(missing approval.Missing) string {
	noun := "approvals"
	if missing.Count == 1 {
		noun = "approval"
	}
	from := ""
	if whose := members(missing.Rule); whose != "" {
		from = " from " + whose
	}
	if missing.Rule.Name == approval.DefaultRule {
		return fmt.Sprintf("%d more %s%s", missing.Count, noun, from) // nobody has named it
	}
	return fmt.Sprintf("%d more %s%s (rule %q)", missing.Count, noun, from, missing.Rule.Name)
}

// members names the users and groups of a rule.
func members(rule v1alpha1.ApprovalRule) string {
	var parts []string
	if len(rule.Groups) > 0 {
		parts = append(parts, "group "+quoted(rule.Groups, "or"))
	}
	if len(rule.Users) > 0 {
		parts = append(parts, "user "+quoted(rule.Users, "or"))
	}
	return strings.Join(parts, " or ")
}

// quoted names, at most five, with a word in between.
func quoted(names []string, word string) string {
	const most = 5
	var parts []string
	for i, name := range names {
		if i == most {
			parts = append(parts, fmt.Sprintf("%d more", len(names)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%q", name))
	}
	return strings.Join(parts, " "+word+" ")
}

// clip keeps a message within the bounds of the API. The API server would store invalid UTF-8 as something else, and
// every comparison with it would find a change.
func clip(message string) string {
	const most = 1900
	return Clip(message, most+len(" …"))
}

// Clip keeps a message within a number of bytes.
func Clip(message string, most int) string {
	message = strings.ToValidUTF8(message, "\uFFFD")
	if len(message) <= most {
		return message
	}
	cut := most - len(" …")
	for cut > 0 && message[cut]&0xC0 == 0x80 { // not in the middle of a rune
		cut--
	}
	return message[:cut] + " …"
}
