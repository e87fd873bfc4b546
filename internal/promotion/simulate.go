// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/expression"
	"github.com/assent-dev/assent/internal/soak"
)

// simulatedDigest stands in for a digest that nobody knows: that of the guard then, and that of a plan which was never made.
const simulatedDigest v1alpha1.Digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// Past is a Promotion that is decided on once more, whatever has become of it.
type Past struct {
	Promotion *v1alpha1.Promotion
	// Release that it names; nil if it is not there any more.
	Release *v1alpha1.Release
}

// Simulated is what an Environment would have decided on a Promotion. Just one of Starts, Ends and Blockers is set.
type Simulated struct {
	// Promotion by name.
	Promotion string
	// At is when it would have been decided: when the Promotion started, else when it ended, else now.
	At time.Time
	// Starts says that the rollout would have started, Overridden through which gates.
	Starts     bool
	Overridden []v1alpha1.OverridableGate
	// Ends is the state in which it would have ended, such as Expired; empty if it would not.
	Ends string
	// Blockers are what would have kept it waiting, the most important first.
	Blockers []v1alpha1.Blocker
	// Message says why it would have ended, or what it would have waited for first.
	Message string
	// Differs says that something else has happened: a start, another end, or neither.
	Differs bool
}

// Simulate answers what an Environment would have decided with other rules, for Promotions to it that have started, ended or still wait. It decides as
// Decide does, by the same gates. Project are the Environments of the project, and history the audit records of all of them.
//
// Each Promotion is decided on once, at one time. What people have decided until then is taken as it is, and that they were allowed to. An approval counts
// if it was given to the plan that was current last, although other rules would have given that plan another digest; an approval that never counted, and
// so has no time, is taken as given at that time. The conditions of rules are evaluated over the changes in the Promotion's status.
//
// What ran in each Environment then, and for how long it had soaked, comes from the history. That does not say when something was unhealthy in between,
// on hold or blocked, and a check that did not exist then has no answer. So health is taken for granted, holds are judged by rules alone, a block of the
// Release counts only now, a check without an answer is shown as running, and guard and deployer are taken to be in order.
func Simulate(rules v1alpha1.EnvironmentSpec, environment *v1alpha1.Environment, project []*v1alpha1.Environment, history []v1alpha1.AuditRecord, past []Past, now time.Time) []Simulated {
	history = slices.Clone(history)
	slices.SortStableFunc(history, func(a, b v1alpha1.AuditRecord) int { return cmp.Compare(a.Spec.Sequence, b.Spec.Sequence) })
	then := replay{rules: rules, environment: environment, project: project, history: history, past: past, now: now}
	simulated := make([]Simulated, 0, len(past))
	for _, one := range past {
		simulated = append(simulated, then.decide(one))
	}
	return simulated
}

// replay is what is known of the past.
type replay struct {
	rules       v1alpha1.EnvironmentSpec
	environment *v1alpha1.Environment
	project     []*v1alpha1.Environment
	history     []v1alpha1.AuditRecord
	past        []Past
	now         time.Time
}

func (r replay) decide(past Past) Simulated {
	seen := r.observe(past)
	found := Simulated{Promotion: past.Promotion.Name, At: seen.Now}
	switch next := Decide(seen).(type) {
	case Start:
		found.Starts, found.Overridden = true, next.Overridden
	case End:
		found.Ends, found.Message = next.Reason, next.Message
	case Wait:
		found.Blockers, found.Message = next.Blockers, next.Blockers[0].Message
	case Rest, MakePlan, Prove, Apply, Watch, Prune, Verify, RollBack, Finish, Conclude, Acknowledge: // not before a start that is seen live, with a plan
	}
	p := past.Promotion
	started := !p.Status.StartTime.IsZero()
	ended := ""
	if Ended(p) && !started {
		ended = State(p)
	}
	found.Differs = found.Starts != started || found.Ends != ended
	return found
}

