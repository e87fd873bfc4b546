// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

const (
	projects = "/apis/assent.dev/v1alpha1/namespaces/p"
	outcomes = projects + "/auditrecords"
	intent   = `{"metadata":{"name":"production-0000000001"},"spec":{"type":"Intent"}}`
)

// server counts what arrives.
func server(t *testing.T) (url string, arrived *atomic.Int32) {
	t.Helper()
	arrived = &atomic.Int32{}
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived.Add(1)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(answers.Close)
	return answers.URL, arrived
}

func through(faults ...Fault) (*process, *http.Client) {
	of := newTrial(faults)
	of.arm()
	p := newProcess(of, namer{decoder: clientgoscheme.Codecs.UniversalDeserializer()}, newStreams(), func(*process, string) {})
	return p, &http.Client{Transport: &transport{process: p, next: http.DefaultTransport}}
}

func send(t *testing.T, client *http.Client, method, url, body string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err == nil {
		t.Cleanup(func() { _ = answer.Body.Close() })
	}
	return answer, err
}

func TestEachModeDoesWhatItSays(t *testing.T) {
	timeout := func(err error) bool { e := net.Error(nil); return errors.As(err, &e) && e.Timeout() }
	for mode, want := range map[Mode]struct {
		arrives bool
		code    int
		err     func(error) bool
		dies    bool
	}{
		Refused:      {err: func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
		Lost:         {arrives: true, err: func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		Conflict:     {code: http.StatusConflict},
		Throttled:    {code: http.StatusTooManyRequests},
		Unavailable:  {code: http.StatusServiceUnavailable},
		TimedOut:     {err: func(err error) bool { return timeout(err) && errors.Is(err, os.ErrDeadlineExceeded) }},
		TimedOutLate: {arrives: true, code: http.StatusGatewayTimeout},
		Died:         {err: func(err error) bool { return errors.Is(err, errDead) }, dies: true},
		DiedLate:     {arrives: true, err: func(err error) bool { return errors.Is(err, errDead) }, dies: true},
	} {
		t.Run(string(mode), func(t *testing.T) {
			g := NewWithT(t)
			url, arrived := server(t)
			p, client := through(Fault{At: "create auditrecords production-0000000001 Intent", Mode: mode})
			answer, err := send(t, client, http.MethodPost, url+outcomes, intent)
			g.Expect(arrived.Load()).To(BeEquivalentTo(map[bool]int{true: 1}[want.arrives]))
			if want.err != nil {
				g.Expect(want.err(err)).To(BeTrue(), "%v", err)
			} else {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(answer.StatusCode).To(Equal(want.code))
			}
			g.Expect(p.trial.reached()).To(HaveLen(1))
			before := arrived.Load()
			_, err = send(t, client, http.MethodPost, url+outcomes, intent)
			g.Expect(errors.Is(err, errDead)).To(Equal(want.dies), "what is sent next: %v", err)
			g.Expect(arrived.Load() - before).To(BeEquivalentTo(map[bool]int{false: 1}[want.dies]))
		})
	}
	NewWithT(t).Expect(Modes()).To(HaveLen(9), "every mode must be in the table")
}

func TestRequestsHaveTheSameNameInEveryRun(t *testing.T) {
	for _, row := range []struct{ method, path, body, want string }{
		{http.MethodPost, outcomes, intent, "create auditrecords production-0000000001 Intent"},
		{http.MethodPut, projects + "/promotions/one/status", `{"status":{"conditions":[{"type":"Succeeded","reason":"RollingOut"}]}}`, "update promotions/status one RollingOut"},
		{http.MethodPut, projects + "/environments/production/status", `{"status":{"audit":{"sequence":2},"conditions":[{"type":"Ready","reason":"Accepted"}]}}`,
			"update environments/status production audit=2 Accepted"},
		{http.MethodPatch, "/api/v1/namespaces/t/configmaps/settings?fieldManager=assent", "{}", "patch configmaps settings"},
		{http.MethodPatch, "/api/v1/namespaces/t/configmaps/settings?dryRun=All", "{}", "dry-run patch configmaps settings"},
		{http.MethodDelete, "/apis/apps/v1/namespaces/t/deployments/web", "", "delete deployments web"},
		{http.MethodPut, "/apis/coordination.k8s.io/v1/namespaces/p/leases/assent-controller", "{}", "update leases"},
		{http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews",
			`{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"user":"alice","resourceAttributes":{"verb":"approve"}}}`, "create subjectaccessreviews alice approve"},
		{http.MethodPost, "/apis/events.k8s.io/v1/namespaces/p/events", `{"apiVersion":"events.k8s.io/v1","kind":"Event","reason":"Failed","regarding":{"name":"one"}}`, "create events one Failed"},
		{http.MethodGet, projects + "/promotions/one", "", ""},
	} {
		t.Run(row.want, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), row.method, "https://api"+row.path, strings.NewReader(row.body))
			if err != nil {
				t.Fatal(err)
			}
			found, err := namer{decoder: clientgoscheme.Codecs.UniversalDeserializer()}.describe(request)
			g := NewWithT(t)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found.name).To(Equal(row.want))
			left, err := io.ReadAll(request.Body)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(left)).To(Equal(row.body), "the body must still be there")
		})
	}
}

