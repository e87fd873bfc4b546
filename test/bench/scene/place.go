// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package scene

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

// Production is the Environment of a Place.
const Production = "production"

// Place is a project with the Environment production, and the namespace that it deploys to.
type Place struct {
	// Project that holds Releases, Environments and Promotions.
	Project string
	// Target that the Environment production has, or would have.
	Target v1alpha1.Target
	scene  *Scene
}

// Bare is a place without its Environment.
func (s *Scene) Bare(ctx context.Context) (*Place, error) {
	project, err := s.Cluster.Project(ctx)
	if err != nil {
		return nil, err
	}
	target, err := s.Cluster.Target(ctx)
	return &Place{Project: project.Name, Target: target, scene: s}, err
}

// Place is a project whose Environment production is there; options change it.
func (s *Scene) Place(ctx context.Context, options ...func(*v1alpha1.EnvironmentSpec)) (*Place, error) {
	place, err := s.Bare(ctx)
	if err != nil {
		return nil, err
	}
	environment := cluster.NewEnvironment(place.Project, Production, place.Target)
	for _, option := range options {
		option(&environment.Spec)
	}
	if err := s.As(cluster.Admin).Create(ctx, environment); err != nil {
		return nil, fmt.Errorf("creating the environment: %w", err)
	}
	return place, nil
}

// Discard deletes the namespaces of a place, and does not wait for that.
func (p *Place) Discard(ctx context.Context) error {
	var problems []error
	for _, name := range []string{p.Project, p.Target.Namespace} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		problems = append(problems, client.IgnoreNotFound(p.scene.As(cluster.Admin).Delete(ctx, namespace)))
	}
	return errors.Join(problems...)
}

// Ask is bob's: a Release of the source, and a Promotion of the same name to production, once that Release is ready. It waits until the Promotion is ready for approval.
func (p *Place) Ask(ctx context.Context, name string, source v1alpha1.ReleaseSource) (*v1alpha1.Promotion, error) {
	if err := p.Release(ctx, name, source); err != nil {
		return nil, err
	}
	return p.Request(ctx, name)
}

// Release is bob's. It waits until the Release is ready.
func (p *Place) Release(ctx context.Context, name string, source v1alpha1.ReleaseSource) error {
	release := cluster.NewRelease(p.Project, name, name, "")
	release.Spec.Source = source
	bob := p.scene.As(cluster.Bob)
	if err := bob.Create(ctx, release); err != nil {
		return fmt.Errorf("creating release %q: %w", name, err)
	}
	return Await(ctx, fmt.Sprintf("release %q is ready", name), func(ctx context.Context) (bool, error) {
		err := bob.Get(ctx, client.ObjectKeyFromObject(release), release)
		return apimeta.IsStatusConditionTrue(release.Status.Conditions, v1alpha1.ConditionReady), err
	})
}

// Request is bob's: a Promotion of the Release of that name. It waits until it is ready for approval.
func (p *Place) Request(ctx context.Context, name string) (*v1alpha1.Promotion, error) {
	asked := cluster.NewPromotion(p.Project, name, name, Production)
	if err := p.scene.As(cluster.Bob).Create(ctx, asked); err != nil {
		return nil, fmt.Errorf("asking for promotion %q: %w", name, err)
	}
	return asked, p.AwaitState(ctx, asked, v1alpha1.ReasonAwaitingApproval)
}

// AwaitState waits for the state of a promotion, and no longer than until it has ended in another. It reads the promotion into asked.
func (p *Place) AwaitState(ctx context.Context, asked *v1alpha1.Promotion, state string) error {
	return Await(ctx, fmt.Sprintf("promotion %q is %s", asked.Name, state), func(ctx context.Context) (bool, error) {
		now := &v1alpha1.Promotion{}
		if err := p.scene.As(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(asked), now); err != nil {
			return false, err
		}
		*asked = *now
		found := promotion.State(asked)
		if found != state && promotion.Ended(asked) {
			condition := apimeta.FindStatusCondition(asked.Status.Conditions, v1alpha1.ConditionSucceeded)
			return false, fmt.Errorf("it has ended as %s: %s", found, condition.Message)
		}
		return found == state, nil
	})
}

// Approve is alice's decision on the plan that asked has, as `kubectl patch --type=merge` would write it.
func (s *Scene) Approve(ctx context.Context, asked *v1alpha1.Promotion) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"approvals": []v1alpha1.Approval{{
		User: cluster.Alice, Decision: v1alpha1.DecisionApproved, PlanDigest: asked.Status.Plan.Digest,
	}}}})
	if err != nil {
		return err
	}
	err = s.As(cluster.Alice).Patch(ctx, asked.DeepCopy(), client.RawPatch(types.MergePatchType, patch))
	if err != nil {
		return fmt.Errorf("approving promotion %q: %w", asked.Name, err)
	}
	return nil
}

const (
	// restFor is how long nothing is written until the cluster is said to rest. The slowest that comes of an earlier write is an event of the
	// operator's own, which is gathered for some hundred milliseconds.
	restFor = 700 * time.Millisecond
	// leases are written for ever.
	leases = "leases"
)

// Rest waits until nobody has written anything but leases for a moment, so that nothing of what was done before burdens what is measured next.
func (s *Scene) Rest(ctx context.Context) error {
	log, err := s.Cluster.Requests()
	if err != nil {
		return err
	}
	began := time.Now()
	return Await(ctx, "the cluster rests", func(context.Context) (bool, error) {
		writes, err := log.Answered(func(r cluster.Request) bool {
			return r.Changes() && !slices.Contains([]string{leases, "nodes"}, r.ObjectRef.Resource)
		})
		last := began
		if len(writes) > 0 {
			last = writes[len(writes)-1].Done
		}
		return time.Since(last) > restFor, err
	})
}
