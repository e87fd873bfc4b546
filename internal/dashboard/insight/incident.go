// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Soon is for how long after a success a rollback says that the change was bad.
const Soon = 24 * time.Hour

// incident from a failure to what ends it.
type incident struct {
	*rollout // that has failed, or was reverted
	since    time.Time
	// restored is zero while nothing has ended it.
	restored time.Time
}

// incidents of one history, whose rollouts come in their order. Successes that a rollback followed soon are marked as reverted.
func incidents(history []*rollout) []incident {
	var found []incident
	var good *rollout // what has succeeded last, unless it was a rollback
	open := false
	begin := func(of *rollout, since time.Time) {
		if !open {
			found, open = append(found, incident{rollout: of, since: since}), true
		}
	}
	end := func(at time.Time) {
		if open {
			found[len(found)-1].restored, open = at, false
		}
	}
	for _, each := range history {
		if each.back && good != nil && !good.reverted && each.began.Sub(good.ended) <= Soon {
			good.reverted = true
			begin(good, asked(each, good.ended))
		}
		switch each.outcome {
		case v1alpha1.AuditSucceeded:
			end(each.ended)
			good = each
			if each.back {
				good = nil
			}
		case v1alpha1.AuditRolledBack:
			begin(each, each.began)
			end(each.ended)
		case v1alpha1.AuditFailed:
			begin(each, each.ended)
		case v1alpha1.AuditIntent, v1alpha1.AuditCorrected, v1alpha1.AuditRejected, v1alpha1.AuditExpired, v1alpha1.AuditOverridden,
			v1alpha1.AuditAcknowledged, v1alpha1.AuditSuperseded, v1alpha1.AuditCancelled: // nobody knows whether anything was bad
		}
	}
	return found
}

// asked is when a rollback was asked for, and not before the success that it takes back; its start, where that is not known.
func asked(back *rollout, after time.Time) time.Time {
	at := back.requested
	if at.IsZero() || at.After(back.began) {
		at = back.began
	}
	if at.Before(after) {
		return after
	}
	return at
}
