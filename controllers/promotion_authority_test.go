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
		review := object.(*authorizationv1.SubjectAccessReview) //nolint:forcetypeassert // nothing else is created here
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

func TestEveryApproverIsAskedForAndWhoHasSetAnOverride(t *testing.T) {
	g := NewWithT(t)
	p := &v1alpha1.Promotion{}
	p.Spec.Approvals = []v1alpha1.Approval{{User: "alice"}, {User: "carol"}}
	var asked []authorizationv1.SubjectAccessReviewSpec
	r := authorizer(authorizationv1.SubjectAccessReviewStatus{Allowed: true}, nil, &asked)
	found, err := r.authorities(t.Context(), p)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(Equal(authorities{approve: map[string]approval.Authority{"alice": approval.AuthorityHeld, "carol": approval.AuthorityHeld}}))
	p.Spec.Override.Gates, p.Spec.Override.UsedBy = []v1alpha1.OverridableGate{"Window"}, v1alpha1.Person{Username: "dave"}
	found, err = r.authorities(t.Context(), p)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found.override).To(Equal(approval.AuthorityHeld))
	g.Expect(asked).To(HaveLen(5))
	g.Expect(asked[4]).To(And(HaveField("User", "dave"), HaveField("ResourceAttributes.Verb", "override")))
}

func TestNobodysAuthorityIsProvedWhenOneCannotBeAskedFor(t *testing.T) {
	p := &v1alpha1.Promotion{}
	p.Spec.Approvals = []v1alpha1.Approval{{User: "alice"}, {User: "carol"}}
	var asked []authorizationv1.SubjectAccessReviewSpec
	_, err := authorizer(authorizationv1.SubjectAccessReviewStatus{Allowed: true}, errBroken, &asked).authorities(t.Context(), p)
	g := NewWithT(t)
	g.Expect(err).To(MatchError(errBroken))
	g.Expect(asked).To(HaveLen(1))
}
