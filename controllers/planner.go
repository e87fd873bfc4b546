// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/expression"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/render"
	"github.com/assent-dev/assent/internal/signature"
	"github.com/assent-dev/assent/internal/source"
)

// mostChanges is how many changes a plan lists; the API's bound.
const mostChanges = 256

// Planner makes plans. It reads and renders; the only requests that look like writes are the deployer's dry runs.
type Planner struct {
	Contents *Contents
	// Values reads what Environments take values from.
	Values client.Reader
	// Signatures verifies what Environments want signed.
	Signatures *signature.Verifier
	Clock      clock.PassiveClock

	places   *places
	findings *findings
}

// Rendering is what a plan was made of.
type Rendering struct {
	// objects that the plan's renderedDigest speaks of.
	objects []*unstructured.Unstructured
	// found is how they run, and what a rollout would do to them.
	found []apply.Finding
}

// Make a plan of what the observed promotion would apply. An error is a fault that trying again can mend; what a person has to
// mend is said in the result.
func (p *Planner) Make(ctx context.Context, seen promotion.Observation, inputs v1alpha1.PlanInputs) (*promotion.Planned, Rendering, error) {
	planned, rendering, err := p.make(ctx, seen, inputs)
	if err == nil {
		return planned, rendering, nil
	}
	refused, err := refusal(err, seen.Environment.Spec.Target)
	if refused != nil && refused.Refused == "" && planned != nil {
		refused.Plan = planned.Plan
	}
	return refused, Rendering{}, err
}

// make a plan. With an error it returns the plan nevertheless, if it is known what it would be.
func (p *Planner) make(ctx context.Context, seen promotion.Observation, inputs v1alpha1.PlanInputs) (*promotion.Planned, Rendering, error) {
	where, err := p.places.of(ctx, seen.Promotion.Namespace, seen.Environment.Spec.Target)
	if err != nil {
		return nil, Rendering{}, err
	}
	if err := where.lockable(ctx, seen.Environment.Namespace, seen.Environment.Spec); err != nil {
		return nil, Rendering{}, err
	}
	objects, err := p.render(ctx, where, settingOf(seen.Release, seen.Environment.Spec, seen.Environment, seen.Promotion.UID), inputs.ReleaseDigest)
	if err != nil {
		return nil, Rendering{}, err
	}
	if err := p.verify(ctx, seen, objects); err != nil {
		return nil, Rendering{}, err
	}
	rendered, err := plan.RenderedDigest(objects)
	if err != nil {
		return nil, Rendering{}, err
	}
	fallback, err := p.fallback(ctx, seen, where, rendered)
	if err != nil {
		return nil, Rendering{}, err
	}
	digest, err := plan.Digest(seen.Promotion.UID, inputs, rendered, fallback)
	if err != nil {
		return nil, Rendering{}, err
	}
	planned := &promotion.Planned{Plan: v1alpha1.Plan{
		Digest: digest, RenderedDigest: rendered, Fallback: fallback, Inputs: inputs,
		Objects: count(len(objects)), PlannedTime: metav1.NewTime(p.Clock.Now()),
	}}
	found, err := p.compare(ctx, seen, where, objects, planned)
	return planned, Rendering{objects: objects, found: found}, err
}

// Render the objects that an intent speaks of, for a process that takes over a rollout, and for whoever compares with what was approved.
func (p *Planner) Render(ctx context.Context, release *v1alpha1.Release, environment *v1alpha1.Environment, intent v1alpha1.AuditRecordSpec) ([]*unstructured.Unstructured, error) {
	spec, current := v1alpha1.EnvironmentSpec{}, v1alpha1.EnvironmentStatus{}
	if environment != nil {
		spec, current = environment.Spec, environment.Status
	}
	spec.Target = intent.Target
	named := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: release.Namespace, Name: intent.Environment}, Status: current}
	where, err := p.places.of(ctx, release.Namespace, intent.Target)
	if err != nil {
		return nil, err
	}
	return p.render(ctx, where, settingOf(release, spec, named, types.UID(intent.Promotion.UID)), intent.Release.Digest)
}

// setting is a Release, and the Environment that it is rendered for.
type setting struct {
	release     *v1alpha1.Release
	environment types.NamespacedName
	spec        v1alpha1.EnvironmentSpec
	upgrade     bool
	promotion   types.UID
}

func settingOf(release *v1alpha1.Release, spec v1alpha1.EnvironmentSpec, environment *v1alpha1.Environment, asked types.UID) setting {
	return setting{
		release: release, environment: types.NamespacedName{Namespace: environment.Namespace, Name: environment.Name}, spec: spec,
		upgrade: environment.Status.Current.Release != "", promotion: asked,
	}
}

