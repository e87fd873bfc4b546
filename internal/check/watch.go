// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// untilEnded waits for the end of one Job. The watch lists again whenever the API server has closed it.
func (j *Jobs) untilEnded(ctx context.Context, wanted *batchv1.Job) (*batchv1.Job, error) {
	var ended batchv1.Job
	_, err := watchtools.UntilWithSync(ctx, j.lister(jobs, wanted.Namespace, func(options *metav1.ListOptions) {
		options.FieldSelector = fields.OneTermEqualSelector("metadata.name", wanted.Name).String()
	}), &unstructured.Unstructured{}, nil, func(event watch.Event) (bool, error) {
		object, isObject := event.Object.(*unstructured.Unstructured)
		if !isObject {
			return false, nil
		}
		var job batchv1.Job
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &job); err != nil {
			return false, fmt.Errorf("read Job %q: %w", wanted.Name, err)
		}
		if !hasEnded(&job) && event.Type == watch.Deleted {
			return false, errDeleted
		}
		ended = job
		return hasEnded(&job), nil
	})
	return &ended, err
}

func hasEnded(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
}

func (j *Jobs) lister(resource schema.GroupVersionResource, namespace string, selecting func(*metav1.ListOptions)) cache.ListerWatcher {
	client := j.operator.Resource(resource).Namespace(namespace)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			selecting(&options)
			return client.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			selecting(&options)
			return client.Watch(ctx, options)
		},
	}
}

// podReasons remembers the last reason that each pod gave for not being well: a Job that runs out of time deletes its pods.
type podReasons struct {
	mutex  sync.Mutex
	byName map[string]string
}

// watchPods watches a Job's pods until the context ends. Without the right to, there are no reasons.
func (j *Jobs) watchPods(ctx context.Context, wanted *batchv1.Job) *podReasons {
	seen := &podReasons{byName: map[string]string{}}
	lister := j.lister(pods, wanted.Namespace, func(options *metav1.ListOptions) {
		options.LabelSelector = labels.SelectorFromSet(labels.Set{batchv1.JobNameLabel: wanted.Name}).String()
	})
	go func() {
		_, _ = watchtools.UntilWithSync(ctx, lister, &unstructured.Unstructured{}, nil, func(event watch.Event) (bool, error) {
			var pod corev1.Pod
			object, isObject := event.Object.(*unstructured.Unstructured)
			if isObject && runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &pod) == nil {
				seen.remember(&pod)
			}
			return false, nil
		})
	}()
	return seen
}

func (r *podReasons) remember(pod *corev1.Pod) {
	if reason := podReason(pod); reason != "" {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		r.byName[pod.Name] = reason
	}
}

// reason of the pod whose name comes first, and how many more there are.
func (r *podReasons) reason() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var all []string
	for name, reason := range r.byName {
		all = append(all, fmt.Sprintf("pod %s: %s", name, reason))
	}
	slices.Sort(all)
	switch len(all) {
	case 0:
		return ""
	case 1:
		return all[0]
	default:
		return fmt.Sprintf("%s; and %d more pods", all[0], len(all)-1)
	}
}

// podReason says why a pod does not end well; "" when it gives no reason.
func podReason(pod *corev1.Pod) string {
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if ended := container.State.Terminated; ended != nil && ended.ExitCode != 0 {
			return joined(fmt.Sprintf("container %q has ended with exit code %d", container.Name, ended.ExitCode), ended.Reason, ended.Message)
		}
		if waits := container.State.Waiting; waits != nil && !slices.Contains([]string{"", "ContainerCreating", "PodInitializing"}, waits.Reason) {
			return joined(fmt.Sprintf("container %q is waiting", container.Name), waits.Reason, waits.Message)
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return joined("it is not scheduled", condition.Reason, condition.Message)
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return joined("it has failed", pod.Status.Reason, pod.Status.Message)
	}
	return ""
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ": ")
}
