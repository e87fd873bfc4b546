// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
)

var toProduction = types.NamespacedName{Namespace: "shop", Name: "production"}

// history of records, the first of which is number 1: each the type, and the UID of its promotion.
func history(t *testing.T, records ...[2]string) *shelf {
	t.Helper()
	s := &shelf{}
	writer := NewLedger(s, s, io.Discard)
	for _, record := range records {
		if _, err := writer.Append(t.Context(), "shop", v1alpha1.AuditHead{}, entered(v1alpha1.AuditType(record[0]), record[1])); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func entered(kind v1alpha1.AuditType, uid string) v1alpha1.AuditRecordSpec {
	return v1alpha1.AuditRecordSpec{Environment: "production", Type: kind, Time: metav1.NewTime(noon), Promotion: v1alpha1.ObjectIdentity{Name: "to-" + uid, UID: uid}}
}

func headAt(s *shelf, number int64) v1alpha1.AuditHead {
	for _, object := range s.objects {
		if record, is := object.(*v1alpha1.AuditRecord); is && record.Spec.Sequence == number {
			return audit.HeadOf(record)
		}
	}
	return v1alpha1.AuditHead{}
}

func TestTheStateOfAHistoryIsReadFromWhereItIsKnownToStand(t *testing.T) {
	s := history(t, [2]string{"Intent", "one"}, [2]string{"Succeeded", "one"}, [2]string{"Intent", "two"})
	for name, c := range map[string]struct {
		hint v1alpha1.AuditHead
		open string
	}{
		"from the beginning":          {open: "two"},
		"from what the status says":   {hint: headAt(s, 2), open: "two"},
		"from the last record of all": {hint: headAt(s, 3)}, // no rollout is open where a status stands
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			l := NewLedger(s, s, io.Discard)
			state, err := l.State(t.Context(), toProduction, c.hint)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(state.Head).To(Equal(headAt(s, 3)))
			g.Expect(state.Open != nil).To(Equal(c.open != ""))
			if c.open != "" {
				g.Expect(state.Open.Spec.Promotion.UID).To(Equal(c.open))
			}
			known, found := l.Known(toProduction)
			g.Expect(found).To(BeTrue())
			g.Expect(known).To(Equal(state))
		})
	}
}

func TestWhatIsKnownOfAHistoryIsNotReadAgainUnlessTheStatusIsFurther(t *testing.T) {
	g := NewWithT(t)
	s := history(t, [2]string{"Intent", "one"}, [2]string{"Succeeded", "one"})
	l := NewLedger(s, s, io.Discard)
	_, err := l.State(t.Context(), toProduction, v1alpha1.AuditHead{})
	g.Expect(err).NotTo(HaveOccurred())
	s.broken = map[string]error{"list": errBroken, audit.Name("production", 1): errBroken, audit.Name("production", 2): errBroken}
	known, err := l.State(t.Context(), toProduction, headAt(s, 2))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(known.Ended.Outcome).NotTo(BeNil(), "what was seen to end is remembered")
	_, err = l.State(t.Context(), toProduction, v1alpha1.AuditHead{})
	g.Expect(err).NotTo(HaveOccurred())
	further, err := l.State(t.Context(), toProduction, v1alpha1.AuditHead{Sequence: 7, Head: "sha256:7"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(further.Head.Sequence).To(BeEquivalentTo(7))
}

func TestAHistoryThatCannotBeReadIsNotTakenForOneThatEnds(t *testing.T) {
	for name, broken := range map[string]string{"its list": "list", "its next record": audit.Name("production", 2)} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := history(t, [2]string{"Intent", "one"})
			s.broken = map[string]error{broken: errBroken}
			l := NewLedger(s, s, io.Discard)
			_, err := l.State(t.Context(), toProduction, v1alpha1.AuditHead{})
			g.Expect(err).To(MatchError(errBroken))
			_, found := l.Known(toProduction)
			g.Expect(found).To(BeFalse())
			_, err = l.Append(t.Context(), "shop", v1alpha1.AuditHead{}, entered(v1alpha1.AuditIntent, "two"))
			g.Expect(err).To(MatchError(errBroken))
			g.Expect(s.objects).To(HaveLen(1), "nothing is written on a history that was not read")
		})
	}
}

