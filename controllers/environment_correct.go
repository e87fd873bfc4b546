// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/drift"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
)

const (
	// mostCorrections is how often within correctionsWithin what one promotion has rolled out is corrected. Whoever changes it more often than that does
	// so on purpose: people have to talk to each other.
	mostCorrections   = 5
	correctionsWithin = time.Hour
)

// correction is what is needed to apply objects again that have drifted.
type correction struct {
	approved *v1alpha1.AuditRecordSpec
	// objects of the plan, and how a dry run has found them.
	objects []*unstructured.Unstructured
	pairs   []plan.Pair
	found   drift.Found
	// deployers of the target's cluster, and the one who applies.
	deployers *apply.Factory
	deployer  *apply.Deployer
}

// correct applies what has drifted again, as it was approved, and nothing else: nothing is pruned. It says why it does not; empty if it did.
//
// No rollout starts meanwhile: starts of this Environment wait for the same lock, and what has started is on record. An error may pass.
func (r *EnvironmentReconciler) correct(ctx context.Context, environment *v1alpha1.Environment, wanted *correction) (string, error) {
	key := client.ObjectKeyFromObject(environment)
	defer r.Promotions.starting.lock(key)()
	note, err := r.mustNotCorrect(ctx, environment, wanted)
	if err != nil || note != "" {
		return note, err
	}
	if note, err := r.exhausted(ctx, environment.Namespace, wanted); err != nil || note != "" {
		return note, err
	}
	refs := wanted.found.References()
	if _, err := r.Ledger.Append(ctx, environment.Namespace, environment.Status.Audit, r.correctionEntry(wanted, refs)); err != nil {
		return "", err
	}
	// Another process may have put an intent on record while the record was being written.
	if state, _ := r.Ledger.Known(key); state.Open != nil {
		return "a rollout has started", nil
	}
	_, err = wanted.deployer.Apply(ctx, of(wanted.objects, refs), apply.Findings(pairsOf(wanted.pairs, refs))...)
	if err != nil && apply.KindOf(err) != apply.TransientError {
		return promotion.Clip(err.Error(), 1024), nil
	}
	return "", err
}

// correctionEntry is the record of what is about to be applied again.
func (r *EnvironmentReconciler) correctionEntry(wanted *correction, refs []v1alpha1.ObjectReference) v1alpha1.AuditRecordSpec {
	approved := wanted.approved
	return v1alpha1.AuditRecordSpec{
		Environment: approved.Environment, Type: v1alpha1.AuditCorrected, Time: metav1.NewTime(r.Clock.Now().UTC().Truncate(time.Second)),
		Promotion: approved.Promotion, PromotionType: approved.PromotionType, Release: approved.Release,
		PlanDigest: approved.PlanDigest, RenderedDigest: approved.RenderedDigest, Target: approved.Target, Objects: refs,
		Reason: promotion.Clip(drift.Describe(wanted.found.Shown(), wanted.found.Total(), len(wanted.objects)), 2048),
	}
}

// mustNotCorrect says, on live reads, why nothing may be applied now; empty if it may.
func (r *EnvironmentReconciler) mustNotCorrect(ctx context.Context, seen *v1alpha1.Environment, wanted *correction) (string, error) {
	key, approved := client.ObjectKeyFromObject(seen), wanted.approved
	// The history before the Environment, as a start reads them: see prove.
	state, err := r.Ledger.State(ctx, key, seen.Status.Audit)
	if err != nil {
		return "", err
	}
	environment, err := find(ctx, r.Live, &v1alpha1.Environment{}, key)
	if err != nil {
		return "", err
	}
	project, err := projectOf(ctx, r.Live, key.Namespace)
	if err != nil {
		return "", err
	}
	switch {
	case environment == nil || environment.UID != seen.UID || !environment.DeletionTimestamp.IsZero() || leaves(project):
		return "the Environment is being deleted", nil
	case state.Open != nil || state.Owed(environment).Intent != nil:
		return "a rollout is running", nil
	case environment.Generation != seen.Generation || environment.Status.Audit != seen.Status.Audit:
		return "the Environment has just changed", nil
	case environment.Spec.Target != approved.Target:
		return "`spec.target` has changed since the rollout: promote the release again", nil
	}
	if hold := holdOf(environment, project); hold != "" {
		return fmt.Sprintf("held: %s", promotion.Clip(hold, 512)), nil
	}
	if note, err := r.guardStands(ctx, key.Namespace, approved); err != nil || note != "" {
		return note, err
	}
	err = wanted.deployers.CheckDeployer(ctx, approved.Target)
	if apply.KindOf(err) == apply.DeployerError {
		return err.Error(), nil
	}
	return "", err
}

// guardStands says why the guard is not what it was when the plan was approved; empty if it is. Where the promotion is gone, and with it the guard's
// digest, the guard must be in order.
func (r *EnvironmentReconciler) guardStands(ctx context.Context, project string, approved *v1alpha1.AuditRecordSpec) (string, error) {
	stands, err := readGuard(ctx, r.Live)
	if err != nil {
		return "", err
	}
	if len(stands.Problems) > 0 {
		return "the guard is not in place: " + promotion.Clip(strings.Join(stands.Problems, "; "), 512), nil
	}
	p, err := find(ctx, r.Live, &v1alpha1.Promotion{}, types.NamespacedName{Namespace: project, Name: approved.Promotion.Name})
	if err != nil {
		return "", err
	}
	if p != nil && string(p.UID) == approved.Promotion.UID && p.Status.Plan.Inputs.GuardDigest != "" && p.Status.Plan.Inputs.GuardDigest != stands.Digest {
		return "the guard has changed since the plan was approved: promote the release again", nil
	}
	return "", nil
}

// exhausted says that what a promotion has rolled out was corrected so often that it is left as it is until the next rollout.
func (r *EnvironmentReconciler) exhausted(ctx context.Context, project string, wanted *correction) (string, error) {
	records, err := r.Ledger.Of(ctx, project, types.UID(wanted.approved.Promotion.UID))
	if err != nil {
		return "", err
	}
	if !keptChanging(records) {
		return "", nil
	}
	return fmt.Sprintf("it was corrected %d times within an hour, and somebody keeps changing it; it is left as it is until the next rollout: "+
		"find out who does, and change the release if they are right", mostCorrections), nil
}

// keptChanging says whether so many corrections are on record that somebody changes what is corrected again and again.
func keptChanging(records []v1alpha1.AuditRecord) bool {
	var times []time.Time
	for i := range records {
		if records[i].Spec.Type == v1alpha1.AuditCorrected {
			times = append(times, records[i].Spec.Time.Time)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := mostCorrections - 1; i < len(times); i++ {
		if times[i].Sub(times[i-mostCorrections+1]) <= correctionsWithin {
			return true
		}
	}
	return false
}

// of the objects those that are named.
func of(objects []*unstructured.Unstructured, refs []v1alpha1.ObjectReference) []*unstructured.Unstructured {
	var named []*unstructured.Unstructured
	for _, object := range objects {
		if slices.Contains(refs, plan.Reference(object)) {
			named = append(named, object)
		}
	}
	return named
}

func pairsOf(pairs []plan.Pair, refs []v1alpha1.ObjectReference) []plan.Pair {
	var named []plan.Pair
	for _, pair := range pairs {
		if slices.Contains(refs, pair.Ref) {
			named = append(named, pair)
		}
	}
	return named
}
