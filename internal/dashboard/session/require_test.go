// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// nearItsEnd is when a token of the issuer is replaced.
const nearItsEnd = 9 * time.Minute

func TestATokenNearItsEndIsReplaced(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	before := d.identity()
	d.clock.SetTime(d.clock.Now().Add(nearItsEnd - time.Second))
	d.checkIs("alice")
	if d.issuer.used("refresh_token") != 0 {
		t.Error("it was replaced earlier than it had to be")
	}
	for range 3 { // each with the refresh token that the one before has given
		d.clock.SetTime(d.clock.Now().Add(nearItsEnd))
		d.checkIs("alice")
	}
	after := d.identity()
	if after.Token == before.Token || after.session != before.session || !after.began.Equal(before.began) || !after.Expires.Equal(d.clock.Now().Add(10*time.Minute)) {
		t.Errorf("the session %q goes on as %q until %s", before.session, after.session, after.Expires)
	}
	if used := d.issuer.used("refresh_token"); used != 3 {
		t.Errorf("replaced %d times, want 3", used)
	}
}

func TestATokenThatHasExpiredIsReplacedAsWell(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	d.clock.SetTime(d.clock.Now().Add(time.Hour))
	if _, found := d.keeper.Read(withCookies(d.cookies())); found {
		t.Error("a token that has expired is taken for a good one")
	}
	d.checkIs("alice")
}

func TestRequestsAtTheSameTimeReplaceTheTokenOnce(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	cookies := d.cookies()
	d.clock.SetTime(d.clock.Now().Add(nearItsEnd))
	held := make(chan struct{})
	d.issuer.change(func() { d.issuer.held = held })
	ask := func() answered {
		request := d.request(http.MethodGet, "/", nil)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		return d.do(d.newBrowser(), request)
	}
	var asking sync.WaitGroup
	answers := make(chan answered, 9)
	for range 8 {
		asking.Go(func() { answers <- ask() })
	}
	close(held)
	asking.Wait()
	answers <- ask() // sent by a browser before it had the new cookies, and late
	close(answers)
	for got := range answers {
		if got.body != "hello alice" || !strings.HasPrefix(strings.Join(got.header.Values("Set-Cookie"), ""), "__Host-assent-session-0=1.") {
			t.Errorf("answered with %d %s %q", got.status, got.body, got.header.Values("Set-Cookie"))
		}
	}
	if used := d.issuer.used("refresh_token"); used != 1 {
		t.Errorf("replaced %d times, want once", used)
	}
}

// Each row is why there is no new token, or none that could be used.
func TestASessionEndsWhenItsTokenCannotBeReplaced(t *testing.T) {
	for name, breaks := range map[string]func(d *desk){
		"the refresh token was revoked":    func(d *desk) { clear(d.issuer.refreshing) },
		"the new token is somebody else's": func(d *desk) { d.issuer.twist = func(said map[string]any) { said["sub"] = "bob" } },
		"the new token is of another of the same name": func(d *desk) {
			d.api.change(func() { d.api.names = map[string]string{"another": "alice"} })
			d.issuer.twist = func(said map[string]any) { said["sub"] = "another" }
		},
		"the API server takes the new token for somebody else's": func(d *desk) { d.api.change(func() { d.api.names = map[string]string{"alice": "bob"} }) },
		"the new token is for another audience":                  func(d *desk) { d.issuer.twist = func(said map[string]any) { said["aud"] = "another" } },
		"the new token is of another issuer":                     func(d *desk) { d.issuer.twist = func(said map[string]any) { said["iss"] = "https://evil.example" } },
		"the new token is of another sign-in":                    func(d *desk) { d.issuer.twist = func(said map[string]any) { said["nonce"] = "another" } },
		"the new token has expired":                              func(d *desk) { d.issuer.twist = func(said map[string]any) { said["exp"] = d.clock.Now().Unix() - 1 } },
		"the new token is signed with another key":               func(d *desk) { d.issuer.signs = newKey(d.t) },
		"the API server accepts it no more":                      func(d *desk) { d.api.change(func() { d.api.status = http.StatusUnauthorized }) },
		"there is no new token": func(d *desk) {
			d.issuer.answer = func(w http.ResponseWriter) {
				reply(w, http.StatusOK, map[string]any{"access_token": "a", "token_type": "Bearer"})
			}
		},
		"the provider is away": func(d *desk) { d.handler.provider.client.Transport = unreachable{} },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "")
			d.signInAt("alice")
			copied := d.cookies()
			d.clock.SetTime(d.clock.Now().Add(time.Hour))
			d.issuer.change(func() { breaks(d) })
			d.checkIs("")
			if left := d.cookies(); len(left) != 0 {
				t.Errorf("the browser still has %d cookies", len(left))
			}
			if _, found := d.keeper.open(withCookies(copied)); found {
				t.Error("the session goes on")
			}
		})
	}
}

