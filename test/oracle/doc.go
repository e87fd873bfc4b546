// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package oracle judges what the operator did, from what it cannot write: the API server's own audit log, and the objects that are there at the end.
//
// It shares no code with the operator but the types of the API. It reads how each Promotion, Environment and audit record was stored from one write to
// the next, and what each deployer changed, and asks of every change: in whose name was it made, was an intent on record before it, were there enough
// approvals for exactly that digest by people who might give them, was the object among those that were approved, and had the Promotion ended.
//
//	API server's audit log ──┐
//	                         ├──► Evidence ──► story (what was stored when) ──► rules ──► violations
//	objects at the end ──────┘        └──────► content of the target, for comparisons of two runs
//
// Evidence can be kept as JSON. Each rule is tried with a recorded log that was edited so that it alone is broken.
//
// What it cannot see: what an Environment in another cluster is sent, and which reads the operator has decided on. Whether a rule's `when` applies is
// a fact of the Scene; without one, the operator's own word in the plan is taken.
package oracle

// Rule is what is violated.
type Rule string

// The rules, in the order in which violations are told.
const (
	// RuleIdentity: the operator changes things as a deployer alone, the one that the intent names, and each change names its Promotion.
	RuleIdentity Rule = "Identity"
	// RuleIntent: the answer to the Intent's creation, or to that of the Corrected of a correction, came before the change was asked for, and no outcome did.
	RuleIntent Rule = "Intent"
	// RuleObjects: a rollout changes what its Intent lists, and deletes beside that only what an earlier one of the Environment has listed.
	RuleObjects Rule = "Objects"
	// RuleApprovals: when the decisions were closed, enough distinct people who might had approved the digest that the Intent names, or an override had opened the gate.
	RuleApprovals Rule = "Approvals"
	// RuleOverride: an override that was used is on record before the Intent, and was set by somebody who might.
	RuleOverride Rule = "Override"
	// RuleAuthor: each entry in `spec.approvals`, and each override, was written by the person whom it names; each request names who made it.
	RuleAuthor Rule = "Author"
	// RuleClosed: decisions were closed before the Intent, and nothing changed in them from then on.
	RuleClosed Rule = "Closed"
	// RuleRecord: a record says what the Promotion said: its digest, its requester and the decisions.
	RuleRecord Rule = "Record"
	// RuleOnce: a Promotion has one Intent and one outcome at most, and none after it has ended.
	RuleOnce Rule = "Once"
	// RuleEnd: an ended Promotion never moves again.
	RuleEnd Rule = "End"
	// RuleOverlap: one rollout at a time in each Environment.
	RuleOverlap Rule = "Overlap"
	// RuleChain: the history has no gap, no fork and no edit, nothing of it is missing, and the Environment's status names a record of it.
	RuleChain Rule = "Chain"
	// RuleWriters: status and records are written by the operator alone, and as itself.
	RuleWriters Rule = "Writers"
	// RuleAuthority: as itself the operator writes status, records, events and its lease, and nothing else.
	RuleAuthority Rule = "Authority"
	// RuleRest: at rest every Intent has its outcome, and Promotion and Environment say so.
	RuleRest Rule = "Rest"
)

// Violation is something that must not have happened.
type Violation struct {
	Rule Rule
	// Detail is a sentence that names the Promotion, record or request.
	Detail string
}

// String is the violation as a failure shows it.
func (v Violation) String() string { return string(v.Rule) + ": " + v.Detail }
