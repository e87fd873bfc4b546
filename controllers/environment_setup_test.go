// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestARuleThatChangesWakesTheEnvironmentsThatItMayMatterTo(t *testing.T) {
	of := func(application, name string, after ...string) *v1alpha1.Environment {
		return &v1alpha1.Environment{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EnvironmentSpec{Application: application, After: after},
		}
	}
	staging := of("shop", "staging", "dev")
	for name, c := range map[string]struct {
		other *v1alpha1.Environment
		want  bool
	}{
		"itself, which is woken anyway":              {of("shop", "staging", "dev"), false},
		"one that comes after it":                    {of("shop", "production", "staging"), true},
		"one that comes before it":                   {of("shop", "dev"), true},
		"one that may be in a cycle with it":         {of("shop", "dev-2", "production"), true},
		"one of another application that names it":   {of("billing", "billing-production", "staging"), true},
		"one of another application":                 {of("billing", "billing-production", "billing-staging"), false},
		"one of its application that names no other": {of("shop", "review-4711"), false},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(concerns(staging, c.other)).To(Equal(c.want))
		})
	}
}
