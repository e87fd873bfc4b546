// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
)

func TestNothingStartsBesideARolloutThatRunsOrThatTheEnvironmentDoesNotKnowTheEndOf(t *testing.T) {
	intent, end := record(v1alpha1.AuditIntent, 3), record(v1alpha1.AuditFailed, 4)
	ended := audit.Rollout{Intent: intent, Outcome: end}
	for name, c := range map[string]struct {
		state audit.State
		known int64
		uid   types.UID
		want  string
	}{
		"nothing on record":                       {uid: "other"},
		"another's intent is open":                {state: audit.State{Open: intent}, uid: "other", want: "shop-2"},
		"its own intent is open":                  {state: audit.State{Open: intent}, uid: "u2"},
		"another's end is news to it":             {state: audit.State{Ended: ended}, known: 2, uid: "other", want: "shop-2"},
		"another's end is known":                  {state: audit.State{Ended: ended}, known: 4, uid: "other"},
		"its own end is news to it":               {state: audit.State{Ended: ended}, known: 2, uid: "u2"},
		"another's end is known, and one is open": {state: audit.State{Open: intent, Ended: ended}, known: 4, uid: "other", want: "shop-2"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{UID: c.uid}}
			environment := &v1alpha1.Environment{
				ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(noon)},
				Status:     v1alpha1.EnvironmentStatus{Audit: v1alpha1.AuditHead{Sequence: c.known}},
			}
			NewWithT(t).Expect(runningBeside(p, c.state, environment)).To(Equal(c.want))
		})
	}
}
