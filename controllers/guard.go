// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/guard"
	"github.com/assent-dev/assent/internal/promotion"
)

// readGuard reads the admission policies that enforce the rules, with their bindings, and judges them.
func readGuard(ctx context.Context, reader client.Reader) (promotion.Guard, error) {
	var policies []admissionregistrationv1.ValidatingAdmissionPolicy
	var bindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding
	policyNames, bindingNames := guard.Names()
	for _, name := range policyNames {
		policy, err := find(ctx, reader, &admissionregistrationv1.ValidatingAdmissionPolicy{}, types.NamespacedName{Name: name})
		if err != nil {
			return promotion.Guard{}, fmt.Errorf("read the guard: %w", err)
		}
		if policy != nil {
			policies = append(policies, *policy)
		}
	}
	for _, name := range bindingNames {
		binding, err := find(ctx, reader, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, types.NamespacedName{Name: name})
		if err != nil {
			return promotion.Guard{}, fmt.Errorf("read the guard: %w", err)
		}
		if binding != nil {
			bindings = append(bindings, *binding)
		}
	}
	digest, problems := guard.Identify(policies, bindings)
	return promotion.Guard{Digest: digest, Problems: problems}, nil
}
