// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package approval decides who counts and which rules are met. It is pure: no client, no clock, no logger.
//
// Each decision on a Promotion is a ballot. A ballot is first judged by itself: it counts unless its author has lost the
// right to approve, decided on another plan, asked for the Promotion themselves, or is a service account (the latter two
// as the Environment says). What counts is then assigned to the rules: a person fills one rule, chosen so that as many
// places as possible are filled (a maximum matching, so that somebody who fits two rules is used where it helps), or every
// rule they fit if the Environment does not ask for one rule per person. The gate holds when every rule is filled.
//
// Rules with a `when` take part as the plan says: one that does not apply is left out, and one of which nobody knows whether it
// applies keeps the gate closed. Where no rule is left, one approval by anyone who may approve is needed.
//
// A rejection by anyone who holds the verb `approve` ends the Promotion, whatever plan it was given to: refusing is always safe.
// One that lacks the comment that the Environment asks for does not end it, but keeps the gate closed until it says why.
package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Authority says whether the author of a ballot may approve now.
type Authority string

const (
	// AuthorityUnproven means that nobody has asked the API server yet. The guard asked when the ballot was cast.
	AuthorityUnproven Authority = "Unproven"
	// AuthorityHeld means that the API server has just said yes.
	AuthorityHeld Authority = "Held"
	// AuthorityLost means that the API server has just said no.
	AuthorityLost Authority = "Lost"
)

// Ballot is one person's decision with what was observed about it.
type Ballot struct {
	v1alpha1.Approval
	// Authority of its author, now.
	Authority Authority
	// FirstSeen is when the operator first saw this decision on this plan.
	FirstSeen time.Time
}

// Question is everything that the count depends on: the same question has the same answer, whoever asks and whenever.
type Question struct {
	// Environment is the name of the Environment, for messages.
	Environment string
	// Policy of the Environment.
	Policy v1alpha1.ApprovalPolicy
	// Plan is the digest that a ballot must name.
	Plan v1alpha1.Digest
	// Rules are what came of the `when` of the policy's rules for that plan.
	Rules []v1alpha1.PlanRule
	// RequestedBy is who asked for the Promotion.
	RequestedBy v1alpha1.Person
	// Ballots that were cast.
	Ballots []Ballot
}

// Missing is a rule that is not met.
type Missing struct {
	Rule v1alpha1.ApprovalRule
	// Count of approvals that are missing; at least 1.
	Count int
}

// Result is the outcome of the count.
type Result struct {
	// Status as the Promotion shows it.
	Status v1alpha1.ApprovalStatus
	// Missing rules; empty when the gate holds.
	Missing []Missing
	// Unknown are the rules of which nobody knows whether they apply, each with a message that says why. The gate is closed while there is one.
	Unknown []v1alpha1.PlanRule
	// Rejections by people who may approve, with the comment that they need. One ends the Promotion.
	Rejections []Ballot
	// Unexplained are rejections by people who may approve, without the comment that they need. The gate is closed while there is one.
	Unexplained []Ballot
	// Filled maps each person who counts to the rules that they fill.
	Filled map[string][]string
	// MetSince is when the gate came to hold: when the operator first saw the last of the approvals that it took. It is zero
	// while the gate does not hold, and where it holds without any approval.
	MetSince time.Time
}

// Met says whether the gate holds: every rule is met, it is known which rules apply, and no rejection waits for its reason.
func (r Result) Met() bool {
	return len(r.Missing) == 0 && len(r.Unknown) == 0 && len(r.Unexplained) == 0
}

