// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSomebodySignsInAtTheProvider(t *testing.T) {
	d := newDesk(t, "")
	address := d.depart("/inbox?x=y")
	asked, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if got := asked.Query().Get("scope"); got != "openid groups offline_access" {
		t.Errorf("the scopes are %q, want those that the provider has", got)
	}
	if got := d.arrive(address, "alice"); got.status != http.StatusSeeOther || got.location != "/inbox?x=y" {
		t.Fatalf("answered with %d %s %s", got.status, got.location, got.body)
	}
	d.checkIs("alice")
	if asked := d.api.requests(); len(asked) != 1 || claimsOf(strings.TrimPrefix(asked[0], "Bearer ")).Subject != "alice" {
		t.Errorf("the API server was asked %d times, want once, with alice's id_token", len(asked))
	}
}

// Each row is an id_token that is not meant for this sign-in.
func TestIDTokensThatAreNotForThisSignInAreRefused(t *testing.T) {
	another := newKey(t)
	for name, twist := range map[string]func(i *issuer, said map[string]any){
		"of another issuer":    func(_ *issuer, said map[string]any) { said["iss"] = "https://evil.example" },
		"of no issuer":         func(_ *issuer, said map[string]any) { delete(said, "iss") },
		"for another audience": func(_ *issuer, said map[string]any) { said["aud"] = "another" },
		"for no audience":      func(_ *issuer, said map[string]any) { delete(said, "aud") },
		"issued to another client": func(_ *issuer, said map[string]any) {
			said["aud"], said["azp"] = []string{clientID, "another"}, "another"
		},
		"with another nonce":                     func(_ *issuer, said map[string]any) { said["nonce"] = "another" },
		"without a nonce":                        func(_ *issuer, said map[string]any) { delete(said, "nonce") },
		"that has expired":                       func(i *issuer, said map[string]any) { said["exp"] = i.clock.Now().Add(-time.Second).Unix() },
		"that does not expire":                   func(_ *issuer, said map[string]any) { delete(said, "exp") },
		"that is not good yet":                   func(i *issuer, said map[string]any) { said["nbf"] = i.clock.Now().Add(time.Hour).Unix() },
		"signed with another key":                func(i *issuer, _ map[string]any) { i.signs = another },
		"of somebody with no name":               func(_ *issuer, said map[string]any) { said["sub"] = "" },
		"of whom the API server knows as nobody": func(_ *issuer, said map[string]any) { said["sub"] = "system:anonymous" },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "")
			address := d.depart("/inbox")
			d.issuer.change(func() { d.issuer.twist = func(said map[string]any) { twist(d.issuer, said) } })
			got := d.arrive(address, "alice")
			if got.status != http.StatusUnauthorized || !strings.Contains(got.body, `role="alert"`) || !strings.Contains(got.body, `return=%2finbox`) {
				t.Errorf("answered with %d %s", got.status, got.body)
			}
			d.checkIs("")
		})
	}
}

func TestTokenAnswersThatAreNoneAreRefused(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"no id_token": func(w http.ResponseWriter) {
			reply(w, http.StatusOK, map[string]any{"access_token": "a", "token_type": "Bearer"})
		},
		"an id_token that is none": func(w http.ResponseWriter) {
			reply(w, http.StatusOK, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": "of-alice"})
		},
		"an id_token that is not signed": func(w http.ResponseWriter) {
			reply(w, http.StatusOK, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": unsigned()})
		},
		"nothing that could be read": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>") },
		"an error":                   func(w http.ResponseWriter) { reply(w, http.StatusInternalServerError, map[string]any{}) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "")
			address := d.depart("/")
			d.issuer.change(func() { d.issuer.answer = answer })
			if got := d.arrive(address, "alice"); got.status != http.StatusUnauthorized {
				t.Errorf("answered with %d %s", got.status, got.body)
			}
			d.checkIs("")
			if asked := d.api.requests(); len(asked) > 0 {
				t.Error("the API server was asked with a token that was not verified")
			}
		})
	}
}

func unsigned() string {
	return encoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + encoding.EncodeToString([]byte(`{"sub":"alice"}`)) + "."
}