func TestAnIntentIsTakenWhileNoOtherIsOpen(t *testing.T) {
	for name, c := range map[string]struct {
		before [][2]string
		kind   v1alpha1.AuditType
		want   error
		number int64
	}{
		"in an empty history":              {kind: v1alpha1.AuditIntent, number: 1},
		"after one that has ended":         {before: [][2]string{{"Intent", "one"}, {"Failed", "one"}}, kind: v1alpha1.AuditIntent, number: 3},
		"while another is open":            {before: [][2]string{{"Intent", "one"}}, kind: v1alpha1.AuditIntent, want: errBusy},
		"while it is open itself":          {before: [][2]string{{"Intent", "two"}}, kind: v1alpha1.AuditIntent, number: 1},
		"after its own end":                {before: [][2]string{{"Intent", "two"}, {"Failed", "two"}}, kind: v1alpha1.AuditIntent, want: errOver},
		"after its own rejection":          {before: [][2]string{{"Rejected", "two"}}, kind: v1alpha1.AuditIntent, want: errOver},
		"of an end that is on record":      {before: [][2]string{{"Intent", "two"}, {"Failed", "two"}}, kind: v1alpha1.AuditFailed, number: 2},
		"of another end than on record":    {before: [][2]string{{"Intent", "two"}, {"Failed", "two"}}, kind: v1alpha1.AuditSucceeded, number: 2},
		"of its end, while it is open":     {before: [][2]string{{"Intent", "two"}}, kind: v1alpha1.AuditFailed, number: 2},
		"of a second override":             {before: [][2]string{{"Overridden", "two"}}, kind: v1alpha1.AuditOverridden, number: 1},
		"of an end after an override":      {before: [][2]string{{"Overridden", "two"}}, kind: v1alpha1.AuditRejected, number: 2},
		"after the use of its override":    {before: [][2]string{{"Overridden", "two"}}, kind: v1alpha1.AuditIntent, number: 2},
		"of taking note of an override":    {before: [][2]string{{"Overridden", "two"}, {"Intent", "two"}, {"Failed", "two"}}, kind: v1alpha1.AuditAcknowledged, number: 4},
		"of a second correction":           {before: [][2]string{{"Corrected", "two"}}, kind: v1alpha1.AuditCorrected, number: 2},
		"of no rollout, while one is open": {before: [][2]string{{"Intent", "one"}}, kind: v1alpha1.AuditRejected, number: 2},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := history(t, c.before...)
			lines := &strings.Builder{}
			l := NewLedger(s, s, lines)
			record, err := l.Append(t.Context(), "shop", v1alpha1.AuditHead{}, entered(c.kind, "two"))
			if c.want != nil {
				g.Expect(err).To(MatchError(c.want))
				g.Expect(s.objects).To(HaveLen(len(c.before)))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(record.Spec.Sequence).To(Equal(c.number))
			g.Expect(s.objects).To(HaveLen(max(len(c.before), int(c.number))), "what is there is not written again")
			if int(c.number) > len(c.before) {
				g.Expect(lines.String()).To(ContainSubstring(string(record.Spec.Hash)), "what is written is printed")
				known, _ := l.Known(toProduction)
				g.Expect(known.Head).To(Equal(audit.HeadOf(record)), "and remembered")
			}
		})
	}
}

func TestWhatMayFollowWhatIsRememberedIsWrittenWithoutAnotherLook(t *testing.T) {
	for name, c := range map[string]struct {
		before [][2]string
		proved int64
		hint   int64
		kind   v1alpha1.AuditType
		looks  bool
	}{
		"an intent that was proved":             {before: [][2]string{{"Rejected", "one"}}, proved: 1, kind: v1alpha1.AuditIntent},
		"an intent that was proved before that": {before: [][2]string{{"Rejected", "one"}}, proved: 0, kind: v1alpha1.AuditIntent, looks: true},
		"an intent while another is open":       {before: [][2]string{{"Intent", "one"}}, proved: 1, kind: v1alpha1.AuditIntent, looks: true},
		"an intent behind what the status says": {before: [][2]string{{"Rejected", "one"}}, proved: 1, hint: 2, kind: v1alpha1.AuditIntent, looks: true},
		"the outcome of what is open":           {before: [][2]string{{"Intent", "two"}}, proved: unproved, kind: v1alpha1.AuditSucceeded},
		"the outcome of something else":         {before: [][2]string{{"Intent", "one"}}, proved: unproved, kind: v1alpha1.AuditSucceeded, looks: true},
		"an outcome while nothing is open":      {before: [][2]string{{"Rejected", "one"}}, proved: 1, kind: v1alpha1.AuditFailed, looks: true},
		"an override":                           {before: [][2]string{{"Intent", "two"}}, proved: 1, kind: v1alpha1.AuditOverridden, looks: true},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := history(t, c.before...)
			l := NewLedger(s, s, io.Discard)
			_, err := l.State(t.Context(), toProduction, v1alpha1.AuditHead{})
			g.Expect(err).NotTo(HaveOccurred())
			s.broken = map[string]error{"list": errBroken, audit.Name("production", 2): errBroken, audit.Name("production", 3): errBroken}
			s.create = func(client.Object) error { s.broken = nil; return nil }
			_, err = l.appendAfter(t.Context(), "shop", v1alpha1.AuditHead{Sequence: c.hint}, c.proved, entered(c.kind, "two"))
			if c.looks {
				g.Expect(err).To(MatchError(errBroken))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(headAt(s, 2)).NotTo(BeZero())
		})
	}
}

