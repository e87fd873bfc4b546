// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/health"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
)

// act carries a decision out: every write to the world but the promotion's own status.
func (r *PromotionReconciler) act(ctx context.Context, seen *view, next promotion.Decision) (outcome, error) {
	switch next := next.(type) {
	case promotion.Rest, promotion.MakePlan, promotion.Prove:
		return outcome{}, nil
	case promotion.Wait:
		r.runChecks(seen, next, next.Run) //nolint:contextcheck // a check outlives this call; forget and Start end it
		return outcome{after: next.Again}, nil
	case promotion.Acknowledge:
		return outcome{}, r.acknowledge(ctx, seen)
	case promotion.Watch:
		return r.watch(ctx, seen, next.Deadline)
	case promotion.Verify:
		r.runChecks(seen, next, next.Run) //nolint:contextcheck // a check outlives this call; forget and Start end it
		return r.watch(ctx, seen, next.Deadline)
	case promotion.RollBack:
		return outcome{again: true}, nil // it begins when the status says so
	case promotion.Start:
		return r.start(ctx, seen, next)
	case promotion.Apply:
		return r.apply(ctx, seen)
	case promotion.Prune:
		return r.prune(ctx, seen)
	case promotion.Finish:
		return outcome{}, r.finish(ctx, seen, next)
	case promotion.Conclude:
		return outcome{}, r.settle(ctx, seen.rollout.intent, next.Outcome)
	case promotion.End:
		return outcome{}, r.end(ctx, seen, next)
	}
	return outcome{}, nil
}

// start closes the decisions, then puts the intent on record. The status is written against the very version that was proved:
// an approval that is withdrawn in between makes the write fail.
func (r *PromotionReconciler) start(ctx context.Context, seen *view, next promotion.Start) (outcome, error) {
	p := seen.Promotion
	proved := int64(unproved)
	if p.Status.StartTime.IsZero() {
		proved = seen.proved
		p.Status = promotion.Status(seen.Observation, next)
		if err := r.Client.Status().Update(ctx, p); err != nil {
			return outcome{}, moved(err)
		}
		r.writes.wrote(p)
	}
	if err := r.putOverrideOnRecord(ctx, seen, next); err != nil {
		r.rollouts.drop(keyOf(p)) // it may be on record all the same
		return outcome{}, err
	}
	entry := entryOf(p, seen.Release, v1alpha1.AuditIntent, seen.Now)
	entry.Reason = p.Spec.Reason
	entry.PlanDigest, entry.RenderedDigest = seen.Planned.Plan.Digest, seen.Planned.Plan.RenderedDigest
	entry.Decisions, entry.DecidedBy = decisionsOf(p, next.Approvals)
	entry.Target = seen.Environment.Spec.Target
	entry.Objects = references(seen.objects)
	entry.Fallback, entry.ValuesDigest = seen.Planned.Plan.Fallback, seen.Planned.Plan.Inputs.ValuesDigest
	intent, err := r.Ledger.appendAfter(ctx, p.Namespace, auditHead(seen.Environment), proved, entry)
	switch {
	case errors.Is(err, errOver):
		r.rollouts.drop(keyOf(p)) // what is on record is concluded
		return outcome{again: true}, nil
	case err != nil && !errors.Is(err, errBusy):
		r.rollouts.drop(keyOf(p)) // it may be on record all the same: look before anything else
		r.places.environments.ring(environmentOf(p))
		return outcome{}, err
	}
	known := &rollout{uid: p.UID, intent: intent}
	if intent != nil && intent.Spec.RenderedDigest == entry.RenderedDigest { // if not, an earlier process has put another rendering on record; that one counts
		known.take(seen.Rendering, seen.Environment)
	}
	r.rollouts.put(keyOf(p), known)
	return outcome{again: true}, nil
}

