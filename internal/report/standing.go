// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Standings are where Environments stand: `kubectl assent status`.
type Standings struct {
	metav1.TypeMeta `json:",inline"`
	Items           []Standing `json:"items"`
}

// Standing is what runs in an Environment, how it is, and what is on its way there.
type Standing struct {
	Project     string `json:"project"`
	Environment string `json:"environment"`
	Application string `json:"application"`
	Stage       string `json:"stage"`
	// Release, Version, Promotion and SinceTime are those of what runs; absent before the first success.
	Release   string      `json:"release,omitempty"`
	Version   string      `json:"version,omitempty"`
	Promotion string      `json:"promotion,omitempty"`
	SinceTime metav1.Time `json:"sinceTime,omitempty,omitzero"`
	// Previous is the Release that ran before.
	Previous string `json:"previous,omitempty"`
	// Hold is why no rollout starts; empty where the Environment is not on hold.
	Hold string `json:"hold,omitempty"`
	// Conditions, Drifted and Overrides are as in the status of the Environment.
	Conditions []metav1.Condition       `json:"conditions"`
	Drifted    []v1alpha1.DriftedObject `json:"drifted,omitempty"`
	Overrides  []v1alpha1.UsedOverride  `json:"overrides,omitempty"`
	// Promotions that have not ended, the oldest first.
	Promotions []Explanation `json:"promotions"`
	// Trouble is what the pods say, where something does not work; of Environments that are named alone.
	Trouble *Trouble `json:"trouble,omitempty"`

	progress map[string]string
}

// Stand says where an Environment stands. The Promotions are all that there are to it.
func Stand(environment *v1alpha1.Environment, promotions []v1alpha1.Promotion) Standing {
	status := environment.Status
	standing := Standing{
		Project: environment.Namespace, Environment: environment.Name, Application: environment.Spec.Application, Stage: StageOf(environment),
		Release: status.Current.Release, Version: status.Current.Version, Promotion: status.Current.Promotion, SinceTime: status.Current.SinceTime,
		Previous: status.Previous.Release, Hold: Held(environment), Drifted: status.Drifted, Overrides: status.Overrides,
		Conditions: append([]metav1.Condition{}, status.Conditions...), Promotions: []Explanation{}, progress: map[string]string{},
	}
	open := slices.DeleteFunc(slices.Clone(promotions), func(p v1alpha1.Promotion) bool { return Ended(&p) })
	slices.SortFunc(open, func(a, b v1alpha1.Promotion) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	for i := range open {
		standing.Promotions = append(standing.Promotions, Explain(&open[i]))
		standing.progress[open[i].Name] = Progress(&open[i])
	}
	return standing
}

// StageOf an Environment is the column that it stands in.
func StageOf(environment *v1alpha1.Environment) string {
	return cmp.Or(environment.Status.Stage, environment.Spec.Stage, environment.Name)
}

// Held says why an Environment is on hold; empty where it is not. That its whole project is held is not to be seen of it.
func Held(environment *v1alpha1.Environment) string {
	return cmp.Or(environment.Spec.Hold.Reason, environment.Annotations[v1alpha1.AnnotationHold])
}

// Names are those of the Environments.
func (s Standings) Names() []string {
	named := make([]string, 0, len(s.Items))
	for _, item := range s.Items {
		named = append(named, "environment."+v1alpha1.GroupName+"/"+item.Environment)
	}
	return named
}

// Text is a tree for each Environment.
func (s Standings) Text(style Style, now time.Time) string {
	var out strings.Builder
	for i, item := range s.Items {
		if i > 0 {
			out.WriteString("\n")
		}
		item.tree(style, now).lines(&out, "", "")
	}
	return out.String()
}

func (s Standing) tree(style Style, now time.Time) *node {
	root := leaf(fmt.Sprintf("%s  application %s, stage %s", style.Bold(s.Environment), s.Application, s.Stage))
	root.add(s.runs(style, now))
	if s.Hold != "" {
		root.add(leaf(style.Bad("on hold") + ": " + oneLine(s.Hold)))
	}
	if ready := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Status != metav1.ConditionTrue {
		root.add(leaf(style.Bad("not ready") + ": " + oneLine(ready.Message)))
	}
	for _, override := range s.Overrides {
		root.add(leaf(fmt.Sprintf("%s: %s has opened %s of %s: %s", style.Waiting("not acknowledged"),
			oneLine(override.User), joined(override.Gates), override.Promotion, oneLine(override.Reason))))
	}
	for _, promotion := range s.Promotions {
		root.add(s.promotion(style, promotion, now))
	}
	for _, trouble := range s.Trouble.nodes(style, now) {
		root.add(trouble)
	}
	return root
}

// runs is what runs, whether it is healthy, and what somebody else has changed of it.
func (s Standing) runs(style Style, now time.Time) *node {
	if s.Release == "" {
		return leaf("nothing has succeeded here yet")
	}
	runs := leaf(fmt.Sprintf("runs %s for %s, by %s", style.Bold(s.Release), age(s.SinceTime.Time, now), s.Promotion))
	for _, each := range []struct{ condition, good, bad string }{
		{v1alpha1.ConditionHealthy, "healthy", "not healthy"},
		{v1alpha1.ConditionInSync, "as approved", "not as approved"},
	} {
		condition := meta.FindStatusCondition(s.Conditions, each.condition)
		switch {
		case condition == nil:
		case condition.Status == metav1.ConditionTrue:
			runs.add(leaf(style.Good(each.good)))
		default:
			bad := leaf(style.Bad(each.bad) + ": " + oneLine(condition.Message))
			if each.condition == v1alpha1.ConditionInSync {
				for _, drifted := range s.Drifted {
					bad.add(leaf(drifted.Kind + " " + drifted.Name + ": " + oneLine(drifted.Message) + fields(drifted.Fields)))
				}
			}
			runs.add(bad)
		}
	}
	return runs
}

func fields(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	return " (" + oneLine(strings.Join(paths, ", ")) + ")"
}

// promotion is one on its way, with what it waits for or what fails.
func (s Standing) promotion(style Style, e Explanation, now time.Time) *node {
	way := leaf(fmt.Sprintf("%s  %s, asked for by %s: %s", style.Bold(e.Promotion), e.Release, oneLine(e.RequestedBy), style.Waiting(cmp.Or(e.State, "new"))))
	for _, blocker := range e.Blockers {
		text := string(blocker.Gate) + ": " + oneLine(blocker.Message)
		if until := blocker.UntilTime.Time; blocker.Gate != v1alpha1.GateApproval {
			text += left(until, now)
		}
		way.add(leaf(text))
	}
	switch e.State {
	case v1alpha1.ReasonRollingOut, v1alpha1.ReasonVerifying, v1alpha1.ReasonRollingBack:
		way.add(leaf(s.progress[e.Promotion]))
	}
	for _, failing := range e.Failing {
		way.add(leaf(style.Bad(failing.Kind+" "+failing.Name) + ": " + oneLine(failing.Message)))
	}
	return way
}

func joined(gates []v1alpha1.OverridableGate) string {
	text := make([]string, 0, len(gates))
	for _, gate := range gates {
		text = append(text, string(gate))
	}
	return strings.Join(text, ", ")
}