// observe what an operator would have seen when it decided.
func (r replay) observe(past Past) Observation {
	p := past.Promotion.DeepCopy()
	environment := r.environment.DeepCopy()
	environment.Spec, environment.Annotations = *r.rules.DeepCopy(), nil
	seen := Observation{
		Now: r.now, Live: true, Promotion: p, Release: past.Release.DeepCopy(), Environment: environment, Guard: Guard{Digest: simulatedDigest},
		Authority: map[string]approval.Authority{}, OverrideAuthority: approval.AuthorityHeld, Project: map[string]*v1alpha1.Environment{},
	}
	r.recall(p)
	for _, entry := range p.Spec.Approvals {
		seen.Authority[entry.User] = approval.AuthorityHeld
	}
	for _, other := range r.project {
		seen.Project[other.Name] = other.DeepCopy()
	}
	seen.Project[environment.Name] = environment
	switch {
	case !p.Status.StartTime.IsZero():
		seen.Now = p.Status.StartTime.Time
		p.Spec.Cancel, p.DeletionTimestamp = v1alpha1.PromotionCancel{}, nil // not yet
	case Ended(p):
		seen.Now = p.Status.CompletionTime.Time
	}
	r.rewind(&seen)
	r.plan(&seen)
	p.Status.StartTime, p.Status.CompletionTime = metav1.Time{}, metav1.Time{}
	return seen
}

// rewind the Environments to the time of the decision.
func (r replay) rewind(seen *Observation) {
	p := seen.Promotion
	for name, environment := range seen.Project {
		before := r.until(name, p, seen.Now)
		status, open := replayed(before)
		if name == seen.Environment.Name {
			seen.Newer = r.newer(p, before)
			if open != nil {
				seen.Running = open.Spec.Promotion.Name
			}
		}
		if decided(p) {
			environment.Status = status
		}
	}
	if decided(p) {
		seen.Release = releaseThen(seen)
	}
}

// recall what people had decided when a Promotion was decided on. What came later, or was taken back later, is told apart by the status and the history:
// they say what counted, and what did not.
func (r replay) recall(p *v1alpha1.Promotion) {
	status := &p.Status.Approvals
	if decided(p) {
		p.Spec.Approvals = slices.DeleteFunc(p.Spec.Approvals, func(entry v1alpha1.Approval) bool {
			return !slices.ContainsFunc(status.Counted, func(c v1alpha1.CountedApproval) bool { return c.User == entry.User }) &&
				!slices.ContainsFunc(status.Ignored, func(i v1alpha1.IgnoredApproval) bool { return i.User == entry.User })
		})
	}
	for _, record := range r.history {
		if record.Spec.Promotion.UID != string(p.UID) {
			continue
		}
		for _, decision := range record.Spec.Decisions {
			if !slices.ContainsFunc(status.Counted, func(c v1alpha1.CountedApproval) bool { return c.User == decision.User }) {
				status.Counted = append(status.Counted, v1alpha1.CountedApproval{User: decision.User, PlanDigest: record.Spec.PlanDigest, Time: decision.Time})
			}
			if !slices.ContainsFunc(p.Spec.Approvals, func(entry v1alpha1.Approval) bool { return entry.User == decision.User }) {
				p.Spec.Approvals = append(p.Spec.Approvals, v1alpha1.Approval{
					User: decision.User, UID: decision.UID, Groups: decision.Groups, Decision: decision.Decision, Comment: decision.Comment, PlanDigest: record.Spec.PlanDigest,
				})
			}
		}
	}
}

// decided says whether a Promotion was decided on: it has started or ended.
func decided(p *v1alpha1.Promotion) bool { return !p.Status.StartTime.IsZero() || Ended(p) }

// until are the records of an Environment's history from before a Promotion was decided on: those before its own first one or, where it has none, until
// that time.
func (r replay) until(environment string, p *v1alpha1.Promotion, at time.Time) []v1alpha1.AuditRecord {
	var before []v1alpha1.AuditRecord
	for _, record := range r.history {
		switch {
		case record.Spec.Environment != environment:
		case record.Spec.Promotion.UID == string(p.UID), record.Spec.Time.After(at):
			return before
		default:
			before = append(before, record)
		}
	}
	return before
}

// newer names a newer Promotion to the Environment that had started by then. Where not all Promotions are given, the state of this one says that there was one.
func (r replay) newer(p *v1alpha1.Promotion, before []v1alpha1.AuditRecord) string {
	for _, record := range slices.Backward(before) {
		if record.Spec.Type != v1alpha1.AuditIntent {
			continue
		}
		i := slices.IndexFunc(r.past, func(other Past) bool { return string(other.Promotion.UID) == record.Spec.Promotion.UID })
		if i < 0 && State(p) == v1alpha1.ReasonSuperseded || i >= 0 && r.past[i].Promotion.CreationTimestamp.After(p.CreationTimestamp.Time) {
			return record.Spec.Promotion.Name
		}
	}
	return ""
}