// apply the next wave of the objects as the deployer.
func (r *PromotionReconciler) apply(ctx context.Context, seen *view) (outcome, error) {
	known := seen.rollout
	if known.objects == nil {
		if err := r.takeOver(ctx, seen); err != nil {
			return r.failed(seen, err)
		}
	}
	if err := asApproved(known); err != nil {
		return r.failed(seen, err)
	}
	deployer, err := r.deployer(ctx, seen)
	if err != nil {
		return r.failed(seen, err)
	}
	waves := plan.Steps(known.objects)
	known.waves = len(waves)
	applied, err := deployer.Apply(ctx, waves[known.wave], known.found...)
	if err != nil {
		return r.failed(seen, err)
	}
	watched := slices.Concat(known.watched, expected(applied))
	err = known.where.health.Track(keyOf(seen.Promotion), watched, deployer.Reader()) //nolint:contextcheck // the watches outlive this call; Stop ends them
	if err != nil {
		return r.failed(seen, err)
	}
	known.watched, known.trouble = watched, ""
	if known.wave++; known.applied() {
		known.Rendering = Rendering{} // a thousand rollouts that wait for health must not hold their objects
	}
	return outcome{again: true}, nil
}

// watch what was applied until the deadline. In another cluster the credentials can be replaced meanwhile; then the watches are made anew with the new ones.
func (r *PromotionReconciler) watch(ctx context.Context, seen *view, deadline time.Duration) (outcome, error) {
	known := seen.rollout
	if known == nil || known.where == nil || !known.where.Remote() {
		return outcome{after: deadline}, nil
	}
	before := known.where
	deployer, err := r.deployer(ctx, seen)
	if err != nil {
		return r.failed(seen, err)
	}
	if known.where != before {
		err = known.where.health.Track(keyOf(seen.Promotion), known.watched, deployer.Reader()) //nolint:contextcheck // the watches outlive this call; Stop ends them
		if err != nil {
			return r.failed(seen, err)
		}
	}
	return outcome{after: min(deadline, recheck)}, nil
}

// deployer of a rollout, in the cluster that its intent names.
func (r *PromotionReconciler) deployer(ctx context.Context, seen *view) (*apply.Deployer, error) {
	known := seen.rollout
	where, err := r.places.of(ctx, seen.Promotion.Namespace, known.intent.Spec.Target)
	if err != nil {
		return nil, err
	}
	if approved := seen.Promotion.Status.Plan.Inputs.ClusterDigest; where.Digest != approved {
		return nil, &plan.InvalidError{Problems: []string{fmt.Sprintf(
			"the kubeconfig leads to another cluster than the one that was approved (digest %s, and not %s): nothing is applied there", where.Digest, approved)}}
	}
	if known.where != nil && known.where != where {
		known.where.health.Stop(keyOf(seen.Promotion)) // its credentials have changed
	}
	known.where = where
	return where.deployers.As(known.intent.Spec.Target, identityOf(seen.Promotion))
}

// asApproved makes sure, at the last moment, that what is applied is what the intent on record speaks of.
func asApproved(known *rollout) error {
	rendered, err := plan.RenderedDigest(known.objects)
	if err != nil {
		return err
	}
	approved := known.intent.Spec.RenderedDigest
	if known.back {
		approved = known.intent.Spec.Fallback.RenderedDigest
	}
	if rendered != approved {
		return &plan.InvalidError{Problems: []string{fmt.Sprintf(
			"the objects at hand have digest %s, and what was approved has %s: nothing else is applied; what they are rendered from, such as the environment's overlay or the values, "+
				"has changed since the start", rendered, approved)}}
	}
	return nil
}