func TestTheSecondOfAPairIsMetSoManyWritesAfterTheFirst(t *testing.T) {
	g := NewWithT(t)
	of := newTrial([]Fault{{At: "b", Mode: Lost}, {Next: 2, Mode: Conflict}})
	meet := func(name string, as class) Mode {
		_, mode := of.meet(request{name: name, class: as})
		return mode
	}
	g.Expect(meet("b", writing)).To(BeEmpty(), "nothing is met before the sweep begins")
	of.arm()
	g.Expect(meet("a", writing)).To(BeEmpty())
	g.Expect(meet("b", writing)).To(Equal(Lost))
	g.Expect(meet("c", asking)).To(BeEmpty())
	g.Expect(meet("b", writing)).To(BeEmpty())
	g.Expect(meet("d", writing)).To(Equal(Conflict))
	g.Expect(of.reached()).To(HaveLen(2))
	g.Expect(of.seen()[3].name).To(Equal("b #2"))
}

func TestAPausedProcessSendsNothingMoreButTheWriteThatWasUnderWay(t *testing.T) {
	g := NewWithT(t)
	url, arrived := server(t)
	p, client := through()
	until := make(chan struct{})
	p.onWrite = func(p *process, name string) {
		if p.standing() == nil {
			p.pause(name, until)
		}
	}
	gone := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := send(t, client, http.MethodPost, url+outcomes, intent)
			gone <- err
		}()
		g.Eventually(p.standing).ShouldNot(BeNil(), "the second one is sent when the first one stands")
	}
	g.Consistently(arrived.Load, 50*time.Millisecond).Should(BeZero())
	p.die()
	g.Eventually(gone).Should(Receive(MatchError(ContainSubstring(errDead.Error()))))
	close(until)
	g.Eventually(p.standing().arrived).Should(BeClosed())
	g.Expect(arrived.Load()).To(BeEquivalentTo(1))
}

func TestEventsStandStillComeTwiceOrAreLost(t *testing.T) {
	const event, mark = `{"type":"MODIFIED","object":{}}`, `{"type":"BOOKMARK","object":{}}`
	for _, row := range []struct {
		name  string
		begin func(*streams) (end func())
		// before the end, and after it.
		before, after string
	}{
		{"undisturbed", func(*streams) func() { return func() {} }, event + "\n" + mark + "\n", ""},
		{"twice", func(s *streams) func() { s.repeat("promotions"); return func() {} }, event + "\n" + event + "\n" + mark + "\n", ""},
		{"frozen", func(s *streams) func() { return s.freeze("promotions") }, "", event + "\n" + mark + "\n"},
		{"lost", func(s *streams) func() { return s.lose("promotions") }, "", string(expired)},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := NewWithT(t)
			s := newStreams()
			end := row.begin(s)
			passed := s.through("promotions", io.NopCloser(strings.NewReader(event+mark)))
			read := make(chan string, 100)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				buffer := make([]byte, 4096)
				for ctx.Err() == nil {
					n, err := passed.Read(buffer)
					read <- string(buffer[:n])
					if err != nil {
						close(read)
						return
					}
				}
			}()
			if row.before == "" {
				g.Consistently(read, 50*time.Millisecond).ShouldNot(Receive())
			}
			end()
			all := ""
			for part := range read {
				all += part
			}
			g.Expect(all).To(Equal(row.before + row.after))
		})
	}
}

func TestASweepFailsByViolationsAndByWhatItDidNotReach(t *testing.T) {
	g := NewWithT(t)
	g.Expect(Failed([]*Tally{{Name: "one"}})).To(BeFalse())
	g.Expect(Failed([]*Tally{{Name: "one", Passed: []string{"a write that is not always made"}}})).To(BeFalse())
	g.Expect(Failed([]*Tally{{Name: "one"}, {Unreached: []string{"refused at b"}}})).To(BeTrue())
	g.Expect(Failed([]*Tally{{Name: "one", Violations: []string{"Intent: none"}}})).To(BeTrue())
	g.Expect(Table([]*Tally{{Name: "one", Violations: []string{"Intent: none"}}})).To(And(ContainSubstring("Intent: none"), HaveSuffix("1 violations\n")))
}

func TestWhatWasMissedAtAWriteThatOthersReachedIsChance(t *testing.T) {
	g := NewWithT(t)
	p := &progress{out: io.Discard, tally: &Tally{Name: "one"}, arrived: map[string]bool{}}
	for _, tried := range []struct {
		attempt attempt
		reached bool
	}{
		{attempt{name: "refused at a", at: "a"}, true},
		{attempt{name: "conflict at a", at: "a"}, false},
		{attempt{name: "refused at b", at: "b"}, false},
		{attempt{name: "a write that is not always made", at: "c", mayPass: true}, false},
		{attempt{name: "two operators work at once"}, false},
		{attempt{name: "every event comes twice"}, true},
	} {
		p.done(tried.attempt, tried.reached)
	}
	p.end()
	g.Expect(p.tally.Passed).To(ConsistOf("conflict at a", "a write that is not always made"))
	g.Expect(p.tally.Unreached).To(ConsistOf("refused at b", "two operators work at once"))
}