func TestWhatIsRememberedOfAHistoryIsLookedAtAgainOnceAnotherHasWritten(t *testing.T) {
	g := NewWithT(t)
	s := history(t, [2]string{"Intent", "two"})
	l := NewLedger(s, s, io.Discard)
	_, err := l.State(t.Context(), toProduction, v1alpha1.AuditHead{})
	g.Expect(err).NotTo(HaveOccurred())
	ended, err := NewLedger(s, s, io.Discard).Append(t.Context(), "shop", v1alpha1.AuditHead{}, entered(v1alpha1.AuditFailed, "two"))
	g.Expect(err).NotTo(HaveOccurred())
	record, err := l.Append(t.Context(), "shop", v1alpha1.AuditHead{}, entered(v1alpha1.AuditSucceeded, "two"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(record.Spec).To(Equal(ended.Spec), "there is one end on record, and it is the first")
	g.Expect(s.objects).To(HaveLen(2))
}

func TestARecordThatAnotherWriterWasQuickerWithIsFollowed(t *testing.T) {
	g := NewWithT(t)
	s := history(t)
	other := NewLedger(&shelf{}, &shelf{}, io.Discard)
	quicker := 0
	s.create = func(client.Object) error {
		if quicker++; quicker == 1 {
			record, err := other.Append(context.Background(), "shop", v1alpha1.AuditHead{}, entered(v1alpha1.AuditRejected, "one"))
			g.Expect(err).NotTo(HaveOccurred())
			s.objects = append(s.objects, record)
		}
		return nil
	}
	record, err := NewLedger(s, s, io.Discard).Append(t.Context(), "shop", v1alpha1.AuditHead{}, entered(v1alpha1.AuditIntent, "two"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(record.Spec.Sequence).To(BeEquivalentTo(2))
	g.Expect(record.Spec.Previous).To(Equal(headAt(s, 1).Head))
}

func TestARecordThatCannotBeWrittenIsNotRemembered(t *testing.T) {
	g := NewWithT(t)
	s := history(t)
	s.create = func(client.Object) error { return errBroken }
	l := NewLedger(s, s, io.Discard)
	record, err := l.Append(t.Context(), "shop", v1alpha1.AuditHead{}, entered(v1alpha1.AuditIntent, "two"))
	g.Expect(err).To(MatchError(errBroken))
	g.Expect(record).To(BeNil())
	known, _ := l.Known(toProduction)
	g.Expect(known.Head.Sequence).To(BeZero())
}

func TestARecordWhoseAnswerWasLostIsLookedFor(t *testing.T) {
	g := NewWithT(t)
	s := history(t, [][2]string{{"Intent", "one"}, {"Failed", "one"}}...)
	l := NewLedger(s, s, io.Discard)
	_, err := l.State(t.Context(), toProduction, v1alpha1.AuditHead{})
	g.Expect(err).NotTo(HaveOccurred())
	s.create = func(object client.Object) error {
		s.create = nil
		return errors.Join(s.Create(t.Context(), object), errBroken)
	}
	_, err = l.Append(t.Context(), "shop", v1alpha1.AuditHead{}, entered(v1alpha1.AuditIntent, "two"))
	g.Expect(err).To(MatchError(errBroken))
	_, known := l.Known(toProduction)
	g.Expect(known).To(BeFalse(), "it may be there")

	state, err := l.State(t.Context(), toProduction, v1alpha1.AuditHead{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(state.Open.Spec.Sequence).To(BeEquivalentTo(3))
	_, known = l.Known(toProduction)
	g.Expect(known).To(BeTrue(), "it is there")
}

func TestARecordThatMayComeLaterIsLookedForEachTime(t *testing.T) {
	g := NewWithT(t)
	s := history(t)
	s.create = func(client.Object) error { return errBroken }
	l := NewLedger(s, s, io.Discard)
	_, err := l.Append(t.Context(), "shop", v1alpha1.AuditHead{}, entered(v1alpha1.AuditIntent, "two"))
	g.Expect(err).To(MatchError(errBroken))
	_, err = l.State(t.Context(), toProduction, v1alpha1.AuditHead{})
	g.Expect(err).NotTo(HaveOccurred())
	_, known := l.Known(toProduction)
	g.Expect(known).To(BeFalse(), "it was not there a moment ago, and may be on its way")

	s.create = nil
	record, err := l.Append(t.Context(), "shop", v1alpha1.AuditHead{}, entered(v1alpha1.AuditRejected, "three"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(record.Spec.Sequence).To(BeEquivalentTo(1))
	_, known = l.Known(toProduction)
	g.Expect(known).To(BeTrue(), "its number is taken")
}

func TestWhatIsRememberedOfAHistoryNeverGoesBack(t *testing.T) {
	g := NewWithT(t)
	l := NewLedger(nil, nil, io.Discard)
	at := func(number int64) audit.State { return audit.State{Head: v1alpha1.AuditHead{Sequence: number}} }
	for _, step := range []struct{ remembers, knows int64 }{{3, 3}, {2, 3}, {4, 4}} {
		l.remember(toProduction, at(step.remembers))
		known, _ := l.Known(toProduction)
		g.Expect(known.Head.Sequence).To(Equal(step.knows))
	}
	same := at(4)
	same.Open = record(v1alpha1.AuditIntent, 4)
	l.remember(toProduction, same)
	known, _ := l.Known(toProduction)
	g.Expect(known.Open).NotTo(BeNil())
}

func TestARolloutIsForgottenOnceTheEnvironmentKnowsOfItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		settled int64
		ended   *v1alpha1.AuditRecord
		kept    bool
	}{
		"that very end":  {settled: 4, ended: record(v1alpha1.AuditFailed, 4)},
		"a later one":    {settled: 5, ended: record(v1alpha1.AuditFailed, 4)},
		"an earlier one": {settled: 3, ended: record(v1alpha1.AuditFailed, 4), kept: true},
		"none":           {settled: 3, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			l := NewLedger(nil, nil, io.Discard)
			intent := record(v1alpha1.AuditIntent, 1)
			before := audit.State{Head: v1alpha1.AuditHead{Sequence: 5}, Ended: audit.Rollout{Intent: intent, Outcome: c.ended}}
			l.remember(toProduction, before)
			l.Settled(toProduction, record(v1alpha1.AuditFailed, c.settled))
			known, found := l.Known(toProduction)
			g.Expect(found).To(BeTrue())
			g.Expect(known.Ended.Intent != nil).To(Equal(c.kept))
			other := types.NamespacedName{Namespace: "shop", Name: "staging"}
			l.Settled(other, record(v1alpha1.AuditFailed, 9))
			_, found = l.Known(other)
			g.Expect(found).To(BeFalse())
		})
	}
}

func TestWhatThePromotionHasOnRecordIsLookedForUnlessItWasProvedNotToBeThere(t *testing.T) {
	g := NewWithT(t)
	s := history(t, [2]string{"Rejected", "one"})
	s.broken = map[string]error{"list": errBroken}
	l := NewLedger(s, s, io.Discard)
	_, err := l.appendAfter(t.Context(), "shop", headAt(s, 1), unproved, entered(v1alpha1.AuditIntent, "two"))
	g.Expect(err).To(MatchError(errBroken))
	_, err = l.appendAfter(t.Context(), "shop", headAt(s, 1), 0, entered(v1alpha1.AuditIntent, "two"))
	g.Expect(err).To(MatchError(errBroken), "it was proved of an earlier state")
	g.Expect(s.objects).To(HaveLen(1))
	record, err := l.appendAfter(t.Context(), "shop", headAt(s, 1), 1, entered(v1alpha1.AuditIntent, "two"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(record.Spec.Sequence).To(BeEquivalentTo(2))
}
