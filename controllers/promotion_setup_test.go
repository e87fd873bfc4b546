// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestWhatPlansAndGatesDependOnWakesThePromotionsToAnEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*v1alpha1.Environment)
		matters bool
	}{
		"its rules":                     {func(e *v1alpha1.Environment) { e.Generation++ }, true},
		"another of its name":           {func(e *v1alpha1.Environment) { e.UID = "another" }, true},
		"its history":                   {func(e *v1alpha1.Environment) { e.Status.Audit.Sequence++ }, true},
		"what runs there":               {func(e *v1alpha1.Environment) { e.Status.DriftDigest = "sha256:1" }, true},
		"a hold by its annotation":      {func(e *v1alpha1.Environment) { e.Annotations = map[string]string{v1alpha1.AnnotationHold: "incident"} }, true},
		"an override that was used":     {func(e *v1alpha1.Environment) { e.Status.Overrides = make([]v1alpha1.UsedOverride, 1) }, true},
		"a release that has succeeded":  {func(e *v1alpha1.Environment) { e.Status.Releases = nil }, true},
		"another promotion that waits":  {func(e *v1alpha1.Environment) { e.Status.Waiting = make([]v1alpha1.WaitingPromotion, 1) }, false},
		"a label":                       {func(e *v1alpha1.Environment) { e.Labels = map[string]string{"team": "shop"} }, false},
		"the fields that have drifted":  {func(e *v1alpha1.Environment) { e.Status.Drifted = settingsDrifted }, false},
		"a condition that no gate asks": {func(e *v1alpha1.Environment) { e.Status.Conditions = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := soaking()
			after := before.DeepCopy()
			c.change(after)
			NewWithT(t).Expect(environmentMatters(event.UpdateEvent{ObjectOld: before, ObjectNew: after})).To(Equal(c.matters))
		})
	}
}
