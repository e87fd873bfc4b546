// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestAnAcknowledgementMakesWhatHappenedNoNewer(t *testing.T) {
	noon := time.Date(2031, 3, 7, 12, 0, 0, 0, time.UTC)
	record := func(uid string, kind v1alpha1.AuditType, at time.Duration) v1alpha1.AuditRecord {
		return v1alpha1.AuditRecord{
			ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(noon.Add(at))},
			Spec:       v1alpha1.AuditRecordSpec{Type: kind, Promotion: v1alpha1.ObjectIdentity{UID: uid}},
		}
	}
	records := []v1alpha1.AuditRecord{
		record("1", v1alpha1.AuditIntent, time.Minute), record("1", v1alpha1.AuditSucceeded, 2*time.Minute),
		record("2", v1alpha1.AuditSucceeded, -time.Minute), record("2", v1alpha1.AuditAcknowledged, time.Minute),
		record("3", v1alpha1.AuditCorrected, time.Second), record("4", v1alpha1.AuditRejected, 0),
	}
	if got := spokenOf(records, noon); got != 2 {
		t.Errorf("%d were spoken of", got)
	}
}
