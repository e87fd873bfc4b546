// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	for name, identity := range map[string]Identity{
		"a token that is no web token":                                 {Token: "abc.d_f", Expires: noon.Add(time.Hour), Person: v1alpha1.Person{Username: "alice"}},
		"a token that would be another when it is decoded and encoded": {Token: "YW\nJj", Expires: noon.Add(time.Hour), Person: v1alpha1.Person{Username: "alice"}},
		"a token with dots and padding": {
			Token: "a..b=", Expires: noon.Add(time.Hour), Person: v1alpha1.Person{Username: "alice"},
		},
		"a web token with a refresh token": {
			Token: signed(newKey(t), map[string]any{"sub": "alice"}), RefreshToken: "again", Expires: noon.Add(time.Hour),
			Person: v1alpha1.Person{Username: "alice", UID: "1", Groups: []string{"shop-owners"}},
		},
		"a web token with hundreds of groups": crowded(t, 300),
	} {
		t.Run(name, func(t *testing.T) {
			keeper := newKeeper(t)
			got, found := keeper.Read(withCookies(written(t, keeper, identity)))
			if !found {
				t.Fatal("nobody is read")
			}
			if got.session == "" || !got.began.Equal(noon) {
				t.Errorf("the session is %q, begun at %s", got.session, got.began)
			}
			got.session, got.began = "", time.Time{}
			if !got.Expires.Equal(identity.Expires) {
				t.Errorf("expires at %s, want %s", got.Expires, identity.Expires)
			}
			got.Expires = identity.Expires
			if !reflect.DeepEqual(got, identity) {
				t.Errorf("read is another one: %#v", got)
			}
		})
	}
}

func TestCookiesAreKeptFromScriptsAndOthers(t *testing.T) {
	for name, row := range map[string]struct {
		base     string
		plain    bool
		want     string
		wantPath string
	}{
		"at the root":                 {"", false, "__Host-assent-session-0", "/"},
		"below a path":                {"/assent", false, "__Secure-assent-session-0", "/assent"},
		"on plain http, when told so": {"", true, "assent-session-0", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			keeper := NewKeeper(mustKeys(t), row.base, row.plain, clocktesting.NewFakePassiveClock(noon))
			cookie := written(t, keeper, simple())[0]
			if cookie.Name != row.want || cookie.Path != row.wantPath || !cookie.HttpOnly || cookie.Secure == row.plain ||
				cookie.SameSite != http.SameSiteLaxMode || cookie.Domain != "" {
				t.Errorf("the cookie is %s", cookie)
			}
			if strings.Contains(cookie.Value, "of-alice") {
				t.Error("the token can be read in the cookie")
			}
		})
	}
}

// Each row is what somebody could do to cookies, or with them.
func TestCookiesThatAreNotAsTheyWereWrittenAreNobodys(t *testing.T) {
	keeper := newKeeper(t)
	large := written(t, keeper, crowded(t, 450))
	if len(large) < 3 {
		t.Fatalf("there are only %d cookies: nothing could be reordered", len(large))
	}
	other := written(t, keeper, crowded(t, 451))
	small := written(t, keeper, simple())
	for name, cookies := range map[string][]*http.Cookie{
		"none":                               {},
		"a bit differs":                      with(large, 1, flip(large[1].Value, 100)),
		"the last bit differs":               with(large, len(large)-1, flip(large[len(large)-1].Value, len(large[len(large)-1].Value)-1)),
		"the first bit of the nonce differs": with(small, 0, flip(small[0].Value, 2)),
		"cut":                                with(large, len(large)-1, large[len(large)-1].Value[:10]),
		"longer":                             with(small, 0, small[0].Value+"AAAA"),
		"the first is missing":               large[1:],
		"one is missing":                     slices.Delete(slices.Clone(large), 1, 2),
		"two have changed places":            with(with(large, 1, large[2].Value), 2, large[1].Value),
		"the first is in another's place":    with(with(large, 0, large[1].Value), 1, large[0].Value),
		"a piece of another session":         with(large, 1, other[1].Value),
		"said to be of fewer pieces":         with(large, 0, "1"+large[0].Value[1:]),
		"said to be of no pieces":            with(small, 0, "0"+small[0].Value[1:]),
		"said to be of many pieces":          with(small, 0, "9"+small[0].Value[1:]),
		"no number of pieces":                with(small, 0, small[0].Value[2:]),
		"twice":                              append(slices.Clone(small), small[0]),
		"not sealed at all":                  with(small, 0, "1."+encoding.EncodeToString([]byte("of-alice"))),
		"empty":                              with(small, 0, ""),
		"of another key":                     written(t, newKeeper(t), simple()),
		"of a dashboard below a path":        renamed(written(t, NewKeeper(keeper.sessions.keys, "/assent", false, keeper.clock), simple()), "__Secure-", "__Host-"),
		"of an attempt to sign in":           renamed(begun(t, keeper), "sign-in", "session"),
		"of a token that has expired":        written(t, keeper, Identity{Token: "of-alice", Expires: noon, Person: v1alpha1.Person{Username: "alice"}}),
	} {
		t.Run(name, func(t *testing.T) {
			if got, found := keeper.Read(withCookies(cookies)); found || got.Token != "" {
				t.Errorf("they are %s's", got.Person.Username)
			}
		})
	}
	for name, cookies := range map[string][]*http.Cookie{"large": large, "small": small} {
		if _, found := keeper.Read(withCookies(cookies)); !found {
			t.Errorf("as they were written, the %s ones are nobody's either", name)
		}
	}
}

