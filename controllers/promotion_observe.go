// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
)

// view is an observation with what acting on it needs.
type view struct {
	promotion.Observation
	// rendering of the plan that was made just now.
	Rendering
	// rollout of a started promotion; nil before its start.
	rollout *rollout
	// proved is the sequence number up to which the promotion was proved to have nothing on record, before its start.
	proved int64
	// anticipated is the plan that is being made from what the caches say, during the proof.
	anticipated *anticipation
	// unlock frees the Environment for other starts.
	unlock func()
}

func (v *view) release() {
	if v != nil && v.unlock != nil {
		v.unlock()
	}
	if v != nil && v.anticipated != nil {
		v.anticipated.stop()
	}
}

// mostFailing is how many objects that are not healthy a Promotion's status names; the API's bound.
const mostFailing = 16

// observe gathers what the decision needs: from caches first, then, when the decision asks for a closer look, a plan and
// live reads. It writes nothing.
func (r *PromotionReconciler) observe(ctx context.Context, p *v1alpha1.Promotion) (*view, promotion.Decision, error) {
	seen := &view{}
	if promotion.Ended(p) {
		seen.Observation = promotion.Observation{Now: r.Clock.Now(), Promotion: p}
		return seen, promotion.Decide(seen.Observation), nil
	}
	if err := r.look(ctx, p, seen, r.Client); err != nil {
		return seen, nil, err
	}
	for {
		next := promotion.Decide(seen.Observation)
		var err error
		switch next := next.(type) {
		case promotion.MakePlan:
			err = r.plan(ctx, seen, next.Inputs)
		case promotion.Prove:
			err = r.prove(ctx, seen, next.Inputs)
		case promotion.Rest, promotion.Wait, promotion.Start, promotion.Apply, promotion.Watch,
			promotion.Prune, promotion.Verify, promotion.RollBack, promotion.Finish, promotion.Conclude, promotion.End, promotion.Acknowledge:
			return seen, next, nil
		}
		if err != nil {
			return seen, nil, err
		}
	}
}

// look fills the observation with reads by reader. What was planned or proved before is forgotten.
func (r *PromotionReconciler) look(ctx context.Context, p *v1alpha1.Promotion, seen *view, reader client.Reader) error {
	seen.Observation = promotion.Observation{Now: r.Clock.Now(), Promotion: p}
	if err := r.lookAtNamed(ctx, seen, reader); err != nil {
		return err
	}
	if err := r.lookBefore(ctx, seen, reader); err != nil {
		return err
	}
	if err := r.lookAtInputs(ctx, seen, reader); err != nil {
		return err
	}
	if err := r.lookAtOthers(ctx, seen); err != nil {
		return err
	}
	if promotion.Started(p) {
		return r.lookAtRollout(ctx, seen)
	}
	return nil
}

// lookAtNamed reads what is known by name: the Release, the Environment, the project and the guard. Live reads take a millisecond each and depend on
// nothing, so that they are made side by side.
func (r *PromotionReconciler) lookAtNamed(ctx context.Context, seen *view, reader client.Reader) error {
	p := seen.Promotion
	group, together := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		seen.Release, err = find(together, reader, &v1alpha1.Release{}, types.NamespacedName{Namespace: p.Namespace, Name: p.Spec.Release})
		return err
	})
	group.Go(func() (err error) {
		seen.Environment, err = find(together, reader, &v1alpha1.Environment{}, environmentOf(p))
		if err == nil && seen.Environment != nil {
			seen.EnvironmentDigest, err = plan.EnvironmentDigest(seen.Environment.Spec)
		}
		return err
	})
	group.Go(func() error {
		project, err := projectOf(together, reader, p.Namespace)
		if err == nil && project != nil {
			seen.ProjectHold = promotion.HoldReason(project)
		}
		return err
	})
	group.Go(func() (err error) {
		if reader == r.Live {
			seen.Guard, err = r.guard.get(together)
		} else {
			seen.Guard, err = readGuard(together, reader)
		}
		return err
	})
	return group.Wait()
}

