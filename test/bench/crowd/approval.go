// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

// Approval is what one approval costs.
type Approval struct {
	// Applied is how long it was from the answer to the approval until the last object was applied, and Succeeded until the promotion had succeeded.
	Applied, Succeeded time.Duration
	// Core is the operator's processor time, up to the success.
	Core time.Duration
	// Writes and Reads of the operator, up to the success.
	Writes, Reads int
}

// String is a line for people.
func (a Approval) String() string {
	return fmt.Sprintf("applied after %s, succeeded after %s; %s of processor time, %d writes, %d reads", a.Applied.Round(time.Millisecond), a.Succeeded.Round(time.Millisecond),
		a.Core, a.Writes, a.Reads)
}

// Approval approves a Promotion that waits, and measures it until it has succeeded. The operator runs, and is at rest before.
func (c *Crowd) Approval(ctx context.Context, asked *v1alpha1.Promotion) (Approval, error) {
	var found Approval
	log, err := c.cluster.Requests()
	if err != nil {
		return found, err
	}
	before, err := c.operator.CoreTime()
	if err != nil {
		return found, err
	}
	if err := c.approve(ctx, asked); err != nil {
		return found, err
	}
	if err := c.succeeds(ctx, asked); err != nil {
		return found, err
	}
	after, err := c.operator.CoreTime()
	if err != nil {
		return found, err
	}
	found.Core = after - before
	if err := written(ctx); err != nil {
		return found, err
	}
	return found, found.read(log, asked)
}

// written waits until the API server's audit log tells of what has just happened: whoever watches may be told earlier.
func written(ctx context.Context) error {
	const lag = 2 * time.Second
	select {
	case <-time.After(lag):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read what the API server has answered for one promotion.
func (a *Approval) read(log *cluster.RequestLog, asked *v1alpha1.Promotion) error {
	var approved, applied, ended time.Time
	_, err := log.Answered(func(r cluster.Request) bool {
		about := r.ObjectRef.Resource == "promotions" && r.ObjectRef.Namespace == asked.Namespace && r.ObjectRef.Name == asked.Name
		switch {
		case about && r.User.Username == cluster.Alice:
			approved = r.Done
		case !r.ByOperator() || r.Verb == "watch" || r.ObjectRef.Resource == "leases":
		case r.Changes():
			a.Writes++
			if about {
				ended = r.Done
			}
			if r.Verb == "patch" && r.ImpersonatedUser.Username != "" && r.Granted() {
				applied = r.Done
			}
		default:
			a.Reads++
		}
		return false
	})
	a.Applied, a.Succeeded = applied.Sub(approved), ended.Sub(approved)
	return err
}

// succeeds waits until a Promotion has succeeded.
func (c *Crowd) succeeds(ctx context.Context, asked *v1alpha1.Promotion) error {
	watching, err := c.admin.Watch(ctx, &v1alpha1.PromotionList{}, client.InNamespace(asked.Namespace), client.MatchingFields{"metadata.name": asked.Name})
	if err != nil {
		return fmt.Errorf("watching promotion %q: %w", asked.Name, err)
	}
	defer watching.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case event := <-watching.ResultChan():
			p, is := event.Object.(*v1alpha1.Promotion)
			switch {
			case !is:
				return fmt.Errorf("watching promotion %q: %v", asked.Name, event.Object)
			case promotion.State(p) == v1alpha1.ReasonSucceeded:
				return nil
			case promotion.Ended(p):
				return fmt.Errorf("promotion %q has ended as %s", asked.Name, promotion.State(p))
			}
		case <-late.C:
			return fmt.Errorf("promotion %q did not succeed within %s", asked.Name, patience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
