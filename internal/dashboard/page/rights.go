// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import "github.com/assent-dev/assent/api/v1alpha1"

// The keys of Rights. Each is for a whole action: the deciding verb, and the write that carries it, as the API server answers for the viewer. What counts in the end
// is what it says of the write itself.
const (
	// RightPromote is to ask for a Promotion into the Environment: the verb promote on it, and to create Promotions.
	RightPromote = v1alpha1.VerbPromote
	// RightRollback is to ask for one that goes back: the verb rollback, and to create Promotions.
	RightRollback = v1alpha1.VerbRollback
	// RightApprove is to approve, to reject and to withdraw: the verb approve on the Environment, and to patch Promotions.
	RightApprove = v1alpha1.VerbApprove
	// RightOverride is to open gates, and to acknowledge that somebody has: the verb override on the Environment, and to patch Promotions.
	RightOverride = v1alpha1.VerbOverride
	// RightResume is to lift the hold of the Environment: the verb resume on it, and to patch it.
	RightResume = v1alpha1.VerbResume
	// RightHold is to hold the Environment: to patch it.
	RightHold = "hold"
	// RightChange is to change a Promotion, as cancelling does: to patch Promotions.
	RightChange = "change"
	// RightBlock is to mark the Release as known to be bad: to patch it.
	RightBlock = "block"
	// RightUnblock is to take that back: the verb unblock on the Release, and to patch it.
	RightUnblock = v1alpha1.VerbUnblock
)