// lookBefore finds what an Environment wants to be seen first: its checks, and the Environments that come before it.
func (r *PromotionReconciler) lookBefore(ctx context.Context, seen *view, reader client.Reader) error {
	if seen.Environment == nil {
		return nil
	}
	if len(seen.Environment.Spec.Checks) > 0 {
		seen.Checks = r.checks.progress(seen.Promotion)
	}
	if len(seen.Environment.Spec.After) == 0 {
		return nil
	}
	var err error
	seen.Project, err = environmentsAround(ctx, r.Client, reader, seen.Environment)
	return err
}

// lookAtInputs finds what a plan would be made from, beside the objects that a promotion names: the other Releases of a bundle, the values of the Environment,
// and the target cluster.
func (r *PromotionReconciler) lookAtInputs(ctx context.Context, seen *view, reader client.Reader) error {
	var err error
	if seen.Release != nil && isBundle(seen.Release) {
		if seen.Bundled, err = findMembers(ctx, reader, seen.Release); err != nil {
			return err
		}
	}
	if seen.Environment == nil || (promotion.Started(seen.Promotion) && reader != r.Live) {
		return nil // a rollout that is on record goes by that; one that is not yet is proved live
	}
	spec, project := seen.Environment.Spec, seen.Promotion.Namespace
	held, find := client.Reader(r.values), r.places.lately
	if reader == r.Live {
		held, find = reader, r.places.of
	}
	r.values.hold(environmentOf(seen.Promotion), spec.Overlay) //nolint:contextcheck // the watches outlive this call; the next hold, and Start, end them
	taken, err := valuesOf(ctx, held, project, spec.Overlay)
	var unread *valuesError
	if errors.As(err, &unread) {
		seen.Unreadable = &v1alpha1.Blocker{Gate: v1alpha1.GateTarget, Message: unread.message, Clears: unread.remedy}
		return nil
	}
	if err != nil {
		return err
	}
	where, err := find(ctx, project, spec.Target)
	if seen.Unreadable = unreachable(err); seen.Unreadable != nil {
		return nil
	}
	if err != nil {
		return err
	}
	seen.ValuesDigest, seen.ClusterDigest = taken.digest, where.Digest
	return nil
}

// projectOf is the namespace of that name, its metadata alone; nil if there is none.
func projectOf(ctx context.Context, reader client.Reader, name string) (*metav1.PartialObjectMetadata, error) {
	project := &metav1.PartialObjectMetadata{}
	project.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return find(ctx, reader, project, types.NamespacedName{Name: name})
}

// leaves says whether a project is being deleted. That cannot be undone.
func leaves(project *metav1.PartialObjectMetadata) bool {
	return project != nil && !project.DeletionTimestamp.IsZero()
}

// environmentsAround are the Environments of a project by name. Those that come right before this one are read with reader; what lies beyond
// matters for finding cycles alone, and comes from the cache.
func environmentsAround(ctx context.Context, cached, reader client.Reader, environment *v1alpha1.Environment) (map[string]*v1alpha1.Environment, error) {
	var all v1alpha1.EnvironmentList
	if err := cached.List(ctx, &all, readOnly, client.InNamespace(environment.Namespace)); err != nil {
		return nil, fmt.Errorf("list the environments of project %q: %w", environment.Namespace, err)
	}
	project := make(map[string]*v1alpha1.Environment, len(all.Items))
	for i := range all.Items {
		project[all.Items[i].Name] = &all.Items[i]
	}
	project[environment.Name] = environment
	for _, name := range environment.Spec.After {
		before, err := find(ctx, reader, &v1alpha1.Environment{}, types.NamespacedName{Namespace: environment.Namespace, Name: name})
		if err != nil {
			return nil, err
		}
		delete(project, name)
		if before != nil {
			project[name] = before
		}
	}
	return project, nil
}

// find reads an object; nil if there is none.
func find[T client.Object](ctx context.Context, reader client.Reader, object T, key types.NamespacedName) (T, error) {
	var none T
	err := reader.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("read %T %q: %w", object, key, err)
	}
	return object, nil
}