func TestASessionIsOverWhenItsTimeIs(t *testing.T) {
	keeper := newKeeper(t)
	identity := simple()
	identity.Expires = noon.Add(48 * time.Hour)
	request := withCookies(written(t, keeper, identity))
	keeper.clock.(*clocktesting.FakePassiveClock).SetTime(noon.Add(lifetime - time.Second))
	if _, found := keeper.Read(request); !found {
		t.Error("it is over too early")
	}
	keeper.clock.(*clocktesting.FakePassiveClock).SetTime(noon.Add(lifetime))
	if _, found := keeper.Read(request); found {
		t.Error("it is not over")
	}
}

func TestASessionThatHasEndedIsWorthNothing(t *testing.T) {
	keeper := newKeeper(t)
	request, another := withCookies(written(t, keeper, simple())), withCookies(written(t, keeper, simple()))
	identity, _ := keeper.Read(request)
	keeper.end(identity)
	if _, found := keeper.Read(request); found {
		t.Error("its cookies are still good")
	}
	if _, found := keeper.Read(another); !found {
		t.Error("another session of the same person has ended as well")
	}
	keeper.clock.(*clocktesting.FakePassiveClock).SetTime(noon.Add(lifetime))
	keeper.end(Identity{session: "later", began: noon.Add(lifetime)})
	if len(keeper.ended) != 1 {
		t.Errorf("%d ended sessions are remembered, want the later one alone", len(keeper.ended))
	}
}

