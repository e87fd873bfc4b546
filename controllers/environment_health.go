// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
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
	// steadyFor is how long what was unhealthy has to be healthy before that is said: what goes up and down costs no two writes each time.
	steadyFor = 10 * time.Second
	// lagFor is how far what is watched here may be behind what ended the rollout.
	lagFor = 3 * time.Second
)

// standing is how what runs in an Environment is doing after its rollout.
//
// What was said last counts until somebody has looked: a new process changes nothing before it has seen every object, and then the time in which
// nobody looked is time as the status told it. An object that is not ready, for whatever reason, is not healthy. That it is not is said at once; that
// it is again, once it has been for steadyFor.
type standing struct {
	// watched says that the Environment's health is kept true.
	watched bool
	// known says that every object has been looked at, and for long enough.
	known bool
	// total of the objects, and the failing ones among them.
	total   int
	failing []v1alpha1.FailingObject
}

// lookAtStanding asks how what the last rollout has applied is doing, and whether it is as it was approved, and keeps both watched.
func (r *EnvironmentReconciler) lookAtStanding(ctx context.Context, environment *v1alpha1.Environment, seen *surroundings) error {
	key := client.ObjectKeyFromObject(environment)
	if !wholePlan(&environment.Status) || movedAway(environment) {
		r.letGo(key)
		return nil
	}
	watchers, err := r.watchersOf(ctx, environment)
	if unreachable(err) != nil { // what was said last stands; a comparison says that none can be made
		seen.again = earlier(seen.again, seen.now.Add(recheck))
		return r.lookAtDrift(ctx, environment, health.StandingReport{}, seen)
	}
	if err != nil {
		return err
	}
	expected, gone, err := watchers.standingObjects(environment)
	if err != nil {
		return err
	}
	seen.health.watched = true
	if err := watchers.standing.Track(ctx, key, expected, watchers.deployersReaders(environment)); err != nil {
		return fmt.Errorf("watch what runs in environment %q: %w", environment.Name, err)
	}
	if r.rollsOut(environment) {
		return nil // and nobody has to be told of every change
	}
	report, tracked := watchers.standing.Report(key, r.drifts.hasDrifted(key))
	// Asked again after the report: if it saw anything of a rollout, that has its intent on record by now.
	if !tracked || report.Unseen || r.rollsOut(environment) {
		return nil
	}
	seen.health.known, seen.health.total = true, report.Total+len(gone)
	seen.health.failing = slices.Concat(report.Failing, gone)
	r.settleHealth(ctx, environment, watchers, seen)
	return r.lookAtDrift(ctx, environment, report, seen)
}

// settleHealth says less than was seen while that may still pass, and more where objects fail.
func (r *EnvironmentReconciler) settleHealth(ctx context.Context, environment *v1alpha1.Environment, watchers watchers, seen *surroundings) {
	key := client.ObjectKeyFromObject(environment)
	before := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionHealthy)
	var until time.Time
	switch {
	case len(seen.health.failing) == 0 && before.Status == metav1.ConditionFalse:
		until = r.recoveries.since(key, seen.now).Add(steadyFor)
	case len(seen.health.failing) > 0 && before.Status == metav1.ConditionTrue:
		r.recoveries.forget(key)
		until = laterOf(environment.Status.Current.SinceTime.Time, before.LastTransitionTime.Time).Add(lagFor)
	default:
		r.recoveries.forget(key)
	}
	if until.After(seen.now) {
		seen.health.known, seen.again = false, earlier(seen.again, until)
		return
	}
	if which := failingObjects(seen.health); len(seen.health.failing) > 0 && !strings.HasPrefix(before.Message, which) {
		seen.health.failing = watchers.standing.Explain(ctx, key, seen.health.failing)
	}
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// letGo of what is watched for an Environment.
func (r *EnvironmentReconciler) letGo(key types.NamespacedName) {
	r.Standing.Stop(key)
	r.Promotions.places.letGo(key, nil)
	r.recoveries.forget(key)
	r.drifts.forget(key)
}

// watchers look after what runs in a cluster.
type watchers struct {
	standing  *health.Standing
	mapper    meta.RESTMapper
	deployers *apply.Factory
}

// watchersOf finds those of the cluster that an Environment is in. Those of another one, or with other credentials, look after it no more.
func (r *EnvironmentReconciler) watchersOf(ctx context.Context, environment *v1alpha1.Environment) (watchers, error) {
	key := client.ObjectKeyFromObject(environment)
	if !elsewhere(environment) {
		r.Promotions.places.letGo(key, nil)
		return watchers{standing: r.Standing, mapper: r.Mapper, deployers: r.Promotions.Deployers}, nil
	}
	r.Standing.Stop(key)
	where, err := r.Promotions.places.lately(ctx, environment.Namespace, environment.Spec.Target)
	if err != nil {
		return watchers{}, err
	}
	r.Promotions.places.letGo(key, where)
	return watchers{standing: where.standing, mapper: where.Mapper, deployers: where.deployers}, nil
}

