// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package oidc_test tells how people sign in to the dashboard at a certified OpenID provider, a process of its own, where the API server trusts the same issuer.
// What a provider does only when it is attacked is in the tests of internal/dashboard/session.
package oidc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"golang.org/x/oauth2"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/internal/dashboard/session"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = 5 * time.Minute
	interval = 50 * time.Millisecond
)

// scene is a dashboard, a provider and an API server that trust each other as far as they should.
type scene struct {
	clock    *clocktesting.FakePassiveClock
	keeper   *session.Keeper
	config   *rest.Config
	provider *provider
	client   registration
	// another is a client of the same provider that is not the dashboard's.
	another registration
	server  *httptest.Server
	trust   *tls.Config
}

func TestSignIn(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	s := newScene(ctx, t)
	t.Run("the API server says who signs in at the provider, and in which groups", func(t *testing.T) { testSignsIn(ctx, t, s) })
	t.Run("a session goes on with a new token when the first is near its end", func(t *testing.T) { testRefreshes(ctx, t, s) })
	t.Run("a token for another client is accepted neither by the API server nor here", func(t *testing.T) { testAnotherAudience(ctx, t, s) })
	t.Run("after signing out the cookies are worth nothing, and the provider refreshes no more", func(t *testing.T) { testSignsOut(ctx, t, s) })
	t.Run("the address that one comes back to signs in once", func(t *testing.T) { testReplays(ctx, t, s) })
	t.Run("who turns back at the provider is told so", func(t *testing.T) { testTurnsBack(ctx, t, s) })
	t.Run("a token that the provider has given can be pasted", func(t *testing.T) { testPastes(ctx, t, s) })
}

// newScene starts what there is to start, and stops it when the test ends.
func newScene(ctx context.Context, t *testing.T) *scene {
	t.Helper()
	first, err := cluster.Connect()
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{clock: clocktesting.NewFakePassiveClock(time.Now())}
	routes := http.NewServeMux()
	s.server = httptest.NewTLSServer(routes)
	t.Cleanup(s.server.Close)
	s.client = register("assent", s.server.URL+"/sign-in/callback")
	s.another = register("another", s.server.URL+"/sign-in/elsewhere")
	s.provider = startProvider(ctx, t, s.client, s.another)
	second, stop, err := first.Second(ctx, "--oidc-issuer", s.provider.issuer, "--oidc-client-id", s.client.ID, "--oidc-ca", s.provider.authority)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { //nolint:contextcheck // the test's own context is over then
		stopping, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := stop(stopping); err != nil {
			t.Error(err)
		}
	})
	if s.config, err = second.Config(cluster.Admin); err != nil {
		t.Fatal(err)
	}
	s.provider.trust.AddCert(s.server.Certificate())
	s.trust = &tls.Config{RootCAs: s.provider.trust, MinVersion: tls.VersionTLS12}
	s.serve(t, routes)
	return s
}

// serve is the dashboard: signing in, and one page that says who has.
func (s *scene) serve(t *testing.T, routes *http.ServeMux) {
	t.Helper()
	keys, err := session.RandomKeys()
	if err != nil {
		t.Fatal(err)
	}
	s.keeper = session.NewKeeper(keys, "", false, s.clock)
	handler, err := session.New(session.Options{
		Config: s.config, Keeper: s.keeper, Clock: s.clock, Token: true, Log: testr.New(t),
		OIDC: &session.OIDC{
			Name: "Example", Issuer: s.provider.issuer, ClientID: s.client.ID, ClientSecret: s.client.Secret, Callback: s.client.RedirectURIs[0],
			Prompt: "consent", Transport: &http.Transport{TLSClientConfig: s.trust.Clone()},
		},
		Page: func(c page.Context, offer page.SignInOffer) ([]byte, error) {
			view, err := page.SignIn(c, offer)
			if err != nil {
				return nil, err
			}
			return c.Document(view, "/sign-in", "/assets")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	routes.Handle("/sign-in", handler)
	routes.Handle("/sign-in/", handler)
	routes.Handle("/sign-out", handler)
	routes.Handle("/", handler.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identity, _ := session.From(r.Context())
		_, _ = io.WriteString(w, "hello "+identity.Person.Username+", of "+strings.Join(identity.Person.Groups, " "))
	})))
}

