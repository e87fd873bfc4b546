// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
)

var (
	approval   = person.Decision{Decision: v1alpha1.DecisionApproved, Comment: "looked at it"}
	withdrawal = person.Decision{}
	promotions = schema.GroupResource{Group: v1alpha1.GroupName, Resource: "promotions"}
)

func TestADecisionIsTheOwnEntryAndNothingElse(t *testing.T) {
	for name, test := range map[string]struct {
		before, after string
		decision      person.Decision
	}{
		"after others":                   {"bob carol", "bob carol alice", approval},
		"in the place of the own before": {"bob alice carol", "bob alice carol", approval},
		"taken back":                     {"bob alice carol", "bob carol", withdrawal},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, newPromotion(decidedBy(strings.Fields(test.before)...)))
			written, err := s.alice().Decide(t.Context(), s.read(t, "shop-1.0.0-production"), test.decision)
			must(t, err)
			if got := users(written); got != test.after {
				t.Errorf("decided by %q, and not %q", got, test.after)
			}
			for _, entry := range written.Spec.Approvals {
				want := v1alpha1.Approval{User: entry.User, Decision: v1alpha1.DecisionApproved, PlanDigest: shown}
				if entry.User == alice.Username {
					want.UID, want.Groups, want.Comment = alice.UID, alice.Groups, "looked at it"
				}
				if !reflect.DeepEqual(entry, want) {
					t.Errorf("the entry is %+v, and not %+v", entry, want)
				}
			}
		})
	}
}

func TestADecisionFindsItsPlaceWhenOthersDecideMeanwhile(t *testing.T) {
	for name, test := range map[string]struct{ before, left string }{
		"another entry has its place":   {"bob alice carol", "carol"},
		"there is no such place":        {"bob carol alice", "carol"},
		"another entry has it, at last": {"bob alice carol dave", "carol dave"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, newPromotion(decidedBy(strings.Fields(test.before)...)))
			looked := s.read(t, "shop-1.0.0-production")
			s.before = func(number int) error {
				if number > 1 {
					return nil
				}
				current := s.read(t, looked.Name)
				current.Spec.Approvals = current.Spec.Approvals[1:] // bob takes his back
				return s.Update(t.Context(), current)
			}
			written, err := s.alice().Decide(t.Context(), looked, withdrawal)
			must(t, err)
			if len(s.patches) != 2 || users(written) != test.left {
				t.Errorf("after %d writes, %q have decided", len(s.patches), users(written))
			}
		})
	}
}

// The list has changed, and so the decision is sent again; the plan has changed too, and nobody has looked at that one.
func TestADecisionThatIsSentAgainIsStillOnThePlanThatWasLookedAt(t *testing.T) {
	s := newServer(t, newPromotion(decidedBy("bob")))
	looked := s.read(t, "shop-1.0.0-production")
	s.before = func(number int) error {
		if number > 1 {
			return nil
		}
		current := s.read(t, looked.Name)
		current.Status.Plan.Digest = changed
		return s.Update(t.Context(), current)
	}
	written, err := s.alice().Decide(t.Context(), looked, approval)
	must(t, err)
	if digest := written.Spec.Approvals[1].PlanDigest; len(s.patches) != 2 || digest != shown {
		t.Errorf("after %d writes, the decision is on %q", len(s.patches), digest)
	}
}

func TestWhatIsInvalidIsNotSentAgain(t *testing.T) {
	s := newServer(t, newPromotion())
	s.before = func(int) error {
		return apierrors.NewInvalid(schema.GroupKind{Kind: "Promotion"}, "shop-1.0.0-production", nil)
	}
	if _, err := s.alice().Decide(t.Context(), s.read(t, "shop-1.0.0-production"), approval); !apierrors.IsInvalid(err) || len(s.patches) != 1 {
		t.Errorf("the error is %v, after %d writes", err, len(s.patches))
	}
}

