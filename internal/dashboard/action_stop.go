// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
)

func (a *Actions) hold(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	environment := &v1alpha1.Environment{}
	if err := find(ctx, actor, about, given, "environment", environment); err != nil {
		return "", err
	}
	return a.environmentPage(about), actor.Hold(ctx, environment, given.one("reason"))
}

func (a *Actions) resume(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	environment := &v1alpha1.Environment{}
	if err := find(ctx, actor, about, given, "environment", environment); err != nil {
		return "", err
	}
	return a.environmentPage(about), actor.Resume(ctx, environment)
}

func (a *Actions) block(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	release := &v1alpha1.Release{}
	if err := find(ctx, actor, about, given, "release", release); err != nil {
		return "", err
	}
	return a.releasePage(about), actor.Block(ctx, release, given.one("reason"))
}

func (a *Actions) unblock(ctx context.Context, actor person.Actor, about target, given values) (string, error) {
	release := &v1alpha1.Release{}
	if err := find(ctx, actor, about, given, "release", release); err != nil {
		return "", err
	}
	return a.releasePage(about), actor.Unblock(ctx, release)
}

// find what a form is about. Where the form says which one was looked at, it must still be that.
func find(ctx context.Context, actor person.Actor, about target, given values, kind string, object client.Object) error {
	if err := actor.Client.Get(ctx, client.ObjectKey{Namespace: about.project, Name: about.name}, object); err != nil {
		return err
	}
	if uid := types.UID(given.one("uid")); uid != "" && uid != object.GetUID() {
		return &person.Replaced{Kind: kind, Name: about.name}
	}
	return nil
}
