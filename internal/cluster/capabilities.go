// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"

	"github.com/assent-dev/assent/internal/render"
)

// capabilitiesAge is for how long a cluster's Capabilities are taken to be true; when some of them could not be had, only for RetryAfter.
const capabilitiesAge = 10 * time.Minute

// Capabilities are what a chart may ask about the cluster: its version, and the API versions it serves as Helm lists them, such as "apps/v1" and
// "apps/v1/Deployment", sorted. They are at most ten minutes old, and never older than the last Reset of the Mapper. For a remote cluster the error is an [*Error] or that of the context.
//
// An API that another server extends the cluster with, and that is down, is left out, as Helm does.
func (c *Cluster) Capabilities(ctx context.Context) (render.Capabilities, error) {
	found, err := c.capabilities.get(ctx)
	if err == nil {
		return found, nil
	}
	if ctx.Err() != nil {
		return render.Capabilities{}, ctx.Err()
	}
	if c.Remote() {
		err = asError(err)
	}
	return render.Capabilities{}, fmt.Errorf("ask what the target cluster can do: %w", err)
}

// capabilities are those of one cluster, and when they have to be asked for again.
type capabilities struct {
	discovery *discovery.DiscoveryClient
	clock     clock.PassiveClock
	// turn lets one caller at a time ask.
	turn chan struct{}

	mutex sync.Mutex
	known render.Capabilities
	until time.Time
	// resets is how often what was known has been dropped.
	resets int
}

func newCapabilities(client *discovery.DiscoveryClient, passing clock.PassiveClock) *capabilities {
	return &capabilities{discovery: client, clock: passing, turn: make(chan struct{}, 1)}
}

// drop makes the next get ask.
func (c *capabilities) drop() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.until = time.Time{}
	c.resets++
}

// lookUp is what is known, and how often it had been dropped by then.
func (c *capabilities) lookUp() (known render.Capabilities, resets int, current bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	// The caller may change what it gets.
	known = render.Capabilities{KubeVersion: c.known.KubeVersion, APIVersions: slices.Clone(c.known.APIVersions)}
	return known, c.resets, c.clock.Now().Before(c.until)
}

func (c *capabilities) get(ctx context.Context) (render.Capabilities, error) {
	if known, _, current := c.lookUp(); current {
		return known, nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return render.Capabilities{}, ctx.Err()
	}
	known, resets, current := c.lookUp()
	if current { // somebody else has asked meanwhile
		return known, nil
	}
	found, age, err := c.ask(ctx)
	if err != nil {
		return render.Capabilities{}, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.resets == resets {
		c.known, c.until = found, c.clock.Now().Add(age)
	}
	return render.Capabilities{KubeVersion: found.KubeVersion, APIVersions: slices.Clone(found.APIVersions)}, nil
}

// ask the cluster, and say how long the answer holds.
func (c *capabilities) ask(ctx context.Context) (render.Capabilities, time.Duration, error) {
	version, err := c.discovery.ServerVersionWithContext(ctx)
	if err != nil {
		return render.Capabilities{}, 0, err
	}
	age := capabilitiesAge
	groups, resources, err := c.discovery.ServerGroupsAndResourcesWithContext(ctx)
	if discovery.IsGroupDiscoveryFailedError(err) {
		age, err = RetryAfter, nil
	}
	if err != nil {
		return render.Capabilities{}, 0, err
	}
	return render.Capabilities{KubeVersion: version.GitVersion, APIVersions: apiVersions(groups, resources)}, age, nil
}

func apiVersions(groups []*metav1.APIGroup, resources []*metav1.APIResourceList) []string {
	served := map[string]struct{}{}
	for _, group := range groups {
		for _, version := range group.Versions {
			served[version.GroupVersion] = struct{}{}
		}
	}
	for _, list := range resources {
		for _, resource := range list.APIResources {
			served[list.GroupVersion+"/"+resource.Kind] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(served))
}