func TestNothingIsDecidedOnAnotherPromotionOfTheSameName(t *testing.T) {
	for name, meanwhile := range map[string]func(*testing.T, *server) func(int) error{
		"before the write": func(t *testing.T, s *server) func(int) error {
			s.replace(t, newPromotion(again, decidedBy("bob")))
			return func(int) error { return nil }
		},
		"between two attempts": func(t *testing.T, s *server) func(int) error {
			return func(number int) error {
				if number > 1 {
					return nil
				}
				s.replace(t, newPromotion(again, decidedBy("bob")))
				return apierrors.NewConflict(promotions, "shop-1.0.0-production", errors.New("it was changed"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, newPromotion(decidedBy("bob")))
			looked := s.read(t, "shop-1.0.0-production")
			s.before = meanwhile(t, s)
			if _, err := s.alice().Decide(t.Context(), looked, approval); !is[*person.Replaced](err) {
				t.Errorf("the error is %v", err)
			}
			if left := s.read(t, looked.Name); users(left) != "bob" {
				t.Errorf("decided: %+v", left.Spec.Approvals)
			}
		})
	}
}

func TestARefusalBecauseThePlanHasChangedIsToldFromOthers(t *testing.T) {
	refusal := apierrors.NewForbidden(promotions, "shop-1.0.0-production", errors.New("(G7)"))
	for name, test := range map[string]struct {
		digest   v1alpha1.Digest
		decision person.Decision
		moved    bool
	}{
		"another plan":                          {changed, approval, true},
		"the same plan":                         {shown, approval, false},
		"another plan, which is not decided on": {changed, withdrawal, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, newPromotion(decidedBy("alice")))
			looked := s.read(t, "shop-1.0.0-production")
			s.before = func(int) error {
				current := s.read(t, looked.Name)
				current.Status.Plan.Digest = test.digest
				return errors.Join(s.Update(t.Context(), current), refusal)
			}
			_, err := s.alice().Decide(t.Context(), looked, test.decision)
			var plan *person.PlanChanged
			switch moved := errors.As(err, &plan); {
			case moved != test.moved:
				t.Errorf("the error is %v", err)
			case moved && !apierrors.IsForbidden(plan.Refusal):
				t.Errorf("what the API server says is lost: %v", plan.Refusal)
			case !moved && !apierrors.IsForbidden(err):
				t.Errorf("the refusal is lost: %v", err)
			}
		})
	}
}

func TestWhatCannotHaveBeenMeantIsNotSent(t *testing.T) {
	for name, test := range map[string]struct {
		promotion *v1alpha1.Promotion
		decision  person.Decision
		refused   func(error) bool
	}{
		"a decision on what has ended":     {newPromotion(endedAs(v1alpha1.ReasonRejected)), approval, is[*person.Ended]},
		"a decision on what rolls out":     {newPromotion(started), approval, is[*person.Started]},
		"a withdrawal from what rolls out": {newPromotion(started, decidedBy("alice")), withdrawal, is[*person.Started]},
		"a decision without a plan":        {newPromotion(unplanned), approval, is[*person.Unplanned]},
		"a withdrawal of nothing": {newPromotion(decidedBy("bob")), withdrawal, func(err error) bool {
			var none *person.Undecided
			return errors.As(err, &none) && !none.Meanwhile
		}},
		"a withdrawal needs no plan to look at":  {newPromotion(unplanned, decidedBy("alice")), withdrawal, func(err error) bool { return err == nil }},
		"a decision on what is waited for as is": {newPromotion(decidedBy("bob")), approval, func(err error) bool { return err == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, test.promotion)
			_, err := s.alice().Decide(t.Context(), s.read(t, test.promotion.Name), test.decision)
			if !test.refused(err) || (err != nil) != (len(s.patches) == 0) {
				t.Errorf("the error is %v, and %d patches were sent", err, len(s.patches))
			}
		})
	}
}

