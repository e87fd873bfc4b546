// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// rolloutIn an Environment that comes before: an intent and, later, its outcome, in the history alone.
func (w *world) rolloutIn(environment string, release *v1alpha1.Release, begins, ends time.Duration, outcome v1alpha1.AuditType) {
	for i, kind := range []v1alpha1.AuditType{v1alpha1.AuditIntent, outcome} {
		w.elsewhere = append(w.elsewhere, v1alpha1.AuditRecord{Spec: v1alpha1.AuditRecordSpec{
			Environment: environment, Type: kind, Sequence: int64(len(w.elsewhere) + 1), Time: metav1.NewTime(monday.Add([]time.Duration{begins, ends}[i])),
			Promotion: v1alpha1.ObjectIdentity{Name: release.Name, UID: release.Name + fmt.Sprint(begins)},
			Release:   v1alpha1.AuditedRelease{ObjectIdentity: identity(release), Version: release.Spec.Version},
		}})
	}
}

func TestTheEnvironmentsBeforeAreTakenAsTheyWereThen(t *testing.T) {
	this, other := newRelease("1.4.0"), newRelease("1.4.1")
	for _, test := range []struct {
		name string
		// history of staging; the promotion has started at 12:02.
		history func(w *world)
		want    []v1alpha1.Gate
	}{
		{"nothing was rolled out there", func(*world) {}, []v1alpha1.Gate{"Upstream"}},
		{"it had run there for three hours", func(w *world) { w.rolloutIn("staging", this, -time.Minute, 0, "Succeeded") }, nil},
		{"it came there later", func(w *world) { w.rolloutIn("staging", this, 3*time.Hour, 4*time.Hour, "Succeeded") }, []v1alpha1.Gate{"Upstream"}},
		{"it came there half an hour before", func(w *world) { w.rolloutIn("staging", this, 0, 150*time.Minute, "Succeeded") }, []v1alpha1.Gate{"Soak"}},
		{"another release came there after an hour", func(w *world) {
			w.rolloutIn("staging", this, -time.Minute, 0, "Succeeded")
			w.rolloutIn("staging", other, time.Hour, 70*time.Minute, "Succeeded")
		}, nil},
		{"another release began to replace it before the hour was over, and was there after", func(w *world) {
			w.rolloutIn("staging", this, -time.Minute, 0, "Succeeded")
			w.rolloutIn("staging", other, 59*time.Minute, 70*time.Minute, "Succeeded")
		}, []v1alpha1.Gate{"Soak"}},
		{"another release failed there after it", func(w *world) {
			w.rolloutIn("staging", this, -time.Minute, 0, "Succeeded")
			w.rolloutIn("staging", other, 2*time.Hour, 130*time.Minute, "Failed")
		}, []v1alpha1.Gate{"Upstream"}},
		{"another release was rolled out there and had not ended yet", func(w *world) {
			w.rolloutIn("staging", this, -time.Minute, 0, "Succeeded")
			w.rolloutIn("staging", other, time.Minute, 4*time.Hour, "Failed")
		}, nil},
		{"it failed there", func(w *world) { w.rolloutIn("staging", this, -time.Minute, 0, "Failed") }, []v1alpha1.Gate{"Upstream"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.comesAfter(3600, "staging")
			w.environment.Spec.After, w.environment.Spec.SoakSeconds = nil, 0
			w.now = monday.Add(3 * time.Hour)
			w.requested()
			w.approves("alice")
			test.history(w)
			slices.Reverse(w.elsewhere) // whoever lists them may have any order
			runsIn(w.upstream["staging"], this, monday.Add(-time.Hour))
			found := w.simulate(func(r *v1alpha1.EnvironmentSpec) { r.After, r.SoakSeconds = []string{"staging"}, 3600 })
			var gates []v1alpha1.Gate
			for _, blocker := range found.Blockers {
				gates = append(gates, blocker.Gate)
			}
			if !slices.Equal(gates, test.want) || found.Starts != (test.want == nil) {
				t.Errorf("it decides %+v, want the gates %v", found, test.want)
			}
		})
	}
}

