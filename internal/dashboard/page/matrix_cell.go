// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// cell is one Environment in the matrix.
type cell struct {
	Environment string
	// Label is its name where that does not follow from where it stands.
	Label string
	Link  template.HTMLAttr
	// Release, Version and Since are of what runs; By is who asked for it, as far as that Promotion is still there.
	Release, Version, By string
	ReleaseLink          template.HTMLAttr
	Since                template.HTML
	Health               mark
	Marks                []mark
	// Way is of what is on its way, or of how the last one ended if it did not succeed.
	Way *way

	kinds []Kind
}

// mark tells something by an icon and a text.
type mark struct {
	Icon template.HTML
	Tone string
	Text string
	// Until when, if it ends by itself.
	Until template.HTML
}

func newMark(icon, tone, text string) mark { return mark{Icon: iconOf(icon), Tone: tone, Text: text} }

func (c *cell) is(kind Kind) { c.kinds = append(c.kinds, kind) }

func (c *cell) add(kind Kind, icon, tone, text string) {
	c.Marks = append(c.Marks, newMark(icon, tone, text))
	if kind != "" {
		c.is(kind)
	}
}

// known of an Environment, beside itself.
type known struct {
	stage string
	// open Promotions, and the one that has ended last; nil if none is known.
	open  []*v1alpha1.Promotion
	ended *v1alpha1.Promotion
	// releases of the application.
	releases *lineage
	// before are the Environments of `after`, as far as they are seen.
	before []*v1alpha1.Environment
}

// newCell of an Environment.
func newCell(c Context, environment *v1alpha1.Environment, k known) cell {
	current := environment.Status.Current
	made := cell{
		Environment: environment.Name, Link: to(c.Environment(environment.Namespace, environment.Name)),
		Release: current.Release, Version: current.Version, Since: aged(current.SinceTime.Time),
	}
	if application := environment.Spec.Application; !slices.Contains([]string{k.stage, application + "-" + k.stage, k.stage + "-" + application}, environment.Name) {
		made.Label = environment.Name
	}
	if current.Release != "" {
		made.ReleaseLink = to(c.Release(environment.Namespace, current.Release))
		made.By = k.requester(current.Promotion)
	}
	made.health(environment)
	made.marks(environment, k)
	if one := foremost(k.open); one != nil {
		made.Way = newWay(c, one, k)
		made.Way.More = len(k.open) - 1
	} else if k.ended != nil && failedSince(k.ended, current) {
		made.Way = newWay(c, k.ended, k)
	}
	if made.Way != nil {
		made.is(made.Way.kind)
	}
	return made
}

// requester of a Promotion of that name; empty if it is not known.
func (k known) requester(name string) string {
	if k.ended != nil && k.ended.Name == name {
		return k.ended.Spec.RequestedBy.Username
	}
	return ""
}

// failedSince says whether a Promotion has ended otherwise than well, after what runs was rolled out.
func failedSince(ended *v1alpha1.Promotion, current v1alpha1.Deployment) bool {
	return !report.Succeeded(ended) && ended.Name != current.Promotion && !ended.Status.CompletionTime.Before(&current.SinceTime)
}

func (c *cell) health(environment *v1alpha1.Environment) {
	healthy := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionHealthy)
	switch {
	case c.Release == "":
		c.Health = newMark("empty", "quiet", "never deployed")
		c.is(KindEmpty)
	case healthy == nil || healthy.Status == metav1.ConditionUnknown:
		c.Health = newMark("clock", "quiet", "health unknown")
	case healthy.Status == metav1.ConditionTrue:
		c.Health = newMark("ok", "good", "healthy")
		c.is(KindHealthy)
	default:
		c.Health = newMark("failed", "bad", "not healthy")
		c.is(KindTrouble)
	}
}

// marks of what is out of the ordinary, the most urgent first.
func (c *cell) marks(environment *v1alpha1.Environment, k known) {
	status := environment.Status
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Status == metav1.ConditionFalse {
		c.add(KindTrouble, "invalid", "bad", "cannot deploy here")
	}
	if len(status.Overrides) > 0 {
		c.add(KindOverride, "override", "bad", "break-glass used")
	}
	if report.Held(environment) != "" {
		c.add(KindHold, "hold", "stop", "on hold")
	}
	if c.Release == "" {
		return
	}
	if inSync := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionInSync); inSync != nil {
		switch {
		case inSync.Status == metav1.ConditionFalse && inSync.Reason == v1alpha1.ReasonDrifted:
			c.add(KindTrouble, "drift", "wait", "drifted")
		case inSync.Status == metav1.ConditionFalse:
			c.add(KindTrouble, "drift", "wait", "not as approved")
		case inSync.Status == metav1.ConditionUnknown && inSync.Reason == v1alpha1.ReasonDriftUnknown:
			c.add("", "drift", "quiet", "drift unknown")
		}
	}
	if k.releases.blocked(c.Release) {
		c.add(KindTrouble, "lock", "bad", "blocked release")
	}
	if number, of := k.releases.behind(environment, k.before); number > 0 {
		c.add(KindBehind, "behind", "quiet", fmt.Sprintf("%d behind %s", number, of))
	}
}

// foremost of open Promotions is the one that is nearest to its start, or has started; of those that are equally near, the newest, which would supersede the others.
func foremost(open []*v1alpha1.Promotion) *v1alpha1.Promotion {
	var found *v1alpha1.Promotion
	for _, one := range open {
		if found == nil || nearer(one, found) > 0 {
			found = one
		}
	}
	return found
}

func nearer(a, b *v1alpha1.Promotion) int {
	stateA, _ := report.State(a)
	stateB, _ := report.State(b)
	return cmp.Or(cmp.Compare(states[stateA].order, states[stateB].order), a.CreationTimestamp.Compare(b.CreationTimestamp.Time))
}
