// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/clock"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/cluster"
	"github.com/assent-dev/assent/internal/health"
)

// place is the cluster of a target, with those who act there.
type place struct {
	*cluster.Cluster
	deployers *apply.Factory
	health    *health.Tracker
	// standing watches what was rolled out in another cluster long ago; nil for this one, which has watches of its own.
	standing *health.Standing
	used     time.Time
	// close ends every watch.
	close context.CancelFunc
}

// idlePlace is how long a cluster that nobody asks for is kept, with its watches. A rollout takes at most a day.
const idlePlace = 25 * time.Hour

// places finds the cluster of a target. For this cluster nothing is asked.
type places struct {
	clusters *cluster.Clusters
	ring     func(types.NamespacedName)
	clock    clock.WithDelayedExecution
	// environments is rung when what runs in another cluster has changed.
	environments *alarm

	mu        sync.Mutex
	here      *place
	byCluster map[*cluster.Cluster]*place
	recent    map[recentKey]recentPlace
}

type recentKey struct {
	project string
	cluster v1alpha1.TargetCluster
}

type recentPlace struct {
	place *place
	err   error
	until time.Time
}

func newPlaces(clusters *cluster.Clusters, passing clock.WithDelayedExecution, ring func(types.NamespacedName)) (*places, error) {
	p := &places{
		clusters: clusters, ring: ring, clock: passing, environments: &alarm{},
		byCluster: map[*cluster.Cluster]*place{}, recent: map[recentKey]recentPlace{},
	}
	var err error
	p.here, err = p.at(clusters.Local())
	return p, err
}

// Start ends every watch when the context ends. It makes the places a part of the operator's manager.
func (p *places) Start(ctx context.Context) error {
	<-ctx.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.byCluster {
		one.close()
	}
	return nil
}

// of finds the place of a target in a project. The error is a *cluster.Error if people, or time, have to mend something.
func (p *places) of(ctx context.Context, project string, target v1alpha1.Target) (*place, error) {
	found, err := p.clusters.For(ctx, project, target)
	if err != nil {
		return nil, err
	}
	return p.at(found) //nolint:contextcheck // the watches there outlive this call; Start ends them
}

// lately finds the place of a target as it was a moment ago: for those that wait, of whom there may be thousands, and who decide nothing by it.
func (p *places) lately(ctx context.Context, project string, target v1alpha1.Target) (*place, error) {
	if target.Cluster == (v1alpha1.TargetCluster{}) {
		return p.here, nil
	}
	key := recentKey{project: project, cluster: target.Cluster}
	now := p.clock.Now()
	p.mu.Lock()
	known, found := p.recent[key]
	p.mu.Unlock()
	if found && now.Before(known.until) {
		return known.place, known.err
	}
	where, err := p.of(ctx, project, target)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, old := range p.recent {
		if !now.Before(old.until) {
			delete(p.recent, other)
		}
	}
	p.recent[key] = recentPlace{place: where, err: err, until: now.Add(cluster.RetryAfter)}
	return where, err
}

// at is the place in a cluster.
func (p *places) at(found *cluster.Cluster) (*place, error) {
	now := p.clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, one := range p.byCluster {
		if now.Sub(one.used) > idlePlace && one != p.here {
			one.close()
			delete(p.byCluster, other)
		}
	}
	known := p.byCluster[found]
	if known == nil {
		var err error
		if known, err = p.open(found); err != nil {
			return nil, err
		}
		p.byCluster[found] = known
	}
	known.used = now
	return known, nil
}

// open a place in a cluster.
func (p *places) open(found *cluster.Cluster) (*place, error) {
	opened := &place{Cluster: found, deployers: apply.NewFactory(found.Config, found.Mapper), health: health.NewTracker(found.Dynamic, found.Mapper, p.clock, p.ring)}
	watchers := []interface{ Start(context.Context) error }{opened.health}
	if found.Remote() {
		alone, err := metadata.NewForConfigAndClient(metadata.ConfigFor(found.Config), found.HTTPClient)
		if err != nil {
			return nil, fmt.Errorf("make a client for the metadata in the target cluster: %w", err)
		}
		opened.standing = health.NewStanding(health.Readers{Objects: found.Dynamic, Metadata: alone}, found.Mapper, p.environments.ring)
		watchers = append(watchers, opened.standing)
	}
	var ctx context.Context
	ctx, opened.close = context.WithCancel(context.Background())
	for _, watcher := range watchers {
		go func() { _ = watcher.Start(ctx) }() // it only waits for the end
	}
	return opened, nil
}

// letGo of what is watched for an Environment in other clusters than this place's.
func (p *places) letGo(environment types.NamespacedName, but *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.byCluster {
		if one != but && one.standing != nil {
			one.standing.Stop(environment)
		}
	}
}

// stop watching for a promotion, wherever that was.
func (p *places) stop(promotion types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.byCluster {
		one.health.Stop(promotion)
	}
}

// unreachable is the blocker that a cluster closes which cannot be used now; nil if the error is another one.
func unreachable(err error) *v1alpha1.Blocker {
	problem := cluster.Problem(err)
	if problem == nil {
		return nil
	}
	return &v1alpha1.Blocker{Gate: v1alpha1.GateTarget, Message: problem.Error(),
		Clears: fmt.Sprintf("whoever administers the target cluster or the Secret with its kubeconfig, as the message says; it is looked at again every %s", recheck)}
}