// Count judges each ballot and assigns what counts to the rules.
func Count(q Question) Result {
	ballots := slices.Clone(q.Ballots)
	slices.SortFunc(ballots, func(a, b Ballot) int { return strings.Compare(a.User, b.User) })

	var result Result
	var approvals []Ballot
	for _, ballot := range ballots {
		if reason := q.ignore(ballot); reason != "" {
			result.Status.Ignored = append(result.Status.Ignored, v1alpha1.IgnoredApproval{User: ballot.User, Reason: reason})
			if ballot.Authority != AuthorityLost && ballot.Decision == v1alpha1.DecisionRejected {
				result.Unexplained = append(result.Unexplained, ballot)
			}
			continue
		}
		result.Status.Counted = append(result.Status.Counted, v1alpha1.CountedApproval{
			User: ballot.User, PlanDigest: ballot.PlanDigest, Time: metav1.NewTime(ballot.FirstSeen),
		})
		if ballot.Decision == v1alpha1.DecisionRejected {
			result.Rejections = append(result.Rejections, ballot)
			continue
		}
		approvals = append(approvals, ballot)
	}
	rules, unknown := Applicable(q.Policy, q.Rules)
	result.Unknown = unknown
	result.fill(rules, approvals, q.Policy.OneRulePerPerson)
	if result.Met() {
		result.MetSince = metSince(rules, approvals, q.Policy.OneRulePerPerson)
	}
	return result
}

// ignore says why a ballot does not count; empty if it does. The ballot's author is the subject of the sentence.
func (q Question) ignore(ballot Ballot) string {
	if ballot.Authority == AuthorityLost {
		return fmt.Sprintf("does not hold the verb `approve` on environment %q any more; the decision counts again once the right is back", q.Environment)
	}
	if ballot.Decision == v1alpha1.DecisionRejected {
		if lacksComment(q.Policy, ballot) {
			return fmt.Sprintf("rejected it without a `comment`, and environment %q asks for one: nothing starts until the rejection says why, or is withdrawn", q.Environment)
		}
		return ""
	}
	switch {
	case ballot.PlanDigest == "":
		return "named no plan; look at the diff and approve again"
	case ballot.PlanDigest != q.Plan:
		return fmt.Sprintf("approved plan %s, and the plan has changed since; look at the new diff and approve again", Short(ballot.PlanDigest))
	case ballot.User == q.RequestedBy.Username && q.Policy.SelfApproval != v1alpha1.SelfApprovalAllowed:
		return fmt.Sprintf("asked for this promotion, and environment %q does not count the requester's own approval; somebody else has to approve", q.Environment)
	case isServiceAccount(ballot.User) && q.Policy.ServiceAccounts != v1alpha1.ServiceAccountApprovalAllowed:
		return fmt.Sprintf("is a service account, and environment %q counts people's approvals only; a person has to approve", q.Environment)
	case lacksComment(q.Policy, ballot):
		return fmt.Sprintf("gave no comment, and environment %q asks for one: send the decision again with a `comment`", q.Environment)
	}
	return ""
}

// lacksComment says whether a ballot lacks a comment that the policy asks for. Only what can be read is a comment.
func lacksComment(policy v1alpha1.ApprovalPolicy, ballot Ballot) bool {
	readable := func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
	if strings.ContainsFunc(ballot.Comment, readable) {
		return false
	}
	switch policy.Comment {
	case v1alpha1.CommentAlways:
		return true
	case v1alpha1.CommentNever:
		return false
	case v1alpha1.CommentOnRejection:
	}
	return ballot.Decision == v1alpha1.DecisionRejected // also where the policy says nothing
}

// Short is a digest as messages show it.
func Short(digest v1alpha1.Digest) string {
	if len(digest) < 19 {
		return fmt.Sprintf("%q", string(digest))
	}
	return string(digest[:19]) + "…"
}

func isServiceAccount(user string) bool { return strings.HasPrefix(user, "system:serviceaccount:") }

func fits(rule v1alpha1.ApprovalRule, ballot Ballot) bool {
	if len(rule.Users) == 0 && len(rule.Groups) == 0 {
		return true
	}
	return slices.Contains(rule.Users, ballot.User) ||
		slices.ContainsFunc(rule.Groups, func(group string) bool { return slices.Contains(ballot.Groups, group) })
}
