// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/soak"
)

// rollbackRule is the rule of a rollback that needs nobody's approval.
const rollbackRule = "rollback"

// rollsBack says whether the Promotion goes back to a Release that has succeeded in the Environment before. It was tested there and in the
// Environments before it then, and whoever needs it needs it now: it skips Upstream, Soak and Window.
func rollsBack(seen Observation) bool {
	return seen.Promotion.Spec.Type == v1alpha1.PromotionTypeRollback
}

// unprecedented says why a rollback has nothing to go back to; empty if it has.
func unprecedented(seen Observation) string {
	if !rollsBack(seen) || seen.Release == nil || seen.Environment == nil || soak.Find(&seen.Environment.Status, string(seen.Release.UID)) != nil {
		return ""
	}
	return fmt.Sprintf("`spec.type`: release %q has not succeeded in environment %q before, so that there is nothing to roll back to: "+
		"create a promotion of type \"Promote\", or name a release of `status.releases` of the environment", seen.Release.Name, seen.Environment.Name)
}

// sameValues says whether a rollback takes the values that its Release has succeeded with: whoever may write a ConfigMap must not roll it out without anybody's
// approval. Whoever may change the rest of the overlay sets the rules of approval, too.
func sameValues(seen Observation) bool {
	if seen.Release == nil {
		return true
	}
	succeeded := soak.Find(&seen.Environment.Status, string(seen.Release.UID))
	return succeeded == nil || succeeded.ValuesDigest == seen.ValuesDigest
}

// policyOf is the approval policy that the Promotion is judged by.
func policyOf(seen Observation) v1alpha1.ApprovalPolicy {
	if seen.Environment == nil {
		return v1alpha1.ApprovalPolicy{}
	}
	policy := seen.Environment.Spec.Approval
	if rollsBack(seen) && seen.Environment.Spec.Rollback.Approval == v1alpha1.RollbackApprovalNotRequired && sameValues(seen) {
		policy.Rules = []v1alpha1.ApprovalRule{{Name: rollbackRule, Required: ptr.To[int32](0)}}
	}
	return policy
}
