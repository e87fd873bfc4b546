// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
)

// Run a manager until the context ends. If its caches are not complete by then, it has begun nothing, and is left behind as it is: a manager that is told to end
// while it waits for its caches goes on waiting, and takes a whole core for it.
func Run(ctx context.Context, mgr ctrl.Manager) error {
	complete := make(completeness)
	if err := mgr.Add(complete); err != nil {
		return fmt.Errorf("watch the manager's start: %w", err)
	}
	lifetime, end := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(lifetime) }()
	go func() {
		<-ctx.Done()
		<-complete
		end()
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case <-complete:
		return <-ended
	default:
		return nil
	}
}

// completeness is closed by the manager once its caches are complete, on whichever replica.
type completeness chan struct{}

// Start implements manager.Runnable.
func (c completeness) Start(context.Context) error {
	close(c)
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (completeness) NeedLeaderElection() bool { return false }