func TestWhatWasLookedAtMustStillBeThere(t *testing.T) {
	looked := person.Seen{Project: "shop", Name: "shop-1.0.0-production", UID: "first", Digest: shown}
	whatever := looked
	whatever.Digest = ""
	for name, test := range map[string]struct {
		promotion *v1alpha1.Promotion
		seen      person.Seen
		refused   func(error) bool
	}{
		"it is":                              {newPromotion(), looked, func(err error) bool { return err == nil }},
		"another one of its name":            {newPromotion(again), looked, is[*person.Replaced]},
		"another plan":                       {newPromotion(func(p *v1alpha1.Promotion) { p.Status.Plan.Digest = changed }), looked, is[*person.PlanChanged]},
		"no plan any more":                   {newPromotion(unplanned), looked, is[*person.PlanChanged]},
		"another plan, where none matters":   {newPromotion(unplanned), whatever, func(err error) bool { return err == nil }},
		"a UID that is empty is not the one": {newPromotion(), person.Seen{Project: "shop", Name: "shop-1.0.0-production", Digest: shown}, is[*person.Replaced]},
		"nothing of that name":               {newPromotion(), person.Seen{Project: "other", Name: "shop-1.0.0-production", UID: "first"}, apierrors.IsNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := newServer(t, test.promotion).alice().Look(t.Context(), test.seen)
			if !test.refused(err) || (err == nil) != (found != nil) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// Which object of that name there is now, only the API server knows at the moment of the write.
func TestEveryWriteNamesTheObjectThatWasLookedAt(t *testing.T) {
	environment := &v1alpha1.Environment{}
	environment.Namespace, environment.Name, environment.UID = "shop", "production", "first"
	environment.Spec.Hold.Reason = "incident"
	release := &v1alpha1.Release{}
	release.Namespace, release.Name, release.UID = "shop", "shop-1.0.0", "first"
	release.Spec.Blocked.Reason = "loses orders"
	for name, write := range map[string]func(a person.Actor, s *server) error{
		"decide": func(a person.Actor, s *server) error {
			_, err := a.Decide(t.Context(), s.read(t, "shop-1.0.0-production"), approval)
			return err
		},
		"override": func(a person.Actor, s *server) error {
			_, err := a.Override(t.Context(), s.read(t, "shop-1.0.0-production"), person.Overridable(), "incident")
			return err
		},
		"cancel": func(a person.Actor, s *server) error {
			return a.Cancel(t.Context(), s.read(t, "shop-1.0.0-production"), "not now")
		},
		"acknowledge": func(a person.Actor, s *server) error {
			return a.Acknowledge(t.Context(), s.read(t, "shop-1.0.0-production"), "")
		},
		"hold":    func(a person.Actor, _ *server) error { return a.Hold(t.Context(), environment.DeepCopy(), "incident") },
		"resume":  func(a person.Actor, _ *server) error { return a.Resume(t.Context(), environment.DeepCopy()) },
		"block":   func(a person.Actor, _ *server) error { return a.Block(t.Context(), release.DeepCopy(), "loses orders") },
		"unblock": func(a person.Actor, _ *server) error { return a.Unblock(t.Context(), release.DeepCopy()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, newPromotion(decidedBy("bob")), environment.DeepCopy(), release.DeepCopy())
			must(t, write(s.alice(), s))
			if len(s.patches) != 1 || !(strings.Contains(s.patches[0], `{"op":"test","path":"/metadata/uid","value":"first"}`) ||
				strings.Contains(s.patches[0], `"uid":"first"`)) {
				t.Errorf("the UID is in none of %q", s.patches)
			}
		})
	}
}

func TestAnOverrideOfAnotherPromotionOfTheSameNameIsToldFromOthersThatAreInvalid(t *testing.T) {
	for name, write := range map[string]func(person.Actor, *v1alpha1.Promotion) error{
		"override": func(a person.Actor, p *v1alpha1.Promotion) error {
			_, err := a.Override(t.Context(), p, nil, "")
			return err
		},
		"acknowledge": func(a person.Actor, p *v1alpha1.Promotion) error { return a.Acknowledge(t.Context(), p, "") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, newPromotion())
			looked := s.read(t, "shop-1.0.0-production")
			s.before = func(int) error { return apierrors.NewInvalid(schema.GroupKind{Kind: "Promotion"}, looked.Name, nil) }
			if err := write(s.alice(), looked); !apierrors.IsInvalid(err) {
				t.Errorf("the error is %v", err)
			}
			s.replace(t, newPromotion(again))
			if err := write(s.alice(), looked); !is[*person.Replaced](err) {
				t.Errorf("of another one, the error is %v", err)
			}
		})
	}
}

