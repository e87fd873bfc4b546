// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// remedy ends every problem.
const remedy = "install the guard of this version again (`kubectl apply -k config/guard`)"

func missing(kind, name string) string {
	return fmt.Sprintf("%s %q is missing: %s", kind, name, remedy)
}

func policyProblems(live, want *admissionregistrationv1.ValidatingAdmissionPolicy) []string {
	var problems []string
	report := func(sound bool, what string) {
		if !sound {
			problems = append(problems, fmt.Sprintf("ValidatingAdmissionPolicy %q %s: %s", want.Name, what, remedy))
		}
	}
	report(live.DeletionTimestamp.IsZero(), "is being deleted")
	report(failsClosed(live.Spec.FailurePolicy), "lets requests pass when it fails: its `failurePolicy` is not \"Fail\"")
	report(live.Spec.ParamKind == nil, "takes parameters, which the shipped one does not: it has a `paramKind`")
	report(equality.Semantic.DeepEqual(expressions(live.Spec.Validations), expressions(want.Spec.Validations)),
		"has other `validations` than this version ships")
	report(equality.Semantic.DeepEqual(live.Spec.Variables, want.Spec.Variables), "has other `variables` than this version ships")
	report(equality.Semantic.DeepEqual(live.Spec.MatchConditions, want.Spec.MatchConditions),
		"has other `matchConditions` than this version ships")
	report(equality.Semantic.DeepEqual(live.Spec.AuditAnnotations, want.Spec.AuditAnnotations),
		"has other `auditAnnotations` than this version ships, so that what was done by an override may go unrecorded")
	report(matchesTheSame(live.Spec.MatchConstraints, want.Spec.MatchConstraints), "has other `matchConstraints` than this version ships")
	return problems
}

func bindingProblems(live, want *admissionregistrationv1.ValidatingAdmissionPolicyBinding) []string {
	var problems []string
	report := func(sound bool, what string) {
		if !sound {
			problems = append(problems, fmt.Sprintf("ValidatingAdmissionPolicyBinding %q %s: %s", want.Name, what, remedy))
		}
	}
	report(live.DeletionTimestamp.IsZero(), "is being deleted")
	report(live.Spec.PolicyName == want.Spec.PolicyName, fmt.Sprintf("binds policy %q, not %q", live.Spec.PolicyName, want.Spec.PolicyName))
	report(slices.Contains(live.Spec.ValidationActions, admissionregistrationv1.Deny), "does not deny: its `validationActions` lack \"Deny\"")
	report(live.Spec.ParamRef == nil, "is narrowed to what parameters say: it has a `paramRef`")
	report(live.Spec.MatchResources == nil || matchesTheSame(live.Spec.MatchResources, &admissionregistrationv1.MatchResources{}),
		"is narrowed to some requests: it has `matchResources`")
	return problems
}

// failsClosed knows the API server's default.
func failsClosed(policy *admissionregistrationv1.FailurePolicyType) bool {
	return policy == nil || *policy == admissionregistrationv1.Fail
}

// expressions leaves out what people read: messages and reasons decide nothing.
func expressions(validations []admissionregistrationv1.Validation) []string {
	all := make([]string, 0, len(validations))
	for _, validation := range validations {
		all = append(all, validation.Expression)
	}
	return all
}

// matchesTheSame knows the API server's defaults, which a live object has and a shipped manifest has not.
func matchesTheSame(live, want *admissionregistrationv1.MatchResources) bool {
	if live == nil || want == nil {
		return live == want
	}
	return equality.Semantic.DeepEqual(withDefaults(live), withDefaults(want))
}

func withDefaults(match *admissionregistrationv1.MatchResources) *admissionregistrationv1.MatchResources {
	match = match.DeepCopy()
	if match.MatchPolicy == nil {
		equivalent := admissionregistrationv1.Equivalent
		match.MatchPolicy = &equivalent
	}
	if match.NamespaceSelector == nil {
		match.NamespaceSelector = &metav1.LabelSelector{}
	}
	if match.ObjectSelector == nil {
		match.ObjectSelector = &metav1.LabelSelector{}
	}
	for _, rules := range [][]admissionregistrationv1.NamedRuleWithOperations{match.ResourceRules, match.ExcludeResourceRules} {
		for i := range rules {
			if rules[i].Scope == nil {
				all := admissionregistrationv1.AllScopes
				rules[i].Scope = &all
			}
		}
	}
	return match
}
