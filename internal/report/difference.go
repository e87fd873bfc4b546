// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Difference is what a plan changes: `kubectl assent diff`.
type Difference struct {
	metav1.TypeMeta `json:",inline"`
	Project         string          `json:"project"`
	Promotion       string          `json:"promotion"`
	Release         string          `json:"release"`
	Environment     string          `json:"environment"`
	PlanDigest      v1alpha1.Digest `json:"planDigest"`
	// Objects is how many objects the plan holds, unchanged ones among them.
	Objects int32 `json:"objects"`
	// Changes are as in the plan: at most 256.
	Changes []v1alpha1.Change `json:"changes"`
	// Diff against what runs now; values of Secrets are masked. Empty when nothing changes, and once the Promotion has ended.
	Diff string `json:"diff"`
	// Ended says that the Promotion has ended, and its diff is not kept.
	Ended bool `json:"ended"`
	// Live says of each change whether it still starts from what runs now; only with --against-live.
	Live []LiveObject `json:"live,omitempty"`
}

// Differ says what the plan of a Promotion changes. There must be a plan.
func Differ(promotion *v1alpha1.Promotion) Difference {
	plan := promotion.Status.Plan
	difference := Difference{
		TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: "Difference"},
		Project:  promotion.Namespace, Promotion: promotion.Name, Release: promotion.Spec.Release, Environment: promotion.Spec.Environment,
		PlanDigest: plan.Digest, Changes: plan.Changes, Diff: plan.Diff, Ended: Ended(promotion),
	}
	if plan.Objects != nil {
		difference.Objects = *plan.Objects
	}
	if difference.Changes == nil {
		difference.Changes = []v1alpha1.Change{}
	}
	return difference
}

// Text says it to people: the diff, then the summary, so that the latter is in sight.
func (d Difference) Text(style Style) string {
	var out strings.Builder
	for text := range strings.Lines(shown(d.Diff)) {
		text = strings.TrimSuffix(text, "\n")
		out.WriteString(diffLine(style, text) + "\n")
	}
	if d.Diff != "" {
		out.WriteString("\n")
	}
	out.WriteString(d.Summary(style))
	if len(d.Live) > 0 {
		out.WriteString(d.liveText(style))
	}
	if d.Ended && d.Diff == "" && len(d.Changes) > 0 {
		out.WriteString("The diff of a promotion that has ended is not kept.\n")
	}
	return out.String()
}

// Summary is what changes, without the diff.
func (d Difference) Summary(style Style) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s to %s: %s\n", style.Bold(d.Release), style.Bold(d.Environment), d.Counts())
	for _, change := range d.Changes {
		fmt.Fprintf(&out, "  %s %s %s\n", actionText(style, change.Action), change.Kind, shown(change.Name))
	}
	fmt.Fprintf(&out, "plan %s\n", d.PlanDigest)
	return out.String()
}

// actions in the order in which they are counted.
var actions = []struct {
	action v1alpha1.ChangeAction
	word   string
}{
	{v1alpha1.ChangeCreate, "created"},
	{v1alpha1.ChangeUpdate, "updated"},
	{v1alpha1.ChangeRecreate, "deleted and created again"},
	{v1alpha1.ChangePrune, "deleted"},
}

// Counts says how many objects the plan creates, updates and deletes.
func (d Difference) Counts() string {
	var parts []string
	for _, each := range actions {
		n := len(slices.DeleteFunc(slices.Clone(d.Changes), func(c v1alpha1.Change) bool { return c.Action != each.action }))
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, each.word))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing changes"}
	}
	return fmt.Sprintf("%s, of %s", strings.Join(parts, ", "), counted(int(d.Objects), "object"))
}

func actionText(style Style, action v1alpha1.ChangeAction) string {
	text := fmt.Sprintf("%-8s", action)
	switch action {
	case v1alpha1.ChangeCreate:
		return style.Good(text)
	case v1alpha1.ChangeUpdate:
		return style.Waiting(text)
	case v1alpha1.ChangeRecreate, v1alpha1.ChangePrune:
		return style.Bad(text)
	}
	return text
}

func diffLine(style Style, text string) string {
	switch {
	case strings.HasPrefix(text, "+++ "), strings.HasPrefix(text, "--- "), strings.HasPrefix(text, "diff "):
		return style.Bold(text)
	case strings.HasPrefix(text, "@@"):
		return style.Place(text)
	case strings.HasPrefix(text, "+"):
		return style.Good(text)
	case strings.HasPrefix(text, "-"):
		return style.Bad(text)
	default:
		return text
	}
}
