// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/assent-dev/assent/internal/dashboard/page"
)

// desk is a dashboard that people sign in to, with one page that says who has.
type desk struct {
	t       *testing.T
	clock   *clocktesting.FakePassiveClock
	issuer  *issuer
	api     *apiServer
	keeper  *Keeper
	handler *Handler
	server  *httptest.Server
	// browser keeps cookies and does not follow redirects.
	browser *http.Client

	mutex sync.Mutex
	log   strings.Builder
}

// newDesk is one below a path.
func newDesk(t *testing.T, base string) *desk {
	t.Helper()
	d := &desk{t: t, clock: clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second)), api: newAPIServer(t)}
	d.issuer = newIssuer(t, d.clock)
	d.keeper = NewKeeper(mustKeys(t), base, false, d.clock)
	routes := http.NewServeMux()
	d.server = httptest.NewTLSServer(routes)
	t.Cleanup(d.server.Close)
	d.handler = d.newHandler(base)
	routes.Handle(base+"/sign-in", d.handler)
	routes.Handle(base+"/sign-in/", d.handler)
	routes.Handle(base+"/sign-out", d.handler)
	routes.Handle(base+"/", d.handler.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identity, found := From(r.Context())
		if !found {
			t.Error("a request has passed that is nobody's")
		}
		_, _ = io.WriteString(w, "hello "+identity.Person.Username)
	})))
	d.browser = d.newBrowser()
	t.Cleanup(d.checkNothingShown)
	return d
}

func (d *desk) newHandler(base string) *Handler {
	d.t.Helper()
	h, err := New(Options{
		Config: d.api.config(d.t), Keeper: d.keeper, Base: base, Clock: d.clock, Token: true,
		OIDC: &OIDC{
			Name: "Example", Issuer: d.issuer.URL, ClientID: clientID, ClientSecret: clientSecret, Callback: d.server.URL + base + "/sign-in/callback",
			Transport: d.issuer.Client().Transport,
		},
		Page: func(c page.Context, offer page.SignInOffer) ([]byte, error) {
			view, err := page.SignIn(c, offer)
			if err != nil {
				return nil, err
			}
			return c.Document(view, "/sign-in", c.Base+"/assets")
		},
		Log: funcr.New(func(_, line string) {
			d.mutex.Lock()
			defer d.mutex.Unlock()
			d.log.WriteString(line + "\n")
		}, funcr.Options{}),
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return h
}

func (d *desk) newBrowser() *http.Client {
	d.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return &http.Client{
		Jar: jar, Transport: d.server.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func mustKeys(t *testing.T) Keys {
	t.Helper()
	keys, err := RandomKeys()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// answered is what a browser has got.
type answered struct {
	status         int
	location, body string
	header         http.Header
}

// get asks for a page as a person does.
func (d *desk) get(path string) answered {
	d.t.Helper()
	request := d.request(http.MethodGet, path, nil)
	request.Header.Set("Accept", "text/html,application/xhtml+xml")
	return d.do(d.browser, request)
}

// post sends a form from a page of the dashboard.
func (d *desk) post(path string, form url.Values) answered {
	d.t.Helper()
	request := d.request(http.MethodPost, path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", d.server.URL)
	return d.do(d.browser, request)
}

func (d *desk) request(method, path string, body io.Reader) *http.Request {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	return request
}

func (d *desk) do(client *http.Client, request *http.Request) answered {
	d.t.Helper()
	response, err := client.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answered{response.StatusCode, response.Header.Get("Location"), string(body), response.Header}
}

// depart begins to sign in at the provider, and returns where that is.
func (d *desk) depart(back string) string {
	d.t.Helper()
	sent := d.get("/sign-in/oidc?return=" + url.QueryEscape(back))
	if sent.status != http.StatusSeeOther || !strings.HasPrefix(sent.location, d.issuer.URL+"/authorize?") {
		d.t.Fatalf("not sent to the provider: %d %s", sent.status, sent.location)
	}
	return sent.location
}

// arrive comes back from there.
func (d *desk) arrive(address, subject string) answered {
	d.t.Helper()
	return d.get("/sign-in/callback?" + url.Values{"state": {stateOf(d.t, address)}, "code": {d.issuer.code(d.t, address, subject)}}.Encode())
}

func stateOf(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Query().Get("state")
}

// signInAt signs somebody in at the provider, and must succeed.
func (d *desk) signInAt(subject string) {
	d.t.Helper()
	if got := d.arrive(d.depart("/"), subject); got.status != http.StatusSeeOther {
		d.t.Fatalf("signing in: %d %s", got.status, got.body)
	}
	d.checkIs(subject)
}

// checkIs is for who the browser is signed in as; empty: nobody.
func (d *desk) checkIs(user string) {
	d.t.Helper()
	got := d.do(d.browser, d.request(http.MethodGet, "/who", nil))
	if user == "" {
		if got.status != http.StatusUnauthorized {
			d.t.Errorf("somebody is signed in: %d %s", got.status, got.body)
		}
		return
	}
	if got.body != "hello "+user {
		d.t.Errorf("signed in is not %s: %d %s", user, got.status, got.body)
	}
}

// cookies are those that the browser would send.
func (d *desk) cookies() []*http.Cookie {
	d.t.Helper()
	at, err := url.Parse(d.server.URL + "/sign-in")
	if err != nil {
		d.t.Fatal(err)
	}
	return d.browser.Jar.Cookies(at)
}

// checkNothingShown looks for what somebody could sign in with in the log.
func (d *desk) checkNothingShown() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for _, asked := range d.api.requests() {
		if token := strings.TrimPrefix(asked, "Bearer "); token != "" && strings.Contains(d.log.String(), token) {
			d.t.Errorf("a token is in the log:\n%s", d.log.String())
		}
	}
	if strings.Contains(d.log.String(), "there is no") {
		d.t.Errorf("what the provider says of a code is in the log:\n%s", d.log.String())
	}
}
