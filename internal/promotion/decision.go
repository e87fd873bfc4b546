// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// Decision is what happens next. Each kind says what to do; none of them does it.
//
//sumtype:decl
type Decision interface{ decision() }

// Rest is all that is left: the promotion has ended and never moves again.
type Rest struct{}

// MakePlan asks for a plan from these inputs, then for another decision.
type MakePlan struct{ Inputs v1alpha1.PlanInputs }

// Prove asks for the same observation from live reads, then for another decision.
type Prove struct {
	// Inputs of the plan that the other decision asks for if nothing has changed; empty if it asks for none.
	Inputs v1alpha1.PlanInputs
}

// Wait for people, or for another gate.
type Wait struct {
	// Blockers are the gates that do not hold.
	Blockers []v1alpha1.Blocker
	// Approvals as they were counted.
	Approvals approval.Result
	// Again is when to look again although nothing may have changed; zero if what the promotion waits for is watched.
	Again time.Duration
	// Run are the checks to run, by name.
	Run []string
}

// Start the rollout: close the decisions, then put the use of an override and the intent on record.
type Start struct {
	Approvals approval.Result
	// Overridden are the gates that are closed, and that the override opens.
	Overridden []v1alpha1.OverridableGate
}

// Apply the next wave of the plan's objects, or of the fallback's once the way back has begun.
type Apply struct{}

// Watch the rollout until it is healthy, or until Deadline.
type Watch struct {
	Deadline time.Duration
}

// Prune what the last rollout had and this one has not.
type Prune struct{}

// Verify the rollout by the checks after it.
type Verify struct {
	// Run are the checks to run, by name.
	Run []string
	// Deadline after which the checks have taken too long.
	Deadline time.Duration
}

// RollBack begins the way back of a rollout that has failed: say so in status, then apply the plan's fallback.
type RollBack struct {
	// Reason why the rollout has failed.
	Reason string
}

// Finish a started promotion: put the outcome on record, then say so.
type Finish struct {
	// Type of the outcome: Succeeded, Failed, RolledBack or Cancelled; Rejected or Superseded only if no intent is on record.
	Type    v1alpha1.AuditType
	Message string
}

// Conclude a promotion whose outcome is on record already, by a process that died before it could say so in status.
type Conclude struct{ Outcome *v1alpha1.AuditRecord }

// Acknowledge puts on record that somebody has taken note of an override that was used, and takes the mark away.
type Acknowledge struct{}

// End a promotion that has not started. Its outcome is not on record.
type End struct {
	// Reason of the Succeeded condition.
	Reason  string
	Message string
	// Type of the audit record to write; empty for none.
	Type v1alpha1.AuditType
	// Approvals as they were counted, if they were.
	Approvals approval.Result
}

func (Rest) decision()        {}
func (MakePlan) decision()    {}
func (Prove) decision()       {}
func (Wait) decision()        {}
func (Start) decision()       {}
func (Apply) decision()       {}
func (Watch) decision()       {}
func (Prune) decision()       {}
func (Verify) decision()      {}
func (RollBack) decision()    {}
func (Finish) decision()      {}
func (Conclude) decision()    {}
func (End) decision()         {}
func (Acknowledge) decision() {}