// elsewhere says that an Environment's target is in another cluster.
func elsewhere(environment *v1alpha1.Environment) bool {
	return environment.Spec.Target.Cluster != (v1alpha1.TargetCluster{})
}

// movedAway says that what runs in an Environment is in another namespace than its target is now. It may even be in another cluster, whose namespaces
// anybody may name: what bears the same name here must not be looked at with the operator's rights, nor as a deployer that nobody had to prove a right to.
func movedAway(environment *v1alpha1.Environment) bool {
	return slices.ContainsFunc(environment.Status.Inventory, func(ref v1alpha1.ObjectReference) bool {
		return ref.Namespace != "" && ref.Namespace != environment.Spec.Target.Namespace
	})
}

// deployersReaders read with the rights of an Environment's deployer. Of the Environment no more is held than what names it.
func (w watchers) deployersReaders(environment *v1alpha1.Environment) func() (health.Readers, error) {
	identity := apply.PromotionIdentity{Namespace: environment.Namespace, Name: environment.Status.Current.Promotion}
	target := environment.Spec.Target
	return func() (health.Readers, error) {
		deployer, err := w.deployers.As(target, identity)
		if err != nil {
			return health.Readers{}, err
		}
		metadata, err := w.deployers.Metadata(target, identity)
		return health.Readers{Objects: deployer.Reader(), Metadata: metadata}, err
	}
}

// rollsOut says whether a rollout runs in the Environment, or has ended without the Environment knowing of it.
func (r *EnvironmentReconciler) rollsOut(environment *v1alpha1.Environment) bool {
	state, _ := r.Ledger.Known(client.ObjectKeyFromObject(environment))
	return state.Open != nil || state.Owed(environment).Intent != nil
}

// wholePlan says whether what runs is what a rollout has brought that succeeded. After one that did not, nobody knows what runs.
func wholePlan(status *v1alpha1.EnvironmentStatus) bool {
	healthy := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionHealthy)
	return status.Current.Release != "" && healthy != nil &&
		slices.Contains([]string{v1alpha1.ReasonRolledOut, v1alpha1.ReasonRolledBackTo, v1alpha1.ReasonUnhealthy}, healthy.Reason)
}

// standingObjects are those of the inventory that have to stay healthy, and those whose kind the cluster does not know any more. Jobs have done their
// work when a rollout has succeeded, and may be gone since.
func (w watchers) standingObjects(environment *v1alpha1.Environment) (expected []health.Expected, gone []v1alpha1.FailingObject, err error) {
	kinds := map[schema.GroupKind]*meta.RESTMapping{}
	for _, ref := range environment.Status.Inventory {
		kind := schema.GroupKind{Group: ref.Group, Kind: ref.Kind}
		if doesItsWorkOnce(kind) {
			continue
		}
		mapping, found := kinds[kind]
		if !found {
			if mapping, err = w.mapper.RESTMapping(kind); err != nil && !meta.IsNoMatchError(err) {
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
	before := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionHealthy)
	if !wholePlan(status) || (found.watched && !found.known) || (before.Reason == v1alpha1.ReasonRolledBackTo && len(found.failing) == 0) {
		return
	}
	healthy := metav1.Condition{
		Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRolledOut, Message: rolledOut(status.Current),
		ObservedGeneration: environment.Generation, LastTransitionTime: metav1.NewTime(now),
	}
	if len(found.failing) > 0 {
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
	which := failingObjects(found)
	if strings.HasPrefix(before, which) {
		return before
	}
	var reasons []string
	for _, failing := range found.failing[:min(len(found.failing), mostUnhealthy)] {
		reasons = append(reasons, plan.Describe(failing.ObjectReference)+": "+promotion.Clip(failing.Message, mostUnhealthyMessage))
	}
	return which + strings.Join(reasons, "; ")
}

// failingObjects names them.
func failingObjects(found standing) string {
	var objects []string
	for i, failing := range found.failing {
		if i == mostUnhealthy {
			objects = append(objects, fmt.Sprintf("%d more", len(found.failing)-mostUnhealthy))
			break
		}
		objects = append(objects, plan.Describe(failing.ObjectReference))
	}
	return fmt.Sprintf("%d of %d objects not healthy (%s): ", len(found.failing), found.total, strings.Join(objects, ", "))
}
