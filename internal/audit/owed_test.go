// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestAnEnvironmentIsOwedTheNewestEndThatItDoesNotKnowOf(t *testing.T) {
	for _, test := range []struct {
		name    string
		entries []v1alpha1.AuditRecordSpec
		known   int64
		created time.Duration // after the last record
		owed    string
	}{
		{name: "nothing has happened"},
		{name: "a rollout runs", entries: []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first")}, created: -time.Hour},
		{name: "a rollout has ended", owed: "first", created: -time.Hour,
			entries: []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditFailed, "first")}},
		{name: "and it knows", known: 2, created: -time.Hour,
			entries: []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditFailed, "first")}},
		{name: "something else happened since", owed: "first", created: -time.Hour,
			entries: []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditFailed, "first"), entry(v1alpha1.AuditRejected, "second")}},
		{name: "it was created after the end", created: time.Hour,
			entries: []v1alpha1.AuditRecordSpec{entry(v1alpha1.AuditIntent, "first"), entry(v1alpha1.AuditFailed, "first")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var state State
			environment := &v1alpha1.Environment{Status: v1alpha1.EnvironmentStatus{Audit: v1alpha1.AuditHead{Sequence: test.known}}}
			records := history(t, test.entries...)
			for i := range records {
				state = state.Follow(&records[i])
				environment.CreationTimestamp = metav1.NewTime(records[i].Spec.Time.Add(test.created))
			}
			owed := ""
			if rollout := state.Owed(environment); rollout.Intent != nil {
				owed = rollout.Intent.Spec.Promotion.Name
				if rollout.Intent.Spec.Type != v1alpha1.AuditIntent || !IsOutcome(rollout.Outcome.Spec.Type) {
					t.Errorf("it is owed a %s and a %s", rollout.Intent.Spec.Type, rollout.Outcome.Spec.Type)
				}
			}
			if owed != test.owed {
				t.Errorf("it is owed %q, want %q", owed, test.owed)
			}
			if rollout := state.Owed(nil); rollout.Intent != nil {
				t.Error("an environment that is gone is owed something")
			}
		})
	}
}