// takeOver renders the objects of a rollout that another process has started, or of its way back.
func (r *PromotionReconciler) takeOver(ctx context.Context, seen *view) error {
	known, p := seen.rollout, seen.Promotion
	release, intent := seen.Release, known.intent.Spec
	if known.back {
		var err error
		if release, err = r.Planner.fallbackRelease(ctx, p.Namespace, intent.Fallback.Release); err != nil {
			return err
		}
		intent.Release.Digest = intent.Fallback.ReleaseDigest
	}
	if release == nil {
		return &plan.InvalidError{Problems: []string{"the release was deleted during its rollout, so that it cannot be rendered again"}}
	}
	objects, err := r.Planner.Render(ctx, release, seen.Environment, intent)
	if err != nil {
		return err
	}
	known.take(Rendering{objects: objects}, seen.Environment)
	return nil
}

// take the objects of a rollout, and see what is to be pruned once they are healthy. On the way back, that is also what the failed rollout has brought.
func (r *rollout) take(rendering Rendering, environment *v1alpha1.Environment) {
	r.Rendering, r.refs = rendering, references(rendering.objects)
	there := []v1alpha1.ObjectReference{}
	if environment != nil {
		there = environment.Status.Inventory
	}
	if r.back {
		there = union(there, r.intent.Spec.Objects)
	}
	r.prunes = prunesOf(environment, there, r.refs)
}

// prune what the last rollout had and this one has not.
func (r *PromotionReconciler) prune(ctx context.Context, seen *view) (outcome, error) {
	known := seen.rollout
	deployer, err := r.deployer(ctx, seen)
	if err != nil {
		return r.failed(seen, err)
	}
	pruned, err := deployer.Prune(ctx, known.prunes, ownerOf(seen.Promotion))
	if err != nil {
		return r.failed(seen, err)
	}
	for _, kept := range pruned.Kept {
		ctrl.LoggerFrom(ctx).Info("not pruned", "object", plan.Describe(kept.Ref), "reason", kept.Reason)
	}
	known.prunes = nil
	return outcome{again: true}, nil
}

// expected is what health is judged by after an apply.
func expected(applied apply.Result) []health.Expected {
	objects := make([]health.Expected, 0, len(applied.Objects))
	for _, object := range applied.Objects {
		objects = append(objects, health.Expected{
			Ref: object.Ref, Kind: object.Kind, UID: object.UID, Generation: object.Generation, ResourceVersion: object.ResourceVersion,
		})
	}
	return objects
}

// failed keeps a failure that no retry mends for the next decision; any other is returned, to be tried again.
func (r *PromotionReconciler) failed(seen *view, err error) (outcome, error) {
	closed := unreachable(err) // that passes, or the rollout's time does
	if closed != nil {
		seen.rollout.trouble = closed.Message
		return outcome{}, err
	}
	if unrunnable(err) || apply.KindOf(err) != apply.TransientError {
		seen.rollout.failure = err.Error()
		return outcome{again: true}, nil
	}
	seen.rollout.trouble = err.Error()
	return outcome{}, err
}

// finish puts the outcome on record, then brings the Environment up to date.
func (r *PromotionReconciler) finish(ctx context.Context, seen *view, next promotion.Finish) error {
	p := seen.Promotion
	entry := entryOf(p, seen.Release, next.Type, seen.Now)
	entry.Reason = next.Message
	if intent := seen.rollout.intent; intent != nil {
		entry.Release, entry.PlanDigest, entry.RenderedDigest, entry.Target =
			intent.Spec.Release, intent.Spec.PlanDigest, intent.Spec.RenderedDigest, intent.Spec.Target
		entry.Checks = verifications(seen.Environment, promotion.Status(seen.Observation, next).Checks)
	}
	if next.Type == v1alpha1.AuditRolledBack {
		entry.Fallback, entry.Objects = seen.rollout.intent.Spec.Fallback, seen.rollout.refs
	}
	record, err := r.Ledger.Append(ctx, p.Namespace, auditHead(seen.Environment), entry)
	if err != nil {
		r.rollouts.drop(keyOf(p)) // the record may have been written all the same: look before writing another
		return err
	}
	if otherEnd(record, entry) {
		r.rollouts.drop(keyOf(p))
		return errMoved
	}
	seen.rollout.outcome = record
	if seen.rollout.intent == nil {
		return nil // nothing was applied
	}
	return r.settle(ctx, seen.rollout.intent, record)
}

