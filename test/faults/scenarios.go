// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// Scenario is what people do and wait for in one run.
type Scenario struct {
	Name  string
	rules []rule
	// faults that it meets by itself.
	faults []Fault
	// unelected lets every process of the operator work at once.
	unelected bool
	// before is what is there already; nothing of it is swept.
	before func(context.Context, *Run) error
	// course is what is swept.
	course func(context.Context, *Run) error
}

// Scenarios are all that are swept.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "first rollout", course: func(ctx context.Context, r *Run) error { return r.promote(ctx, "one", shop("1")...) }},
		{Name: "update with a prune", before: runsOne, course: update},
		{Name: "check that fails, way back", rules: []rule{rollsBack}, before: runsOneAndIsChecked, course: wayBack},
		{Name: "rejected, cancelled, superseded", course: decisions},
		{Name: "deleted during the rollout", course: deletion},
		{Name: "override", rules: []rule{frozen}, before: overriders, course: override},
	}
}

func shop(version string) []string {
	return []string{configMap("settings", version), configMap("prices", "1"), deployment("web", version)}
}

func runsOne(ctx context.Context, r *Run) error {
	return inTurn(
		func() error { return r.promote(ctx, "one", append(shop("1"), configMap("old", "1"))...) },
		func() error { return r.settled(ctx) },
	)
}

// update changes two objects, leaves one, brings a new one, and prunes one.
func update(ctx context.Context, r *Run) error {
	return r.promote(ctx, "two", append(shop("2"), configMap("new", "2"))...)
}

func runsOneAndIsChecked(ctx context.Context, r *Run) error {
	return inTurn(
		func() error { return runsOne(ctx, r) },
		func() error {
			// Nobody listens there, and the operator would not go there: either fails the check at once.
			return r.amend(ctx, `{"spec": {"checks": [{"name": "smoke", "phase": "After", "attempts": 1, "http": {"url": "http://127.0.0.1:1/"}}]}}`)
		},
		func() error { return r.settled(ctx) },
	)
}

func wayBack(ctx context.Context, r *Run) error {
	return inTurn(
		func() error { return r.ask(ctx, "two", append(shop("2"), configMap("new", "2"))...) },
		func() error { return r.await(ctx, "two", v1alpha1.ReasonAwaitingApproval) },
		func() error { return r.approve(ctx, cluster.Alice, "two") },
		func() error { return r.end(ctx, "two", v1alpha1.ReasonRolledBack) },
	)
}

// decisions are those that end promotions before their start.
func decisions(ctx context.Context, r *Run) error {
	for _, name := range []string{"rejected", "cancelled", "superseded"} {
		if err := errors.Join(r.ask(ctx, name, configMap("settings", name)), r.await(ctx, name, v1alpha1.ReasonAwaitingApproval)); err != nil {
			return err
		}
	}
	return inTurn(
		func() error { return r.decide(ctx, cluster.Carol, "rejected", v1alpha1.DecisionRejected, "not now") },
		func() error { return r.end(ctx, "rejected", v1alpha1.ReasonRejected) },
		func() error {
			return persist(ctx, "cancelling", func(ctx context.Context) error {
				return r.patch(ctx, cluster.Bob, "cancelled", map[string]any{"cancel": map[string]any{"reason": "a mistake"}})
			})
		},
		func() error { return r.end(ctx, "cancelled", v1alpha1.ReasonCancelled) },
		func() error { return r.olderThanASecond(ctx, "superseded") },
		func() error { return r.promote(ctx, "newer", configMap("settings", "newer")) },
		func() error { return r.end(ctx, "superseded", v1alpha1.ReasonSuperseded) },
	)
}

// olderThanASecond waits until what is created next is newer than a promotion: times of creation are in whole seconds.
func (r *Run) olderThanASecond(ctx context.Context, name string) error {
	p := &v1alpha1.Promotion{}
	if err := r.world.as(cluster.Admin).Get(ctx, client.ObjectKey{Namespace: r.project.Name, Name: name}, p); err != nil {
		return err
	}
	return after(ctx, time.Until(p.CreationTimestamp.Add(time.Second)))
}

// deletion of a promotion whose objects are there and do not become healthy.
func deletion(ctx context.Context, r *Run) error {
	r.gone["one"] = true
	return inTurn(
		func() error { return r.ask(ctx, "one", configMap("settings", "1"), stuckDeployment("web")) },
		func() error { return r.await(ctx, "one", v1alpha1.ReasonAwaitingApproval) },
		func() error { return r.approve(ctx, cluster.Alice, "one") },
		func() error { return r.await(ctx, "one", v1alpha1.ReasonRollingOut) },
		func() error { return r.there(ctx, &corev1.ConfigMap{}, "settings") },
		func() error { return r.there(ctx, &appsv1.Deployment{}, "web") },
		func() error {
			asked := &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: r.project.Name, Name: "one"}}
			return persist(ctx, "deleting", func(ctx context.Context) error {
				return client.IgnoreNotFound(r.world.as(cluster.Bob).Delete(ctx, asked))
			})
		},
	)
}

// there waits for an object in the target.
func (r *Run) there(ctx context.Context, object client.Object, name string) error {
	return persist(ctx, fmt.Sprintf("waiting for %T %q", object, name), func(ctx context.Context) error {
		return r.world.as(cluster.Admin).Get(ctx, client.ObjectKey{Namespace: r.target.Namespace, Name: name}, object)
	})
}

// frozen for longer than any run takes.
func frozen(spec *v1alpha1.EnvironmentSpec) {
	spec.Windows.Freeze = []v1alpha1.Window{{
		StartTime: metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second)), EndTime: metav1.NewTime(time.Now().Add(24 * time.Hour).Truncate(time.Second)), Reason: "year end",
	}}
}

func overriders(ctx context.Context, r *Run) error {
	return errors.Join(r.project.Bind(ctx, "assent-override", cluster.Carol, cluster.Dave), r.settled(ctx))
}

// override of a freeze by one person, of which another takes note.
func override(ctx context.Context, r *Run) error {
	return inTurn(
		func() error { return r.ask(ctx, "one", shop("1")...) },
		func() error { return r.await(ctx, "one", v1alpha1.ReasonAwaitingApproval) },
		func() error { return r.approve(ctx, cluster.Alice, "one") },
		func() error { return r.await(ctx, "one", v1alpha1.ReasonBlocked) },
		func() error {
			return persist(ctx, "overriding", func(ctx context.Context) error {
				return r.patch(ctx, cluster.Carol, "one", map[string]any{"override": map[string]any{"gates": []string{"Window"}, "reason": "the shop is down"}})
			})
		},
		func() error { return r.end(ctx, "one", v1alpha1.ReasonSucceeded) },
		func() error {
			return persist(ctx, "acknowledging", func(ctx context.Context) error {
				return r.patch(ctx, cluster.Dave, "one", map[string]any{"acknowledgement": map[string]any{"username": cluster.Dave}})
			})
		},
		func() error {
			return r.world.until(ctx, r.project.Name, "the override is acknowledged", func(seen view) string {
				if environment := seen.environments[production]; environment == nil || len(environment.Status.Overrides) > 0 {
					return "the environment is still marked"
				}
				return ""
			})
		},
	)
}
