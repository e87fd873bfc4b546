// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
)

// decided is a Promotion that people have approved, with the state that it is in.
func decided(state string) *v1alpha1.Promotion {
	p := &v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "to-production", UID: "7d0a", ResourceVersion: "42", Generation: 2, CreationTimestamp: metav1.Unix(1000, 0),
			Annotations: map[string]string{"example.com/note": strings.Repeat("x", 1000)}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		},
		Spec: v1alpha1.PromotionSpec{
			Release: "shop-1.0.0", Environment: "production", Type: v1alpha1.PromotionTypePromote, Reason: strings.Repeat("r", 1000),
			Approvals: []v1alpha1.Approval{{User: "alice", Decision: v1alpha1.DecisionApproved, Groups: []string{"shop-owners"}}},
		},
		Status: v1alpha1.PromotionStatus{
			ObservedGeneration: 2,
			Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: state, Message: strings.Repeat("m", 1000)},
				{Type: v1alpha1.ConditionApproved, Status: metav1.ConditionTrue, Reason: "Approved", Message: "1 of 1"},
			},
			Plan: v1alpha1.Plan{Digest: "sha256:1", Diff: strings.Repeat("d", 1000), Inputs: v1alpha1.PlanInputs{ClusterDigest: "sha256:2"}},
		},
	}
	if state != v1alpha1.ReasonAwaitingApproval {
		p.Status.StartTime = metav1.Unix(2000, 0)
	}
	if state == v1alpha1.ReasonSucceeded {
		p.Status.CompletionTime = metav1.Unix(3000, 0)
	}
	return p
}

func cachedAs(t *testing.T, p *v1alpha1.Promotion) *v1alpha1.Promotion {
	t.Helper()
	held, err := slimPromotion(cache.TransformStripManagedFields())(p)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return held.(*v1alpha1.Promotion) //nolint:forcetypeassert // that it is one is tested by it
}

func TestThereIsNothingToBeDoneForAPromotionThatIsHeldInShort(t *testing.T) {
	g := NewWithT(t)
	whole := decided(v1alpha1.ReasonSucceeded)
	held := cachedAs(t, whole.DeepCopy())
	g.Expect(promotion.Ended(held)).To(BeTrue())
	g.Expect(promotion.Started(held)).To(BeFalse())
	g.Expect(promotion.State(held)).To(Equal(promotion.State(whole)))
	g.Expect(waits(held)).To(BeFalse())
	g.Expect(startedIn(held)).To(Equal(startedIn(whole)))
	g.Expect(older(held, whole)).To(BeZero())
	g.Expect(keyOf(held)).To(Equal(keyOf(whole)))
	g.Expect(environmentOf(held)).To(Equal(environmentOf(whole)))
	g.Expect([]any{held.UID, held.ResourceVersion, held.Spec.Release, held.Spec.Type, held.Status.Plan.Inputs.ClusterDigest}).
		To(Equal([]any{whole.UID, whole.ResourceVersion, whole.Spec.Release, whole.Spec.Type, whole.Status.Plan.Inputs.ClusterDigest}))
	seen := promotion.Observation{Now: time.Unix(4000, 0), Promotion: held}
	g.Expect(promotion.Decide(seen)).To(Equal(promotion.Rest{}), "else it would be written as it is held")
}

func TestWhatNobodyAsksOfAPromotionThatHasEndedIsNotHeld(t *testing.T) {
	g := NewWithT(t)
	held := cachedAs(t, decided(v1alpha1.ReasonSucceeded))
	g.Expect(held.Annotations).To(BeEmpty())
	g.Expect(held.Spec.Reason).To(BeEmpty())
	g.Expect(held.Spec.Approvals).To(BeEmpty())
	g.Expect(held.Status.Plan.Diff).To(BeEmpty())
	g.Expect(held.Status.Conditions).To(HaveExactElements(HaveField("Message", "")))
}

func TestAPromotionIsHeldAsAWholeAsLongAsItMayYetBeWritten(t *testing.T) {
	overridden := decided(v1alpha1.ReasonSucceeded)
	overridden.Status.Conditions = append(overridden.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionOverridden, Status: metav1.ConditionTrue})
	for name, p := range map[string]*v1alpha1.Promotion{
		"while it waits": decided(v1alpha1.ReasonAwaitingApproval), "while it rolls out": decided(v1alpha1.ReasonRollingOut), "with an override": overridden,
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			want := p.DeepCopy()
			want.ManagedFields = nil
			g.Expect(cachedAs(t, p)).To(Equal(want))
		})
	}
}

func TestWhatCannotBeHeldInShortIsAnError(t *testing.T) {
	g := NewWithT(t)
	broken := errors.New("broken")
	_, err := slimPromotion(func(any) (any, error) { return nil, broken })(decided(v1alpha1.ReasonSucceeded))
	g.Expect(err).To(MatchError(broken))
	other, err := slimPromotion(cache.TransformStripManagedFields())(&v1alpha1.Release{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(other).To(Equal(&v1alpha1.Release{}))
}
