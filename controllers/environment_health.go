// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/health"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/soak"
)

const (
	// mostUnhealthy is how many objects that are not healthy an Environment names, and mostUnhealthyMessage how much it says of each.
	mostUnhealthy, mostUnhealthyMessage = 8, 512
)

// standing is how what runs in an Environment is doing after its rollout.
//
// It is watched in Environments that others come after, and nowhere else: there, a Release has to be healthy for a while before it may go on. The
// others say what came of the last rollout, and cost nothing while nothing happens.
//
// What was said last counts until somebody has looked: a new process changes nothing before it has seen every object, and then the time in which
// nobody looked is time as the status told it. An object that is not ready, for whatever reason, is not healthy.
type standing struct {
	// watched says that the Environment's health is kept true.
	watched bool
	// known says that every object has been looked at.
	known bool
	// total of the objects, and the failing ones among them.
	total   int
	failing []v1alpha1.FailingObject
}

// lookAtHealth asks how what the last rollout has applied is doing, and keeps it watched.
func (r *EnvironmentReconciler) lookAtHealth(environment *v1alpha1.Environment, project map[string]*v1alpha1.Environment) (standing, error) {
	key := client.ObjectKeyFromObject(environment)
	found := standing{watched: isUpstream(environment, project)}
	if !found.watched || !wholePlan(&environment.Status) {
		r.Health.Stop(key)
		return found, nil
	}
	expected, gone, err := r.standingObjects(environment)
	if err != nil {
		return found, err
	}
	identity := apply.PromotionIdentity{Namespace: environment.Namespace, Name: environment.Status.Current.Promotion}
	deployer, err := r.Promotions.Deployers.As(environment.Spec.Target, identity)
	if err != nil {
		return found, err
	}
	if err := r.Health.Track(key, expected, deployer.Reader()); err != nil {
		return found, fmt.Errorf("watch what runs in environment %q: %w", environment.Name, err)
	}
	if r.rollsOut(environment) {
		return found, nil // and nobody has to be told of every change
	}
	report, tracked := r.Health.Report(key)
	// Asked again after the report: if it saw anything of a rollout, that has its intent on record by now.
	found.known = tracked && !report.Unseen && !r.rollsOut(environment)
	found.total = report.Total + len(gone)
	found.failing = slices.Concat(report.Failing, gone)
	return found, nil
}

// rollsOut says whether a rollout runs in the Environment, or has ended without the Environment knowing of it.
func (r *EnvironmentReconciler) rollsOut(environment *v1alpha1.Environment) bool {
	state, _ := r.Ledger.Known(client.ObjectKeyFromObject(environment))
	return state.Open != nil || state.Owed(environment).Intent != nil
}

// isUpstream says whether another Environment of the project comes after this one.
func isUpstream(environment *v1alpha1.Environment, project map[string]*v1alpha1.Environment) bool {
	for _, other := range project {
		if slices.Contains(other.Spec.After, environment.Name) {
			return true
		}
	}
	return false
}

// wholePlan says whether what runs is what a rollout has brought that succeeded. After one that did not, nobody knows what runs.
func wholePlan(status *v1alpha1.EnvironmentStatus) bool {
	healthy := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionHealthy)
	return status.Current.Release != "" && healthy != nil &&
		(healthy.Reason == v1alpha1.ReasonRolledOut || healthy.Reason == v1alpha1.ReasonUnhealthy)
}

// standingObjects are those of the inventory that have to stay healthy, and those whose kind the cluster does not know any more. Jobs have done their
// work when a rollout has succeeded, and may be gone since.
func (r *EnvironmentReconciler) standingObjects(environment *v1alpha1.Environment) (expected []health.Expected, gone []v1alpha1.FailingObject, err error) {
	kinds := map[schema.GroupKind]*meta.RESTMapping{}
	for _, ref := range environment.Status.Inventory {
		kind := schema.GroupKind{Group: ref.Group, Kind: ref.Kind}
		if kind == (schema.GroupKind{Group: "batch", Kind: "Job"}) {
			continue
		}
		mapping, found := kinds[kind]
		if !found {
			if mapping, err = r.Mapper.RESTMapping(kind); err != nil && !meta.IsNoMatchError(err) {
				return nil, nil, fmt.Errorf("find out what kind %q is: %w", kind, err)
			}
			kinds[kind] = mapping
		}
		if mapping == nil {
			gone = append(gone, v1alpha1.FailingObject{ObjectReference: ref, Message: "its kind is not known to the cluster any more"})
			continue
		}
		expected = append(expected, health.Expected{Ref: ref, Kind: mapping.GroupVersionKind})
	}
	return expected, gone, nil
}

// afterLook is an Environment's status after a look at what runs there: the condition Healthy, and the clock of the Release that soaks. It is pure.
func afterLook(status *v1alpha1.EnvironmentStatus, environment *v1alpha1.Environment, found standing, now time.Time) {
	if !wholePlan(status) || (found.watched && !found.known) {
		return
	}
	healthy := metav1.Condition{
		Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRolledOut, Message: rolledOut(status.Current),
		ObservedGeneration: environment.Generation, LastTransitionTime: metav1.NewTime(now),
	}
	if len(found.failing) > 0 {
		before := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionHealthy)
		healthy.Status, healthy.Reason, healthy.Message = metav1.ConditionFalse, v1alpha1.ReasonUnhealthy, unhealthy(found, before.Message)
	}
	meta.SetStatusCondition(&status.Conditions, healthy)
	switch {
	case !found.watched:
	case len(found.failing) > 0:
		soak.Stopped(status, now)
	case len(status.Releases) > 0 && status.Releases[0].Name == status.Current.Release: // the newest is the one that runs
		soak.Resumed(status, status.Releases[0].UID, now)
	}
}

// unhealthy says what is not healthy, and why. As long as it is the same objects, the message stays as it was before: what a failing pod says changes
// with each of its attempts.
func unhealthy(found standing, before string) string {
	var objects, reasons []string
	for i, failing := range found.failing {
		if i == mostUnhealthy {
			objects = append(objects, fmt.Sprintf("%d more", len(found.failing)-mostUnhealthy))
			break
		}
		name := plan.Describe(failing.ObjectReference)
		objects = append(objects, name)
		reasons = append(reasons, name+": "+promotion.Clip(failing.Message, mostUnhealthyMessage))
	}
	which := fmt.Sprintf("%d of %d objects not healthy (%s): ", len(found.failing), found.total, strings.Join(objects, ", "))
	if strings.HasPrefix(before, which) {
		return before
	}
	return which + strings.Join(reasons, "; ")
}