// verifications are what the checks after a rollout have found, as an audit record keeps it.
func verifications(environment *v1alpha1.Environment, found []v1alpha1.CheckStatus) []v1alpha1.AuditedCheck {
	var audited []v1alpha1.AuditedCheck
	for _, answer := range found {
		after := environment != nil && slices.ContainsFunc(environment.Spec.Checks, func(c v1alpha1.Check) bool {
			return c.Name == answer.Name && c.Phase == v1alpha1.CheckAfter
		})
		if after {
			audited = append(audited, v1alpha1.AuditedCheck{Name: answer.Name, Result: answer.Result, Message: answer.Message, Time: answer.Time})
		}
	}
	return audited
}

// end puts on record that a promotion ended before its start, if that is worth a record. That it is not on record yet was
// proved.
func (r *PromotionReconciler) end(ctx context.Context, seen *view, next promotion.End) error {
	if next.Type == "" {
		return nil
	}
	p := seen.Promotion
	entry := entryOf(p, seen.Release, next.Type, seen.Now)
	entry.Reason = next.Message
	entry.PlanDigest, entry.RenderedDigest = p.Status.Plan.Digest, p.Status.Plan.RenderedDigest
	entry.Decisions, entry.DecidedBy = decisionsOf(p, next.Approvals)
	record, err := r.Ledger.Append(ctx, p.Namespace, auditHead(seen.Environment), entry)
	if err == nil && otherEnd(record, entry) {
		return errMoved
	}
	return err
}

// otherEnd says whether another process has put another end on record first. That one counts: the status must say nothing else.
func otherEnd(record *v1alpha1.AuditRecord, entry v1alpha1.AuditRecordSpec) bool {
	return record.Spec.Type != entry.Type || record.Spec.Reason != entry.Reason
}

// entryOf is what every audit record says of a promotion.
func entryOf(p *v1alpha1.Promotion, release *v1alpha1.Release, kind v1alpha1.AuditType, now time.Time) v1alpha1.AuditRecordSpec {
	entry := v1alpha1.AuditRecordSpec{
		Environment: p.Spec.Environment, Type: kind, Time: metav1.NewTime(now.UTC().Truncate(time.Second)),
		Promotion:   v1alpha1.ObjectIdentity{Name: p.Name, UID: string(p.UID)},
		RequestedBy: p.Spec.RequestedBy,
	}
	if p.Spec.Type == v1alpha1.PromotionTypeRollback {
		entry.PromotionType = p.Spec.Type
	}
	if release != nil && release.Status.Digest != "" {
		entry.Release = v1alpha1.AuditedRelease{
			ObjectIdentity: v1alpha1.ObjectIdentity{Name: release.Name, UID: string(release.UID)},
			Version:        release.Spec.Version, Digest: release.Status.Digest,
		}
	}
	return entry
}

// decisionsOf are the decisions that counted, as an audit record keeps them, and the names of the people.
func decisionsOf(p *v1alpha1.Promotion, counted approval.Result) (decisions []v1alpha1.AuditedDecision, names string) {
	var users []string
	for _, vote := range counted.Status.Counted {
		i := slices.IndexFunc(p.Spec.Approvals, func(a v1alpha1.Approval) bool { return a.User == vote.User })
		if i < 0 {
			continue
		}
		entry := p.Spec.Approvals[i]
		users = append(users, entry.User)
		decisions = append(decisions, v1alpha1.AuditedDecision{
			User: entry.User, UID: entry.UID, Groups: entry.Groups, Decision: entry.Decision,
			Comment: entry.Comment, Rules: counted.Filled[entry.User], Time: vote.Time,
		})
	}
	return decisions, strings.Join(users, ", ")
}
