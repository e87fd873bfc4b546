// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/check"
)

// local allows the addresses that test servers listen on.
var local = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

var digest = v1alpha1.Digest("sha256:" + strings.Repeat("a", 64))

func subject(project string) check.Subject {
	return check.Subject{
		Promotion: &v1alpha1.Promotion{
			ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "to-production", UID: "7d0a"},
			Spec:       v1alpha1.PromotionSpec{Reason: "a fix", RequestedBy: v1alpha1.Person{Username: "bob"}},
		},
		Release: &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "shop-1.4.0"},
			Spec:       v1alpha1.ReleaseSpec{Application: "shop", Version: "1.4.0"},
		},
		Environment: &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "production"}},
		PlanDigest:  digest,
	}
}

// serve starts a server, and returns its URL and its host as messages name it.
func serve(t *testing.T, handler http.HandlerFunc) (address, host string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, strings.TrimPrefix(server.URL, "http://")
}

func ask(t *testing.T, asked v1alpha1.Check) check.Finding {
	t.Helper()
	return (&check.HTTP{Networks: local}).Ask(t.Context(), asked, subject("shop"))
}

func expect(t *testing.T, got check.Finding, result v1alpha1.CheckResult, retry bool, message string) {
	t.Helper()
	if got.Result != result || got.Retry != retry || got.Message != message {
		t.Errorf("\n got %s, retry %v: %s\nwant %s, retry %v: %s", got.Result, got.Retry, got.Message, result, retry, message)
	}
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-State", "ok")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestAnAnswerIsJudgedByWhen(t *testing.T) {
	for name, test := range map[string]struct {
		when    string
		answer  http.HandlerFunc
		result  v1alpha1.CheckResult
		message string
	}{
		"200 passes by default": {"", answers(200, "anything"), v1alpha1.CheckPassed, "%s answered 200"},
		"503 does not":          {"", answers(503, "down for maintenance"), v1alpha1.CheckFailed, "`when` is not met: %s answered 503: down for maintenance"},
		"by a field":            {"body.state == 'approved'", answers(200, `{"state": "approved"}`), v1alpha1.CheckPassed, "%s answered 200"},
		"by another value":      {"body.state == 'approved'", answers(200, `{"state":"open"}`), v1alpha1.CheckFailed, "`when` is not met: %s answered 200: {\"state\":\"open\"}"},
		"by a header":           {"headers['x-state'] == 'ok'", answers(200, ""), v1alpha1.CheckPassed, "%s answered 200"},
		"by a large number":     {"body.id == 9007199254740993", answers(200, `{"id": 9007199254740993}`), v1alpha1.CheckPassed, "%s answered 200"},
		"by another such number": {"body.id == 9007199254740992", answers(200, `{"id": 9007199254740993}`), v1alpha1.CheckFailed,
			"`when` is not met: %s answered 200: {\"id\": 9007199254740993}"},
		"by a fraction":      {"body.rates[0] == 0.25", answers(200, `{"rates": [0.25]}`), v1alpha1.CheckPassed, "%s answered 200"},
		"without the field":  {"body.state == 'approved'", answers(200, `{}`), v1alpha1.CheckFailed, "`when` could not be evaluated (evaluate: no such key: state): %s answered 200: {}"},
		"no JSON":            {"body == null && text == '{\"a\":'", answers(200, `{"a":`), v1alpha1.CheckPassed, "%s answered 200"},
		"two values of JSON": {"body == null", answers(200, `{} {}`), v1alpha1.CheckPassed, "%s answered 200"},
		"garbage":            {"body.ok", answers(200, "\x00\xff\x1b[31m<html>"), v1alpha1.CheckFailed, "`when` could not be evaluated (evaluate: no such key: ok): %s answered 200: � [31m<html>"},
		"no more than 200 characters": {"status == 201", answers(200, strings.Repeat("é", 300)), v1alpha1.CheckFailed,
			"`when` is not met: %s answered 200: " + strings.Repeat("é", 199) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			address, host := serve(t, test.answer)
			expect(t, ask(t, asking(address, when(test.when))), test.result, test.result == v1alpha1.CheckFailed, fmt.Sprintf(test.message, host))
		})
	}
}

