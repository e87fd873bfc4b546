// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// authorizer answers what somebody may do.
func authorizer(answer authorizationv1.SubjectAccessReviewStatus, fault error, asked *[]authorizationv1.SubjectAccessReviewSpec) *PromotionReconciler {
	return &PromotionReconciler{Client: &shelf{create: func(object client.Object) error {
		review := object.(*authorizationv1.SubjectAccessReview) //nolint:errcheck,forcetypeassert // nothing else is created here
		*asked = append(*asked, review.Spec)
		review.Status = answer
		return fault
	}}}
}

func TestAuthorityIsHeldByWhomTheAPIServerAllowsAndDoesNotDeny(t *testing.T) {
	for name, c := range map[string]struct {
		user   string
		answer authorizationv1.SubjectAccessReviewStatus
		fault  error
		want   approval.Authority
		says   string
	}{
		"allowed":                           {user: "alice", answer: authorizationv1.SubjectAccessReviewStatus{Allowed: true}, want: approval.AuthorityHeld},
		"not allowed":                       {user: "alice", want: approval.AuthorityLost},
		"denied":                            {user: "alice", answer: authorizationv1.SubjectAccessReviewStatus{Denied: true}, want: approval.AuthorityLost},
		"allowed by one, denied by another": {user: "alice", answer: authorizationv1.SubjectAccessReviewStatus{Allowed: true, Denied: true}, want: approval.AuthorityLost},
		"no answer":                         {user: "alice", answer: authorizationv1.SubjectAccessReviewStatus{Allowed: true}, fault: errBroken, want: approval.AuthorityUnproven, says: `ask whether "alice" may approve`},
		"nobody":                            {answer: authorizationv1.SubjectAccessReviewStatus{Allowed: true}, want: approval.AuthorityLost},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			p := &v1alpha1.Promotion{}
			p.Namespace, p.Spec.Environment = "shop", "production"
			var asked []authorizationv1.SubjectAccessReviewSpec
			found, err := authorizer(c.answer, c.fault, &asked).authority(t.Context(), p, v1alpha1.Person{Username: c.user, UID: "u", Groups: []string{"owners"}}, v1alpha1.VerbApprove)
			g.Expect(err).To(saying(c.says))
			g.Expect(found).To(Equal(c.want))
			if c.user == "" {
				g.Expect(asked).To(BeEmpty())
				return
			}
			g.Expect(asked).To(ConsistOf(authorizationv1.SubjectAccessReviewSpec{User: "alice", UID: "u", Groups: []string{"owners"}, ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: "assent.dev", Version: "v1alpha1", Resource: "environments", Namespace: "shop", Name: "production", Verb: "approve",
			}}))
		})
	}
}
