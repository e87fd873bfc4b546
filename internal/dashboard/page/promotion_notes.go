// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// mostNotes is how many Releases are shown with their notes.
const mostNotes = 30

// notesHead is what stands above the notes.
type notesHead struct {
	// From is the version that runs; To the one that is asked for.
	From, To string
	// Back says that the notes are of what is taken back.
	Back bool
	// More is how many Releases are not shown.
	More int
}

// noteShown is what was said of one Release.
type noteShown struct {
	Name, Version, To string
	Created           time.Time
	Blocked           string
	Notes             template.HTML
	Build             v1alpha1.ReleaseBuild
	// CI is the address of the run; empty where it is none that a browser may be sent to.
	CI, Commit string
	// Asked says that it is the Release that is asked for.
	Asked bool
}

// notes of all that comes since what runs now, the newest first.
func (p *promotionPage) notes() ([]Part, error) {
	asked := p.seen.Release
	if asked == nil {
		return nil, nil
	}
	runs := p.environment.Status.Current
	if p.told.Ended { // what runs now may be this, or a later one
		runs = p.before()
	}
	releases, back := rolledUp(p.seen.Releases, asked, runs)
	head := notesHead{From: runs.Version, To: asked.Spec.Version, Back: back}
	if len(releases) > mostNotes {
		head.More, releases = len(releases)-mostNotes, releases[:mostNotes]
	}
	part, err := p.part("notes-head", "promotion-notes-head", head)
	if err != nil {
		return nil, err
	}
	parts := []Part{part}
	for _, release := range releases {
		shown, err := p.note(release)
		if err != nil {
			return nil, err
		}
		shown.Asked = release.Name == asked.Name
		part, err := p.part("note-"+release.Name, "promotion-note", shown)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// before is what ran before this Promotion, as far as the Environment still says.
func (p *promotionPage) before() v1alpha1.Deployment {
	status := p.environment.Status
	switch p.seen.Promotion.Name {
	case status.Current.Promotion:
		return status.Previous
	default:
		return v1alpha1.Deployment{}
	}
}

func (p *promotionPage) note(release *v1alpha1.Release) (noteShown, error) {
	shown := noteShown{
		Name: release.Name, Version: release.Spec.Version, To: p.Release(release.Namespace, release.Name), Created: release.CreationTimestamp.Time,
		Blocked: release.Spec.Blocked.Reason, Build: release.Spec.Build, CI: webAddress(release.Spec.Build.URL), Commit: release.Spec.Build.Commit,
	}
	if len(shown.Commit) > 12 {
		shown.Commit = shown.Commit[:12]
	}
	if strings.TrimSpace(release.Spec.Notes) == "" {
		return shown, nil
	}
	html, err := note(release.Spec.Notes)
	shown.Notes = html
	return shown, err
}

// rolledUp are the Releases after the one that runs, up to the one that is asked for, the newest first. Where that is older than what runs, they are those that
// are taken back, and the one that is asked for.
func rolledUp(all []*v1alpha1.Release, asked *v1alpha1.Release, runs v1alpha1.Deployment) (releases []*v1alpha1.Release, back bool) {
	at := slices.IndexFunc(all, func(r *v1alpha1.Release) bool { return r.Name == runs.Release })
	if runs.Release == "" || runs.Release == asked.Name || at < 0 {
		return []*v1alpha1.Release{asked}, false
	}
	lower, upper := all[at], asked
	if back = compareReleases(asked, lower) < 0; back {
		lower, upper = upper, lower
	}
	releases = []*v1alpha1.Release{}
	for _, release := range all {
		if release.Name != asked.Name && release.Spec.Application == asked.Spec.Application &&
			compareReleases(release, lower) > 0 && compareReleases(release, upper) <= 0 {
			releases = append(releases, release)
		}
	}
	releases = append(releases, asked)
	slices.SortStableFunc(releases, func(a, b *v1alpha1.Release) int { return compareReleases(b, a) })
	return releases, back
}

// compareReleases by their versions where both are semantic, else by when they were created.
func compareReleases(a, b *v1alpha1.Release) int {
	first, errFirst := semver.NewVersion(a.Spec.Version)
	second, errSecond := semver.NewVersion(b.Spec.Version)
	age := cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	if errFirst != nil || errSecond != nil {
		return age
	}
	return cmp.Or(first.Compare(second), age)
}

// webAddress is one that a browser may be sent to; empty for any other.
func webAddress(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
		return ""
	}
	return parsed.String()
}
