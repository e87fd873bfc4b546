// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oidc_test

import (
	"context"
	"crypto/tls"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// visitor is a browser without scripts: it keeps cookies, follows redirects and submits forms.
type visitor struct {
	t      *testing.T
	client *http.Client
}

func newVisitor(t *testing.T, trusting *tls.Config) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: trusting.Clone()}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t, &http.Client{Jar: jar, Transport: transport}}
}

// document is what a visitor has before them.
type document struct {
	at     *url.URL
	status int
	body   string
}

func (v *visitor) open(ctx context.Context, address string) document {
	v.t.Helper()
	return v.send(ctx, http.MethodGet, address, nil)
}

func (v *visitor) send(ctx context.Context, method, address string, form url.Values) document {
	v.t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return document{response.Request.URL, response.StatusCode, string(body)}
}

var (
	actions = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	prompts = regexp.MustCompile(`name="prompt" value="([a-z]+)"`)
	links   = regexp.MustCompile(`href="([^"]*/sign-in/oidc\?[^"]*)"`)
)

// click follows the link to the provider.
func (v *visitor) click(ctx context.Context, d document) document {
	v.t.Helper()
	found := links.FindStringSubmatch(d.body)
	if found == nil {
		v.t.Fatalf("there is no link to the provider at %s: %d %s", d.at.Path, d.status, d.body)
	}
	return v.open(ctx, v.resolve(d, found[1]))
}

func (v *visitor) resolve(d document, reference string) string {
	v.t.Helper()
	there, err := d.at.Parse(html.UnescapeString(reference))
	if err != nil {
		v.t.Fatal(err)
	}
	return there.String()
}

// identify fills in the provider's forms, one after the other, until it sends the visitor back.
func (v *visitor) identify(ctx context.Context, d document, name string) document {
	v.t.Helper()
	for range 3 {
		prompt := prompts.FindStringSubmatch(d.body)
		if prompt == nil {
			return d
		}
		form := url.Values{"prompt": {prompt[1]}}
		if prompt[1] == "login" {
			form.Set("login", name)
			form.Set("password", "any will do")
		}
		d = v.send(ctx, http.MethodPost, v.resolve(d, actions.FindStringSubmatch(d.body)[1]), form)
	}
	v.t.Fatalf("the provider does not send %s back: %d %s", name, d.status, d.body)
	return document{}
}
