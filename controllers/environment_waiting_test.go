// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func named(uid types.UID) func(*v1alpha1.Promotion) {
	return func(p *v1alpha1.Promotion) { p.UID = uid }
}

func lacking(message string) func(*v1alpha1.Promotion) {
	return func(p *v1alpha1.Promotion) {
		p.Status.Blockers = []v1alpha1.Blocker{{Gate: v1alpha1.GateApproval, Message: message}}
	}
}

// waits in the backlog: forty that have waited for hours.
func longQueue() *backlog {
	known := newBacklog()
	for i := range 40 {
		p := promotionOf(fmt.Sprintf("p%02d", i), time.Duration(100-i)*time.Hour, nil)
		known.told(nil, &p, noon)
	}
	return known
}

func TestAPromotionWakesItsEnvironmentWhenItChangesWhatThatShows(t *testing.T) {
	at := func(name string, age time.Duration, changes ...func(*v1alpha1.Promotion)) *v1alpha1.Promotion {
		p := promotionOf(name, age, nil)
		for _, change := range changes {
			change(&p)
		}
		return &p
	}
	for name, c := range map[string]struct {
		before, after *v1alpha1.Promotion
		matters       bool
		in            time.Duration
	}{
		"one that was just created wakes it once it has waited": {nil, at("new", 4*time.Second), false, 6 * time.Second},
		"one that had waited before anybody looked":             {nil, at("new", time.Minute), true, 0},
		"one that rolls out already":                            {nil, at("new", time.Minute, started), false, 0},
		"one that ended long ago":                               {nil, at("new", time.Minute, ended), false, 0},
		"one of the oldest waits for something else":            {at("p03", 97*time.Hour, lacking("a")), at("p03", 97*time.Hour, lacking("b")), true, 0},
		"one of the oldest is written, and waits for the same":  {at("p03", 97*time.Hour, lacking("a")), at("p03", 97*time.Hour, lacking("a")), false, 0},
		"one that is not shown waits for something else":        {at("p30", 70*time.Hour, lacking("a")), at("p30", 70*time.Hour, lacking("b")), false, 0},
		"one waits for something else before it is shown":       {at("new", 4*time.Second, lacking("a")), at("new", 4*time.Second, lacking("b")), false, 6 * time.Second},
		"one starts: the write that ends it takes it off":       {at("p03", 97*time.Hour), at("p03", 97*time.Hour, started), false, 0},
		"one ends after its rollout":                            {at("p03", 97*time.Hour, started), at("p03", 97*time.Hour, ended), true, 0},
		"one ends without one":                                  {at("p30", 70*time.Hour), at("p30", 70*time.Hour, ended), true, 0},
		"one that has ended is written again":                   {at("p03", 97*time.Hour, ended), at("p03", 97*time.Hour, ended), false, 0},
		"one is deleted":                                        {at("p30", 70*time.Hour), nil, true, 0},
		"one that rolls out is deleted":                         {at("p03", 97*time.Hour, started), nil, true, 0},
		"one is deleted and created anew at once":               {at("p30", 70*time.Hour), at("p30", time.Second, named("other")), true, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			matters, in := longQueue().told(c.before, c.after, noon)
			g.Expect(matters).To(Equal(c.matters))
			g.Expect(in).To(Equal(c.in))
		})
	}
}

