// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/drift"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/source"
)

const (
	// comparers is how many Environments are compared at once: after a start all of them are, and nothing waits for it.
	comparers = 2
	// mostFaults is how many faults in a row are not worth telling.
	mostFaults = 3
	// compareAgain and compareAgainMost bound how soon a comparison that could not be made is tried again.
	compareAgain, compareAgainMost = 5 * time.Second, 5 * time.Minute
	// mostBack is how many records are read one by one to find the beginning of a rollout.
	mostBack = 32
	// mostUnknown is how much is said of why nothing can be compared, in bytes.
	mostUnknown = 4096
)

// comparer makes the comparisons that are asked for. It is a part of the operator's manager.
type comparer struct{ *EnvironmentReconciler }

// Start compares until the context ends.
func (c *comparer) Start(ctx context.Context) error {
	var group sync.WaitGroup
	for range comparers {
		group.Go(func() {
			for c.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	c.drifts.queue.ShutDown()
	group.Wait()
	return nil
}

// next makes one comparison; false when there is none to come.
func (c *comparer) next(ctx context.Context) bool {
	key, ended := c.drifts.queue.Get()
	if ended {
		return false
	}
	defer c.drifts.queue.Done(key)
	wanted, is := c.drifts.wanted(key)
	if !is {
		return true
	}
	ctx = ctrl.LoggerInto(ctx, ctrl.LoggerFrom(ctx).WithValues("environment", key))
	result, err := c.compare(ctx, key, wanted)
	switch {
	case err != nil:
		c.failed(ctx, key, wanted, err)
	case result == nil: // corrected, or rolled out anew: the next one tells
	default:
		c.drifts.found(key, *result)
		c.woken.ring(key)
	}
	return true
}

// failed tells why nothing could be compared, unless it may pass, and has it tried again.
func (c *comparer) failed(ctx context.Context, key types.NamespacedName, wanted subject, err error) {
	if ctx.Err() != nil {
		return
	}
	faults := c.drifts.fault(key)
	again := min(compareAgain<<min(faults, 10), compareAgainMost)
	var reason *incomparable
	lasting := errors.As(err, &reason) || unrunnable(err) || apply.KindOf(err) != apply.TransientError
	if lasting || faults >= mostFaults || errors.As(err, new(*source.Error)) || unreachable(err) != nil {
		c.drifts.found(key, comparison{subject: wanted, unknown: promotion.Clip("what was applied cannot be compared with what was approved: "+err.Error(), mostUnknown)})
		c.woken.ring(key)
		again = compareAgainMost
	}
	if reason == nil && !unrunnable(err) {
		c.drifts.timers.soon(key, again)
	}
}

// incomparable says what a person has to do before anything can be compared.
type incomparable struct{ message string }

// Error is for the Environment's condition.
func (e *incomparable) Error() string { return e.message }

// compare what runs in an Environment with what was approved; nil if there is nothing to tell.
func (r *EnvironmentReconciler) compare(ctx context.Context, key types.NamespacedName, wanted subject) (*comparison, error) {
	environment, err := find(ctx, r.Client, &v1alpha1.Environment{}, key)
	if err != nil || environment == nil || !wholePlan(&environment.Status) || r.rollsOut(environment) || environment.Status.Audit.Sequence != wanted.sequence {
		return nil, err
	}
	approved, err := r.approvedOf(ctx, environment)
	if err != nil {
		return nil, err
	}
	objects, err := r.renderAgain(ctx, asPlanned(environment, approved), approved)
	if err != nil {
		return nil, err
	}
	where, err := r.approvedPlace(ctx, key.Namespace, approved)
	if err != nil {
		return nil, err
	}
	deployer, err := where.deployers.As(approved.Target, identityIn(key.Namespace, approved))
	if err != nil {
		return nil, err
	}
	pairs, err := deployer.Compare(ctx, objects)
	if err != nil {
		return nil, err
	}
	found := drift.Find(objects, pairs)
	result := &comparison{subject: wanted, drifted: found.Shown(), digest: found.Digest(), total: found.Total(), of: len(objects)}
	if found.Total() == 0 || environment.Spec.Rollout.Drift != v1alpha1.DriftCorrect {
		return result, nil
	}
	result.note, err = r.correct(ctx, environment, &correction{
		approved: approved, objects: objects, pairs: pairs, found: found, deployers: where.deployers, deployer: deployer,
	})
	if err != nil || result.note != "" {
		return result, err
	}
	r.drifts.timers.soon(key, compareAfter)
	return nil, nil
}

// approvedPlace is where what was approved has been rolled out. If a kubeconfig leads elsewhere by now, nobody there is told what was, not even by
// comparing with it.
func (r *EnvironmentReconciler) approvedPlace(ctx context.Context, project string, approved *v1alpha1.AuditRecordSpec) (*place, error) {
	where, err := r.Promotions.places.of(ctx, project, approved.Target)
	if err != nil || approved.Target.Cluster == (v1alpha1.TargetCluster{}) {
		return where, err
	}
	p, err := find(ctx, r.Client, &v1alpha1.Promotion{}, types.NamespacedName{Namespace: project, Name: approved.Promotion.Name})
	switch {
	case err != nil:
		return nil, err
	case p == nil || string(p.UID) != approved.Promotion.UID:
		return nil, &incomparable{fmt.Sprintf("promotion %q is gone, and with it which cluster was approved: promote the release again", approved.Promotion.Name)}
	case p.Status.Plan.Inputs.ClusterDigest != where.Digest:
		return nil, &incomparable{"the kubeconfig leads to another cluster than the one that was approved: promote the release again"}
	}
	return where, nil
}

// identityIn is the promotion that rolled out what a record approves, as requests carry it.
func identityIn(project string, approved *v1alpha1.AuditRecordSpec) apply.PromotionIdentity {
	return apply.PromotionIdentity{Namespace: project, Name: approved.Promotion.Name, UID: types.UID(approved.Promotion.UID)}
}

// asPlanned is an Environment as it was when the plan was made of what runs there: before its rollout, the one before it ran. A chart may ask for that.
func asPlanned(environment *v1alpha1.Environment, approved *v1alpha1.AuditRecordSpec) *v1alpha1.Environment {
	planned := *environment
	if approved.PlanDigest == environment.Status.Current.Digest { // else the rollout went back to what ran
		planned.Status.Current = environment.Status.Previous
	}
	return &planned
}

// renderAgain renders what was approved once more, without what has done its work. It is an error if it is not the same any more.
func (r *EnvironmentReconciler) renderAgain(ctx context.Context, environment *v1alpha1.Environment, approved *v1alpha1.AuditRecordSpec) ([]*unstructured.Unstructured, error) {
	name := approved.Release.Name
	release, err := find(ctx, r.Client, &v1alpha1.Release{}, types.NamespacedName{Namespace: environment.Namespace, Name: name})
	if err != nil {
		return nil, err
	}
	if release == nil || string(release.UID) != approved.Release.UID {
		return nil, &incomparable{fmt.Sprintf("release %q was deleted since: promote another one", name)}
	}
	objects, err := r.Promotions.Planner.Render(ctx, release, environment, *approved)
	if err != nil {
		return nil, err
	}
	rendered, err := plan.RenderedDigest(objects)
	if err != nil {
		return nil, err
	}
	if rendered != approved.RenderedDigest {
		return nil, &incomparable{fmt.Sprintf("release %q is rendered in another way than when promotion %q was approved: the Environment's spec, or what it takes values from, "+
			"has changed since; promote the release again to apply that", name, approved.Promotion.Name)}
	}
	var standing []*unstructured.Unstructured
	for _, object := range objects {
		if !doesItsWorkOnce(object.GroupVersionKind().GroupKind()) {
			standing = append(standing, object)
		}
	}
	return standing, nil
}

// doesItsWorkOnce says of a kind that its objects have done their work when a rollout has succeeded, and may be gone since.
func doesItsWorkOnce(kind schema.GroupKind) bool {
	return kind == schema.GroupKind{Group: "batch", Kind: "Job"}
}

// approvedOf is what is on record of what runs in an Environment: the intent of the rollout that brought it. After a rollout that went back to what ran
// before, it is what that rollout's intent names for it.
func (r *EnvironmentReconciler) approvedOf(ctx context.Context, environment *v1alpha1.Environment) (*v1alpha1.AuditRecordSpec, error) {
	end, err := r.recordOf(ctx, environment, environment.Status.Audit.Sequence)
	if err != nil {
		return nil, err
	}
	if end == nil {
		return nil, &incomparable{"the record of the last rollout's end is not there any more: promote the release again"}
	}
	intent, err := r.intentOf(ctx, environment, end)
	if err != nil {
		return nil, err
	}
	if intent == nil {
		return nil, &incomparable{"the record of the last rollout's start is not there any more: promote the release again"}
	}
	approved := intent.Spec
	if end.Spec.Type == v1alpha1.AuditRolledBack {
		back := intent.Spec.Fallback
		approved.Release = v1alpha1.AuditedRelease{ObjectIdentity: back.Release, Version: back.Version, Digest: back.ReleaseDigest}
		approved.RenderedDigest = back.RenderedDigest
	}
	return &approved, nil
}

// intentOf is the record of the beginning of a rollout: most often the one before that of its end; nil if it is not there.
func (r *EnvironmentReconciler) intentOf(ctx context.Context, environment *v1alpha1.Environment, end *v1alpha1.AuditRecord) (*v1alpha1.AuditRecord, error) {
	begins := func(record *v1alpha1.AuditRecord) bool {
		return record.Spec.Type == v1alpha1.AuditIntent && record.Spec.Promotion.UID == end.Spec.Promotion.UID
	}
	for sequence := end.Spec.Sequence - 1; sequence > 0 && sequence >= end.Spec.Sequence-mostBack; sequence-- {
		record, err := r.recordOf(ctx, environment, sequence)
		if err != nil {
			return nil, err
		}
		if record != nil && begins(record) {
			return record, nil
		}
	}
	records, err := r.Ledger.Of(ctx, environment.Namespace, types.UID(end.Spec.Promotion.UID))
	if err != nil {
		return nil, err
	}
	for i := range records {
		if begins(&records[i]) {
			return &records[i], nil
		}
	}
	return nil, nil
}

// recordOf is one record of an Environment's history; nil if it is not there.
func (r *EnvironmentReconciler) recordOf(ctx context.Context, environment *v1alpha1.Environment, sequence int64) (*v1alpha1.AuditRecord, error) {
	key := client.ObjectKey{Namespace: environment.Namespace, Name: audit.Name(environment.Name, sequence)}
	return find(ctx, r.Live, &v1alpha1.AuditRecord{}, key)
}
