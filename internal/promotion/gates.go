// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"slices"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// recheck is how often a wait for something that cannot be watched is looked at again: another's RBAC.
const recheck = time.Minute

// importance is the order in which blockers are shown: first what nobody but an administrator can mend, then what people decide, then what
// passes by itself.
var importance = []v1alpha1.Gate{
	v1alpha1.GateGuard, v1alpha1.GateTarget, v1alpha1.GateRelease, v1alpha1.GateHold, v1alpha1.GateUpstream, v1alpha1.GateApproval,
	v1alpha1.GateCheck, v1alpha1.GateSoak, v1alpha1.GateSchedule, v1alpha1.GateWindow, v1alpha1.GateQueue,
}

// judgement is what all gates say together.
type judgement struct {
	// blockers are the closed gates, the most important first.
	blockers []v1alpha1.Blocker
	// overridden are gates that are closed and that the override opens.
	overridden []v1alpha1.OverridableGate
	// run are checks that have to run, by name.
	run []string
	// again is when a check is due that nobody else waits for; zero for never.
	again time.Duration
}

// opened says whether the override opens a gate that is closed.
func (j judgement) opened(gate v1alpha1.Gate) bool {
	return slices.Contains(j.overridden, v1alpha1.OverridableGate(gate))
}

// closed says whether a gate is closed, and nothing opens it.
func (j judgement) closed(gate v1alpha1.Gate) bool {
	return slices.ContainsFunc(j.blockers, func(b v1alpha1.Blocker) bool { return b.Gate == gate })
}

// plannable says whether everything is there that a plan is made from, and nothing keeps it from being made.
func plannable(seen Observation) bool {
	return unreleased(seen) == nil && environmentGate(seen) == nil && inputsGate(seen) == nil && guardGate(seen) == nil
}

// judge every gate. The checks come last: an old answer is asked for again only when nothing else is in the way.
func judge(seen Observation, approvals approval.Result) judgement {
	var found judgement
	for _, blocker := range []*v1alpha1.Blocker{
		unreleased(seen), environmentGate(seen), inputsGate(seen), guardGate(seen), targetGate(seen), queueGate(seen),
	} {
		found.add(blocker)
	}
	opens := overrides(seen)
	for _, blocker := range []*v1alpha1.Blocker{
		blockedGate(seen), holdGate(seen), upstreamGate(seen), soakGate(seen), approvalGate(seen, approvals), scheduleGate(seen), windowGate(seen),
	} {
		found.addUnless(opens, blocker)
	}
	checks := judgeChecks(seen, len(found.blockers) == 0)
	found.addUnless(opens, checks.blocker)
	if !found.opened(v1alpha1.GateCheck) {
		found.run, found.again = checks.run, checks.again
	}
	found.explainOverride(seen, opens)
	slices.SortStableFunc(found.blockers, func(a, b v1alpha1.Blocker) int {
		return slices.Index(importance, a.Gate) - slices.Index(importance, b.Gate)
	})
	return found
}

// add a blocker, unless its gate is among them already: then the first one says enough.
func (j *judgement) add(blocker *v1alpha1.Blocker) {
	if blocker == nil || j.closed(blocker.Gate) {
		return
	}
	blocker.Message, blocker.Clears = clip(blocker.Message), clip(blocker.Clears)
	blocker.Users, blocker.Groups = named(blocker.Users), named(blocker.Groups)
	j.blockers = append(j.blockers, *blocker)
}

// addUnless adds a blocker, unless the override opens its gate.
func (j *judgement) addUnless(opens opening, blocker *v1alpha1.Blocker) {
	if blocker != nil && opens.opens(blocker.Gate) {
		j.overridden = append(j.overridden, v1alpha1.OverridableGate(blocker.Gate))
		return
	}
	j.add(blocker)
}

// only says whether a gate is the only closed one.
func (j judgement) only(gate v1alpha1.Gate) bool {
	return len(j.blockers) == 1 && j.blockers[0].Gate == gate
}

// nextLook is when to look again without an event. Others' RBAC and the deployer's are not watched; times come by themselves.
func nextLook(seen Observation, approvals approval.Result, found judgement) time.Duration {
	again := found.again
	sooner := func(wait time.Duration) {
		if wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
	}
	if targetGate(seen) != nil || inputsGate(seen) != nil || lost(seen, approvals) || len(approvals.Unexplained) > 0 {
		sooner(recheck)
	}
	for _, blocker := range found.blockers {
		sooner(blocker.UntilTime.Sub(seen.Now)) // a time that is not set has long passed
	}
	if found.closed(v1alpha1.GateSoak) {
		sooner(nextSoaked(seen))
	}
	deadline, _ := expiry(seen, approvals, found)
	sooner(deadline.Sub(seen.Now))
	return again
}

// lost says whether somebody who has decided has lost a right that would help.
func lost(seen Observation, approvals approval.Result) bool {
	if seen.OverrideAuthority == approval.AuthorityLost {
		return true
	}
	return !approvals.Met() && slices.ContainsFunc(seen.Promotion.Spec.Approvals, func(entry v1alpha1.Approval) bool {
		return seen.Authority[entry.User] == approval.AuthorityLost
	})
}
