// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// NewestFirst sorts Releases by when they were created.
func NewestFirst(releases []v1alpha1.Release) {
	slices.SortFunc(releases, func(a, b v1alpha1.Release) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(b.Name, a.Name))
	})
}

// Releases is a table of them.
func Releases(releases []v1alpha1.Release, wide bool, now time.Time) *Table {
	headings := []string{"RELEASE", "APPLICATION", "VERSION", "STATE", "AGE", "NOTES"}
	if wide {
		headings = append(headings, "COMMIT", "AUTHOR", "DIGEST")
	}
	table := NewTable(headings...)
	for i := range releases {
		release := &releases[i]
		notes, _, _ := strings.Cut(strings.TrimSpace(release.Spec.Notes), "\n")
		cells := []string{release.Name, release.Spec.Application, release.Spec.Version, releaseState(release), age(release.CreationTimestamp.Time, now), notes}
		if wide {
			cells = append(cells, release.Spec.Build.Commit, release.Spec.Build.Author, string(release.Status.Digest))
		}
		table.Add(cells...)
	}
	return table
}

// releaseState is the reason of the condition Ready; a block is shown with its reason.
func releaseState(release *v1alpha1.Release) string {
	if reason := release.Spec.Blocked.Reason; reason != "" {
		return "Blocked: " + reason
	}
	ready := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return ""
	}
	return ready.Reason
}
