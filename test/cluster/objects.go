// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Application is the one that the builders speak of.
const Application = "shop"

// NewRelease is a Release of Application with its manifests inline.
func NewRelease(project, name, version, manifests string) *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: project},
		Spec: v1alpha1.ReleaseSpec{
			Application: Application,
			Version:     version,
			Source:      v1alpha1.ReleaseSource{Inline: manifests},
		},
	}
}

// NewEnvironment is an Environment of Application with every default: one approval by anyone who may.
func NewEnvironment(project, name string, target v1alpha1.Target) *v1alpha1.Environment {
	return &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: project},
		Spec:       v1alpha1.EnvironmentSpec{Application: Application, Target: target},
	}
}

// NewPromotion asks to run a Release in an Environment. Who asks is stamped when it is created.
func NewPromotion(project, name, release, environment string) *v1alpha1.Promotion {
	return &v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: project},
		Spec:       v1alpha1.PromotionSpec{Release: release, Environment: environment, Approvals: []v1alpha1.Approval{}},
	}
}