func TestWhatStillWaitsIsSimulatedWithWhatIsKnownNow(t *testing.T) {
	w := newWorld(t)
	w.nobodyApproves()
	w.comesAfter(3600, "staging")
	w.succeedsIn("staging", "1.4.0")
	w.requested()
	w.unhealthyIn("staging", "1 of 2 pods are ready")
	w.passes("a day passes", 24*time.Hour)
	if problem := unlike(w, w.simulate(nil)); problem != "" {
		t.Error(problem)
	}
	found := w.simulate(func(r *v1alpha1.EnvironmentSpec) { r.SoakSeconds = 60 })
	if found.Starts || len(found.Blockers) != 1 || found.Blockers[0].Gate != v1alpha1.GateUpstream {
		t.Errorf("it has soaked for a minute and is unhealthy now: %+v", found)
	}
}

func TestAHoldIsSimulatedWhereTheRulesHaveOne(t *testing.T) {
	w := newWorld(t)
	w.nobodyApproves()
	w.environment.Annotations = map[string]string{v1alpha1.AnnotationHold: "incident 4711"}
	w.requested()
	if found := w.simulate(nil); !found.Starts || !found.Differs {
		t.Errorf("nothing but an annotation holds it, and it decides %+v", found)
	}
}

func TestANewerPromotionIsFoundAmongThoseThatAreGiven(t *testing.T) {
	for _, test := range []struct {
		name string
		age  time.Duration
		want string
	}{
		{"newer", time.Hour, v1alpha1.ReasonSuperseded},
		{"older", -time.Hour, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.requested()
			other := w.promotion.DeepCopy()
			other.Name, other.UID = "other-production", "other-production-uid"
			other.CreationTimestamp = metav1.NewTime(w.now.Add(test.age))
			w.appendOther("other-production", v1alpha1.AuditIntent)
			past := []Past{{w.promotion, w.release}, {other, w.release}}
			found := Simulate(w.environment.Spec, w.environment, nil, w.records, past, w.now)
			if len(found) != 2 || found[0].Ends != test.want || found[1].Promotion != other.Name {
				t.Errorf("it decides %+v, want it to end as %q", found, test.want)
			}
		})
	}
}

func TestWhatWasInvalidIsSimulatedWithRulesThatLetItIn(t *testing.T) {
	w := newWorld(t)
	w.release.Spec.Application = "billing"
	w.requested()
	if found := w.simulate(nil); found.Ends != v1alpha1.ReasonInvalid || found.Differs {
		t.Errorf("with the same rules it decides %+v", found)
	}
	found := w.simulate(func(r *v1alpha1.EnvironmentSpec) { r.Application = "billing" })
	if len(found.Blockers) != 1 || found.Blockers[0].Gate != v1alpha1.GateApproval || !found.Differs {
		t.Errorf("with rules that let it in it decides %+v", found)
	}
}

func TestOverridesThatNobodyHadAcknowledgedCountThen(t *testing.T) {
	for _, test := range []struct {
		acknowledged int
		starts       bool
	}{{0, false}, {1, true}} {
		w := newWorld(t)
		w.environment.Spec.Hold.Reason = "incident 4711"
		for i := range 16 {
			w.appendOther(fmt.Sprintf("p%d", i), v1alpha1.AuditOverridden)
		}
		for i := range test.acknowledged {
			w.appendOther(fmt.Sprintf("p%d", i), v1alpha1.AuditAcknowledged)
		}
		w.requested()
		w.overrides("oscar", "customers cannot pay", "Hold", "Approval")
		if found := w.simulate(nil); found.Starts != test.starts {
			t.Errorf("with %d of 16 acknowledged it decides %+v", test.acknowledged, found)
		}
	}
}

func TestAPlanThatDoesNotSayOfEveryRuleWhetherItAppliesIsMadeAnew(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "security", When: "plan.changes.size() > 0"}}
	w.requested()
	if next := Decide(w.observe(false)); len(w.promotion.Status.Plan.Rules) != 1 {
		t.Fatalf("the plan says %+v, decided %T", w.promotion.Status.Plan.Rules, next)
	}
	w.promotion.Status.Plan.Rules = nil // as an operator left it that knew nothing of rules with a condition
	if next, is := Decide(w.observe(false)).(MakePlan); !is {
		t.Errorf("decided %T", next)
	}
}