// Each row is a way to come back that does not follow from having been sent.
func TestComingBackOtherwiseThanOneWasSentSignsNobodyIn(t *testing.T) {
	for name, row := range map[string]struct {
		change func(d *desk, query url.Values)
		status int
		want   string
	}{
		"with another state":     {func(_ *desk, query url.Values) { query.Set("state", "another") }, http.StatusBadRequest, "begun last"},
		"without a state":        {func(_ *desk, query url.Values) { query.Del("state") }, http.StatusBadRequest, "begun last"},
		"with an earlier state":  {func(d *desk, query url.Values) { query.Set("state", stateOf(d.t, d.depart("/"))); d.depart("/") }, http.StatusBadRequest, "begun last"},
		"without a code":         {func(_ *desk, query url.Values) { query.Del("code") }, http.StatusBadRequest, "without a code"},
		"with a made-up code":    {func(_ *desk, query url.Values) { query.Set("code", "made-up") }, http.StatusUnauthorized, "could not be verified"},
		"from another issuer":    {func(_ *desk, query url.Values) { query.Set("iss", "https://evil.example") }, http.StatusBadRequest, "not from Example"},
		"refused":                {func(_ *desk, query url.Values) { query.Set("error", "access_denied") }, http.StatusUnauthorized, "access_denied"},
		"refused with a message": {func(_ *desk, query url.Values) { query.Set("error", "Call 555 to be paid <b>") }, http.StatusUnauthorized, "no reason that could be shown"},
		"too late":               {func(d *desk, _ url.Values) { d.clock.SetTime(d.clock.Now().Add(attemptSeconds * time.Second)) }, http.StatusBadRequest, "ten minutes"},
		"in another browser":     {func(d *desk, _ url.Values) { d.browser = d.newBrowser() }, http.StatusBadRequest, "not begun in this browser"},
		// The code of somebody else's sign-in, in one's own: PKCE binds it to the other's browser.
		"with the code of another attempt": {func(d *desk, query url.Values) {
			own := d.browser
			d.browser = d.newBrowser()
			query.Set("code", d.issuer.code(d.t, d.depart("/"), "bob"))
			d.browser = own
		}, http.StatusUnauthorized, "could not be verified"},
		"with somebody's answer in a browser that has begun nothing of it": {func(d *desk, _ url.Values) { d.browser = d.newBrowser(); d.depart("/") }, http.StatusBadRequest, "begun last"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "")
			address := d.depart("/")
			query := url.Values{"state": {stateOf(t, address)}, "code": {d.issuer.code(t, address, "alice")}}
			row.change(d, query)
			got := d.get("/sign-in/callback?" + query.Encode())
			if got.status != row.status || !strings.Contains(got.body, row.want) {
				t.Errorf("answered with %d %s", got.status, got.body)
			}
			if strings.Contains(got.body, query.Get("code")) && query.Get("code") != "" {
				t.Error("the page shows the code")
			}
			if strings.Contains(got.body, "555") {
				t.Error("the page shows what others have written")
			}
			d.checkIs("")
		})
	}
}

func TestACodeSignsInOnce(t *testing.T) {
	d := newDesk(t, "")
	address := d.depart("/")
	began := d.cookies()
	back := "/sign-in/callback?" + url.Values{"state": {stateOf(t, address)}, "code": {d.issuer.code(t, address, "alice")}}.Encode()
	if got := d.get(back); got.status != http.StatusSeeOther {
		t.Fatalf("the first time: %d %s", got.status, got.body)
	}
	if got := d.get(back); got.status != http.StatusBadRequest {
		t.Errorf("the second time: %d", got.status)
	}
	d.browser = d.newBrowser()
	request := d.request(http.MethodGet, back, nil)
	for _, cookie := range began {
		request.AddCookie(cookie)
	}
	if got := d.do(d.browser, request); got.status != http.StatusUnauthorized {
		t.Errorf("with copies of the cookies that it was begun with: %d", got.status)
	}
	d.checkIs("")
}

func TestReturningIsToTheDashboardOnly(t *testing.T) {
	d := newDesk(t, "")
	for _, back := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "/\t/evil.example"} {
		if got := d.arrive(d.depart(back), "alice"); got.location != "/" {
			t.Errorf("after signing in at the provider, %q leads to %q", back, got.location)
		}
		if got := d.post("/sign-in/token", url.Values{"token": {"of-alice"}, "return": {back}}); got.location != "/" {
			t.Errorf("after signing in with a token, %q leads to %q", back, got.location)
		}
		if got := d.get("/sign-in?return=" + url.QueryEscape(back)); strings.Contains(got.body, "evil") {
			t.Errorf("the page would lead to %q", back)
		}
	}
}

func TestAProviderThatWasAwayIsFoundLater(t *testing.T) {
	d := newDesk(t, "")
	reached := d.handler.provider.client.Transport
	d.handler.provider.client.Transport = unreachable{}
	if got := d.get("/sign-in/oidc"); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "Example cannot be reached") {
		t.Errorf("answered with %d %s", got.status, got.body)
	}
	d.handler.provider.client.Transport = reached
	d.signInAt("alice")
}

func TestWhereTheAPIServerDoesNotKnowThePersonNobodySignsIn(t *testing.T) {
	d := newDesk(t, "")
	address := d.depart("/")
	d.api.change(func() { d.api.status = http.StatusUnauthorized })
	if got := d.arrive(address, "alice"); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "must trust the same issuer") {
		t.Errorf("answered with %d %s", got.status, got.body)
	}
	d.api.change(func() { d.api.status = 0 })
	d.checkIs("")
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
