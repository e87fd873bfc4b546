// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crowd measures the operator among many: a thousand Environments, ten thousand Promotions.
//
// A Crowd is built once for each cluster, and everything is measured on it in turn: what it costs at rest (B5), what a thousand approvals at once take
// (B3), how soon the operator is back after it was killed (B6), and what one approval costs beside ten thousand that wait (B8).
//
// What is generated is real: every Environment has its own target namespace and deployer, every Release was rolled out there by the operator, and
// everybody's writes go through the guard as themselves. Only of the Promotions that ended long ago, and of those that merely wait, most are copied:
// they are created by who asks and approved by who approves, and what the operator would have written into their status is written with its account
// while it does not run. The operator cannot tell them from its own; only the Environment's history knows nothing of the copies that ended.
package crowd

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/bench/scene"
	"github.com/assent-dev/assent/test/cluster"
)

// Size of a Crowd.
type Size struct {
	// Environments, each with a target namespace of its own, and one Release running there.
	Environments int
	// Ended and Waiting Promotions of each Environment.
	Ended, Waiting int
}

// Whole is the size that the goals are set for: 1,000 Environments and 10,000 Promotions, of which 1,000 wait for people.
func Whole() Size { return Size{Environments: 1000, Ended: 9, Waiting: 1} }

// Promotions is how many there are in all.
func (s Size) Promotions() int { return s.Environments * (s.Ended + s.Waiting) }

const (
	// neighbours is how many Environments share a project.
	neighbours = 50
	// hands is how many requests of the generator are under way at once.
	hands = 16
)

// Crowd is many Environments with their Promotions on one cluster.
type Crowd struct {
	scene    *scene.Scene
	cluster  *cluster.Cluster
	operator *cluster.Operator
	size     Size

	admin, bob, alice client.WithWatch
	account           client.Client
	projects          []string
	places            []place
}

// place is one Environment.
type place struct {
	project, name string
	target        v1alpha1.Target
}

// On is a crowd of a size on a scene, of which nobody has come yet.
func On(ctx context.Context, s *scene.Scene, size Size) (*Crowd, error) {
	c := &Crowd{
		scene: s, cluster: s.Cluster, operator: s.Operator, size: size,
		admin: s.As(cluster.Admin), bob: s.As(cluster.Bob), alice: s.As(cluster.Alice),
	}
	config, err := s.Cluster.ControllerConfig(ctx)
	if err != nil {
		return nil, err
	}
	c.account, err = s.Cluster.ClientFor(config)
	return c, err
}

// say what is being done.
func (c *Crowd) say(format string, arguments ...any) { c.scene.Say(format, arguments...) }

// each calls work with 0 to count-1, several at a time, and tells how far it is. The first error ends it.
func (c *Crowd) each(ctx context.Context, what string, count int, work func(ctx context.Context, i int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next, done atomic.Int64
	var group sync.WaitGroup
	told := time.NewTicker(10 * time.Second)
	defer told.Stop()
	for range min(hands, count) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < count && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := work(ctx, i); err != nil {
					stop(fmt.Errorf("%s, %d of %d: %w", what, i, count, err))
				}
				done.Add(1)
			}
		})
	}
	ended := make(chan struct{})
	go func() { group.Wait(); close(ended) }()
	for {
		select {
		case <-told.C:
			c.say("%s: %d of %d", what, done.Load(), count)
		case <-ended:
			c.say("%s: %d of %d", what, done.Load(), count)
			return context.Cause(ctx)
		}
	}
}