// render the objects of a Release as they stand in an Environment.
func (p *Planner) render(ctx context.Context, where *place, what setting, digest v1alpha1.Digest) ([]*unstructured.Unstructured, error) {
	taken, err := valuesOf(ctx, p.Values, what.environment.Namespace, what.spec.Overlay)
	if err != nil {
		return nil, err
	}
	objects, err := p.Contents.Objects(ctx, what.release, digest, Setting{
		Namespace: what.spec.Target.Namespace, Upgrade: what.upgrade, Overlay: what.spec.Overlay, Values: taken.layers, Capabilities: where.Capabilities,
	})
	if err != nil {
		return nil, err
	}
	err = plan.Place(objects, plan.PlaceOptions{
		Target: what.spec.Target, ClusterScopedKinds: what.spec.Rollout.ClusterScopedKinds, Lock: what.spec.Lock == v1alpha1.LockEnabled,
		Project: what.environment.Namespace, Environment: what.environment.Name, PromotionUID: what.promotion, Scope: where.deployers.Scope,
	})
	if err != nil {
		return nil, err
	}
	plan.Sort(objects)
	return objects, nil
}

// compare asks the API server, as the deployer, what the objects would change. For the plan that the status shows this was asked before: then
// it is asked whether that is still true.
func (p *Planner) compare(
	ctx context.Context, seen promotion.Observation, where *place, objects []*unstructured.Unstructured, planned *promotion.Planned,
) ([]apply.Finding, error) {
	target := seen.Environment.Spec.Target
	if err := where.deployers.CheckDeployer(ctx, target); err != nil {
		return nil, err
	}
	deployer, err := where.deployers.As(target, identityOf(seen.Promotion))
	if err != nil {
		return nil, err
	}
	pruned, err := deployer.Live(ctx, prunesOf(seen.Environment, seen.Environment.Status.Inventory, references(objects)), ownerOf(seen.Promotion))
	if err != nil {
		return nil, err
	}
	prunes := plan.Changes(pruned)
	asked := time.Now()
	found, known := p.findings.of(seen.Promotion, planned.Plan.RenderedDigest, where, target)
	if known && slices.Equal(found.prunes, prunes) && deployer.StillTrue(ctx, objects, found.objects) {
		planned.Plan.Diff = seen.Promotion.Status.Plan.Diff
	} else {
		pairs, err := deployer.Compare(ctx, objects)
		if err != nil {
			return nil, err
		}
		planned.Plan.Diff = plan.Diff(slices.Concat(pairs, pruned))
		found = planFindings{
			promotion: keyOf(seen.Promotion), uid: seen.Promotion.UID, rendered: planned.Plan.RenderedDigest, where: where, target: target,
			diff: sha256.Sum256([]byte(planned.Plan.Diff)), objects: apply.Findings(pairs), changes: plan.Changes(pairs), prunes: prunes,
		}
		p.findings.keep(found)
	}
	changes := slices.Concat(found.changes, prunes)
	planned.Plan.Changes = changes[:min(len(changes), mostChanges)]
	planned.Plan.Rules = promotion.PlanRules(seen.Environment, expression.RuleInput{
		Plan: planned.Plan, Changes: changes, Release: seen.Release, Environment: seen.Environment, Promotion: seen.Promotion,
	})
	return apply.LookedAt(asked, found.objects), nil
}

// refusal tells what people have to mend from faults that pass. What the deployer lacks can be given to it, so that the
// promotion waits for that; what is wrong with the Release cannot be changed any more.
func refusal(err error, target v1alpha1.Target) (*promotion.Planned, error) {
	var unfetched *source.Error
	var unlocked *lockError
	var unread *valuesError
	var unsigned *signature.Error
	// Before the others: a cluster that refuses the kubeconfig says nothing about the deployer.
	if closed := unreachable(err); closed != nil {
		return &promotion.Planned{Unable: closed.Message, Remedy: closed.Clears}, nil
	}
	switch {
	case unrunnable(err):
		return &promotion.Planned{Refused: err.Error()}, nil
	case errors.As(err, &unlocked):
		return &promotion.Planned{Unable: unlocked.message, Remedy: unlocked.remedy}, nil
	case errors.As(err, &unread):
		return &promotion.Planned{Unable: unread.message, Remedy: unread.remedy}, nil
	case errors.As(err, &unsigned):
		return &promotion.Planned{Gate: v1alpha1.GateRelease, Unable: err.Error(), Remedy: unsignedRemedy}, nil
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

// prunesOf are the objects that are there, and that are not kept; none where the Environment prunes nothing.
func prunesOf(environment *v1alpha1.Environment, there, keep []v1alpha1.ObjectReference) []v1alpha1.ObjectReference {
	if environment == nil || environment.Spec.Rollout.Prune == v1alpha1.PruneDisabled {
		return nil
	}
	kept := make(map[v1alpha1.ObjectReference]bool, len(keep))
	for _, ref := range keep {
		kept[ref] = true
	}
	return slices.DeleteFunc(slices.Clone(there), func(ref v1alpha1.ObjectReference) bool { return kept[ref] })
}

func identityOf(p *v1alpha1.Promotion) apply.PromotionIdentity {
	return apply.PromotionIdentity{Namespace: p.Namespace, Name: p.Name, UID: p.UID}
}

func ownerOf(p *v1alpha1.Promotion) apply.Owner {
	return apply.Owner{Project: p.Namespace, Environment: p.Spec.Environment}
}
