// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/expression"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/render"
	"github.com/assent-dev/assent/internal/source"
)

// mostChanges is how many changes a plan lists; the API's bound.
const mostChanges = 256

// Planner makes plans. It reads and renders; the only requests that look like writes are the deployer's dry runs.
type Planner struct {
	Contents  *Contents
	Deployers *apply.Factory
	Clock     clock.PassiveClock
}

// Rendering is what a plan was made of.
type Rendering struct {
	// objects that the plan's renderedDigest speaks of.
	objects []*unstructured.Unstructured
	// pairs are how they run and how they would run.
	pairs []plan.Pair
}

// Make a plan of what the observed promotion would apply. An error is a fault that trying again can mend; what a person has to
// mend is said in the result.
func (p *Planner) Make(ctx context.Context, seen promotion.Observation, inputs v1alpha1.PlanInputs) (*promotion.Planned, Rendering, error) {
	objects, err := p.render(ctx, seen.Release, seen.Environment.Spec, seen.Environment, inputs.ReleaseDigest)
	if err != nil {
		planned, err := refusal(err, seen.Environment.Spec.Target)
		return planned, Rendering{}, err
	}
	rendered, err := plan.RenderedDigest(objects)
	if err != nil {
		return nil, Rendering{}, err
	}
	digest, err := plan.Digest(seen.Promotion.UID, inputs, rendered, v1alpha1.Fallback{})
	if err != nil {
		return nil, Rendering{}, err
	}
	planned := &promotion.Planned{Plan: v1alpha1.Plan{
		Digest: digest, RenderedDigest: rendered, Inputs: inputs,
		Objects: ptr.To(int32(len(objects))), PlannedTime: metav1.NewTime(p.Clock.Now()), //nolint:gosec // at most 1,000
	}}
	pairs, err := p.compare(ctx, seen, objects, planned)
	if err != nil {
		refused, err := refusal(err, seen.Environment.Spec.Target)
		if refused != nil && refused.Refused == "" {
			refused.Plan = planned.Plan
		}
		return refused, Rendering{}, err
	}
	return planned, Rendering{objects: objects, pairs: pairs}, nil
}

// Render the objects that an intent speaks of, for a process that takes over a rollout.
func (p *Planner) Render(ctx context.Context, release *v1alpha1.Release, environment *v1alpha1.Environment, intent v1alpha1.AuditRecordSpec) ([]*unstructured.Unstructured, error) {
	spec := v1alpha1.EnvironmentSpec{}
	if environment != nil {
		spec = environment.Spec
	}
	spec.Target = intent.Target
	named := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: release.Namespace, Name: intent.Environment}}
	return p.render(ctx, release, spec, named, intent.Release.Digest)
}

// render the objects of a Release as they stand in an Environment.
func (p *Planner) render(ctx context.Context, release *v1alpha1.Release, spec v1alpha1.EnvironmentSpec, environment metav1.Object, digest v1alpha1.Digest) ([]*unstructured.Unstructured, error) {
	objects, err := p.Contents.Objects(ctx, release, digest)
	if err != nil {
		return nil, err
	}
	err = plan.Place(objects, plan.PlaceOptions{
		Target: spec.Target, ClusterScopedKinds: spec.Rollout.ClusterScopedKinds,
		Project: environment.GetNamespace(), Environment: environment.GetName(), Scope: p.Deployers.Scope,
	})
	if err != nil {
		return nil, err
	}
	plan.Sort(objects)
	return objects, nil
}

// compare asks the API server, as the deployer, what the objects would change.
func (p *Planner) compare(ctx context.Context, seen promotion.Observation, objects []*unstructured.Unstructured, planned *promotion.Planned) ([]plan.Pair, error) {
	target := seen.Environment.Spec.Target
	if err := p.Deployers.CheckDeployer(ctx, target); err != nil {
		return nil, err
	}
	deployer, err := p.Deployers.As(target, identityOf(seen.Promotion))
	if err != nil {
		return nil, err
	}
	pairs, err := deployer.Compare(ctx, objects)
	if err != nil {
		return nil, err
	}
	pruned, err := deployer.Live(ctx, prunesOf(seen.Environment, references(objects)), ownerOf(seen.Promotion))
	if err != nil {
		return nil, err
	}
	all := slices.Concat(pairs, pruned)
	changes := plan.Changes(all)
	planned.Plan.Changes = changes[:min(len(changes), mostChanges)]
	planned.Plan.Diff = plan.Diff(all)
	planned.Plan.Rules = promotion.PlanRules(seen.Environment, expression.RuleInput{
		Plan: planned.Plan, Changes: changes, Release: seen.Release, Environment: seen.Environment, Promotion: seen.Promotion,
	})
	return pairs, nil
}

// refusal tells what people have to mend from faults that pass. What the deployer lacks can be given to it, so that the
// promotion waits for that; what is wrong with the Release cannot be changed any more.
func refusal(err error, target v1alpha1.Target) (*promotion.Planned, error) {
	var unfetched *source.Error
	switch {
	case unrunnable(err):
		return &promotion.Planned{Refused: err.Error()}, nil
	case apply.KindOf(err) == apply.DeployerError:
		return &promotion.Planned{Unable: err.Error(), Remedy: fmt.Sprintf(
			"whoever administers namespace %q, as the message says; it is looked at again every minute", target.Namespace)}, nil
	case apply.KindOf(err) != apply.TransientError:
		return &promotion.Planned{Refused: err.Error()}, nil
	case errors.As(err, &unfetched):
		return &promotion.Planned{Gate: v1alpha1.GateRelease, Unable: "the content of the release cannot be fetched now: " + err.Error(),
			Remedy: "whoever runs the source, as the message says; it is tried again every minute"}, nil
	}
	return nil, err
}

// unrunnable says that an error is about the Release's content itself, so that trying again mends nothing.
func unrunnable(err error) bool {
	var invalid *plan.InvalidError
	var unrenderable *render.Error
	var unfetched *source.Error
	return errors.As(err, &invalid) || errors.As(err, &unrenderable) || (errors.As(err, &unfetched) && !unfetched.Retryable())
}

func references(objects []*unstructured.Unstructured) []v1alpha1.ObjectReference {
	refs := make([]v1alpha1.ObjectReference, 0, len(objects))
	for _, object := range objects {
		refs = append(refs, plan.Reference(object))
	}
	return refs
}

// prunesOf are the objects that the Environment has and that would not be there any more.
func prunesOf(environment *v1alpha1.Environment, keep []v1alpha1.ObjectReference) []v1alpha1.ObjectReference {
	if environment == nil || environment.Spec.Rollout.Prune == v1alpha1.PruneDisabled {
		return nil
	}
	kept := make(map[v1alpha1.ObjectReference]bool, len(keep))
	for _, ref := range keep {
		kept[ref] = true
	}
	return slices.DeleteFunc(slices.Clone(environment.Status.Inventory), func(ref v1alpha1.ObjectReference) bool { return kept[ref] })
}

func identityOf(p *v1alpha1.Promotion) apply.PromotionIdentity {
	return apply.PromotionIdentity{Namespace: p.Namespace, Name: p.Name, UID: p.UID}
}

func ownerOf(p *v1alpha1.Promotion) apply.Owner {
	return apply.Owner{Project: p.Namespace, Environment: p.Spec.Environment}
}
