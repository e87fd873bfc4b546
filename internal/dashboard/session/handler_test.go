// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSomebodySignsInWithATokenAndOut(t *testing.T) {
	d := newDesk(t, "")
	d.checkIs("")
	if got := d.get("/projects/shop/environments/production?x=y"); got.status != http.StatusSeeOther ||
		got.location != "/sign-in?return="+url.QueryEscape("/projects/shop/environments/production?x=y") {
		t.Fatalf("a page is answered with %d %s", got.status, got.location)
	}
	got := d.post("/sign-in/token", url.Values{"token": {" of-alice\n"}, "return": {"/projects/shop/environments/production?x=y"}})
	if got.status != http.StatusSeeOther || got.location != "/projects/shop/environments/production?x=y" {
		t.Fatalf("signing in is answered with %d %s %s", got.status, got.location, got.body)
	}
	d.checkIs("alice")
	copied := d.cookies()
	if got := d.post("/sign-out", nil); got.status != http.StatusSeeOther || got.location != "/sign-in" {
		t.Errorf("signing out is answered with %d %s", got.status, got.location)
	}
	if left := d.cookies(); len(left) != 0 {
		t.Errorf("the browser still has %d cookies", len(left))
	}
	d.checkIs("")
	if identity, found := d.keeper.Read(withCookies(copied)); found {
		t.Errorf("a copy of the cookies is still %s's", identity.Person.Username)
	}
}

func TestTokensThatAreNoGoodSignNobodyIn(t *testing.T) {
	d := newDesk(t, "")
	for name, row := range map[string]struct {
		token  string
		status int
		want   string
	}{
		"none":                      {"", http.StatusUnauthorized, "kubectl create token"},
		"one that is not accepted":  {"made-up-token", http.StatusUnauthorized, "kubectl create token"},
		"one with a line in it":     {"of-alice\nX: y", http.StatusUnauthorized, "kubectl create token"},
		"one of nobody":             {"strange", http.StatusUnauthorized, "kubectl create token"},
		"one that is beyond bounds": {strings.Repeat("a", 2*mostForm), http.StatusBadRequest, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			got := d.post("/sign-in/token", url.Values{"token": {row.token}, "return": {"/inbox"}})
			if got.status != row.status || !strings.Contains(got.body, row.want) || !strings.Contains(got.body, `role="alert"`) {
				t.Errorf("answered with %d %s", got.status, got.body)
			}
			if row.token != "" && strings.Contains(got.body, row.token) {
				t.Error("the page shows the token")
			}
			if row.status == http.StatusUnauthorized && !strings.Contains(got.body, `name="return" value="/inbox"`) {
				t.Error("the page has forgotten where to come back to")
			}
			d.checkIs("")
		})
	}
	d.api.Close()
	if got := d.post("/sign-in/token", url.Values{"token": {"of-alice"}}); got.status != http.StatusServiceUnavailable {
		t.Errorf("without the API server: %d", got.status)
	}
	d.checkIs("")
}

func TestNoOtherPageSignsSomebodyInOrOut(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	for _, path := range []string{"/sign-in/token", "/sign-out"} {
		for header, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
			request := d.request(http.MethodPost, path, strings.NewReader("token=of-bob"))
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set(header, value)
			if got := d.do(d.browser, request); got.status != http.StatusForbidden {
				t.Errorf("%s with %s %s: %d", path, header, value, got.status)
			}
			d.checkIs("alice")
		}
		if got := d.get(path); got.status != http.StatusMethodNotAllowed && got.status != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, got.status)
		}
		d.checkIs("alice")
	}
}