func TestAnOverrideIsForThePlanThatWasLookedAt(t *testing.T) {
	s := newServer(t, newPromotion())
	looked := s.read(t, "shop-1.0.0-production")
	written, err := s.alice().Override(t.Context(), looked, []v1alpha1.OverridableGate{"Window"}, "incident 4711")
	must(t, err)
	want := v1alpha1.PromotionOverride{Gates: []v1alpha1.OverridableGate{"Window"}, Reason: "incident 4711", PlanDigest: shown, UsedBy: alice}
	if !reflect.DeepEqual(written.Spec.Override, want) {
		t.Errorf("the override is %+v", written.Spec.Override)
	}
	s.before = func(int) error {
		current := s.read(t, looked.Name)
		current.Status.Plan.Digest = changed
		return errors.Join(s.Update(t.Context(), current), apierrors.NewForbidden(promotions, looked.Name, errors.New("(G9)")))
	}
	if _, err := s.alice().Override(t.Context(), looked, nil, "incident 4711"); !is[*person.PlanChanged](err) {
		t.Errorf("the error is %v", err)
	}
	over := newPromotion(endedAs(v1alpha1.ReasonCancelled))
	if _, err := s.alice().Override(t.Context(), over, nil, "incident 4711"); !is[*person.Ended](err) {
		t.Errorf("of what has ended, the error is %v", err)
	}
}

func TestWhatHasEndedIsNotCancelled(t *testing.T) {
	s := newServer(t, newPromotion(endedAs(v1alpha1.ReasonCancelled)))
	err := s.alice().Cancel(t.Context(), s.read(t, "shop-1.0.0-production"), "not now")
	var over *person.Ended
	if !errors.As(err, &over) || over.State != v1alpha1.ReasonCancelled || len(s.patches) != 0 {
		t.Errorf("the error is %v, and %q were sent", err, s.patches)
	}
}

func TestWhatIsFreeIsNotFreedAgain(t *testing.T) {
	s := newServer(t)
	environment, release := &v1alpha1.Environment{}, &v1alpha1.Release{}
	environment.Name, release.Name = "production", "shop-1.0.0"
	for err, want := range map[error]string{
		s.alice().Resume(t.Context(), environment): `environment "production" is not on hold`,
		s.alice().Unblock(t.Context(), release):    `release "shop-1.0.0" is not blocked`,
	} {
		if !is[*person.Free](err) || err.Error() != want || len(s.patches) != 0 {
			t.Errorf("the error is %v, and %q were sent", err, s.patches)
		}
	}
}

func TestResumingLiftsTheHoldOfTheSpecAndThatOfTheAnnotation(t *testing.T) {
	environment := &v1alpha1.Environment{}
	environment.Namespace, environment.Name, environment.UID = "shop", "production", "first"
	environment.Spec.Hold.Reason = "incident"
	environment.Annotations = map[string]string{v1alpha1.AnnotationHold: "by hand", "other": "stays"}
	s := newServer(t, environment)
	must(t, s.alice().Resume(t.Context(), environment.DeepCopy()))
	left := &v1alpha1.Environment{}
	must(t, s.Get(t.Context(), client.ObjectKeyFromObject(environment), left))
	if left.Spec.Hold.Reason != "" || !reflect.DeepEqual(left.Annotations, map[string]string{"other": "stays"}) {
		t.Errorf("left: %+v %+v", left.Spec.Hold, left.Annotations)
	}
}