func TestAPostTellsTheServerWhatItIsAskedAbout(t *testing.T) {
	var got map[string]string
	address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Team") != "web" {
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewDecoder(r.Body).Decode(&got)
	})
	asked := asking(address, header("X-Team", "web"))
	asked.HTTP.Method = v1alpha1.HTTPMethodPost
	about := subject("shop")
	about.Promotion.Spec.Type = v1alpha1.PromotionTypeRollback
	if finding := (&check.HTTP{Networks: local}).Ask(t.Context(), asked, about); finding.Result != v1alpha1.CheckPassed || got["type"] != "Rollback" {
		t.Errorf("%s: %v", finding.Message, got)
	}
	if finding := ask(t, asked); finding.Result != v1alpha1.CheckPassed {
		t.Error(finding.Message)
	}
	want := map[string]string{
		"project": "shop", "promotion": "to-production", "uid": "7d0a", "type": "Promote", "release": "shop-1.4.0", "version": "1.4.0", "application": "shop",
		"environment": "production", "planDigest": string(digest), "requestedBy": "bob", "reason": "a fix",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

func TestAQuestionThatSaysNothingHasNoContent(t *testing.T) {
	address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, sent := r.Header["Content-Type"]; sent || r.ContentLength != 0 {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	expect(t, ask(t, asking(address)), v1alpha1.CheckPassed, false, host+" answered 200")
}

func TestAPrivateAddressIsRefusedUnlessTheAdministratorAllowsIt(t *testing.T) {
	var asked atomic.Int32
	address, host := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	refused := &check.HTTP{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	const flag = " is private: the administrator must allow that network with the operator's flag --check-networks"
	for to, want := range map[string]string{
		address:                             host + " must not be asked: its address 127.0.0.1" + flag,
		"http://[::ffff:127.0.0.1]:" + port: "[::ffff:127.0.0.1]:" + port + " must not be asked: its address 127.0.0.1" + flag,
		"http://0.0.0.0:" + port:            "0.0.0.0:" + port + " must not be asked: its address 0.0.0.0" + flag,
	} {
		expect(t, refused.Ask(t.Context(), asking(to), subject("shop")), v1alpha1.CheckFailed, false, want)
	}
	// A name is judged by the address that it leads to.
	finding := refused.Ask(t.Context(), asking("http://localhost:"+port), subject("shop"))
	if finding.Result != v1alpha1.CheckFailed || finding.Retry || !strings.Contains(finding.Message, flag) {
		t.Errorf("%+v", finding)
	}
	if asked.Load() != 0 {
		t.Errorf("the server was asked %d times", asked.Load())
	}
	if finding := ask(t, asking("http://localhost:"+port)); finding.Result != v1alpha1.CheckPassed {
		t.Errorf("%+v", finding)
	}
}

func TestARedirectIsFollowedOnTheSameServerAlone(t *testing.T) {
	var elsewhere atomic.Int32
	_, otherHost := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	var target string
	var hops int
	address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/there":
			_, _ = io.WriteString(w, "there")
		case strings.HasPrefix(r.URL.Path, "/hop/"):
			hops++
			http.Redirect(w, r, fmt.Sprintf("/hop/%d", hops), http.StatusFound)
		default:
			http.Redirect(w, r, target, http.StatusFound)
		}
	})
	target = "/there"
	expect(t, ask(t, asking(address, when("text == 'there'"))), v1alpha1.CheckPassed, false, host+" answered 200")
	// A server that was told something may send on to what came of it.
	told := asking(address, when("text == 'there'"))
	told.HTTP.Method = v1alpha1.HTTPMethodPost
	expect(t, ask(t, told), v1alpha1.CheckPassed, false, host+" answered 200")
	_, port, _ := net.SplitHostPort(host)
	for name, to := range map[string]string{
		"another port": "http://" + otherHost, "another host": "http://localhost:" + port, "another scheme": "https://" + host, "credentials": "http://bob:x@" + host,
	} {
		target = to + "/there?token=1"
		parsed, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			expect(t, ask(t, asking(address)), v1alpha1.CheckFailed, false, fmt.Sprintf(
				"%s must not be followed: it redirects to %q, and a check follows redirects to the same scheme, host and port alone: set `http.url` to where it leads",
				host, parsed.Scheme+"://"+parsed.Host))
		})
	}
	if elsewhere.Load() != 0 {
		t.Errorf("the other server was asked %d times", elsewhere.Load())
	}
	expect(t, ask(t, asking(address+"/hop/0")), v1alpha1.CheckFailed, true, host+" could not be asked: it redirects more than 5 times")
	if hops != 6 {
		t.Errorf("the server was asked %d times", hops)
	}
}