// signedIn is a visitor who has signed in through the pages of both.
func (s *scene) signedIn(ctx context.Context, t *testing.T, name string) *visitor {
	t.Helper()
	v := newVisitor(t, s.trust)
	shown := v.identify(ctx, v.click(ctx, v.open(ctx, s.server.URL+"/inbox?x=y")), name)
	if shown.at.RequestURI() != "/inbox?x=y" || !strings.HasPrefix(shown.body, "hello "+name+",") {
		t.Fatalf("%s has got to %s: %d %s", name, shown.at.Path, shown.status, shown.body)
	}
	return v
}

// request is one with the visitor's cookies, as a copy of them would be.
func (s *scene) request(t *testing.T, v *visitor) *http.Request {
	t.Helper()
	at, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodGet, s.server.URL+"/", nil)
	for _, cookie := range v.client.Jar.Cookies(at) {
		request.AddCookie(cookie)
	}
	return request
}

func (s *scene) identity(t *testing.T, v *visitor) session.Identity {
	t.Helper()
	identity, found := s.keeper.Read(s.request(t, v))
	if !found {
		t.Fatal("nobody is signed in")
	}
	return identity
}

func testSignsIn(ctx context.Context, t *testing.T, s *scene) {
	for name, groups := range people {
		identity := s.identity(t, s.signedIn(ctx, t, name))
		want := append(slices.Clone(groups), "system:authenticated")
		if identity.Person.Username != name || !slices.Equal(slices.Sorted(slices.Values(identity.Person.Groups)), slices.Sorted(slices.Values(want))) {
			t.Errorf("%s is %s", name, described(identity.Person))
		}
	}
}

func testRefreshes(ctx context.Context, t *testing.T, s *scene) {
	v := s.signedIn(ctx, t, "alice")
	before := s.identity(t, v)
	if before.RefreshToken == "" {
		t.Fatal("the provider has given no refresh token")
	}
	now := s.clock.Now()
	defer s.clock.SetTime(now)
	awaitNextSecond(ctx, t)
	s.clock.SetTime(before.Expires.Add(-30 * time.Second))
	if shown := v.open(ctx, s.server.URL+"/"); !strings.HasPrefix(shown.body, "hello alice,") {
		t.Fatalf("answered with %d %s", shown.status, shown.body)
	}
	after := s.identity(t, v)
	if after.Token == before.Token {
		t.Error("the token is the same")
	}
	if person, err := session.Check(ctx, s.config, after.Token); err != nil || person.Username != "alice" {
		t.Errorf("the new token is %q's: %v", person.Username, err)
	}
}

// awaitNextSecond is because tokens of the same person that are made in the same second are the same.
func awaitNextSecond(ctx context.Context, t *testing.T) {
	t.Helper()
	second := time.Now().Unix()
	passed := func(context.Context) (bool, error) { return time.Now().Unix() > second, nil }
	if err := wait.PollUntilContextTimeout(ctx, interval, patience, true, passed); err != nil {
		t.Fatal(err)
	}
}

func testAnotherAudience(ctx context.Context, t *testing.T, s *scene) {
	token := s.tokenForAnother(ctx, t)
	if person, err := session.Check(ctx, s.config, token); !errors.Is(err, session.ErrNobody) {
		t.Errorf("the API server takes it for %s: %v", described(person), err)
	}
	v := newVisitor(t, s.trust)
	shown := v.send(ctx, http.MethodPost, s.server.URL+"/sign-in/token", url.Values{"token": {token}})
	if shown.status != http.StatusUnauthorized || strings.Contains(shown.body, token) {
		t.Errorf("answered with %d %s", shown.status, shown.body)
	}
	if shown := v.open(ctx, s.server.URL+"/inbox"); shown.at.Path != "/sign-in" {
		t.Errorf("then %s is shown", shown.at)
	}
}

