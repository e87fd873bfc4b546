// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/drift"
	"github.com/assent-dev/assent/internal/health"
	"github.com/assent-dev/assent/internal/promotion"
)

const (
	// compareAfter is how long a comparison waits for more changes: who changes one object often changes another.
	compareAfter = 2 * time.Second
	// compareAfterRollout is how long it waits after a rollout while nobody changes anything. What was applied is what was approved, and the comparisons of
	// a thousand rollouts would keep the API server from the rollouts themselves.
	compareAfterRollout = 2 * time.Minute
)

// subject is what a comparison is made of. As long as it stays the same, there is nothing to compare.
type subject struct {
	// plan that was rolled out, and the number of the record of its end.
	plan     v1alpha1.Digest
	sequence int64
	// generation of the Environment: what was approved may be rendered in another way since.
	generation int64
	// changes that were seen of the objects.
	changes uint64
	// writes that were seen of them: they matter while something differs.
	writes uint64
	// hold that keeps drift from being corrected.
	hold string
}

// sameRollout says whether two comparisons are of the same rollout.
func (s subject) sameRollout(other subject) bool {
	return s.plan == other.plan && s.sequence == other.sequence
}

// comparison is what came of one.
type comparison struct {
	subject subject
	// drifted are the first of the objects that differ, and total is how many of how many do.
	drifted   []v1alpha1.DriftedObject
	total, of int
	// digest of everything that differs.
	digest v1alpha1.Digest
	// unknown is why nothing could be compared; empty if it could.
	unknown string
	// note is why what has drifted was not corrected; empty where it is not to be.
	note string
}

// drifts are the comparisons that were made and that are to be made. It remembers nothing of the objects but those that differ.
type drifts struct {
	queue  workqueue.TypedInterface[types.NamespacedName]
	timers *timers

	mu    sync.Mutex
	byKey map[types.NamespacedName]*compared
}

// compared is what is known of one Environment.
type compared struct {
	wanted subject
	done   *comparison
	// faults since something could be compared.
	faults int
}

func newDrifts(passing clock.WithDelayedExecution) *drifts {
	d := &drifts{queue: workqueue.NewTyped[types.NamespacedName](), byKey: map[types.NamespacedName]*compared{}}
	d.timers = newTimers(passing, d.queue.Add)
	return d
}

// look returns what is known of the rollout of a subject, and has it compared if it has not been; nil if nothing is known yet.
func (d *drifts) look(key types.NamespacedName, wanted subject) *comparison {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.byKey[key]
	if known == nil {
		known = &compared{}
		d.byKey[key] = known
	}
	if known.done == nil || known.done.total == 0 {
		wanted.writes = known.wanted.writes
	}
	if known.wanted != wanted {
		after := compareAfter
		if known.wanted != (subject{}) && !known.wanted.sameRollout(wanted) {
			after = compareAfterRollout
		}
		known.wanted, known.faults = wanted, 0
		d.timers.soon(key, after)
	}
	if known.done == nil || !known.done.subject.sameRollout(wanted) {
		return nil
	}
	return known.done
}

// wanted is what is to be compared.
func (d *drifts) wanted(key types.NamespacedName) (subject, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.byKey[key]; known != nil {
		return known.wanted, true
	}
	return subject{}, false
}

// found keeps what a comparison has found, unless it is of no interest any more.
func (d *drifts) found(key types.NamespacedName, result comparison) {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.byKey[key]
	if known == nil {
		return
	}
	if known.done = &result; result.unknown == "" {
		known.faults = 0
	}
}

// fault counts one more fault in a row.
func (d *drifts) fault(key types.NamespacedName) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.byKey[key]
	if known == nil {
		return 0
	}
	known.faults++
	return known.faults
}

// hasDrifted says whether the last comparison has found something.
func (d *drifts) hasDrifted(key types.NamespacedName) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.byKey[key]
	return known != nil && known.done != nil && known.done.total > 0
}

