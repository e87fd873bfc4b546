// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/promotion"
)

func TestNothingStartsBesideARolloutThatRunsOrThatTheEnvironmentDoesNotKnowTheEndOf(t *testing.T) {
	intent, end := record(v1alpha1.AuditIntent, 3), record(v1alpha1.AuditFailed, 4)
	ended := audit.Rollout{Intent: intent, Outcome: end}
	for name, c := range map[string]struct {
		state audit.State
		known int64
		uid   types.UID
		want  string
	}{
		"nothing on record":                       {uid: "other"},
		"another's intent is open":                {state: audit.State{Open: intent}, uid: "other", want: "shop-2"},
		"its own intent is open":                  {state: audit.State{Open: intent}, uid: "u2"},
		"another's end is news to it":             {state: audit.State{Ended: ended}, known: 2, uid: "other", want: "shop-2"},
		"another's end is known":                  {state: audit.State{Ended: ended}, known: 4, uid: "other"},
		"its own end is news to it":               {state: audit.State{Ended: ended}, known: 2, uid: "u2"},
		"another's end is known, and one is open": {state: audit.State{Open: intent, Ended: ended}, known: 4, uid: "other", want: "shop-2"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{UID: c.uid}}
			environment := &v1alpha1.Environment{
				ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(noon)},
				Status:     v1alpha1.EnvironmentStatus{Audit: v1alpha1.AuditHead{Sequence: c.known}},
			}
			NewWithT(t).Expect(runningBeside(p, c.state, environment)).To(Equal(c.want))
		})
	}
}

// toBeProved is a promotion to an Environment that is not there, so that nothing is read but what a proof itself reads.
func toBeProved(uid types.UID) *v1alpha1.Promotion {
	p := &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "to-" + string(uid), UID: uid, ResourceVersion: "1"}}
	p.Spec.Release, p.Spec.Environment = "shop-1", "production"
	return p
}

// prover proves by what the API server has, with a history. The caches have nothing.
func prover(live *shelf) *PromotionReconciler {
	live.create = func(object client.Object) error {
		if review, asked := object.(*authorizationv1.SubjectAccessReview); asked {
			review.Status.Allowed = true
			return live.fails(review.Spec.User)
		}
		return nil
	}
	return &PromotionReconciler{
		Client: live, Live: live, Ledger: NewLedger(live, live, io.Discard), Planner: &Planner{}, Clock: clocktesting.NewFakeClock(noon),
		guard:    newSharedRead(func(context.Context) (promotion.Guard, error) { return promotion.Guard{}, live.fails("guard") }),
		rollouts: newRollouts(), starting: newLocks(),
	}
}

// prove a promotion as it was read a while ago.
func prove(t *testing.T, r *PromotionReconciler, asked *v1alpha1.Promotion) (*view, error) {
	t.Helper()
	seen := &view{Observation: promotion.Observation{Promotion: asked.DeepCopy()}}
	err := r.prove(t.Context(), seen, v1alpha1.PlanInputs{})
	t.Cleanup(seen.release)
	return seen, err
}

func TestAProofIsOfWhatTheAPIServerHasNow(t *testing.T) {
	g := NewWithT(t)
	live, asked := history(t, [2]string{"Intent", "zero"}, [2]string{"Succeeded", "zero"}), toBeProved("one")
	now := asked.DeepCopy()
	now.ResourceVersion, now.Spec.Approvals = "2", []v1alpha1.Approval{{User: "alice"}}
	release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1"}}
	live.objects = append(live.objects, now, release)
	seen, err := prove(t, prover(live), asked)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.Live).To(BeTrue())
	g.Expect(seen.proved).To(BeEquivalentTo(2))
	g.Expect(seen.Promotion).To(Equal(now))
	g.Expect(seen.Release).To(Equal(release))
	g.Expect(seen.Authority).To(Equal(map[string]approval.Authority{"alice": approval.AuthorityHeld}))
	g.Expect(seen.Running).To(BeEmpty())
	g.Expect(seen.Rollout).To(BeNil())
}

func TestNothingIsProvedWhileAnyOfItCannotBeRead(t *testing.T) {
	for name, broken := range map[string]string{
		"the promotion": "to-one", "the Release": "shop-1", "the Environment": "production", "the guard": "guard", "an approver's authority": "alice", "the history": "list",
	} {
		t.Run(name, func(t *testing.T) {
			live, asked := &shelf{broken: map[string]error{broken: errBroken}}, toBeProved("one")
			asked.Spec.Approvals = []v1alpha1.Approval{{User: "alice"}}
			live.objects = []client.Object{asked}
			seen, err := prove(t, prover(live), asked)
			g := NewWithT(t)
			g.Expect(err).To(MatchError(errBroken))
			g.Expect(seen.Live).To(BeFalse())
		})
	}
	t.Run("what the promotion has on record", func(t *testing.T) {
		live, asked := history(t, [2]string{"Intent", "zero"}), toBeProved("one")
		live.objects = append(live.objects, asked)
		r := prover(live)
		_, err := r.Ledger.State(t.Context(), toProduction, v1alpha1.AuditHead{}) // so that the history need not be listed
		g := NewWithT(t)
		g.Expect(err).NotTo(HaveOccurred())
		live.broken = map[string]error{fmt.Sprintf("%T", &v1alpha1.AuditRecordList{}): errBroken} // and no list that is read beside it
		seen, err := prove(t, r, asked)
		g.Expect(err).To(MatchError(ContainSubstring("read the audit records of a promotion")))
		g.Expect(seen.Live).To(BeFalse())
	})
}

