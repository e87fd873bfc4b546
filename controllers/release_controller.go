// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/render"
	"github.com/assent-dev/assent/internal/source"
)

// ReleaseReconciler resolves each Release once: it finds the digest of the content, and proves that the content is there,
// is what the digest says, and renders. Of a blocked one it tells where it runs.
type ReleaseReconciler struct {
	Client   client.Client
	Contents *Contents
	Clock    clock.PassiveClock
	Events   events.EventRecorder
}

// resolved is what was found out about a Release's content, and, if it is blocked, where it runs.
type resolved struct {
	digest v1alpha1.Digest
	err    error
	runsIn []v1alpha1.ReleaseEnvironment
}

// Reconcile resolves a Release that is not ready yet.
func (r *ReleaseReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	release := &v1alpha1.Release{}
	if err := r.Client.Get(ctx, request.NamespacedName, release); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !release.DeletionTimestamp.IsZero() || settled(release) {
		return ctrl.Result{}, nil
	}
	found, err := r.observe(ctx, release)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.record(ctx, release, found)
}

// settled says that nothing is left to find out: a Release never changes, but for being blocked. Where a blocked one runs does.
func settled(release *v1alpha1.Release) bool {
	ready := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.ObservedGeneration != release.Generation {
		return false
	}
	return ready.Status == metav1.ConditionTrue || ready.Reason == v1alpha1.ReasonInvalidSource || ready.Reason == v1alpha1.ReasonDigestMismatch
}

// inOrder says whether the content was found in order before. It has not changed since: nothing but the block can have.
func inOrder(release *v1alpha1.Release) bool {
	ready := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && release.Status.Digest != "" && (ready.Status == metav1.ConditionTrue || ready.Reason == v1alpha1.ReasonBlockedRelease)
}

func (r *ReleaseReconciler) observe(ctx context.Context, release *v1alpha1.Release) (resolved, error) {
	found := resolved{digest: release.Status.Digest}
	if !inOrder(release) {
		found = r.resolve(ctx, release)
	}
	if !isBlocked(release) {
		return found, nil
	}
	var err error
	found.runsIn, err = r.runsIn(ctx, release)
	return found, err
}

// resolve finds the content of a Release, and proves that it can be rolled out.
func (r *ReleaseReconciler) resolve(ctx context.Context, release *v1alpha1.Release) resolved {
	digest := release.Status.Digest
	if digest == "" {
		var err error
		if digest, err = r.Contents.Resolve(ctx, release); err != nil {
			return resolved{err: err}
		}
	}
	return resolved{digest: digest, err: r.Contents.Check(ctx, release, digest)}
}

// record writes the status. A failure that trying again can mend is returned, to be tried again ever more rarely.
func (r *ReleaseReconciler) record(ctx context.Context, release *v1alpha1.Release, found resolved) error {
	before := release.DeepCopy()
	condition := readiness(found)
	if condition.Status == metav1.ConditionTrue && isBlocked(release) {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonBlockedRelease, blockedMessage(release, found.runsIn)
	}
	release.Status.Environments = found.runsIn
	condition.ObservedGeneration = release.Generation
	condition.Message = plan.Visible(condition.Message) // it may quote what anybody wrote
	condition.LastTransitionTime = metav1.NewTime(r.Clock.Now())
	meta.SetStatusCondition(&release.Status.Conditions, condition)
	release.Status.ObservedGeneration = release.Generation
	if found.digest != "" {
		release.Status.Digest = found.digest
	}
	if !equality.Semantic.DeepEqual(before.Status, release.Status) {
		if err := r.Client.Status().Update(ctx, release); err != nil {
			return client.IgnoreNotFound(err)
		}
		r.announce(before, release, condition)
	}
	if condition.Reason == v1alpha1.ReasonFetchFailed {
		return fmt.Errorf("release %s/%s: %w", release.Namespace, release.Name, found.err)
	}
	if found.err != nil {
		return reconcile.TerminalError(found.err)
	}
	return nil
}

func (r *ReleaseReconciler) announce(before, release *v1alpha1.Release, condition metav1.Condition) {
	earlier := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	if condition.Status == metav1.ConditionTrue || (earlier != nil && earlier.Reason == condition.Reason) {
		return
	}
	r.Events.Eventf(release, nil, "Warning", condition.Reason, "Resolve", "%s", note(condition.Message))
}

// readiness is the Ready condition of a Release about whose content this was found.
func readiness(found resolved) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	var sourceError *source.Error
	var renderError *render.Error
	switch {
	case found.err == nil:
		condition.Status = metav1.ConditionTrue
		condition.Reason = v1alpha1.ReasonResolved
		condition.Message = fmt.Sprintf("the content is %s", found.digest)
	case errors.As(found.err, &sourceError):
		condition.Reason, condition.Message = sourceError.Reason, sourceError.Error()
	case errors.As(found.err, &renderError):
		condition.Reason, condition.Message = v1alpha1.ReasonInvalidSource, renderError.Error()
	default:
		condition.Reason, condition.Message = v1alpha1.ReasonFetchFailed, found.err.Error()
	}
	return condition
}