func TestWhoIsNobodyIsSentToSignInOnlyWhereSomebodyLooks(t *testing.T) {
	d := newDesk(t, "")
	for name, row := range map[string]struct {
		method string
		header map[string]string
		status int
	}{
		"a page":                    {http.MethodGet, map[string]string{"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}, http.StatusSeeOther},
		"a page in an old browser":  {http.MethodGet, map[string]string{"Accept": "text/html"}, http.StatusSeeOther},
		"a page that a script asks": {http.MethodGet, map[string]string{"Accept": "text/html", "Sec-Fetch-Mode": "cors"}, http.StatusUnauthorized},
		"a stream":                  {http.MethodGet, map[string]string{"Accept": "text/event-stream"}, http.StatusUnauthorized},
		"anything":                  {http.MethodGet, nil, http.StatusUnauthorized},
		"a form":                    {http.MethodPost, map[string]string{"Accept": "text/html"}, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			request := d.request(row.method, "/projects/shop/promotions/x/approve", nil)
			for key, value := range row.header {
				request.Header.Set(key, value)
			}
			if got := d.do(d.browser, request); got.status != row.status {
				t.Errorf("answered with %d %s", got.status, got.body)
			}
		})
	}
}

func TestCookiesOfNobodyAreTakenAway(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	request := d.request(http.MethodGet, "/", nil)
	request.AddCookie(&http.Cookie{Name: "__Host-assent-session-0", Value: "1.made-up"})
	got := d.do(d.newBrowser(), request)
	if got.status != http.StatusUnauthorized || !strings.Contains(strings.Join(got.header.Values("Set-Cookie"), "\n"), "__Host-assent-session-0=; Path=/; Max-Age=0") {
		t.Errorf("answered with %d %q", got.status, got.header.Values("Set-Cookie"))
	}
	if got := d.do(d.newBrowser(), d.request(http.MethodGet, "/", nil)); len(got.header.Values("Set-Cookie")) > 0 {
		t.Errorf("who brings none is answered with %q", got.header.Values("Set-Cookie"))
	}
}

func TestAPastedTokenIsNobodysWhenItHasExpired(t *testing.T) {
	d := newDesk(t, "")
	token := d.issuer.sign("alice", "")
	if got := d.post("/sign-in/token", url.Values{"token": {token}}); got.status != http.StatusSeeOther {
		t.Fatalf("answered with %d", got.status)
	}
	d.clock.SetTime(d.clock.Now().Add(10*time.Minute - time.Second))
	d.checkIs("alice")
	d.clock.SetTime(d.clock.Now().Add(time.Second))
	d.checkIs("")
	if left := d.cookies(); len(left) != 0 {
		t.Errorf("the browser still has %d cookies", len(left))
	}
}

func TestBelowAPathEverythingIsBelowIt(t *testing.T) {
	d := newDesk(t, "/assent")
	got := d.get("/assent/inbox")
	if got.location != "/assent/sign-in?return="+url.QueryEscape("/assent/inbox") {
		t.Fatalf("sent to %s", got.location)
	}
	if got := d.get(got.location); !strings.Contains(got.body, `action="/assent/sign-in/token"`) || !strings.Contains(got.body, `href="/assent/sign-in/oidc?return=%2fassent%2finbox"`) {
		t.Errorf("the page is %s", got.body)
	}
	sent := d.get("/assent/sign-in/oidc?return=%2Fassent%2Finbox")
	code := d.issuer.code(t, sent.location, "alice")
	got = d.get("/assent/sign-in/callback?" + url.Values{"state": {stateOf(t, sent.location)}, "code": {code}}.Encode())
	if got.status != http.StatusSeeOther || got.location != "/assent/inbox" {
		t.Fatalf("answered with %d %s", got.status, got.location)
	}
	if got := d.get("/assent/"); got.body != "hello alice" {
		t.Errorf("then: %d %s", got.status, got.body)
	}
	if got := d.post("/assent/sign-out", nil); got.location != "/assent/sign-in" {
		t.Errorf("signing out leads to %s", got.location)
	}
	if got := d.get("/assent/"); got.status != http.StatusSeeOther {
		t.Errorf("after signing out: %d", got.status)
	}
}

func TestNothingAboutSigningInIsKeptByCaches(t *testing.T) {
	d := newDesk(t, "")
	for _, path := range []string{"/sign-in", "/sign-in/oidc", "/sign-in/callback?code=secret", "/inbox"} {
		if got := d.get(path); got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept: %q", path, got.header.Get("Cache-Control"))
		}
	}
	if got := d.get("/sign-in/callback?code=secret"); got.header.Get("Referrer-Policy") != "same-origin" || strings.Contains(got.body, "secret") {
		t.Errorf("the code gets out of the address: %s %s", got.header.Get("Referrer-Policy"), got.body)
	}
}

func TestAProviderWithoutANameIsOfferedByItsHost(t *testing.T) {
	d := newDesk(t, "")
	options := d.handler.Options
	unnamed := *options.OIDC
	unnamed.Name = ""
	options.OIDC = &unnamed
	handler, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/sign-in", nil))
	if !strings.Contains(recorder.Body.String(), "Sign in with 127.0.0.1") {
		t.Errorf("the page is %s", recorder.Body)
	}
}

func TestWhoIsRefusedBelowAPathComesBackToThePageThatWasAskedFor(t *testing.T) {
	d := newDesk(t, "/assent")
	request := httptest.NewRequest(http.MethodGet, "/assent/inbox?x=y", nil)
	request.Header.Set("Accept", "text/html")
	recorder := httptest.NewRecorder()
	http.StripPrefix("/assent", http.HandlerFunc(d.handler.Refuse)).ServeHTTP(recorder, request)
	if got, want := recorder.Header().Get("Location"), "/assent/sign-in?return="+url.QueryEscape("/assent/inbox?x=y"); got != want {
		t.Errorf("sent to %s, want %s", got, want)
	}
}

func TestADashboardThatNobodyCouldSignInToIsNotServed(t *testing.T) {
	good := OIDC{Issuer: "https://issuer.example", ClientID: clientID, Callback: "https://assent.example/sign-in/callback"}
	for name, row := range map[string]struct {
		token  bool
		change func(*OIDC)
		want   string
	}{
		"neither by token nor by OIDC":         {false, nil, "nobody could sign in"},
		"an issuer without https":              {true, func(o *OIDC) { o.Issuer = "http://issuer.example" }, "must be an https URL"},
		"no client":                            {true, func(o *OIDC) { o.ClientID = "" }, "client ID"},
		"codes over the network in the clear":  {true, func(o *OIDC) { o.Callback = "http://assent.example/sign-in/callback" }, "must be an https URL"},
		"codes over plain http on the machine": {true, func(o *OIDC) { o.Callback = "http://127.0.0.1:8080/sign-in/callback" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			options := Options{Token: row.token, Keeper: newKeeper(t)}
			if row.change != nil {
				provider := good
				row.change(&provider)
				options.OIDC = &provider
			}
			switch _, err := New(options); {
			case row.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("the error is %v", err)
			}
		})
	}
}