func TestATokenThatStillHoldsIsUsedWhileTheProviderIsAway(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	d.clock.SetTime(d.clock.Now().Add(nearItsEnd))
	reached := d.handler.provider.client.Transport
	d.handler.provider.client.Transport = unreachable{}
	d.checkIs("alice")
	d.handler.provider.client.Transport = reached
	d.clock.SetTime(d.clock.Now().Add(2 * time.Minute))
	d.checkIs("alice")
}

func TestARefusalEndsASessionWhoseTokenStillHolds(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	d.clock.SetTime(d.clock.Now().Add(nearItsEnd))
	d.issuer.change(func() { clear(d.issuer.refreshing) })
	d.checkIs("")
}

func TestSigningOutRevokesTheNewestRefreshToken(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	old := d.cookies()
	d.clock.SetTime(d.clock.Now().Add(nearItsEnd))
	d.checkIs("alice")
	newest := d.identity().RefreshToken
	request := d.request(http.MethodPost, "/sign-out", nil)
	for _, cookie := range old {
		request.AddCookie(cookie)
	}
	d.do(d.newBrowser(), request)
	d.issuer.mutex.Lock()
	defer d.issuer.mutex.Unlock()
	if !slices.Equal(d.issuer.revoked, []string{newest}) {
		t.Errorf("%d tokens were revoked, and not the newest alone", len(d.issuer.revoked))
	}
	d.checkIs("")
}

func TestWhoSignsOutWhileTheTokenIsReplacedStaysSignedOut(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	copied := d.cookies()
	d.clock.SetTime(d.clock.Now().Add(nearItsEnd))
	held := make(chan struct{})
	d.issuer.change(func() { d.issuer.held = held })
	answers := make(chan answered)
	go func() {
		request := d.request(http.MethodGet, "/", nil)
		for _, cookie := range copied {
			request.AddCookie(cookie)
		}
		answers <- d.do(d.newBrowser(), request)
	}()
	under := func(context.Context) (bool, error) {
		return d.issuer.used("refresh_token") == 1, nil
	}
	if err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, under); err != nil {
		t.Fatal(err)
	}
	if got := d.post("/sign-out", nil); got.status != http.StatusSeeOther {
		t.Errorf("signing out is answered with %d", got.status)
	}
	close(held)
	if got := <-answers; got.status != http.StatusUnauthorized {
		t.Errorf("what was asked before is answered with %d %s", got.status, got.body)
	}
}

func TestSigningOutEndsWhereTheProviderGivesTheSameTokenAgain(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	same := d.identity()
	d.issuer.change(func() {
		d.issuer.answer = func(w http.ResponseWriter) {
			reply(w, http.StatusOK, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": same.Token, "refresh_token": same.RefreshToken})
		}
	})
	d.clock.SetTime(d.clock.Now().Add(nearItsEnd))
	d.checkIs("alice")
	d.checkIs("alice")
	if used := d.issuer.used("refresh_token"); used != 1 {
		t.Errorf("asked %d times for the same, want once", used)
	}
	d.post("/sign-out", nil)
	d.checkIs("")
}

func TestSomebodyWhomTheAPIServerRefusesIsSignedOut(t *testing.T) {
	d := newDesk(t, "")
	d.signInAt("alice")
	copied := d.cookies()
	refused := d.handler.Require(http.HandlerFunc(d.handler.Refuse))
	request := withCookies(copied)
	recorder := httptest.NewRecorder()
	refused.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusUnauthorized {
		t.Errorf("answered with %d", recorder.Code)
	}
	d.checkIs("")
}

// identity is what the browser's cookies hold.
func (d *desk) identity() Identity {
	d.t.Helper()
	identity, found := d.keeper.Read(withCookies(d.cookies()))
	if !found {
		d.t.Fatal("nobody is signed in")
	}
	return identity
}
