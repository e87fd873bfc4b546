// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assent-dev/assent/api/v1alpha1"
)

var namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

// lockError says why a lock would hold nobody off.
type lockError struct{ message, remedy string }

func (e *lockError) Error() string { return e.message }

// lockable makes sure that the lock of an Environment would hold: without the label on the target namespace, whoever may scale workloads there still could.
func (w *place) lockable(ctx context.Context, project string, spec v1alpha1.EnvironmentSpec) error {
	if spec.Lock != v1alpha1.LockEnabled {
		return nil
	}
	name := spec.Target.Namespace
	remedy := fmt.Sprintf("whoever administers namespace %q, by `kubectl label namespace %s %s=%s`", name, name, v1alpha1.LabelLock, project)
	namespace, err := w.Dynamic.Resource(namespaces).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return &lockError{message: fmt.Sprintf("`spec.lock`: the target namespace %q does not exist", name), remedy: fmt.Sprintf("whoever creates namespace %q with the label %s=%s", name, v1alpha1.LabelLock, project)}
	case apierrors.IsForbidden(err):
		return &lockError{message: fmt.Sprintf("`spec.lock`: it cannot be seen whether namespace %q carries the label %s: %v", name, v1alpha1.LabelLock, err),
			remedy: "whoever administers the target cluster, by letting the kubeconfig's user `get` the namespace"}
	case err != nil:
		return fmt.Errorf("read namespace %q: %w", name, err)
	}
	if found := namespace.GetLabels()[v1alpha1.LabelLock]; found != project {
		return &lockError{message: fmt.Sprintf("`spec.lock` is Enabled, and the target namespace %q does not carry the label %s=%s (it has %q): without it, workloads could still be scaled by others",
			name, v1alpha1.LabelLock, project, found), remedy: remedy}
	}
	return nil
}