func TestAServerThatHangsIsGivenUpInTime(t *testing.T) {
	released := make(chan struct{})
	wait := func(r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-released:
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"before its answer": func(_ http.ResponseWriter, r *http.Request) { wait(r) },
		"in its answer": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"state": "approved"`)
			_ = http.NewResponseController(w).Flush()
			wait(r)
		},
		"drop by drop": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			address, host := serve(t, handler)
			asked := asking(address)
			asked.TimeoutSeconds = 1
			began := time.Now()
			finding := ask(t, asked)
			if name == "drop by drop" && strings.Contains(finding.Message, "1 MiB") {
				return // the drops have filled the bucket
			}
			expect(t, finding, v1alpha1.CheckFailed, true, host+" did not answer within `timeoutSeconds`, 1s")
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	close(released)
}

func TestAnAttemptThatIsStoppedSaysSo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	address, host := serve(t, func(_ http.ResponseWriter, r *http.Request) { stop(); <-r.Context().Done() })
	expect(t, (&check.HTTP{Networks: local}).Ask(ctx, asking(address), subject("shop")), v1alpha1.CheckFailed, true, "asking "+host+" was stopped")
}

func TestAnAnswerThatIsTooLargeIsNotRead(t *testing.T) {
	zeros := strings.Repeat("\x00", 1<<20)
	for name, handler := range map[string]http.HandlerFunc{
		"plain": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, zeros)
			_, _ = io.WriteString(w, "x")
		},
		"a gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			bomb := gzip.NewWriter(w)
			for range 200 {
				_, _ = io.WriteString(bomb, zeros)
			}
			_ = bomb.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			address, host := serve(t, handler)
			expect(t, ask(t, asking(address)), v1alpha1.CheckFailed, true, host+" answered 200 with more than 1 MiB, which is not read: let it answer with less")
		})
	}
	address, host := serve(t, answers(200, zeros))
	expect(t, ask(t, asking(address)), v1alpha1.CheckPassed, false, host+" answered 200")
}

func TestABrokenServerIsNamedWithWhatIsBroken(t *testing.T) {
	secure := httptest.NewTLSServer(answers(200, ""))
	t.Cleanup(secure.Close)
	half, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"state": "app`)
	})
	garbage, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(connection, "SSH-2.0-OpenSSH_9.9\r\n")
			_ = connection.Close()
		}
	})
	headers, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Large", strings.Repeat("a", 100<<10)) })
	plain, _ := serve(t, answers(200, ""))
	for name, test := range map[string]struct{ url, want string }{
		"a certificate that nobody vouches for": {secure.URL, "x509: certificate signed by unknown authority"},
		"no TLS":                                {"https://" + strings.TrimPrefix(plain, "http://"), "server gave HTTP response to HTTPS client"},
		"half an answer":                        {half, "its answer broke off: unexpected EOF"},
		"another protocol":                      {garbage, "malformed HTTP"},
		"headers without end":                   {headers, "server response headers exceeded 65536 bytes"},
		"nobody there":                          {"http://127.0.0.1:1", "connection refused"},
		"a name that is not known":              {"http://no-such-host.invalid", "could not be asked"},
	} {
		t.Run(name, func(t *testing.T) {
			finding := ask(t, asking(test.url))
			if finding.Result != v1alpha1.CheckFailed || !finding.Retry || !strings.Contains(finding.Message, test.want) {
				t.Errorf("\n got %+v\nwant %s", finding, test.want)
			}
		})
	}
}

func TestWhatIsWrittenWronglyIsNeitherAskedNorTriedAgain(t *testing.T) {
	var asked atomic.Int32
	address, _ := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	expect(t, ask(t, asking(address, when("status"))), v1alpha1.CheckFailed, false, "`http.when` must be true or false: its type is int and must be bool")
	expect(t, ask(t, asking(address, header("Host", "internal"))), v1alpha1.CheckFailed, false, "`http.headers[0]` must not set \"Host\": the connection decides it")
	if asked.Load() != 0 {
		t.Errorf("the server was asked %d times", asked.Load())
	}
}

func TestAProxyOfTheOperatorsSurroundingsIsNotUsed(t *testing.T) {
	var proxied atomic.Int32
	proxy, _ := serve(t, func(http.ResponseWriter, *http.Request) { proxied.Add(1) })
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("http_proxy", proxy)
	finding := ask(t, asking("http://no-such-host.invalid/"))
	if finding.Result != v1alpha1.CheckFailed || proxied.Load() != 0 {
		t.Errorf("%+v, the proxy was asked %d times", finding, proxied.Load())
	}
}
