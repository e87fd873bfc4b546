// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/soak"
)

// blockerOf a gate in the status; the test ends if there is none.
func (w *world) blockerOf(gate v1alpha1.Gate) v1alpha1.Blocker {
	i := slices.IndexFunc(w.promotion.Status.Blockers, func(b v1alpha1.Blocker) bool { return b.Gate == gate })
	if i < 0 {
		w.t.Fatalf("gate %s is not closed:\n%s", gate, w.log.String())
	}
	return w.promotion.Status.Blockers[i]
}

func TestASoakEndsByItselfWhenTheLastOneDoes(t *testing.T) {
	for _, test := range []struct {
		name  string
		story func(w *world)
		want  time.Time
	}{
		{"both run, and the first to have begun is named first", func(w *world) {
			w.succeededIn(w.upstream["integration"], w.release)
			w.now = w.now.Add(time.Minute)
			w.succeededIn(w.upstream["staging"], w.release)
		}, monday.Add(61 * time.Minute)},
		{"both run, and the last to have begun is named first", func(w *world) {
			w.succeededIn(w.upstream["staging"], w.release)
			w.now = w.now.Add(time.Minute)
			w.succeededIn(w.upstream["integration"], w.release)
		}, monday.Add(61 * time.Minute)},
		{"one stands still", func(w *world) {
			w.succeededIn(w.upstream["integration"], w.release)
			w.succeededIn(w.upstream["staging"], w.release)
			w.now = w.now.Add(time.Minute)
			soak.Stopped(&w.upstream["integration"].Status, w.now)
		}, time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.comesAfter(3600, "integration", "staging")
			test.story(w)
			w.requested()
			if got := w.blockerOf(v1alpha1.GateSoak).UntilTime; !got.Time.Equal(test.want) {
				t.Errorf("it ends by itself at %s, want %s", got, test.want)
			}
		})
	}
}

func TestUpstreamAndSoakAreToldBeforeThereIsAPromotion(t *testing.T) {
	w := newWorld(t)
	w.comesAfter(3600, "integration", "staging")
	w.succeededIn(w.upstream["integration"], w.release)
	w.requested()
	want := []v1alpha1.Blocker{w.blockerOf(v1alpha1.GateUpstream), w.blockerOf(v1alpha1.GateSoak)}
	found := UpstreamBlockers(w.release, w.environment, w.project(), w.now)
	if len(found) != 2 || found[0].Message != want[0].Message || found[1].Message != want[1].Message {
		t.Errorf("told %+v, and the promotion waits for %+v", found, want)
	}
	if found := UpstreamBlockers(w.release, w.upstream["integration"], w.project(), w.now); len(found) != 0 {
		t.Errorf("told %+v of what comes after nothing", found)
	}
}

func TestABlockerNamesWhoCanClearIt(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{
		{Name: "owners", Required: ptr.To[int32](1), Groups: []string{"shop-owners"}, Users: []string{"erin"}},
		{Name: "security", Required: ptr.To[int32](1), Groups: []string{"security", "shop-owners"}},
	}
	w.requested()
	w.says("dave", v1alpha1.DecisionRejected, "")
	blocker := w.blockerOf(v1alpha1.GateApproval)
	if !slices.Equal(blocker.Users, []string{"dave", "erin"}) || !slices.Equal(blocker.Groups, []string{"security", "shop-owners"}) {
		t.Errorf("named are the users %v and the groups %v", blocker.Users, blocker.Groups)
	}
}

func TestARuleThatOnlyTheRequesterFitsIsToldToThoseWhoWait(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "bob-alone", Required: ptr.To[int32](1), Users: []string{"bob"}}}
	w.requested()
	if blocker := w.blockerOf(v1alpha1.GateApproval); strings.Count(blocker.Message, "bob-alone") < 2 {
		t.Errorf("it is not said that nobody can fill the rule: %s", blocker.Message)
	}
}

func TestAnOverrideIsExplainedWhereItIsNamedAlone(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Hold.Reason = "incident 4711"
	w.promotion.Spec.Override = v1alpha1.PromotionOverride{Gates: []v1alpha1.OverridableGate{"Hold"}, Reason: "it is urgent"} // by nobody
	w.requested()
	if hold := w.blockerOf(v1alpha1.GateHold); !strings.Contains(hold.Message, "the override does not count") {
		t.Errorf("it is not said why the override does not count: %s", hold.Message)
	}
	if approval := w.blockerOf(v1alpha1.GateApproval); strings.Contains(approval.Message, "override") {
		t.Errorf("the override is not about this gate: %s", approval.Message)
	}
}

func TestACheckThatIsOverriddenAsksNobody(t *testing.T) {
	w := newWorld(t)
	w.check("change-ticket", 600)
	w.promotion.Spec.Override = v1alpha1.PromotionOverride{
		Gates: []v1alpha1.OverridableGate{"Check"}, Reason: "the ticket server is down", UsedBy: v1alpha1.Person{Username: "oscar"},
	}
	w.requested()
	if len(w.checks) > 0 {
		t.Errorf("checks run: %+v", w.checks)
	}
	w.blockerOf(v1alpha1.GateApproval)
}

func TestAWindowThatOpensIsToldWithItsTime(t *testing.T) {
	w := newWorld(t)
	w.frozen(-time.Hour, time.Hour, "quarter end")
	w.promotion.Spec.NotBeforeTime = metav1.NewTime(monday.Add(2 * time.Hour))
	w.requested()
	for gate, want := range map[v1alpha1.Gate]time.Time{v1alpha1.GateWindow: monday.Add(time.Hour), v1alpha1.GateSchedule: monday.Add(2 * time.Hour)} {
		if got := w.blockerOf(gate).UntilTime; !got.Time.Equal(want) {
			t.Errorf("gate %s opens at %s, want %s", gate, got, want)
		}
	}
}
