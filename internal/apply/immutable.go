// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// immutableFields are the fields for which an update is refused because they cannot be changed. There are none when anything else is wrong
// with the object too: created anew, it would be refused just the same. The API server validates an update as it validates a new object, so
// that nothing is deleted that could not come back.
func immutableFields(err error) []string {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) || status.Status().Details == nil {
		return nil
	}
	var fields []string
	for _, cause := range status.Status().Details.Causes {
		if !saysImmutable(detailOf(cause)) {
			return nil
		}
		if cause.Field != "" && !slices.Contains(fields, cause.Field) {
			fields = append(fields, cause.Field)
		}
	}
	return fields
}

// detailOf a cause is what the API server says about the field, without the field's value, which may say anything.
func detailOf(cause metav1.StatusCause) string {
	if string(cause.Type) == string(field.ErrorTypeForbidden) {
		// "Forbidden: DETAIL", and then for some kinds a diff of the values.
		detail, _, _ := strings.Cut(cause.Message, "\n")
		return detail
	}
	// "Invalid value: VALUE: DETAIL".
	return cause.Message[strings.LastIndex(cause.Message, ": ")+1:]
}

// saysImmutable knows the words of Kubernetes 1.37 for: the selector and template of a workload, the address of a Service, the spec of a
// volume claim, the role of a binding, a ConfigMap or Secret with `immutable`, the classes, pods, and rules of custom resources.
func saysImmutable(detail string) bool {
	for _, words := range []string{"is immutable", "immutable field", "may not change", "may not be changed", "updates to statefulset spec for fields other than",
		"can not be less than"} {
		if strings.Contains(detail, words) {
			return true
		}
	}
	return false
}

// decideRecreation says whether an object that cannot be updated, because of some fields, is deleted and created again, or who has to do what
// instead. A Job that runs anew has no such fields.
func (d *Deployer) decideRecreation(desired, live *unstructured.Unstructured, fields []string) *problem {
	ref := plan.Reference(desired)
	refuse := func(format string, args ...any) *problem {
		return &problem{kind: ImmutableError, message: fmt.Sprintf("%s differs in what cannot be changed (`%s`): undo the change, give the object another name, or ",
			plan.Describe(ref), strings.Join(fields, "`, `")) + fmt.Sprintf(format, args...)}
	}
	switch {
	case len(fields) == 0 && ownerOf(live) != ownerOf(desired):
		return &problem{kind: ImmutableError, message: fmt.Sprintf(
			"%s has to run anew, and the one that is there was not applied by this Environment, which therefore does not delete it: delete it yourself before the rollout, or give the object another name",
			plan.Describe(ref))}
	case neverRecreated(desired) || d.untouchable(ref) != "":
		return refuse("delete it yourself before the rollout; a rollout never deletes a %s, because everything that depends on it would go too", ref.Kind)
	case ownerOf(live) != ownerOf(desired):
		return refuse("delete it yourself before the rollout; it was not applied by this Environment, which therefore does not delete it")
	case !isJob(desired) && desired.GetAnnotations()[v1alpha1.AnnotationImmutable] != v1alpha1.ImmutableRecreate:
		return refuse("allow with the annotation `%s: %s` on it in the Release that it is deleted and created again: %s",
			v1alpha1.AnnotationImmutable, v1alpha1.ImmutableRecreate, costOfRecreation(desired))
	}
	return nil
}

// costOfRecreation is what somebody who allows it has to know.
func costOfRecreation(object *unstructured.Unstructured) string {
	switch object.GetKind() {
	case "PersistentVolumeClaim", "PersistentVolume":
		return "all data in it is lost, and what uses it has to be stopped first"
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod":
		return "its pods are stopped before new ones start, which is a downtime"
	case "Service":
		return "it is not reachable meanwhile, and gets another address"
	}
	return "it is not there meanwhile, and what others have added to it is lost"
}

// neverRecreated are the kinds whose deletion takes other objects along.
func neverRecreated(object *unstructured.Unstructured) bool {
	switch object.GroupVersionKind().GroupKind() {
	case schema.GroupKind{Kind: "Namespace"}, schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}:
		return true
	}
	return false
}

// runsAnew tells whether an object is a Job that ran for another promotion, and has to run for this one.
func runsAnew(desired, live *unstructured.Unstructured) bool {
	wanted := desired.GetAnnotations()
	return isJob(desired) && wanted[v1alpha1.AnnotationRerun] == v1alpha1.RerunAlways && wanted[v1alpha1.AnnotationPromotionUID] != "" &&
		wanted[v1alpha1.AnnotationPromotionUID] != live.GetAnnotations()[v1alpha1.AnnotationPromotionUID]
}

func isJob(object *unstructured.Unstructured) bool {
	return object.GroupVersionKind().GroupKind() == schema.GroupKind{Group: "batch", Kind: "Job"}
}
