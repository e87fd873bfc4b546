// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// expiry is until when a Promotion may wait for approvals or, once it has them, for its start, and what is said when it has expired. The time is
// zero if it may wait for ever. Both count from times that no client can set: the API server's for the request, the operator's for an approval.
func expiry(seen Observation, approvals approval.Result, found judgement) (time.Time, string) {
	if seen.Environment == nil || found.opened(v1alpha1.GateApproval) {
		return time.Time{}, ""
	}
	policy := seen.Environment.Spec.Approval
	request, valid := seconds(policy.RequestTTLSeconds), seconds(policy.ValidSeconds)
	switch {
	case !approvals.Met() && request > 0:
		return seen.Promotion.CreationTimestamp.Add(request), fmt.Sprintf(
			"not approved within %s of its request (`spec.approval.requestTTLSeconds` of environment %q); %s; nothing was applied: to try again, create a new promotion",
			span(request), seen.Environment.Name, given(approvals))
	case valid > 0 && !approvals.MetSince.IsZero(): // which says that they are met
		return approvals.MetSince.Add(valid), fmt.Sprintf(
			"approved %s, and not started within %s (`spec.approval.validSeconds` of environment %q)%s; nothing was applied: to try again, create a new promotion",
			moment(approvals.MetSince), span(valid), seen.Environment.Name, because(found))
	}
	return time.Time{}, ""
}

// expired ends a Promotion that has waited for too long; nil if it has not.
func expired(seen Observation, approvals approval.Result, found judgement) *End {
	deadline, message := expiry(seen, approvals, found)
	if deadline.IsZero() || seen.Now.Before(deadline) {
		return nil
	}
	return &End{Reason: v1alpha1.ReasonExpired, Type: v1alpha1.AuditExpired, Message: clip(message), Approvals: approvals}
}

// because says what kept an approved Promotion from starting.
func because(found judgement) string {
	if len(found.blockers) == 0 {
		return ""
	}
	return ": " + Clip(found.blockers[0].Message, 600)
}

func seconds(count int32) time.Duration { return time.Duration(count) * time.Second }
