// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
	"k8s.io/utils/clock"
)

// OIDC is a provider that the API server trusts too.
type OIDC struct {
	// Name is what people call the provider; the button says "Sign in with" it. Empty: the issuer's host.
	Name string
	// Issuer is its URL, exactly as it writes it into its tokens.
	Issuer   string
	ClientID string
	// ClientSecret is empty for a public client. The code is bound to the browser by PKCE with and without one.
	ClientSecret string
	// Callback is the address of /sign-in/callback as browsers reach it, which the provider must have been told.
	Callback string
	// Scopes to ask for, beside openid. If there are none, those of profile, email, groups and offline_access that the provider says it has.
	Scopes []string
	// Prompt is sent to the provider, if there is one: some give a refresh token only with `consent`.
	Prompt string
	// Transport reaches the provider; nil for the default one.
	Transport http.RoundTripper
}

// provider is one that is discovered when somebody first signs in.
type provider struct {
	OIDC
	clock  clock.PassiveClock
	client *http.Client
	once   singleflight.Group

	mutex sync.Mutex
	known *discovered
}

// discovered is what the provider says of itself.
type discovered struct {
	oauth      oauth2.Config
	verifier   *oidc.IDTokenVerifier
	revocation string
}

func newProvider(options OIDC, now clock.PassiveClock) (*provider, error) {
	issuer, err := url.Parse(options.Issuer)
	if err != nil || issuer.Scheme != "https" || issuer.Host == "" {
		return nil, fmt.Errorf("the issuer must be an https URL, as the API server requires it; it is %q", options.Issuer)
	}
	callback, err := url.Parse(options.Callback)
	if err != nil || callback.Host == "" || callback.Scheme != "https" && !(callback.Scheme == "http" && loopback(callback.Hostname())) {
		return nil, fmt.Errorf("the dashboard's address must be an https URL, or plain http on this machine alone; the provider would send people to %q", options.Callback)
	}
	if options.ClientID == "" {
		return nil, errors.New("the client ID must be the one that the API server expects as the tokens' audience; it is empty")
	}
	if options.Name == "" {
		options.Name = issuer.Hostname()
	}
	return &provider{OIDC: options, clock: now, client: &http.Client{Transport: options.Transport, Timeout: patience}}, nil
}

// loopback says whether a host is this machine, and whatever is sent to it stays here.
func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// discover asks the provider for its addresses and keys, once.
func (p *provider) discover(ctx context.Context) (*discovered, error) {
	p.mutex.Lock()
	known := p.known
	p.mutex.Unlock()
	if known != nil {
		return known, nil
	}
	// For everybody who waits for it, whoever gives up.
	shared := oidc.ClientContext(context.WithoutCancel(ctx), p.client)
	found, err, _ := p.once.Do("", func() (any, error) { return p.ask(shared) })
	if err != nil {
		return nil, err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.known = found.(*discovered)
	return p.known, nil
}

func (p *provider) ask(ctx context.Context) (*discovered, error) {
	answered, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("asking the provider for its addresses: %w", err)
	}
	var said struct {
		Scopes     []string `json:"scopes_supported"`
		Methods    []string `json:"token_endpoint_auth_methods_supported"`
		Revocation string   `json:"revocation_endpoint"`
	}
	if err := answered.Claims(&said); err != nil {
		return nil, fmt.Errorf("reading what the provider says of itself: %w", err)
	}
	endpoint := answered.Endpoint()
	endpoint.AuthStyle = p.style(said.Methods)
	return &discovered{
		oauth: oauth2.Config{
			ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: endpoint, RedirectURL: p.Callback, Scopes: p.scopes(said.Scopes),
		},
		verifier:   answered.Verifier(&oidc.Config{ClientID: p.ClientID, Now: p.clock.Now}),
		revocation: said.Revocation,
	}, nil
}

