// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/guard"
	"github.com/assent-dev/assent/internal/promotion"
)

// readGuard reads the admission policies that enforce the rules, with their bindings, and judges them.
func readGuard(ctx context.Context, reader client.Reader) (promotion.Guard, error) {
	policyNames, bindingNames := guard.Names()
	policies := make([]*admissionregistrationv1.ValidatingAdmissionPolicy, len(policyNames))
	bindings := make([]*admissionregistrationv1.ValidatingAdmissionPolicyBinding, len(bindingNames))
	group, together := errgroup.WithContext(ctx)
	for i, name := range policyNames {
		group.Go(func() (err error) {
			policies[i], err = find(together, reader, &admissionregistrationv1.ValidatingAdmissionPolicy{}, types.NamespacedName{Name: name})
			return err
		})
	}
	for i, name := range bindingNames {
		group.Go(func() (err error) {
			bindings[i], err = find(together, reader, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, types.NamespacedName{Name: name})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return promotion.Guard{}, fmt.Errorf("read the guard: %w", err)
	}
	digest, problems := guard.Identify(found(policies), found(bindings))
	return promotion.Guard{Digest: digest, Problems: problems}, nil
}

// found are the objects that are there.
func found[T any](objects []*T) []T {
	var there []T
	for _, object := range objects {
		if object != nil {
			there = append(there, *object)
		}
	}
	return there
}
