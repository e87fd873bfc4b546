// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

const (
	// logLines are the last ones of a container that does not run, and logBytes are how much of them is read.
	logLines = 5
	logBytes = 16 << 10
	// logPatience is for how long a log is waited for: the node may be what does not work.
	logPatience = 3 * time.Second
)

// Trouble is what the pods of an Environment say in which something does not work, read as the person. Where they may not read them, it says so. The configuration
// is that of the reader: logs are no objects.
func Trouble(ctx context.Context, from client.Reader, config *rest.Config, environment *v1alpha1.Environment) *report.Trouble {
	if environment.Spec.Target.Cluster != (v1alpha1.TargetCluster{}) {
		return &report.Trouble{Unknown: "they are in another cluster"}
	}
	namespace := environment.Spec.Target.Namespace
	var pods []corev1.Pod
	var warnings []corev1.Event
	err := errors.Join(
		Pages(ctx, from, func() *corev1.PodList { return &corev1.PodList{} }, func(page *corev1.PodList) error {
			pods = append(pods, page.Items...)
			return nil
		}, client.InNamespace(namespace)),
		Pages(ctx, from, func() *corev1.EventList { return &corev1.EventList{} }, func(page *corev1.EventList) error {
			warnings = append(warnings, page.Items...)
			return nil
		}, client.InNamespace(namespace), client.MatchingFields{"type": corev1.EventTypeWarning}),
	)
	found := report.Troubled(pods, warnings)
	if err != nil {
		found.Unknown = err.Error()
	}
	for i := range found.Pods {
		if pod := &found.Pods[i]; pod.Container != "" {
			pod.Log = endOfLog(ctx, config, namespace, pod)
		}
	}
	return found
}

// endOfLog of a container; none, where there is none or the node does not answer.
func endOfLog(ctx context.Context, config *rest.Config, namespace string, pod *report.PodTrouble) []string {
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