// tokenForAnother is alice's id_token for the client that is not the dashboard's.
func (s *scene) tokenForAnother(ctx context.Context, t *testing.T) string {
	t.Helper()
	v := newVisitor(t, s.trust)
	client := oauth2.Config{
		ClientID: s.another.ID, ClientSecret: s.another.Secret, RedirectURL: s.another.RedirectURIs[0], Scopes: []string{"openid", "profile", "groups"},
		Endpoint: oauth2.Endpoint{AuthURL: s.provider.issuer + "/auth", TokenURL: s.provider.issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader},
	}
	verifier := oauth2.GenerateVerifier()
	back := v.identify(ctx, v.open(ctx, client.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier))), "alice")
	tokens, err := client.Exchange(context.WithValue(ctx, oauth2.HTTPClient, v.client), back.at.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	token, _ := tokens.Extra("id_token").(string)
	if token == "" {
		t.Fatal("the provider has given no id_token")
	}
	return token
}

func testSignsOut(ctx context.Context, t *testing.T, s *scene) {
	v := s.signedIn(ctx, t, "alice")
	copied, before := s.request(t, v), s.identity(t, v)
	if status := s.refresh(ctx, t, before.RefreshToken); status != http.StatusOK {
		t.Fatalf("while somebody is signed in, the provider answers with %d", status)
	}
	if shown := v.send(ctx, http.MethodPost, s.server.URL+"/sign-out", nil); shown.at.Path != "/sign-in" {
		t.Errorf("signing out leads to %s", shown.at)
	}
	if shown := v.open(ctx, s.server.URL+"/inbox"); shown.at.Path != "/sign-in" {
		t.Errorf("then %s is shown", shown.at)
	}
	if _, found := s.keeper.Read(copied); found {
		t.Error("copies of the cookies are still good")
	}
	if status := s.refresh(ctx, t, before.RefreshToken); status != http.StatusBadRequest {
		t.Errorf("of the refresh token, the provider answers with %d", status)
	}
}

// refresh is what whoever has got hold of a refresh token would do, and of the client's secret.
func (s *scene) refresh(ctx context.Context, t *testing.T, token string) (status int) {
	t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.provider.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(s.client.ID, s.client.Secret)
	answer, err := newVisitor(t, s.trust).client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

func testReplays(ctx context.Context, t *testing.T, s *scene) {
	v := newVisitor(t, s.trust)
	var callback string
	v.client.CheckRedirect = func(request *http.Request, _ []*http.Request) error {
		if request.URL.Path == "/sign-in/callback" {
			callback = request.URL.String()
		}
		return nil
	}
	v.identify(ctx, v.click(ctx, v.open(ctx, s.server.URL+"/inbox")), "alice")
	if callback == "" {
		t.Fatal("the provider has not sent anybody back")
	}
	for name, again := range map[string]*visitor{"the same browser": v, "another": newVisitor(t, s.trust)} {
		if shown := again.open(ctx, callback); shown.status != http.StatusBadRequest {
			t.Errorf("in %s: %d", name, shown.status)
		}
	}
	if answer := newVisitor(t, s.trust).open(ctx, s.server.URL+"/inbox"); answer.at.Path != "/sign-in" {
		t.Errorf("somebody is signed in, and sees %s", answer.at)
	}
}

func testTurnsBack(ctx context.Context, t *testing.T, s *scene) {
	v := newVisitor(t, s.trust)
	form := v.click(ctx, v.open(ctx, s.server.URL+"/inbox"))
	shown := v.open(ctx, v.resolve(form, form.at.Path+"/abort"))
	if shown.status != http.StatusUnauthorized || !strings.Contains(shown.body, "access_denied") {
		t.Errorf("answered with %d %s", shown.status, shown.body)
	}
}

func testPastes(ctx context.Context, t *testing.T, s *scene) {
	token := s.identity(t, s.signedIn(ctx, t, "alice")).Token
	v := newVisitor(t, s.trust)
	shown := v.send(ctx, http.MethodPost, s.server.URL+"/sign-in/token", url.Values{"token": {token}, "return": {"/inbox"}})
	if shown.at.Path != "/inbox" || !strings.HasPrefix(shown.body, "hello alice,") {
		t.Errorf("answered with %d %s at %s", shown.status, shown.body, shown.at)
	}
}

func described(person v1alpha1.Person) string {
	return person.Username + ", of " + strings.Join(person.Groups, " ")
}