// lookAtOthers finds a rollout that runs in the same Environment, and a newer promotion that has started. They come from the
// cache; that no other rollout runs is proved by the history.
func (r *PromotionReconciler) lookAtOthers(ctx context.Context, seen *view) error {
	p := seen.Promotion
	var siblings v1alpha1.PromotionList
	if err := r.Client.List(ctx, &siblings, readOnly, client.InNamespace(p.Namespace), client.MatchingFields{indexStarted: p.Spec.Environment}); err != nil {
		return fmt.Errorf("list the started promotions to environment %q: %w", p.Spec.Environment, err)
	}
	for i := range siblings.Items {
		other := &siblings.Items[i]
		if other.UID == p.UID {
			continue
		}
		if promotion.Started(other) {
			seen.Running = other.Name
		}
		if other.CreationTimestamp.After(p.CreationTimestamp.Time) {
			seen.Newer = other.Name
		}
	}
	return nil
}

// lookAtRollout finds what is known of a started promotion: what this process remembers, else what is on record.
func (r *PromotionReconciler) lookAtRollout(ctx context.Context, seen *view) error {
	p := seen.Promotion
	key := keyOf(p)
	known := r.rollouts.get(key, p.UID)
	if known == nil {
		var err error
		if known, err = r.recall(ctx, p); err != nil {
			return err
		}
		r.rollouts.put(key, known)
	}
	if promotion.GoesBack(p) && !known.back {
		known = known.wayBack()
		r.rollouts.put(key, known)
	}
	seen.rollout = known
	seen.Rollout = &promotion.Rollout{
		Intent: known.intent, Outcome: known.outcome, Wave: known.wave, Waves: known.waves,
		Applied: known.applied(), Failure: known.failure, Trouble: known.trouble, Prunes: len(known.prunes) > 0,
	}
	if known.intent != nil {
		r.lookAtHealth(key, known, seen.Rollout)
	}
	return nil
}

// recall reads from the history what another process may have done for a promotion.
func (r *PromotionReconciler) recall(ctx context.Context, p *v1alpha1.Promotion) (*rollout, error) {
	records, err := r.Ledger.Of(ctx, p.Namespace, p.UID)
	if err != nil {
		return nil, err
	}
	known := &rollout{uid: p.UID}
	for i := range records {
		switch record := &records[i]; record.Spec.Type {
		case v1alpha1.AuditIntent:
			known.intent = record
		case v1alpha1.AuditOverridden:
			known.overridden = true
		case v1alpha1.AuditAcknowledged:
			known.acknowledged = true
		case v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditRolledBack, v1alpha1.AuditRejected, v1alpha1.AuditExpired, v1alpha1.AuditSuperseded, v1alpha1.AuditCancelled:
			known.outcome = record
		case v1alpha1.AuditCorrected:
		}
	}
	return known, nil
}

// lookAtHealth asks the tracker how the applied objects are.
func (r *PromotionReconciler) lookAtHealth(key types.NamespacedName, known *rollout, found *promotion.Rollout) {
	total := len(known.intent.Spec.Objects)
	if known.back {
		total = len(known.refs)
	}
	progress := v1alpha1.RolloutProgress{Applied: ptr.To[int32](0), Healthy: ptr.To[int32](0), Total: count(total)}
	if known.waves > 1 {
		progress.Wave, progress.Waves = *count(max(known.wave, 1)), *count(known.waves)
	}
	if known.wave > 0 {
		report, _ := known.where.health.Report(key)
		progress.Applied = count(len(known.watched))
		progress.Healthy = count(report.Healthy)
		progress.Failing = report.Failing[:min(len(report.Failing), mostFailing)]
		found.Healthy = report.Total == len(known.watched) && report.Healthy == report.Total
		found.Hopeless = report.Failed
	}
	found.Progress = progress
}

func count(objects int) *int32 { return ptr.To(int32(objects)) } //nolint:gosec // at most 1,000