// releaseThen is the Release as it was planned: fetched, and not blocked. A block that was set since says nothing of that time.
func releaseThen(seen *Observation) *v1alpha1.Release {
	inputs := seen.Promotion.Status.Plan.Inputs
	if inputs.Release.UID == "" {
		return seen.Release
	}
	release := seen.Release
	if release == nil || string(release.UID) != inputs.Release.UID {
		release = &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Application: seen.Environment.Spec.Application}}
		release.Namespace, release.Name, release.UID = seen.Promotion.Namespace, inputs.Release.Name, types.UID(inputs.Release.UID)
	}
	release.Spec.Blocked = v1alpha1.ReleaseBlock{}
	release.Status.Digest = inputs.ReleaseDigest
	meta.SetStatusCondition(&release.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved})
	return release
}

// plan that was current last, with the conditions of the other rules.
func (r replay) plan(seen *Observation) {
	p := seen.Promotion
	own := *seen
	own.Environment = seen.Environment.DeepCopy()
	own.Environment.Spec = r.environment.Spec
	if State(p) == v1alpha1.ReasonInvalid && invalid(own) == "" {
		seen.Planned = &Planned{Refused: conditionOf(p, v1alpha1.ConditionSucceeded).Message}
		return
	}
	plan := p.Status.Plan
	plan.Digest = cmp.Or(plan.Digest, simulatedDigest)
	if seen.Release != nil {
		plan.Rules = PlanRules(seen.Environment, expression.RuleInput{
			Plan: plan, Changes: plan.Changes, Release: seen.Release, Environment: seen.Environment, Promotion: p,
		})
	}
	seen.Planned = &Planned{Plan: plan}
}

// replayed is an Environment's status after some records of its history, as far as other Environments and overrides ask for it, and the intent of the
// rollout that ran then; nil if none did.
func replayed(records []v1alpha1.AuditRecord) (status v1alpha1.EnvironmentStatus, open *v1alpha1.AuditRecord) {
	for i := range records {
		record := &records[i]
		name := record.Spec.Promotion.Name
		switch {
		case record.Spec.Type == v1alpha1.AuditIntent:
			open = record
		case record.Spec.Type == v1alpha1.AuditOverridden:
			status.Overrides = append(status.Overrides, v1alpha1.UsedOverride{Promotion: name})
		case record.Spec.Type == v1alpha1.AuditAcknowledged:
			status.Overrides = slices.DeleteFunc(status.Overrides, func(used v1alpha1.UsedOverride) bool { return used.Promotion == name })
		case open != nil && audit.IsOutcome(record.Spec.Type) && record.Spec.Promotion.UID == open.Spec.Promotion.UID:
			replayOutcome(&status, open, record)
			open = nil
		}
	}
	return status, open
}

// replayOutcome does what an outcome has done to the Environment's status.
func replayOutcome(status *v1alpha1.EnvironmentStatus, intent, outcome *v1alpha1.AuditRecord) {
	release := intent.Spec.Release
	soak.Stopped(status, intent.Spec.Time.Time)
	healthy := metav1.Condition{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRolloutFailed,
		Message: fmt.Sprintf("promotion %q of release %q did not end well", intent.Spec.Promotion.Name, release.Name)}
	switch outcome.Spec.Type {
	case v1alpha1.AuditSucceeded:
		status.Current = v1alpha1.Deployment{Release: release.Name, Version: release.Version, SinceTime: outcome.Spec.Time}
		soak.Succeeded(status, v1alpha1.SucceededRelease{Name: release.Name, UID: release.UID, Version: release.Version, SucceededTime: outcome.Spec.Time})
		healthy.Status, healthy.Reason, healthy.Message = metav1.ConditionTrue, v1alpha1.ReasonRolledOut, "rolled out"
	case v1alpha1.AuditRolledBack:
		healthy.Status, healthy.Reason, healthy.Message = metav1.ConditionTrue, v1alpha1.ReasonRolledBackTo, "what ran before runs again"
		if len(status.Releases) > 0 {
			soak.Resumed(status, status.Releases[0].UID, outcome.Spec.Time.Time)
		}
	case v1alpha1.AuditIntent, v1alpha1.AuditFailed, v1alpha1.AuditCorrected, v1alpha1.AuditRejected, v1alpha1.AuditExpired, v1alpha1.AuditOverridden,
		v1alpha1.AuditAcknowledged, v1alpha1.AuditSuperseded, v1alpha1.AuditCancelled:
	}
	meta.SetStatusCondition(&status.Conditions, healthy)
}
