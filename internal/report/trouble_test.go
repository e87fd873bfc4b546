// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/internal/report"
)

func pod(name string, created time.Duration, change func(*corev1.PodStatus)) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: ago(created)}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	change(&p.Status)
	return p
}

func waitsFor(reason string, ranBefore bool) func(*corev1.PodStatus) {
	return func(status *corev1.PodStatus) {
		container := corev1.ContainerStatus{Name: "web", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
		if ranBefore {
			container.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1}
		}
		status.ContainerStatuses = []corev1.ContainerStatus{container}
		status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	}
}

func ready(status *corev1.PodStatus) {
	status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", Ready: true, Started: ptr.To(true)}}
	status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
}

func warning(kind, name, reason, message string, at time.Duration) corev1.Event {
	return corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: name + reason}, InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name},
		Reason: reason, Message: message, LastTimestamp: ago(at), Type: corev1.EventTypeWarning,
	}
}

func TestPodsSayWhyTheyAreNotReady(t *testing.T) {
	for _, test := range []struct {
		name      string
		change    func(*corev1.PodStatus)
		reason    string
		container string
		previous  bool
	}{
		{"it is ready", ready, "", "", false},
		{"it has done its work", func(s *corev1.PodStatus) { s.Phase = corev1.PodSucceeded }, "", "", false},
		{"its container fails again and again", waitsFor("CrashLoopBackOff", true), "CrashLoopBackOff", "web", true},
		{"its image is not there", waitsFor("ImagePullBackOff", false), "ImagePullBackOff", "web", false},
		{"it is being created", waitsFor("ContainerCreating", false), "Running", "", false},
		{"its container has ended", func(s *corev1.PodStatus) {
			s.ContainerStatuses = []corev1.ContainerStatus{{Name: "job", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}}}
		}, "Error (exit code 3)", "job", false},
		{"its container runs and is not ready", func(s *corev1.PodStatus) {
			s.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", Started: ptr.To(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
		}, "NotReady", "web", false},
		{"no node takes it", func(s *corev1.PodStatus) {
			s.Phase = corev1.PodPending
			s.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable"}}
		}, "Unschedulable", "", false},
		{"it was evicted", func(s *corev1.PodStatus) { s.Phase, s.Reason = corev1.PodFailed, "Evicted" }, "Evicted", "", false},
	} {
		found := report.Troubled([]corev1.Pod{pod("web", time.Hour, test.change)}, nil).Pods
		switch {
		case test.reason == "" && len(found) == 0:
		case len(found) != 1 || found[0].Reason != test.reason || found[0].Container != test.container || found[0].Previous != test.previous:
			t.Errorf("%s: %+v", test.name, found)
		}
	}
}

func TestTroubleIsAtTheEndOfTheTree(t *testing.T) {
	e, running := production(), rollingOut()
	running.Name, running.CreationTimestamp = "shop-1.0.5-production", ago(2*time.Hour)
	standing := report.Stand(&e, nil)
	if !standing.InTrouble() {
		t.Error("what is not healthy is not in trouble")
	}
	pods := []corev1.Pod{
		pod("web-1", time.Hour, waitsFor("CrashLoopBackOff", true)), pod("web-2", time.Minute, waitsFor("ImagePullBackOff", false)), pod("web-3", time.Second, ready),
		pod("old-1", 3*time.Hour, waitsFor("CrashLoopBackOff", true)), pod("old-2", 4*time.Hour, waitsFor("CrashLoopBackOff", true)),
	}
	standing.Trouble = report.Troubled(pods, []corev1.Event{
		warning("Pod", "web-1", "BackOff", "restarting failed container\nagain", time.Minute), warning("Pod", "web-1", "Unhealthy", "older", time.Hour),
		warning("Pod", "gone", "BackOff", "of a pod that is gone", time.Second),
		warning("ReplicaSet", "web", "FailedCreate", "forbidden: exceeded quota", 2*time.Minute), warning("ReplicaSet", "web", "FailedCreate", "older", time.Hour),
	})
	standing.Trouble.Pods[1].Log = []string{"starting", "\x1b[31mpanic: no database\x1b[0m"}
	golden(t, "trouble", report.Standings{Items: []report.Standing{standing}}.Text(report.Style{}, friday))
	calm := environment("dev", "")
	if report.Stand(&calm, nil).InTrouble() {
		t.Error("where nothing has run yet there is trouble")
	}
}