func TestTheBacklogKnowsWhatWaits(t *testing.T) {
	g := NewWithT(t)
	known := longQueue()
	count := func() int {
		_, all := known.waited(types.NamespacedName{}, noon)
		return all
	}
	g.Expect(count()).To(Equal(40))
	first := promotionOf("p00", 100*time.Hour, nil)
	startedFirst := promotionOf("p00", 100*time.Hour, started)
	known.told(&first, &startedFirst, noon)
	g.Expect(count()).To(Equal(39))
	shown, _ := known.waited(types.NamespacedName{}, noon)
	g.Expect(shown).To(HaveLen(mostWaiting))
	g.Expect(shown[0].Name).To(Equal("p01"))
	g.Expect(shown[15].Name).To(Equal("p16"))

	gone := promotionOf("p05", 95*time.Hour, nil)
	known.told(&gone, nil, noon)
	known.told(&gone, nil, noon)
	g.Expect(count()).To(Equal(38))

	changed := promotionOf("p06", 94*time.Hour, lacking("something else"))
	known.told(&changed, &changed, noon)
	g.Expect(count()).To(Equal(38), "a change adds nothing")
	shown, _ = known.waited(types.NamespacedName{}, noon)
	g.Expect(shown[4].Status.Blockers[0].Message).To(Equal("something else"))

	recreated := promotionOf("p06", time.Minute, named("another"))
	known.told(&changed, &recreated, noon)
	g.Expect(count()).To(Equal(38))
	shown, _ = known.waited(types.NamespacedName{}, noon)
	g.Expect(shown[4].Name).To(Equal("p07"), "the one that came in its place is the youngest")

	_, elsewhere := known.waited(types.NamespacedName{Name: "elsewhere"}, noon)
	g.Expect(elsewhere).To(BeZero())
}

func TestATimerIsOnlyEverMovedForwardBySooner(t *testing.T) {
	g := NewWithT(t)
	passing := testingclock.NewFakeClock(noon)
	rung := make(chan types.NamespacedName, 10)
	waits := newTimers(passing, func(key types.NamespacedName) { rung <- key })
	key := types.NamespacedName{Name: "production"}

	waits.sooner(key, noon, 0)
	g.Expect(passing.HasWaiters()).To(BeFalse())
	waits.sooner(key, noon, time.Minute)
	waits.sooner(key, noon, time.Hour)
	passing.Step(time.Minute)
	g.Eventually(rung).Should(Receive(Equal(key)))
	g.Expect(passing.HasWaiters()).To(BeFalse(), "the later one was not set")

	waits.set(key, passing.Now(), time.Hour)
	waits.sooner(key, passing.Now(), time.Minute)
	passing.Step(time.Minute)
	g.Eventually(rung).Should(Receive(Equal(key)))
}

func TestATimerRingsAtItsTimeHoweverLateItIsSet(t *testing.T) {
	g := NewWithT(t)
	passing := testingclock.NewFakeClock(noon)
	rung := make(chan types.NamespacedName, 10)
	waits := newTimers(passing, func(key types.NamespacedName) { rung <- key })
	key := types.NamespacedName{Name: "production"}

	passing.Step(time.Hour)
	waits.set(key, noon, time.Minute)
	g.Eventually(rung).Should(Receive(Equal(key)), "it is over")
	waits.sooner(key, noon, time.Hour)
	g.Eventually(rung).Should(Receive(Equal(key)), "it is over just now")

	waits.set(key, noon, time.Hour+time.Minute)
	passing.Step(time.Minute)
	g.Eventually(rung).Should(Receive(Equal(key)), "a minute is left of it")

	waits.set(key, passing.Now(), time.Minute)
	waits.stop(key)
	g.Expect(passing.HasWaiters()).To(BeFalse())
	waits.set(key, passing.Now(), time.Minute)
	waits.set(key, passing.Now(), 0)
	g.Expect(passing.HasWaiters()).To(BeFalse())
}

// BenchmarkApproving is what one approval beside many that wait costs the Environment.
func BenchmarkApproving(b *testing.B) {
	for _, waiting := range []int{10, 10_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			known := newBacklog()
			for i := range waiting {
				p := promotionOf(fmt.Sprintf("p%05d", i), time.Duration(waiting-i)*time.Minute, nil)
				known.told(nil, &p, noon)
			}
			before, after := promotionOf("p00007", time.Duration(waiting-7)*time.Minute, lacking("a")), promotionOf("p00007", time.Duration(waiting-7)*time.Minute, lacking("b"))
			for b.Loop() {
				known.told(&before, &after, noon)
				known.waited(types.NamespacedName{}, noon)
			}
		})
	}
}
