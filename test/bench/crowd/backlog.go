// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

// Backlog asks for a new version in the first Environments, where nothing else waits, and approves one Promotion after the other. The first one warms up.
func (c *Crowd) Backlog(ctx context.Context, version string, approvals int) ([]Approval, error) {
	var found []Approval
	if err := c.release(ctx, version); err != nil {
		return found, err
	}
	for i := range approvals + 1 {
		p := c.places[i]
		asked := cluster.NewPromotion(p.project, nameOf(p.name, version), "shop-"+version, p.name)
		if err := c.bob.Create(ctx, asked); err != nil {
			return found, err
		}
		if err := c.awaitOne(ctx, asked, v1alpha1.ReasonAwaitingApproval); err != nil {
			return found, err
		}
		if err := c.settle(ctx); err != nil {
			return found, err
		}
		one, err := c.Approval(ctx, asked)
		if err != nil {
			return found, err
		}
		c.say("approval %d of %d: %s", i, approvals, one)
		if i > 0 {
			found = append(found, one)
		}
	}
	return found, nil
}

// awaitOne waits until a Promotion is in a state, and reads it.
func (c *Crowd) awaitOne(ctx context.Context, asked *v1alpha1.Promotion, state string) error {
	return c.until(ctx, fmt.Sprintf("waiting until promotion %q is %s", asked.Name, state), func(ctx context.Context) (int, int, error) {
		now, err := c.read(ctx, asked, state)
		return now, 1, err
	})
}

// read a Promotion anew, and say by 1 whether it is in a state.
func (c *Crowd) read(ctx context.Context, asked *v1alpha1.Promotion, state string) (int, error) {
	now := &v1alpha1.Promotion{}
	if err := c.admin.Get(ctx, client.ObjectKeyFromObject(asked), now); err != nil {
		return 0, err
	}
	*asked = *now
	if promotion.State(asked) == state {
		return 1, nil
	}
	return 0, nil
}
