// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package soak keeps for how long each Release has been healthy in an Environment. It is pure.
//
// An Environment's status lists the Releases that have succeeded there. One of them runs, and its clock runs while it is healthy:
// HealthySinceTime is set. When it becomes unhealthy, or another Release takes its place, the time since then is added to
// HealthySeconds and the clock stops. So time in which a Release was unhealthy does not count, and one that was replaced keeps the
// time that it had. Nothing has to be written while nothing happens.
package soak

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// most is how many Releases an Environment's status lists; the API's bound.
const most = 64

// Find what an Environment knows of a Release; nil if it has not succeeded there, or so long ago that it was forgotten.
func Find(status *v1alpha1.EnvironmentStatus, uid string) *v1alpha1.SucceededRelease {
	for i := range status.Releases {
		if status.Releases[i].UID == uid {
			return &status.Releases[i]
		}
	}
	return nil
}

// Healthy is for how long a Release has been healthy, in whole seconds as the API counts.
func Healthy(release v1alpha1.SucceededRelease, now time.Time) time.Duration {
	counted := time.Duration(ptr.Deref(release.HealthySeconds, 0)) * time.Second
	if !release.HealthySinceTime.IsZero() && now.After(release.HealthySinceTime.Time) {
		counted += now.Sub(release.HealthySinceTime.Time).Truncate(time.Second)
	}
	return counted
}

// Reaches is when a Release will have been healthy for so long if nothing changes; zero if its clock stands still before.
// It does not depend on the time of the question.
func Reaches(release v1alpha1.SucceededRelease, needed time.Duration) time.Time {
	if release.HealthySinceTime.IsZero() {
		return time.Time{}
	}
	return release.HealthySinceTime.Add(needed - time.Duration(ptr.Deref(release.HealthySeconds, 0))*time.Second)
}

// Succeeded puts a Release first that has just succeeded, healthy, and stops the clock of the one that it replaces.
func Succeeded(status *v1alpha1.EnvironmentStatus, release v1alpha1.SucceededRelease) {
	at := release.SucceededTime
	Stopped(status, at.Time)
	if known := Find(status, release.UID); known != nil {
		release.HealthySeconds = known.HealthySeconds
	}
	release.HealthySinceTime = at
	others := slices.DeleteFunc(slices.Clone(status.Releases), func(r v1alpha1.SucceededRelease) bool { return r.UID == release.UID })
	status.Releases = append([]v1alpha1.SucceededRelease{release}, others...)
	status.Releases = status.Releases[:min(len(status.Releases), most)]
}

// Stopped stops every clock: what runs is not healthy, or nobody knows what runs.
func Stopped(status *v1alpha1.EnvironmentStatus, at time.Time) {
	status.Releases = slices.Clone(status.Releases)
	for i := range status.Releases {
		release := &status.Releases[i]
		if release.HealthySinceTime.IsZero() {
			continue
		}
		release.HealthySeconds = ptr.To(int64(Healthy(*release, at) / time.Second))
		release.HealthySinceTime = metav1.Time{}
	}
}

// Resumed starts the clock of the Release with that UID, which runs and is healthy again. A clock that runs goes on.
func Resumed(status *v1alpha1.EnvironmentStatus, uid string, at time.Time) {
	status.Releases = slices.Clone(status.Releases)
	if release := Find(status, uid); release != nil && release.HealthySinceTime.IsZero() {
		release.HealthySinceTime = metav1.NewTime(at.Truncate(time.Second))
	}
}