// style is how the client shows its secret. It is not found out by trying: a code is good for one try.
func (p *provider) style(methods []string) oauth2.AuthStyle {
	if p.ClientSecret == "" || slices.Contains(methods, "client_secret_post") && !slices.Contains(methods, "client_secret_basic") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

func (p *provider) scopes(supported []string) []string {
	scopes := []string{oidc.ScopeOpenID}
	if len(p.Scopes) > 0 {
		return append(scopes, p.Scopes...)
	}
	for _, scope := range []string{"profile", "email", "groups", oidc.ScopeOfflineAccess} {
		if slices.Contains(supported, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// address is where a browser goes to sign in for an attempt.
func (p *provider) address(ctx context.Context, a attempt) (string, error) {
	known, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	parameters := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if p.Prompt != "" {
		parameters = append(parameters, oauth2.SetAuthURLParam("prompt", p.Prompt))
	}
	return known.oauth.AuthCodeURL(a.State, parameters...), nil
}

// redeem gets for a code the tokens of whoever has signed in. The nonce shows that they were made for this attempt.
func (p *provider) redeem(ctx context.Context, code string, a attempt) (Identity, error) {
	known, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	tokens, err := known.oauth.Exchange(oidc.ClientContext(ctx, p.client), code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return Identity{}, fmt.Errorf("exchanging the code: %w", bare(err))
	}
	identity, said, err := p.verify(ctx, known, tokens)
	if err != nil {
		return Identity{}, err
	}
	if a.Nonce == "" || said.Nonce != a.Nonce {
		return Identity{}, errors.New("the id_token was made for another sign-in: its nonce differs")
	}
	return identity, nil
}

// refresh gets new tokens of the same person.
func (p *provider) refresh(ctx context.Context, old Identity) (Identity, error) {
	known, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	source := known.oauth.TokenSource(oidc.ClientContext(ctx, p.client), &oauth2.Token{RefreshToken: old.RefreshToken})
	tokens, err := source.Token()
	if err != nil {
		return Identity{}, fmt.Errorf("refreshing the token: %w", bare(err))
	}
	identity, said, err := p.verify(ctx, known, tokens)
	if err != nil {
		return Identity{}, err
	}
	// OpenID Connect Core, section 12.2.
	before := claimsOf(old.Token)
	if said.Subject == "" || said.Subject != before.Subject || said.Nonce != "" && said.Nonce != before.Nonce {
		return Identity{}, errors.New("the refreshed id_token is not of the same sign-in")
	}
	return identity, nil
}

// verify takes of the tokens the one for the API server, if issuer, signature, audience and expiry are right.
func (p *provider) verify(ctx context.Context, known *discovered, tokens *oauth2.Token) (Identity, claims, error) {
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return Identity{}, claims{}, errors.New("the provider has sent no id_token")
	}
	verified, err := known.verifier.Verify(oidc.ClientContext(ctx, p.client), raw)
	if err != nil {
		return Identity{}, claims{}, fmt.Errorf("verifying the id_token: %w", err)
	}
	var said claims
	if err := verified.Claims(&said); err != nil {
		return Identity{}, claims{}, fmt.Errorf("reading the id_token: %w", err)
	}
	if said.AuthorizedParty != "" && said.AuthorizedParty != p.ClientID {
		return Identity{}, claims{}, fmt.Errorf("the id_token was issued to the client %q", said.AuthorizedParty)
	}
	return Identity{Token: raw, RefreshToken: tokens.RefreshToken, Expires: verified.Expiry}, said, nil
}

// revoke tells the provider that a refresh token is no longer used (RFC 7009), if it wants to know.
func (p *provider) revoke(ctx context.Context, token string) error {
	known, err := p.discover(ctx)
	if err != nil || known.revocation == "" {
		return err
	}
	form := url.Values{"token": {token}, "token_type_hint": {"refresh_token"}}
	if known.oauth.Endpoint.AuthStyle == oauth2.AuthStyleInParams {
		form.Set("client_id", p.ClientID)
		if p.ClientSecret != "" {
			form.Set("client_secret", p.ClientSecret)
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, known.revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if known.oauth.Endpoint.AuthStyle == oauth2.AuthStyleInHeader {
		request.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(p.ClientSecret))
	}
	answer, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("revoking a refresh token: the provider answered %s", answer.Status)
	}
	return nil
}

// refusedError is a provider's answer that it gives no tokens.
type refusedError struct{ code string }

func (e *refusedError) Error() string { return "the provider refused: " + e.code }

// bare leaves of a provider's refusal its code alone: the rest is the provider's own text, and may hold what was sent.
func bare(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return err
	}
	if refused.Response != nil && refused.Response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("the provider answered %s", refused.Response.Status)
	}
	return &refusedError{word(refused.ErrorCode)}
}