func TestAnIdentityIsWrittenWholeOrNotAtAll(t *testing.T) {
	keeper := newKeeper(t)
	random := rand.New(rand.NewPCG(1, 2))
	token := make([]byte, 60_000)
	for i := range token {
		token[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[random.IntN(62)]
	}
	recorder := httptest.NewRecorder()
	identity := simple()
	identity.Token = string(token)
	if err := keeper.Write(recorder, identity); !errors.Is(err, errTooLarge) {
		t.Errorf("the error is %v", err)
	}
	if cookies := recorder.Result().Cookies(); len(cookies) != 0 {
		t.Errorf("%d cookies were written", len(cookies))
	}
	for name, nobody := range map[string]Identity{"no token": {Person: v1alpha1.Person{Username: "alice"}}, "no name": {Token: "of-alice"}} {
		if err := keeper.Write(recorder, nobody); !errors.Is(err, ErrNobody) {
			t.Errorf("with %s: %v", name, err)
		}
	}
}

func TestASmallerSessionTakesTheLargerOnesCookiesAway(t *testing.T) {
	keeper := newKeeper(t)
	kept := map[string]*http.Cookie{}
	for _, identity := range []Identity{crowded(t, 450), simple()} {
		recorder := httptest.NewRecorder()
		if err := keeper.Write(recorder, identity); err != nil {
			t.Fatal(err)
		}
		for _, cookie := range recorder.Result().Cookies() {
			if kept[cookie.Name] = cookie; cookie.MaxAge < 0 {
				delete(kept, cookie.Name)
			}
		}
	}
	if len(kept) != 1 {
		t.Errorf("%d cookies are left, want 1", len(kept))
	}
}

func TestHundredsOfGroupsFitIntoWhatProxiesLetThrough(t *testing.T) {
	size := 0
	for _, cookie := range written(t, newKeeper(t), crowded(t, 200)) {
		size += len(cookie.Name) + len(cookie.Value) + 3
		if len(cookie.String()) > 4096 {
			t.Errorf("a cookie has %d bytes", len(cookie.String()))
		}
	}
	if size > 8<<10 {
		t.Errorf("200 groups make a header of %d bytes", size)
	}
}

func TestAnIdentityGivesNothingAwayWhereItIsPrinted(t *testing.T) {
	identity := simple()
	identity.RefreshToken = "of-alice-again"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, identity); strings.Contains(text, "of-alice") {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}

func TestSessionsOutliveAChangeOfKeys(t *testing.T) {
	const first, second = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
	clock := clocktesting.NewFakePassiveClock(noon)
	before := NewKeeper(readKeys(t, first+"\n"), "", false, clock)
	during := NewKeeper(readKeys(t, second+"\n"+first+"\n"), "", false, clock)
	after := NewKeeper(readKeys(t, "\n"+second), "", false, clock)
	old := withCookies(written(t, before, simple()))
	if _, found := during.Read(old); !found {
		t.Error("what the old key has sealed cannot be read with both")
	}
	if _, found := after.Read(old); found {
		t.Error("what the old key has sealed can be read without it")
	}
	if _, found := after.Read(withCookies(written(t, during, simple()))); !found {
		t.Error("it is not the first key that seals")
	}
}

func TestKeysThatAreNoneAreRefusedWithoutBeingShown(t *testing.T) {
	for name, content := range map[string]string{
		"no keys": " \n", "a short key": "c2hvcnQ=\n", "no base64": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\nnot-base64!\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "keys")
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadKeys(file)
			if err == nil || strings.Contains(err.Error(), "c2hvcnQ") || strings.Contains(err.Error(), "not-base64") {
				t.Errorf("the error is %v", err)
			}
		})
	}
	if _, err := ReadKeys(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a file that is not there has keys")
	}
}

func readKeys(t *testing.T, content string) Keys {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := ReadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newKeeper(t *testing.T) *Keeper {
	t.Helper()
	return NewKeeper(mustKeys(t), "", false, clocktesting.NewFakePassiveClock(noon))
}

func simple() Identity {
	return Identity{Token: "of-alice", Expires: noon.Add(time.Hour), Person: v1alpha1.Person{Username: "alice"}}
}

// crowded is somebody in as many groups, which are named by numbers as long as directories give them.
func crowded(t *testing.T, groups int) Identity {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(groups), 2))
	person := v1alpha1.Person{Username: "alice"}
	for range groups {
		person.Groups = append(person.Groups, fmt.Sprintf("%08x-%04x-%04x-%012x", random.Uint32(), random.Uint32()>>16, random.Uint32()>>16, random.Uint64()>>16))
	}
	return Identity{
		Token:   signed(newKey(t), map[string]any{"sub": "alice", "aud": clientID, "groups": person.Groups}),
		Expires: noon.Add(time.Hour), Person: person, RefreshToken: "again",
	}
}

// written are the cookies that a browser has then.
func written(t *testing.T, keeper *Keeper, identity Identity) []*http.Cookie {
	t.Helper()
	recorder := httptest.NewRecorder()
	if err := keeper.Write(recorder, identity); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(recorder.Result().Cookies(), func(cookie *http.Cookie) bool { return cookie.MaxAge < 0 })
}

func begun(t *testing.T, keeper *Keeper) []*http.Cookie {
	t.Helper()
	recorder := httptest.NewRecorder()
	if err := keeper.begin(recorder, attempt{State: "state"}); err != nil {
		t.Fatal(err)
	}
	return recorder.Result().Cookies()[:1]
}

func withCookies(cookies []*http.Cookie) *http.Request {
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	return request
}

// with is a copy in which one cookie has another value.
func with(cookies []*http.Cookie, number int, value string) []*http.Cookie {
	changed := slices.Clone(cookies)
	other := *cookies[number]
	other.Value = value
	changed[number] = &other
	return changed
}

func renamed(cookies []*http.Cookie, old, name string) []*http.Cookie {
	for _, cookie := range cookies {
		cookie.Name = strings.Replace(cookie.Name, old, name, 1)
	}
	return cookies
}

// flip changes one character.
func flip(value string, at int) string {
	other := byte('A')
	if value[at] == other {
		other = 'Q'
	}
	return value[:at] + string(other) + value[at+1:]
}
