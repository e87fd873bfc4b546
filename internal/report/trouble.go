// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Trouble is what pods and other objects of a target namespace say themselves of why they do not work.
type Trouble struct {
	// Pods that are not ready, and Events of other objects; at most three of each, the newest first.
	Pods   []PodTrouble   `json:"pods,omitempty"`
	Events []TroubleEvent `json:"events,omitempty"`
	// Unknown is why they could not be read.
	Unknown string `json:"unknown,omitempty"`
}

// PodTrouble is a pod that is not ready.
type PodTrouble struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	// Event is the last warning of it, and Log the last lines of the container that does not run.
	Event *TroubleEvent `json:"event,omitempty"`
	Log   []string      `json:"log,omitempty"`

	// Container is the one whose log is worth reading, and Previous says that it is that of its last run.
	Container string `json:"container,omitempty"`
	Previous  bool   `json:"-"`
}

// TroubleEvent is a warning.
type TroubleEvent struct {
	Kind    string      `json:"kind"`
	Name    string      `json:"name"`
	Reason  string      `json:"reason"`
	Message string      `json:"message"`
	Time    metav1.Time `json:"time"`
}

// mostTroubles of a kind are shown: the next seldom says anything new.
const mostTroubles = 3

// InTrouble says whether it is worth to look at the pods: something fails, or is not healthy.
func (s Standing) InTrouble() bool {
	return slices.ContainsFunc(s.Promotions, func(e Explanation) bool { return len(e.Failing) > 0 }) ||
		slices.ContainsFunc(s.Conditions, func(c metav1.Condition) bool {
			return c.Type == v1alpha1.ConditionHealthy && c.Status == metav1.ConditionFalse
		})
}

// Troubled are pods that are not ready, and what the warnings of a namespace say.
func Troubled(pods []corev1.Pod, warnings []corev1.Event) *Trouble {
	slices.SortFunc(warnings, func(a, b corev1.Event) int {
		return cmp.Or(lastOf(b).Compare(lastOf(a)), strings.Compare(a.Name, b.Name))
	})
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	trouble := &Trouble{}
	for i := range pods {
		if found, is := podTrouble(&pods[i]); is && len(trouble.Pods) < mostTroubles {
			at := slices.IndexFunc(warnings, func(e corev1.Event) bool {
				return e.InvolvedObject.Kind == "Pod" && e.InvolvedObject.Name == found.Name
			})
			if at >= 0 {
				event := eventOf(warnings[at])
				found.Event = &event
			}
			trouble.Pods = append(trouble.Pods, found)
		}
	}
	told := map[string]bool{}
	for _, warning := range warnings {
		about := warning.InvolvedObject
		key := about.Kind + "/" + about.Name
		if about.Kind == "Pod" || told[key] || len(trouble.Events) == mostTroubles { // of a pod that is gone, its owner tells
			continue
		}
		told[key] = true
		trouble.Events = append(trouble.Events, eventOf(warning))
	}
	return trouble
}

func lastOf(event corev1.Event) time.Time {
	if event.Series != nil {
		return event.Series.LastObservedTime.Time
	}
	for _, at := range []time.Time{event.LastTimestamp.Time, event.EventTime.Time} {
		if !at.IsZero() {
			return at
		}
	}
	return event.CreationTimestamp.Time
}

func eventOf(event corev1.Event) TroubleEvent {
	about := event.InvolvedObject
	return TroubleEvent{Kind: about.Kind, Name: about.Name, Reason: event.Reason, Message: event.Message, Time: metav1.NewTime(lastOf(event))}
}

// podTrouble is why a pod is not ready; false if it is, or has done its work.
func podTrouble(pod *corev1.Pod) (PodTrouble, bool) {
	found := PodTrouble{Name: pod.Name, Reason: cmp.Or(pod.Status.Reason, string(pod.Status.Phase))}
	if pod.Status.Phase == corev1.PodSucceeded || pod.DeletionTimestamp != nil {
		return found, false
	}
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		waiting, ended := container.State.Waiting, container.State.Terminated
		switch {
		case waiting != nil && waiting.Reason != "PodInitializing" && waiting.Reason != "ContainerCreating":
			found.Reason, found.Container, found.Previous = waiting.Reason, container.Name, container.LastTerminationState.Terminated != nil
			return found, true
		case ended != nil && ended.ExitCode != 0:
			found.Reason, found.Container = fmt.Sprintf("%s (exit code %d)", cmp.Or(ended.Reason, "Error"), ended.ExitCode), container.Name
			return found, true
		case waiting == nil && ended == nil && !container.Ready && container.Started != nil && *container.Started:
			found.Reason, found.Container = "NotReady", container.Name
		}
	}
	for _, condition := range pod.Status.Conditions {
		switch {
		case condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse:
			found.Reason = condition.Reason
		case condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue:
			return found, false
		}
	}
	return found, true
}

// nodes of the tree.
func (t *Trouble) nodes(style Style, now time.Time) []*node {
	if t == nil {
		return nil
	}
	var nodes []*node
	for _, pod := range t.Pods {
		under := leaf(style.Bad("Pod "+oneLine(pod.Name)) + ": " + oneLine(pod.Reason))
		if pod.Event != nil {
			under.add(leaf(pod.Event.text(now)))
		}
		for _, text := range pod.Log {
			under.add(leaf("log of " + oneLine(pod.Container) + ": " + oneLine(text)))
		}
		nodes = append(nodes, under)
	}
	for _, event := range t.Events {
		nodes = append(nodes, leaf(style.Bad(oneLine(event.Kind+" "+event.Name))+": "+event.text(now)))
	}
	if t.Unknown != "" {
		nodes = append(nodes, leaf(style.Waiting("its pods cannot be looked at")+": "+oneLine(t.Unknown)))
	}
	return nodes
}

func (e TroubleEvent) text(now time.Time) string {
	return fmt.Sprintf("%s, %s ago: %s", oneLine(e.Reason), age(e.Time.Time, now), oneLine(e.Message))
}
