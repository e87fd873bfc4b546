// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
)

// fallback is what a rollout that fails goes back to: the Release that runs now, as it is rendered now. There is none where the Environment does not ask for
// it, where nothing runs, where the Release is gone, blocked, or can no longer be rendered, and where it would be what the rollout applies anyway.
func (p *Planner) fallback(ctx context.Context, seen promotion.Observation, where *place, rendered v1alpha1.Digest) (v1alpha1.Fallback, error) {
	environment := seen.Environment
	runs := environment.Status.Current
	if environment.Spec.Rollout.OnFailure != v1alpha1.OnFailureRollback || runs.Release == "" || seen.Promotion.Spec.Type == v1alpha1.PromotionTypeRollback {
		return v1alpha1.Fallback{}, nil
	}
	release, err := find(ctx, p.Contents.Live, &v1alpha1.Release{}, types.NamespacedName{Namespace: environment.Namespace, Name: runs.Release})
	if err != nil {
		return v1alpha1.Fallback{}, err
	}
	if release == nil || !inOrder(release) || !succeededHere(environment, release) {
		return v1alpha1.Fallback{}, nil
	}
	if blocked, err := p.blockedIn(ctx, release); err != nil || blocked != nil {
		return v1alpha1.Fallback{}, err
	}
	objects, err := p.render(ctx, where, settingOf(release, environment.Spec, environment, seen.Promotion.UID), release.Status.Digest)
	if unrunnable(err) {
		return v1alpha1.Fallback{}, nil
	}
	if err != nil {
		return v1alpha1.Fallback{}, fmt.Errorf("render release %q, which the rollout would go back to (`spec.rollout.onFailure`): %w", release.Name, err)
	}
	digest, err := plan.RenderedDigest(objects)
	if err != nil || digest == rendered {
		return v1alpha1.Fallback{}, err
	}
	return v1alpha1.Fallback{
		Release: v1alpha1.ObjectIdentity{Name: release.Name, UID: string(release.UID)}, Version: release.Spec.Version,
		ReleaseDigest: release.Status.Digest, RenderedDigest: digest,
	}, nil
}

// succeededHere says whether it is this Release that runs, and not one that was deleted and had its name.
func succeededHere(environment *v1alpha1.Environment, release *v1alpha1.Release) bool {
	newest := environment.Status.Releases
	return len(newest) > 0 && newest[0].Name == release.Name && newest[0].UID == string(release.UID)
}

// fallbackRelease is the Release that a failed rollout goes back to.
func (p *Planner) fallbackRelease(ctx context.Context, project string, identity v1alpha1.ObjectIdentity) (*v1alpha1.Release, error) {
	release, err := find(ctx, p.Contents.Live, &v1alpha1.Release{}, types.NamespacedName{Namespace: project, Name: identity.Name})
	if err != nil {
		return nil, err
	}
	if release == nil || string(release.UID) != identity.UID {
		return nil, &plan.InvalidError{Problems: []string{fmt.Sprintf("release %q, which ran before, was deleted during the rollout, so that it cannot be applied again", identity.Name)}}
	}
	blocked, err := p.blockedIn(ctx, release)
	if err != nil {
		return nil, err
	}
	if blocked != nil {
		return nil, &plan.InvalidError{Problems: []string{fmt.Sprintf("release %q was blocked during the rollout, so that release %q, which ran before, is not applied again: %s",
			blocked.Name, identity.Name, blocked.Spec.Blocked.Reason)}}
	}
	return release, nil
}

// blockedIn is the Release, or the first one of its bundle, that somebody has blocked; nil if none is.
func (p *Planner) blockedIn(ctx context.Context, release *v1alpha1.Release) (*v1alpha1.Release, error) {
	members, err := findMembers(ctx, p.Contents.Live, release)
	if err != nil {
		return nil, err
	}
	return promotion.Blocked(release, members), nil
}
