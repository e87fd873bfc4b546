// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// lineage is the Releases of one application in their order, the oldest first: by their versions where all of them are semantic, else by when they were created.
type lineage struct {
	releases []*v1alpha1.Release
	at       map[string]int
}

func newLineage(releases []*v1alpha1.Release) *lineage {
	type ordered struct {
		release *v1alpha1.Release
		version *semver.Version
	}
	all, semantic := make([]ordered, 0, len(releases)), true
	for _, release := range releases {
		version, err := semver.StrictNewVersion(strings.TrimPrefix(release.Spec.Version, "v"))
		semantic = semantic && err == nil
		all = append(all, ordered{release, version})
	}
	slices.SortFunc(all, func(a, b ordered) int {
		order := 0
		if semantic {
			order = a.version.Compare(b.version)
		}
		return cmp.Or(order, a.release.CreationTimestamp.Compare(b.release.CreationTimestamp.Time), strings.Compare(a.release.Name, b.release.Name))
	})
	made := &lineage{make([]*v1alpha1.Release, 0, len(all)), make(map[string]int, len(all))}
	for i, each := range all {
		made.releases = append(made.releases, each.release)
		made.at[each.release.Name] = i
	}
	return made
}

// find a Release by its name; nil if there is none.
func (l *lineage) find(name string) *v1alpha1.Release {
	if l == nil {
		return nil
	}
	at, known := l.at[name]
	if !known {
		return nil
	}
	return l.releases[at]
}

// version of a Release; its name, where the Release is not there.
func (l *lineage) version(name string) string {
	if found := l.find(name); found != nil {
		return found.Spec.Version
	}
	return name
}

func (l *lineage) blocked(name string) bool {
	found := l.find(name)
	return found != nil && found.Spec.Blocked.Reason != ""
}

// behind says how many Releases lie between what runs in an Environment and what runs in one before it, and the stage of the one that is farthest ahead. It is 0 where
// that cannot be said.
func (l *lineage) behind(environment *v1alpha1.Environment, before []*v1alpha1.Environment) (number int, of string) {
	if l == nil {
		return 0, ""
	}
	here, known := l.at[environment.Status.Current.Release]
	if !known {
		return 0, ""
	}
	for _, each := range before {
		if ahead, known := l.at[each.Status.Current.Release]; known && ahead-here > number {
			number, of = ahead-here, report.StageOf(each)
		}
	}
	return number, of
}

// newest Release, if it is not blocked and none of these names; nil otherwise.
func (l *lineage) newest(besides map[string]bool) *v1alpha1.Release {
	if l == nil || len(l.releases) == 0 {
		return nil
	}
	last := l.releases[len(l.releases)-1]
	if besides[last.Name] || last.Spec.Blocked.Reason != "" {
		return nil
	}
	return last
}
