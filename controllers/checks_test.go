// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/check"
	"github.com/assent-dev/assent/internal/promotion"
)

// measured is a server with Prometheus' HTTP API, and what runs the checks that ask it, by a clock that the test moves.
type measured struct {
	*httptest.Server
	*WithT
	checks *checks
	clock  *clocktesting.FakeClock
	about  check.Subject
	// asked and woken count.
	asked, woken atomic.Int32
}

// newMeasured answers one letter after the other, and the last one for ever: p passes, f fails, and x refuses the query.
func newMeasured(t *testing.T, course string) *measured {
	m := &measured{WithT: NewWithT(t), clock: clocktesting.NewFakeClock(noon)}
	m.SetDefaultEventuallyTimeout(time.Minute)
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n := int(m.asked.Add(1)); course[min(n, len(course))-1] {
		case 'x':
			_, _ = io.WriteString(w, `{"status":"error","errorType":"bad_data","error":"parse error"}`)
		case 'f':
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"scalar","result":[0,"0.02"]}}`)
		default:
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"scalar","result":[0,"0.001"]}}`)
		}
	}))
	t.Cleanup(m.Close)
	m.about = check.Subject{
		Promotion:   &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "to-production", UID: "u1"}},
		Release:     &v1alpha1.Release{},
		Environment: &v1alpha1.Environment{},
		PlanDigest:  v1alpha1.Digest("sha256:" + strings.Repeat("a", 64)),
	}
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	m.checks = newChecks(&check.HTTP{Networks: local}, nil, m.clock, func(types.NamespacedName) { m.woken.Add(1) })
	t.Cleanup(func() { m.checks.forget(keyOf(m.about.Promotion)) })
	return m
}

// start a check after the rollout.
func (m *measured) start(times, attempts int32) {
	m.checks.run(m.about, v1alpha1.Check{
		Name: "errors", Phase: v1alpha1.CheckAfter, Times: times, Attempts: attempts, IntervalSeconds: 30, TimeoutSeconds: 60,
		Prometheus: v1alpha1.PrometheusCheck{URL: m.URL, Query: "errors", When: "result[0].value < 0.01"},
	})
}

// passes lets time pass once the check waits for it.
func (m *measured) passes(duration time.Duration) {
	m.Eventually(m.clock.HasWaiters).Should(BeTrue())
	m.clock.Step(duration)
}

func (m *measured) progress() promotion.CheckProgress {
	return m.checks.progress(m.about.Promotion)["errors"]
}

// ends waits for the answer.
func (m *measured) ends() *v1alpha1.CheckStatus {
	m.Eventually(func() *v1alpha1.CheckStatus { return m.progress().Found }).ShouldNot(BeNil())
	return m.progress().Found
}

func TestACheckAfterTheRolloutPassesSoOftenInSuccessionAndSoFarApart(t *testing.T) {
	m := newMeasured(t, "ppfppp")
	m.start(3, 3)
	for attempt := range int32(5) {
		m.Eventually(m.clock.HasWaiters).Should(BeTrue())
		m.Expect(m.asked.Load()).To(Equal(attempt + 1))
		m.passes(29 * time.Second)
		m.Expect(m.clock.HasWaiters()).To(BeTrue(), "it must not be asked before `intervalSeconds`")
		m.Expect(m.progress().Running).To(BeTrue())
		m.passes(time.Second)
	}
	m.Expect(m.ends()).To(Equal(&v1alpha1.CheckStatus{
		Name: "errors", Result: v1alpha1.CheckPassed, Times: ptr.To[int32](3), Attempts: ptr.To[int32](6), PlanDigest: m.about.PlanDigest,
		Message: fmt.Sprintf("passed 3 times in succession; the last time: %s returned 0.001", m.Listener.Addr()),
		Time:    metav1.NewTime(noon.Add(150 * time.Second)),
	}))
	m.Expect(m.progress().Running).To(BeFalse())
	m.Expect(m.asked.Load()).To(BeEquivalentTo(6))
}

