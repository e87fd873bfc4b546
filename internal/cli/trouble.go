// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cli/report"
)

const (
	// logLines are the last ones of a container that does not run, and logBytes are how much of them is read.
	logLines = 5
	logBytes = 16 << 10
	// logPatience is for how long a log is waited for: the node may be what does not work.
	logPatience = 3 * time.Second
)

// lookCloser adds to each Environment in which something does not work what its pods say, read as the caller. Who may not read them is told so there.
func (s *session) lookCloser(ctx context.Context, c *connection, environments []v1alpha1.Environment, standings *report.Standings) {
	for i := range standings.Items {
		item := &standings.Items[i]
		if !item.InTrouble() {
			continue
		}
		if environments[i].Spec.Target.Cluster != (v1alpha1.TargetCluster{}) {
			item.Trouble = &report.Trouble{Unknown: "they are in another cluster"}
			continue
		}
		item.Trouble = s.trouble(ctx, c, environments[i].Spec.Target.Namespace)
	}
}

func (s *session) trouble(ctx context.Context, c *connection, namespace string) *report.Trouble {
	var pods []corev1.Pod
	var warnings []corev1.Event
	err := errors.Join(
		pages(ctx, c, func() *corev1.PodList { return &corev1.PodList{} }, func(page *corev1.PodList) { pods = append(pods, page.Items...) },
			client.InNamespace(namespace)),
		pages(ctx, c, func() *corev1.EventList { return &corev1.EventList{} }, func(page *corev1.EventList) { warnings = append(warnings, page.Items...) },
			client.InNamespace(namespace), client.MatchingFields{"type": corev1.EventTypeWarning}),
	)
	found := report.Troubled(pods, warnings)
	if err != nil {
		found.Unknown = err.Error()
	}
	for i := range found.Pods {
		if pod := &found.Pods[i]; pod.Container != "" {
			pod.Log = s.log(ctx, namespace, pod)
		}
	}
	return found
}

// log is the end of a container's log; none, where there is none or the node does not answer.
func (s *session) log(ctx context.Context, namespace string, pod *report.PodTrouble) []string {
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return nil
	}
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	text, err := core.Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: pod.Container, Previous: pod.Previous, TailLines: ptr.To[int64](logLines), LimitBytes: ptr.To[int64](logBytes),
	}).DoRaw(limited)
	if err != nil {
		return []string{fmt.Sprintf("(it cannot be read: %v)", err)}
	}
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '\r' })
}