// drifted are the Environments of a project whose last comparison has found something.
func (d *drifts) drifted(project string) []types.NamespacedName {
	d.mu.Lock()
	defer d.mu.Unlock()
	var keys []types.NamespacedName
	for key, known := range d.byKey {
		if key.Namespace == project && known.done != nil && known.done.total > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// forget an Environment.
func (d *drifts) forget(key types.NamespacedName) {
	d.mu.Lock()
	delete(d.byKey, key)
	d.mu.Unlock()
	d.timers.stop(key)
}

// lookAtDrift asks what the last comparison has found, and for another one when there is reason for it.
func (r *EnvironmentReconciler) lookAtDrift(ctx context.Context, environment *v1alpha1.Environment, report health.StandingReport, seen *surroundings) error {
	key := client.ObjectKeyFromObject(environment)
	policy := environment.Spec.Rollout.Drift
	if policy == v1alpha1.DriftIgnore || r.rollsOut(environment) {
		if policy == v1alpha1.DriftIgnore {
			r.drifts.forget(key)
		}
		return nil
	}
	wanted := subject{
		plan: environment.Status.Current.Digest, sequence: environment.Status.Audit.Sequence, generation: environment.Generation,
		changes: report.Changes, writes: report.Writes,
	}
	if policy == v1alpha1.DriftCorrect && r.drifts.hasDrifted(key) {
		project, err := projectOf(ctx, r.Client, environment.Namespace)
		if err != nil {
			return err
		}
		wanted.hold = holdOf(environment, project)
	}
	seen.drift = r.drifts.look(key, wanted)
	return nil
}

// holdOf is why nothing may be written in an Environment now; empty if something may.
func holdOf(environment *v1alpha1.Environment, project *metav1.PartialObjectMetadata) string {
	if reason := promotion.HoldReason(environment); reason != "" {
		return reason
	}
	if environment.Spec.Hold.Reason != "" {
		return environment.Spec.Hold.Reason
	}
	if project != nil {
		return promotion.HoldReason(project)
	}
	return ""
}

// inStep takes back what was said of drift.
func inStep(status *v1alpha1.EnvironmentStatus) {
	status.Drifted, status.DriftDigest = nil, ""
}

// afterComparison is an Environment's status after a comparison: the condition InSync, and the objects that have drifted. It is pure.
func afterComparison(status *v1alpha1.EnvironmentStatus, environment *v1alpha1.Environment, found *comparison, now time.Time) {
	before := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionInSync)
	ours := before != nil && slices.Contains([]string{v1alpha1.ReasonDrifted, v1alpha1.ReasonDriftUnknown}, before.Reason)
	inSync := metav1.Condition{
		Type: v1alpha1.ConditionInSync, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRolledOut, Message: rolledOut(status.Current),
		ObservedGeneration: environment.Generation, LastTransitionTime: metav1.NewTime(now),
	}
	switch {
	case !wholePlan(status):
		inStep(status)
		return
	case found == nil && environment.Spec.Rollout.Drift != v1alpha1.DriftIgnore:
		if !ours {
			inStep(status) // the last rollout has mended it
		}
		return // what was said last counts until somebody has looked
	case found == nil, found.total == 0 && found.unknown == "":
		inStep(status)
		if !ours {
			return
		}
	case found.unknown != "":
		status.Drifted = nil // the digest stays: what could be seen last is what the diffs of plans were made from
		inSync.Status, inSync.Reason, inSync.Message = metav1.ConditionUnknown, v1alpha1.ReasonDriftUnknown, found.unknown
	default:
		if !equality.Semantic.DeepEqual(status.Drifted, found.drifted) {
			status.Drifted = found.drifted
		}
		status.DriftDigest = found.digest
		inSync.Status, inSync.Reason = metav1.ConditionFalse, v1alpha1.ReasonDrifted
		inSync.Message = drift.Describe(found.drifted, found.total, found.of)
		if found.note != "" {
			inSync.Message += "; not corrected: " + found.note
		}
	}
	meta.SetStatusCondition(&status.Conditions, inSync)
}
