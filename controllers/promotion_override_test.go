// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"io"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
)

// overriding is a reconciler with what lies on a shelf, and a promotion whose start carol's override of the window has opened.
func overriding(s *shelf) (*PromotionReconciler, *view) {
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "production", UID: "e1", ResourceVersion: "1"}}
	s.objects = append(s.objects, environment)
	asked := &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "to-one", UID: "one"}}
	asked.Spec.Environment = "production"
	asked.Spec.Override = v1alpha1.PromotionOverride{UsedBy: v1alpha1.Person{Username: "carol"}, Reason: "the shop is down"}
	asked.Status.Overridden = []v1alpha1.OverridableGate{"Window"}
	r := &PromotionReconciler{Client: s, Live: s, Ledger: NewLedger(s, s, io.Discard), Events: events.NewFakeRecorder(10), writes: newWrites()}
	return r, &view{Observation: promotion.Observation{Now: noon, Promotion: asked, Environment: environment, Planned: &promotion.Planned{}}}
}

// marks on the Environment that lies there.
func (s *shelf) marks(t *testing.T) []v1alpha1.UsedOverride {
	t.Helper()
	environment := &v1alpha1.Environment{}
	if err := s.Get(t.Context(), toProduction, environment); err != nil {
		t.Fatal(err)
	}
	return environment.Status.Overrides
}

// kinds of records that lie there, in their order.
func (s *shelf) kinds() []v1alpha1.AuditType {
	var found []v1alpha1.AuditType
	for _, object := range s.objects {
		if record, is := object.(*v1alpha1.AuditRecord); is {
			found = append(found, record.Spec.Type)
		}
	}
	return found
}

func TestAnOverrideIsOnRecordAndOnTheEnvironmentOnce(t *testing.T) {
	g := NewWithT(t)
	s := &shelf{}
	r, seen := overriding(s)
	for range 2 { // a process that takes over does it again
		g.Expect(r.putOverrideOnRecord(t.Context(), seen, promotion.Start{})).To(Succeed())
		g.Expect(s.kinds()).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditOverridden}))
		g.Expect(s.marks(t)).To(ConsistOf(And(HaveField("Promotion", "to-one"), HaveField("User", "carol"), HaveField("Reason", "the shop is down"))))
	}
	g.Expect(r.writes.ahead(seen.Environment)).To(BeTrue(), "what was written is newer than what was seen")
}

func TestAnOverrideThatIsKnownToBeOnRecordIsNotToldAgain(t *testing.T) {
	g := NewWithT(t)
	s := &shelf{broken: map[string]error{"list": errBroken}} // the history is not asked
	r, seen := overriding(s)
	seen.rollout = &rollout{overridden: true}
	g.Expect(r.putOverrideOnRecord(t.Context(), seen, promotion.Start{})).To(Succeed())
	g.Expect(s.kinds()).To(BeEmpty())
	g.Expect(s.marks(t)).To(HaveLen(1))

	seen.rollout = &rollout{}
	g.Expect(r.putOverrideOnRecord(t.Context(), seen, promotion.Start{})).To(MatchError(errBroken), "a rollout of which nothing is known")
}

func TestNothingIsOnRecordWhereNoGateWasOpened(t *testing.T) {
	g := NewWithT(t)
	s := &shelf{}
	r, seen := overriding(s)
	seen.Promotion.Status.Overridden = nil
	g.Expect(r.putOverrideOnRecord(t.Context(), seen, promotion.Start{})).To(Succeed())
	g.Expect(s.kinds()).To(BeEmpty())
	g.Expect(s.marks(t)).To(BeEmpty())
}

func TestNothingStartsBeforeAnOverrideIsOnRecord(t *testing.T) {
	for name, change := range map[string]func(*shelf){
		"it cannot be recorded":          func(s *shelf) { s.create = func(client.Object) error { return errBroken } },
		"the environment cannot be read": func(s *shelf) { s.broken = map[string]error{"production": errBroken} },
		"it cannot be marked":            func(s *shelf) { s.update = func(client.Object) error { return errBroken } },
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{}
			r, seen := overriding(s)
			change(s)
			NewWithT(t).Expect(r.putOverrideOnRecord(t.Context(), seen, promotion.Start{})).To(MatchError(errBroken))
		})
	}
}

func TestAMarkIsPutOnWhateverTheEnvironmentHasBecome(t *testing.T) {
	g := NewWithT(t)
	s, attempts := &shelf{}, 0
	r, seen := overriding(s)
	s.update = func(client.Object) error {
		if attempts++; attempts == 1 {
			return apierrors.NewConflict(schema.GroupResource{}, "production", errBroken)
		}
		return nil
	}
	g.Expect(r.putOverrideOnRecord(t.Context(), seen, promotion.Start{})).To(Succeed())
	g.Expect(s.marks(t)).To(HaveLen(1))
	g.Expect(attempts).To(Equal(2))
	g.Expect(r.putOverrideOnRecord(t.Context(), seen, promotion.Start{})).To(Succeed())
	g.Expect(attempts).To(Equal(2), "a mark that is there is not written again")

	gone := &shelf{}
	r.Live = gone
	g.Expect(r.mark(t.Context(), toProduction, func(*v1alpha1.EnvironmentStatus) {})).To(Succeed(), "an environment that is gone needs no mark")
}

// acknowledging is a reconciler with a promotion whose override is on record and on the Environment, and of which dave has taken note.
func acknowledging(t *testing.T, s *shelf) (*PromotionReconciler, *view) {
	t.Helper()
	r, seen := overriding(s)
	if err := r.putOverrideOnRecord(t.Context(), seen, promotion.Start{}); err != nil {
		t.Fatal(err)
	}
	seen.Promotion.Spec.Acknowledgement.Username = "dave"
	return r, seen
}

func TestAnAcknowledgementIsOnRecordOnceAndTakesTheMarkOff(t *testing.T) {
	g := NewWithT(t)
	s := &shelf{}
	r, seen := acknowledging(t, s)
	for range 2 {
		g.Expect(r.acknowledge(t.Context(), seen)).To(Succeed())
		g.Expect(s.kinds()).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditOverridden, v1alpha1.AuditAcknowledged}))
		g.Expect(s.marks(t)).To(BeEmpty())
	}
}

func TestAnAcknowledgementThatIsOnRecordIsNotWrittenAgain(t *testing.T) {
	g := NewWithT(t)
	s := &shelf{}
	r, seen := acknowledging(t, s)
	g.Expect(r.acknowledge(t.Context(), seen)).To(Succeed())
	s.create = func(client.Object) error { return errBroken }
	lists := 0
	r.Ledger.reader = countingLists{shelf: s, lists: &lists}
	g.Expect(r.acknowledge(t.Context(), seen)).To(Succeed())
	g.Expect(lists).To(Equal(1), "one look at what the promotion has on record says so")
}

func TestAMarkStaysUntilTheAcknowledgementIsOnRecord(t *testing.T) {
	for name, change := range map[string]func(*shelf){
		"the history cannot be read":     func(s *shelf) { s.broken = map[string]error{"list": errBroken} },
		"the environment cannot be read": func(s *shelf) { s.broken = map[string]error{"production": errBroken} },
		"it cannot be recorded":          func(s *shelf) { s.create = func(client.Object) error { return errBroken } },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := &shelf{}
			r, seen := acknowledging(t, s)
			change(s)
			g.Expect(r.acknowledge(t.Context(), seen)).To(MatchError(errBroken))
			s.broken = nil
			g.Expect(s.marks(t)).To(HaveLen(1))
			g.Expect(s.kinds()).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditOverridden}))
		})
	}
}