func TestAPromotionThatHasEndedMeanwhileIsNotProved(t *testing.T) {
	g := NewWithT(t)
	asked := toBeProved("one")
	ended := asked.DeepCopy()
	ended.Status.CompletionTime = metav1.NewTime(noon)
	seen, err := prove(t, prover(&shelf{objects: []client.Object{ended}, broken: map[string]error{"shop-1": errBroken}}), asked)
	g.Expect(err).NotTo(HaveOccurred(), "nothing else is read")
	g.Expect(seen.Live).To(BeFalse())
	g.Expect(seen.Promotion).To(Equal(ended))
}

func TestAProofSeesARolloutThatOnlyTheHistoryKnowsOf(t *testing.T) {
	g := NewWithT(t)
	live, asked := history(t, [2]string{"Intent", "zero"}), toBeProved("one")
	live.objects = append(live.objects, asked)
	seen, err := prove(t, prover(live), asked)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.Running).To(Equal("to-zero"))
}

func TestAProofKeepsARolloutInMindThatTheCacheKnowsOf(t *testing.T) {
	g := NewWithT(t)
	asked, other := toBeProved("one"), toBeProved("two")
	other.Status.StartTime = metav1.NewTime(noon)
	seen, err := prove(t, prover(&shelf{objects: []client.Object{asked, other}}), asked)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.Running).To(Equal("to-two"))
}

func TestAnEndThatAnEarlierProcessPutOnRecordIsFound(t *testing.T) {
	g := NewWithT(t)
	live, asked := history(t, [2]string{"Rejected", "one"}), toBeProved("one")
	live.objects = append(live.objects, asked)
	seen, err := prove(t, prover(live), asked)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.Rollout).NotTo(BeNil())
	g.Expect(seen.Rollout.Outcome.Spec.Type).To(Equal(v1alpha1.AuditRejected))
	g.Expect(seen.rollout.outcome).To(BeIdenticalTo(seen.Rollout.Outcome))
}

func TestWhatIsKnownOfAStartedPromotionIsNotReadAgain(t *testing.T) {
	g := NewWithT(t)
	live, asked := &shelf{}, toBeProved("one")
	asked.Status.StartTime = metav1.NewTime(noon)
	live.objects = []client.Object{asked}
	r, known := prover(live), &rollout{uid: "one"}
	r.rollouts.put(keyOf(asked), known)
	_, err := r.Ledger.State(t.Context(), toProduction, v1alpha1.AuditHead{})
	g.Expect(err).NotTo(HaveOccurred())
	r.Ledger.remember(toProduction, audit.State{Head: v1alpha1.AuditHead{Sequence: 1}})
	live.broken = map[string]error{"list": errBroken}
	r.Client = &shelf{} // where the caches are, nothing is broken
	seen, err := prove(t, r, asked)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.rollout).To(BeIdenticalTo(known))
}

func TestAHistoryIsReadFromWhereTheEnvironmentSaysThatItStood(t *testing.T) {
	g := NewWithT(t)
	head := v1alpha1.AuditHead{Sequence: 7}
	g.Expect(auditHead(&v1alpha1.Environment{Status: v1alpha1.EnvironmentStatus{Audit: head}})).To(Equal(head))
	g.Expect(auditHead(nil)).To(BeZero())
}

func TestAnEnvironmentIsLockedFromTheProofOn(t *testing.T) {
	g := NewWithT(t)
	asked := toBeProved("one")
	r := prover(&shelf{objects: []client.Object{asked}})
	seen := &view{Observation: promotion.Observation{Promotion: asked.DeepCopy()}}
	g.Expect(r.prove(t.Context(), seen, v1alpha1.PlanInputs{})).To(Succeed())
	again := make(chan error, 1)
	go func() { again <- r.prove(t.Context(), seen, v1alpha1.PlanInputs{}) }()
	g.Eventually(again).WithTimeout(10*time.Second).Should(Receive(BeNil()), "whoever has locked it does not wait for itself")
	entered := make(chan struct{})
	go func() {
		r.starting.lock(toProduction)()
		close(entered)
	}()
	g.Consistently(entered).WithTimeout(50*time.Millisecond).ShouldNot(BeClosed(), "another start waits")
	seen.release()
	g.Eventually(entered).WithTimeout(10 * time.Second).Should(BeClosed())
}
