// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestSomeRecordsEndARolloutSomeAPromotionAndSomeNothing(t *testing.T) {
	for kind, want := range map[v1alpha1.AuditType]struct{ outcome, ends bool }{
		v1alpha1.AuditSucceeded:  {outcome: true, ends: true},
		v1alpha1.AuditFailed:     {outcome: true, ends: true},
		v1alpha1.AuditRolledBack: {outcome: true, ends: true},
		v1alpha1.AuditCancelled:  {outcome: true, ends: true},
		v1alpha1.AuditRejected:   {ends: true},
		v1alpha1.AuditExpired:    {ends: true},
		v1alpha1.AuditSuperseded: {ends: true},

		v1alpha1.AuditIntent:       {},
		v1alpha1.AuditCorrected:    {},
		v1alpha1.AuditOverridden:   {},
		v1alpha1.AuditAcknowledged: {},
		"Unheard":                  {},
	} {
		if IsOutcome(kind) != want.outcome || Ends(kind) != want.ends {
			t.Errorf("%s: an outcome: %v, an end: %v", kind, IsOutcome(kind), Ends(kind))
		}
	}
}