func TestACheckAfterTheRolloutFailsAfterSoManyAttemptsInSuccession(t *testing.T) {
	m := newMeasured(t, "pff")
	m.start(3, 2)
	m.passes(30 * time.Second)
	m.passes(30 * time.Second)
	found := m.ends()
	m.Expect(found.Result).To(Equal(v1alpha1.CheckFailed))
	m.Expect(found.Message).To(Equal(fmt.Sprintf("failed 2 times in succession, having passed 1 of 3 times: `when` is not met: %s returned 0.02", m.Listener.Addr())))
	m.Expect(found.Times).To(HaveValue(BeZero()))
	m.Expect(found.Attempts).To(HaveValue(BeEquivalentTo(3)))
}

func TestACheckAfterTheRolloutFailsAtOnceWhenNoAttemptMendsIt(t *testing.T) {
	m := newMeasured(t, "px")
	m.start(3, 3)
	m.passes(30 * time.Second)
	found := m.ends()
	m.Expect(found.Result).To(Equal(v1alpha1.CheckFailed))
	m.Expect(found.Message).To(ContainSubstring("refuses the query"))
	m.Expect(m.asked.Load()).To(BeEquivalentTo(2))
}

func TestACheckAfterTheRolloutTellsHowFarItIsOnceAMinute(t *testing.T) {
	m := newMeasured(t, "pppfppppp")
	m.start(5, 3)
	for _, want := range []string{"passed 1 of 5 times", "passed 1 of 5 times", "passed 3 of 5 times", "passed 3 of 5 times", "passed 1 of 5 times", "passed 1 of 5 times"} {
		m.Eventually(m.clock.HasWaiters).Should(BeTrue())
		m.Expect(m.progress()).To(Equal(promotion.CheckProgress{Running: true, Plan: m.about.PlanDigest, SoFar: want}))
		m.passes(30 * time.Second)
	}
	m.Eventually(m.clock.HasWaiters).Should(BeTrue())
	m.Expect(m.woken.Load()).To(BeEquivalentTo(4), "once a minute")
}

func TestAnAttemptThatNobodyWaitsForIsStopped(t *testing.T) {
	for name, end := range map[string]func(m *measured){
		"the promotion has ended": func(m *measured) { m.checks.forget(keyOf(m.about.Promotion)) },
		"there is another plan":   func(m *measured) { m.about.PlanDigest = "sha256:other"; m.start(5, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMeasured(t, "p")
			var stopped atomic.Bool
			m.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that nobody waits any more
				if m.asked.Add(1) == 1 {
					<-r.Context().Done()
					stopped.Store(true)
				}
			})
			m.start(5, 3)
			m.Eventually(m.asked.Load).Should(BeEquivalentTo(1))
			end(m)
			m.Eventually(stopped.Load).Should(BeTrue())
		})
	}
}

func TestEachRepetitionOfACheckHasAJobThatAProcessWhichTakesOverFindsAgain(t *testing.T) {
	g := NewWithT(t)
	smoke := v1alpha1.Check{Name: "smoke", Phase: v1alpha1.CheckAfter}
	p := &v1alpha1.Promotion{}
	first, second := attemptName(p, smoke, 1), attemptName(p, smoke, 2)
	g.Expect(first).NotTo(Equal(second))
	// What another process has written into the status meanwhile changes nothing.
	p.Status.Checks = []v1alpha1.CheckStatus{{Name: "smoke", Time: metav1.NewTime(noon)}}
	g.Expect(attemptName(p, smoke, 1)).To(Equal(first))

	// A check before the rollout is asked again when its answer is old.
	smoke.Phase = v1alpha1.CheckBefore
	earlier := attemptName(p, smoke, 1)
	p.Status.Checks[0].Time = metav1.NewTime(noon.Add(time.Hour))
	g.Expect(attemptName(p, smoke, 1)).NotTo(Equal(earlier))
	p.Annotations = map[string]string{v1alpha1.AnnotationRerunChecks: "again"}
	smoke.Phase = v1alpha1.CheckAfter
	g.Expect(attemptName(p, smoke, 1)).NotTo(Equal(first))
}
