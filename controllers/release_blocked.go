// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// indexBlocked finds the blocked Releases in the cache.
	indexBlocked = "blocked"
	blocked      = "true"
	// indexBundled finds bundles by the Releases that they name.
	indexBundled = "spec.source.bundle"
	// mostRunsIn is how many Environments a blocked Release names; the API's bound. mostRunsInMessage is how many its message does.
	mostRunsIn, mostRunsInMessage = 64, 16
)

func isBlocked(release *v1alpha1.Release) bool { return release.Spec.Blocked.Reason != "" }

// SetupWithManager registers the reconciler. A Release is woken by itself, a blocked one by the Environments that it comes to or leaves, and a bundle by
// the Releases that it names.
func (r *ReleaseReconciler) SetupWithManager(mgr ctrl.Manager, options controller.Options) error {
	err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Release{}, indexBlocked, func(object client.Object) []string {
		if release, is := object.(*v1alpha1.Release); is && isBlocked(release) {
			return []string{blocked}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("index blocked releases: %w", err)
	}
	err = mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Release{}, indexBundled, func(object client.Object) []string {
		var names []string
		if release, is := object.(*v1alpha1.Release); is {
			for _, member := range release.Spec.Source.Bundle {
				names = append(names, member.Name)
			}
		}
		return names
	})
	if err != nil {
		return fmt.Errorf("index bundles: %w", err)
	}
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Release{}).
		Watches(&v1alpha1.Environment{}, r.blockedIn(), changes(deploymentMatters)).
		Watches(&v1alpha1.Release{}, r.bundling(), changes(releaseMatters)).
		WithOptions(options).Complete(r)
}

// bundling wakes the bundles that name a Release.
func (r *ReleaseReconciler) bundling() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, member client.Object) []reconcile.Request {
		var requests []reconcile.Request
		for _, name := range bundlesOf(ctx, r.Client, member) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: member.GetNamespace(), Name: name}})
		}
		return requests
	})
}

// bundlesOf are the names of the bundles that name a Release.
func bundlesOf(ctx context.Context, cached client.Reader, member client.Object) []string {
	var all v1alpha1.ReleaseList
	if err := cached.List(ctx, &all, readOnly, client.InNamespace(member.GetNamespace()), client.MatchingFields{indexBundled: member.GetName()}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list bundles")
		return nil
	}
	var names []string
	for i := range all.Items {
		names = append(names, all.Items[i].Name)
	}
	return names
}

// blockedIn wakes the blocked Release that runs in an Environment, or did before the update.
func (r *ReleaseReconciler) blockedIn() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		environment, is := object.(*v1alpha1.Environment)
		if !is || environment.Status.Current.Release == "" {
			return nil
		}
		var all v1alpha1.ReleaseList
		if err := r.Client.List(ctx, &all, readOnly, client.InNamespace(environment.Namespace), client.MatchingFields{indexBlocked: blocked}); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "list blocked releases to wake")
			return nil
		}
		if !slices.ContainsFunc(all.Items, func(r v1alpha1.Release) bool { return r.Name == environment.Status.Current.Release }) {
			return nil
		}
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: environment.Namespace, Name: environment.Status.Current.Release}}}
	})
}

// deploymentMatters says whether another Release, or the same by another promotion, runs in an Environment after an update.
func deploymentMatters(update event.UpdateEvent) bool {
	before, was := update.ObjectOld.(*v1alpha1.Environment)
	after, is := update.ObjectNew.(*v1alpha1.Environment)
	return was && is && before.Status.Current != after.Status.Current
}

// runsIn is where a Release runs now, by the names of the Environments.
func (r *ReleaseReconciler) runsIn(ctx context.Context, release *v1alpha1.Release) ([]v1alpha1.ReleaseEnvironment, error) {
	var all v1alpha1.EnvironmentList
	if err := r.Client.List(ctx, &all, readOnly, client.InNamespace(release.Namespace)); err != nil {
		return nil, fmt.Errorf("list the environments that release %q may run in: %w", release.Name, err)
	}
	return environmentsOf(release, bundlesOf(ctx, r.Client, release), all.Items), nil
}

// environmentsOf are those of the project's Environments that a Release runs in, by itself or in one of the bundles. It is pure.
func environmentsOf(release *v1alpha1.Release, bundles []string, project []v1alpha1.Environment) []v1alpha1.ReleaseEnvironment {
	var found []v1alpha1.ReleaseEnvironment
	for i := range project {
		status := &project[i].Status
		if status.Current.Release != release.Name && !slices.Contains(bundles, status.Current.Release) {
			continue
		}
		// The newest that has succeeded is the one that runs: it may have been another one of that name.
		if len(status.Releases) > 0 && status.Releases[0].Name == release.Name && status.Releases[0].UID != string(release.UID) {
			continue
		}
		found = append(found, v1alpha1.ReleaseEnvironment{Name: project[i].Name, Promotion: status.Current.Promotion, SinceTime: status.Current.SinceTime})
	}
	slices.SortFunc(found, func(a, b v1alpha1.ReleaseEnvironment) int { return cmp.Compare(a.Name, b.Name) })
	return found[:min(len(found), mostRunsIn)]
}

// blockedMessage says why a Release is blocked, and where it runs nevertheless.
func blockedMessage(release *v1alpha1.Release, runsIn []v1alpha1.ReleaseEnvironment) string {
	const most = mostRunsInMessage
	var names []string
	for i, environment := range runsIn {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(runsIn)-most))
			break
		}
		names = append(names, fmt.Sprintf("%q", environment.Name))
	}
	where := "it runs nowhere now"
	switch len(names) {
	case 0:
	case 1:
		where = "it runs now in environment " + names[0]
	default:
		where = "it runs now in environments " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("blocked: %s; %s", release.Spec.Blocked.Reason, where)
}
