// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// mostOverrides is how many overrides an Environment can have that nobody has acknowledged; the API's bound.
const mostOverrides = 16

// opening is what an override does.
type opening struct {
	// gates that it opens if they are closed.
	gates []v1alpha1.OverridableGate
	// refused says why it opens none of those that it names; void why it does not open Approval. Empty if it does.
	refused, void string
}

func (o opening) opens(gate v1alpha1.Gate) bool {
	return slices.Contains(o.gates, v1alpha1.OverridableGate(gate))
}

// overrides judges the override of the Promotion, as an approval is judged: who has set it must hold the verb now, and if it stands in for
// approvals it must be about this plan.
func overrides(seen Observation) opening {
	override := seen.Promotion.Spec.Override
	if len(override.Gates) == 0 {
		return opening{}
	}
	environment, user := seen.Promotion.Spec.Environment, override.UsedBy.Username
	switch {
	case user == "":
		return opening{refused: "nobody knows who has set it: the guard was not in place"}
	case strings.TrimSpace(override.Reason) == "":
		return opening{refused: "it gives no reason"}
	case seen.OverrideAuthority == approval.AuthorityLost, seen.Live && seen.OverrideAuthority != approval.AuthorityHeld:
		return opening{refused: fmt.Sprintf("%q does not hold the verb `override` on environment %q any more", user, environment)}
	case overridesFull(seen):
		return opening{refused: fmt.Sprintf("environment %q has %d overrides that nobody has acknowledged: acknowledge those first (`kubectl get environment %s -o yaml` lists them)",
			environment, mostOverrides, environment)}
	}
	found := opening{gates: override.Gates}
	if plan := currentPlan(seen).Digest; found.opens(v1alpha1.GateApproval) && (plan == "" || override.PlanDigest != plan) {
		found.gates = slices.DeleteFunc(slices.Clone(found.gates), func(gate v1alpha1.OverridableGate) bool {
			return gate == v1alpha1.OverridableGate(v1alpha1.GateApproval)
		})
		found.void = fmt.Sprintf("the override of Approval by %q was for another plan; look at the diff and set it again", user)
	}
	return found
}

// overridesFull says whether the Environment has no place for another override to be acknowledged.
func overridesFull(seen Observation) bool {
	return seen.Environment != nil && len(seen.Environment.Status.Overrides) >= mostOverrides &&
		!slices.ContainsFunc(seen.Environment.Status.Overrides, func(used v1alpha1.UsedOverride) bool { return used.Promotion == seen.Promotion.Name })
}

// unannounced are the gates that the override would open now, and that were open when the decisions were closed. What the history and the Environment
// are told of was settled then: a gate that is not named there is never opened.
func (j judgement) unannounced(p *v1alpha1.Promotion) []v1alpha1.OverridableGate {
	return slices.DeleteFunc(slices.Clone(j.overridden), func(gate v1alpha1.OverridableGate) bool { return slices.Contains(p.Status.Overridden, gate) })
}

// explainOverride adds to the blockers that an override names why it does not open them.
func (j *judgement) explainOverride(seen Observation, opens opening) {
	for i := range j.blockers {
		blocker := &j.blockers[i]
		switch {
		case !slices.Contains(seen.Promotion.Spec.Override.Gates, v1alpha1.OverridableGate(blocker.Gate)):
		case opens.refused != "":
			blocker.Message = clip(blocker.Message + "; the override does not count: " + opens.refused)
		case blocker.Gate == v1alpha1.GateApproval && opens.void != "":
			blocker.Message = clip(blocker.Message + "; " + opens.void)
		}
	}
}

// unacknowledged says whether somebody still has to take note of an override that was used.
func unacknowledged(p *v1alpha1.Promotion) bool {
	condition := conditionOf(p, v1alpha1.ConditionOverridden)
	return condition != nil && condition.Reason == v1alpha1.ReasonUnacknowledged
}

// acknowledged says whether somebody else than its user has taken note of it, by a write that the guard has let through.
func acknowledged(p *v1alpha1.Promotion) bool {
	by := p.Spec.Acknowledgement.Username
	return unacknowledged(p) && by != "" && by != p.Spec.Override.UsedBy.Username
}

// Overridden says which gates an override has opened, and what is left to do.
func Overridden(p *v1alpha1.Promotion, gates []v1alpha1.OverridableGate) string {
	return clip(fmt.Sprintf("%q has opened %s: %s; somebody else who holds the verb `override` on environment %q has to acknowledge it: "+
		"kubectl patch promotion %s --namespace %s --type=merge --patch '{\"spec\":{\"acknowledgement\":{\"username\":\"YOU\"}}}'",
		p.Spec.Override.UsedBy.Username, gateWords(gates), p.Spec.Override.Reason, p.Spec.Environment, p.Name, p.Namespace))
}

// gateWords names gates in a sentence.
func gateWords(gates []v1alpha1.OverridableGate) string {
	words := make([]string, 0, len(gates))
	for _, gate := range gates {
		words = append(words, string(gate))
	}
	if len(words) == 1 {
		return "the gate " + words[0]
	}
	return "the gates " + strings.Join(words, " and ")
}
