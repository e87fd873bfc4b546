// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package guard tells whether the admission policies of a cluster are those that this version ships, and which ones they are.
//
// The identity of the guard is part of every plan's digest: it names each policy and binding by UID and generation, so that whoever takes
// the guard away and puts it back voids every approval that was given before. A guard that is missing, does not deny, is narrowed to some
// requests or has other rules has no identity, only problems; and without an identity nothing starts.
//
// What people read may be changed freely: the messages of the validations, labels and annotations. What decides may not: expressions,
// variables, what the policies match, what happens when they fail, and what they write into the API server's audit log.
package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Names returns the names of the policies and of their bindings that make up the guard, each sorted.
func Names() (policies, bindings []string) {
	shipped, err := ship()
	if err != nil {
		return nil, nil
	}
	for _, policy := range shipped.policies {
		policies = append(policies, policy.Name)
	}
	for _, binding := range shipped.bindings {
		bindings = append(bindings, binding.Name)
	}
	slices.Sort(policies)
	slices.Sort(bindings)
	return policies, bindings
}

// Identify compares the cluster's policies and bindings with the shipped ones. It returns the guard's identity, or, when the guard is not
// what it has to be, an empty digest and the problems as sentences that say what to do. Objects of other names mean nothing, nor does order.
func Identify(
	policies []admissionregistrationv1.ValidatingAdmissionPolicy,
	bindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding,
) (v1alpha1.Digest, []string) {
	shipped, err := ship()
	if err != nil {
		return "", []string{fmt.Sprintf("the guard that this version ships cannot be read: %v", err)}
	}
	var problems, identity []string
	for i := range shipped.policies {
		want := &shipped.policies[i]
		found := slices.IndexFunc(policies, func(p admissionregistrationv1.ValidatingAdmissionPolicy) bool { return p.Name == want.Name })
		if found < 0 {
			problems = append(problems, missing("ValidatingAdmissionPolicy", want.Name))
			continue
		}
		problems = append(problems, policyProblems(&policies[found], want)...)
		identity = append(identity, identityOf("ValidatingAdmissionPolicy", &policies[found].ObjectMeta))
	}
	for i := range shipped.bindings {
		want := &shipped.bindings[i]
		found := slices.IndexFunc(bindings, func(b admissionregistrationv1.ValidatingAdmissionPolicyBinding) bool { return b.Name == want.Name })
		if found < 0 {
			problems = append(problems, missing("ValidatingAdmissionPolicyBinding", want.Name))
			continue
		}
		problems = append(problems, bindingProblems(&bindings[found], want)...)
		identity = append(identity, identityOf("ValidatingAdmissionPolicyBinding", &bindings[found].ObjectMeta))
	}
	if len(problems) > 0 {
		return "", problems
	}
	return digest(identity), nil
}

// identityOf holds no character that a kind, a name or a UID may hold between its parts, so that no two objects share one.
func identityOf(kind string, meta *metav1.ObjectMeta) string {
	return fmt.Sprintf("%s\t%s\t%s\t%d", kind, meta.Name, meta.UID, meta.Generation)
}

func digest(identity []string) v1alpha1.Digest {
	slices.Sort(identity)
	sum := sha256.Sum256([]byte(strings.Join(identity, "\n")))
	return v1alpha1.Digest("sha256:" + hex.EncodeToString(sum[:]))
}
