// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

// first is the version that runs everywhere to begin with.
const first = "first"

// slow is how long a rollout may take, in seconds: a thousand at once on a small machine are not a failure.
const slow = 24 * 60 * 60

// Establish makes the Environments with their target namespaces, and has one Release rolled out to each of them: to the first by the operator, and to the
// others by the floor, which does the same with a tenth of the requests. The operator runs afterwards.
func (c *Crowd) Establish(ctx context.Context) error {
	for range (c.size.Environments + neighbours - 1) / neighbours {
		project, err := c.cluster.Project(ctx)
		if err != nil {
			return err
		}
		c.projects = append(c.projects, project.Name)
	}
	c.places = make([]place, c.size.Environments)
	err := c.each(ctx, "creating environments with their target namespaces", len(c.places), func(ctx context.Context, i int) error {
		target, err := c.cluster.Target(ctx)
		if err != nil {
			return err
		}
		p := place{project: c.projects[i/neighbours], name: fmt.Sprintf("e%04d", i), target: target}
		c.places[i] = p
		environment := cluster.NewEnvironment(p.project, p.name, target)
		environment.Spec.Rollout.TimeoutSeconds = slow
		return c.admin.Create(ctx, environment)
	})
	if err != nil {
		return err
	}
	asked, err := c.prepare(ctx, first, c.places)
	if err != nil {
		return err
	}
	if err := c.approve(ctx, asked[0]); err != nil {
		return err
	}
	if err := c.succeeds(ctx, asked[0]); err != nil {
		return err
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	_, err = c.BurstOfFloor(ctx, first, asked[1:])
	return err
}

// release a version in every project.
func (c *Crowd) release(ctx context.Context, version string) error {
	return c.each(ctx, "creating releases", len(c.projects), func(ctx context.Context, i int) error {
		return c.bob.Create(ctx, cluster.NewRelease(c.projects[i], "shop-"+version, version, manifests(version)))
	})
}

// ask for a version in Environments.
func (c *Crowd) ask(ctx context.Context, version string, places []place) error {
	return c.each(ctx, "asking for promotions", len(places), func(ctx context.Context, i int) error {
		p := places[i]
		return c.bob.Create(ctx, cluster.NewPromotion(p.project, nameOf(p.name, version), "shop-"+version, p.name))
	})
}

// nameOf is the name of the Promotion of a version to an Environment.
func nameOf(environment, version string) string { return environment + "-" + version }

// approve as alice, as `kubectl patch --type=merge` does, what she has read.
func (c *Crowd) approve(ctx context.Context, asked *v1alpha1.Promotion) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"approvals": []v1alpha1.Approval{{
		User: cluster.Alice, Decision: v1alpha1.DecisionApproved, PlanDigest: asked.Status.Plan.Digest,
	}}}})
	if err != nil {
		return err
	}
	return c.alice.Patch(ctx, asked, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("assent"))
}

// promotions of a version, in the order of the Environments.
func (c *Crowd) promotions(ctx context.Context, version string) ([]*v1alpha1.Promotion, error) {
	found := map[types.NamespacedName]*v1alpha1.Promotion{}
	for _, project := range c.projects {
		var all v1alpha1.PromotionList
		if err := c.admin.List(ctx, &all, client.InNamespace(project), client.MatchingFields{"spec.release": "shop-" + version}); err != nil {
			return nil, err
		}
		for i := range all.Items {
			found[client.ObjectKeyFromObject(&all.Items[i])] = &all.Items[i]
		}
	}
	ordered := make([]*v1alpha1.Promotion, 0, len(c.places))
	for _, p := range c.places {
		if one := found[types.NamespacedName{Namespace: p.project, Name: nameOf(p.name, version)}]; one != nil {
			ordered = append(ordered, one)
		}
	}
	return ordered, nil
}

// await until so many Promotions of a version are in a state.
func (c *Crowd) await(ctx context.Context, version, state string, wanted int) error {
	return c.until(ctx, fmt.Sprintf("waiting until each is %s", state), func(ctx context.Context) (int, int, error) {
		all, err := c.promotions(ctx, version)
		count := 0
		for _, p := range all {
			now := promotion.State(p)
			if now == state {
				count++
			} else if promotion.Ended(p) {
				return 0, 0, fmt.Errorf("promotion %q of project %q has ended as %s, and not as %s", p.Name, p.Namespace, now, state)
			}
		}
		return count, wanted, err
	})
}

// prepare Promotions of a new version in Environments, up to the plan, and wait until the operator is at rest.
func (c *Crowd) prepare(ctx context.Context, version string, places []place) ([]*v1alpha1.Promotion, error) {
	if err := c.release(ctx, version); err != nil {
		return nil, err
	}
	if err := c.ask(ctx, version, places); err != nil {
		return nil, err
	}
	if err := c.await(ctx, version, v1alpha1.ReasonAwaitingApproval, len(places)); err != nil {
		return nil, err
	}
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	return c.promotions(ctx, version)
}

const (
	// patience is how long anything may take without any progress.
	patience = 3 * time.Minute
	// logEnd is how much is told of the operator's log if it has ended, in bytes.
	logEnd = 4096
)

// until asks how much of how much is done until it is all, and tells of it.
func (c *Crowd) until(ctx context.Context, what string, done func(context.Context) (count, all int, err error)) error {
	last, since, told := -1, time.Now(), time.Now()
	pause := time.NewTicker(5 * time.Second)
	defer pause.Stop()
	for {
		count, all, err := done(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if count != last {
			last, since = count, time.Now()
		}
		if count >= all || time.Since(told) > 10*time.Second {
			c.say("%s: %d of %d", what, count, all)
			told = time.Now()
		}
		switch {
		case count >= all:
			return nil
		case c.operator.Ended():
			return fmt.Errorf("%s: %d of %d, and the operator has ended by itself: %s", what, count, all, c.operator.Log(max(0, c.operator.LogSize()-logEnd)))
		case time.Since(since) > patience:
			return fmt.Errorf("%s: %d of %d, and no more for %s", what, count, all, patience)
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// manifests of a version: four objects, each of which every version changes. Nothing is made of them, so that the cluster's own controllers have nothing to
// do: the Deployment has no replicas, and the Service selects nothing. To the operator they are what they would be otherwise.
func manifests(version string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {example.com/version: %[1]q}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "registry.example/shop:1", envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: login}}]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {version: %[1]q}
---
apiVersion: v1
kind: Service
metadata: {name: web, annotations: {example.com/version: %[1]q}}
spec: {clusterIP: None, ports: [{port: 80}]}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: %[1]q}
`, version)
}
