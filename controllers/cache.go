// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"unique"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
)

// slimPromotion makes what the cache holds of a Promotion small. Most Promotions have ended long ago, and of those nobody asks more than what they were,
// when, and how they ended: everything else stays in the API server. They are never written from the cache, because nothing follows their end; only an
// override that may yet be acknowledged does, and those stay whole.
func slimPromotion(rest toolscache.TransformFunc) toolscache.TransformFunc {
	return func(object any) (any, error) {
		object, err := rest(object)
		p, is := object.(*v1alpha1.Promotion)
		if err != nil || !is {
			return object, err
		}
		if !promotion.Ended(p) || meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionOverridden) != nil {
			return p, nil
		}
		return slimmed(p), nil
	}
}

// slimmed is what is kept of a Promotion that has ended. What many of them say is held once.
func slimmed(p *v1alpha1.Promotion) *v1alpha1.Promotion {
	slim := &v1alpha1.Promotion{
		TypeMeta: p.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Namespace: once(p.Namespace), Name: p.Name, UID: p.UID, ResourceVersion: p.ResourceVersion, Generation: p.Generation,
			CreationTimestamp: p.CreationTimestamp, DeletionTimestamp: p.DeletionTimestamp,
		},
		Spec: v1alpha1.PromotionSpec{Release: once(p.Spec.Release), Environment: once(p.Spec.Environment), Type: once(p.Spec.Type)},
		Status: v1alpha1.PromotionStatus{
			StartTime: p.Status.StartTime, CompletionTime: p.Status.CompletionTime,
			Plan: v1alpha1.Plan{Inputs: v1alpha1.PlanInputs{ClusterDigest: once(p.Status.Plan.Inputs.ClusterDigest)}},
		},
	}
	if state := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionSucceeded); state != nil {
		slim.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionSucceeded, Status: once(state.Status), Reason: once(state.Reason), LastTransitionTime: state.LastTransitionTime,
		}}
	}
	return slim
}

// once is the same text as every other that says the same.
func once[T ~string](text T) T { return T(unique.Make(string(text)).Value()) }
