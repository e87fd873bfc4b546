// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"html/template"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/report"
)

// ReleaseSeen is what was read for the page of a Release, as the viewer.
type ReleaseSeen struct {
	Release *v1alpha1.Release
	// Environments of its project.
	Environments []*v1alpha1.Environment
	// Bundled are the Releases that it names, as far as they exist, and Bundles those that name it.
	Bundled, Bundles []*v1alpha1.Release
	// Promotions of it, those that have ended too.
	Promotions []*v1alpha1.Promotion
	// Records of the audit that speak of it.
	Records []v1alpha1.AuditRecord
	// Rights on the Environments, by their names, and Own those on the Release.
	Rights map[string]Rights
	Own    Rights
}

// releasePage is one that is being made.
type releasePage struct {
	Context
	seen    ReleaseSeen
	release *v1alpha1.Release
	// places are the Environments of its application, in the order of stages.
	places  []*v1alpha1.Environment
	project map[string]*v1alpha1.Environment
	// blocked is the Release, or the one of those that it names, that somebody has blocked; nil if none is.
	blocked *v1alpha1.Release
}

// Release is the page of one version: what it consists of, where it has been, and where it may go.
func Release(c Context, seen ReleaseSeen) (View, error) {
	p := &releasePage{
		Context: c, seen: seen, release: seen.Release, project: map[string]*v1alpha1.Environment{}, blocked: promotion.Blocked(seen.Release, seen.Bundled),
	}
	for _, environment := range seen.Environments {
		p.project[environment.Name] = environment
		if environment.Spec.Application == p.release.Spec.Application {
			p.places = append(p.places, environment)
		}
	}
	stages := report.Stages(p.places)
	slices.SortFunc(p.places, func(a, b *v1alpha1.Environment) int {
		return cmp.Or(cmp.Compare(slices.Index(stages, report.StageOf(a)), slices.Index(stages, report.StageOf(b))), strings.Compare(a.Name, b.Name))
	})
	view := View{Title: p.release.Name, Template: "release"}
	for _, slot := range []struct {
		id    string
		parts func() ([]Part, error)
	}{
		{"release-head", p.head}, {"release-places", p.where}, {"release-history", p.history}, {"release-content", p.content}, {"release-members", p.members},
		{"release-notes", p.notes}, {"release-block", p.block},
	} {
		parts, err := slot.parts()
		if err != nil {
			return View{}, err
		}
		view.Slots = append(view.Slots, Slot{ID: slot.id, Parts: parts})
	}
	return view, nil
}

// releaseHead is what it is, and whether it can be promoted.
type releaseHead struct {
	Release *v1alpha1.Release
	Ready   stateBadge
	// Message of the condition Ready, where that says more than the badge.
	Message string
	Created time.Time
	// BlockedBy is why it cannot be promoted any more, and Blocked the Release that says so; nil if it can.
	Blocked   *releaseLink
	BlockedBy string
	// Runs are the Environments that it runs in.
	Runs   []releaseLink
	Bundle bool
}

// releaseLink is a name with its address.
type releaseLink struct{ Name, To string }

func (p *releasePage) head() ([]Part, error) {
	head := releaseHead{Release: p.release, Created: p.release.CreationTimestamp.Time, Bundle: len(p.release.Spec.Source.Bundle) > 0}
	head.Ready, head.Message = releaseReady(p.release)
	if p.blocked != nil {
		head.BlockedBy = p.blocked.Spec.Blocked.Reason
		if head.Ready.Text != releaseIsBlocked.Text { // the operator has not said so yet; the spec counts
			head.Ready, head.Message = releaseIsBlocked, ""
		}
		if p.blocked != p.release {
			head.Blocked = &releaseLink{p.blocked.Name, p.Release(p.release.Namespace, p.blocked.Name)}
		}
	}
	for _, environment := range p.places {
		if environment.Status.Current.Release == p.release.Name {
			head.Runs = append(head.Runs, releaseLink{environment.Name, p.Environment(environment.Namespace, environment.Name)})
		}
	}
	return p.one("release-head-card", "release-head", head)
}

var releaseIsBlocked = stateBadge{"stop", "blocked", "Blocked"}

// releaseReady is the condition Ready, and its message where there is something to say.
func releaseReady(release *v1alpha1.Release) (stateBadge, string) {
	ready := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return stateBadge{"quiet", "clock", "Not looked at yet"}, "The operator has not looked at it yet. If that lasts, ask whoever runs Assent whether the operator runs."
	case ready.Status == metav1.ConditionTrue:
		return stateBadge{"good", "ok", "Ready"}, ""
	case ready.Reason == v1alpha1.ReasonBlockedRelease:
		return releaseIsBlocked, ""
	case ready.Status == metav1.ConditionUnknown:
		return stateBadge{"run", "running", ready.Reason}, ready.Message
	}
	return stateBadge{"bad", "failed", "Not ready: " + ready.Reason}, ready.Message
}

// notes of the Release.
func (p *releasePage) notes() ([]Part, error) {
	var notes template.HTML
	if strings.TrimSpace(p.release.Spec.Notes) != "" {
		var err error
		if notes, err = note(p.release.Spec.Notes); err != nil {
			return nil, err
		}
	}
	return p.one("release-notes-text", "release-notes", notes)
}

// releaseBlock is what can be done to the Release itself.
type releaseBlock struct {
	To, UID        string
	Name           string
	Block, Unblock bool
	Reason         string
}

func (p *releasePage) block() ([]Part, error) {
	shown := releaseBlock{
		To: p.Release(p.release.Namespace, p.release.Name), UID: string(p.release.UID), Name: p.release.Name, Reason: p.release.Spec.Blocked.Reason,
		Block: p.release.Spec.Blocked.Reason == "" && p.seen.Own[RightBlock], Unblock: p.release.Spec.Blocked.Reason != "" && p.seen.Own[RightUnblock],
	}
	if !shown.Block && !shown.Unblock {
		return nil, nil
	}
	return p.one("release-block-card", "release-block", shown)
}
