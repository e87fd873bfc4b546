// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Hold an Environment: no rollout starts there. It is filled with what came of it.
func (a Actor) Hold(ctx context.Context, environment *v1alpha1.Environment, reason string) error {
	return a.merge(ctx, environment, map[string]any{"spec": map[string]any{"hold": v1alpha1.Hold{Reason: reason}}})
}

// Resume lifts the hold of an Environment, both that of its spec and that of its annotation; a *Free where there is none. It is filled with what came of it.
func (a Actor) Resume(ctx context.Context, environment *v1alpha1.Environment) error {
	if environment.Spec.Hold.Reason == "" && environment.Annotations[v1alpha1.AnnotationHold] == "" {
		return &Free{Kind: "environment", Name: environment.Name, From: "on hold"}
	}
	change := annotation(v1alpha1.AnnotationHold, nil)
	change["spec"] = map[string]any{"hold": nil}
	return a.merge(ctx, environment, change)
}

// HoldProject holds every Environment of a namespace.
func (a Actor) HoldProject(ctx context.Context, project, reason string) (*corev1.Namespace, error) {
	return a.annotate(ctx, project, reason)
}

// ResumeProject lifts the hold of a namespace. Environments that are held by themselves stay so.
func (a Actor) ResumeProject(ctx context.Context, project string) (*corev1.Namespace, error) {
	return a.annotate(ctx, project, nil)
}

func (a Actor) annotate(ctx context.Context, project string, hold any) (*corev1.Namespace, error) {
	namespace := &corev1.Namespace{}
	namespace.Name = project
	return namespace, a.merge(ctx, namespace, annotation(v1alpha1.AnnotationHold, hold))
}

// annotation is the change that sets one, or takes it away where the value is nil.
func annotation(name string, value any) map[string]any {
	return map[string]any{"metadata": map[string]any{"annotations": map[string]any{name: value}}}
}

// Block marks a Release as known to be bad, and fills it with what came of it.
func (a Actor) Block(ctx context.Context, release *v1alpha1.Release, reason string) error {
	return a.merge(ctx, release, blocked(v1alpha1.ReleaseBlock{Reason: reason}))
}

// Unblock lets a Release be promoted again; a *Free where it is not blocked. It is filled with what came of it.
func (a Actor) Unblock(ctx context.Context, release *v1alpha1.Release) error {
	if release.Spec.Blocked.Reason == "" {
		return &Free{Kind: "release", Name: release.Name, From: "blocked"}
	}
	return a.merge(ctx, release, blocked(nil))
}

func blocked(value any) map[string]any {
	return map[string]any{"spec": map[string]any{"blocked": value}}
}
