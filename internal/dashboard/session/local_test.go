// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"net/url"
	"strings"
	"testing"
)

func TestOnlyPathsOfTheDashboardAreComeBackTo(t *testing.T) {
	for back, want := range map[string]string{
		"/":                          "/",
		"/matrix?project=shop&q=a+b": "/matrix?project=shop&q=a+b",
		"/inbox?next=//evil.example": "/inbox?next=//evil.example",
		"/projects/shop/promotions/shop-1.0.0-x%2Fy": "/projects/shop/promotions/shop-1.0.0-x%2Fy",
		"/inbox#fragment":              "/inbox",
		"":                             "/",
		"inbox":                        "/",
		"//evil.example":               "/",
		"///evil.example":              "/",
		"//evil.example/inbox":         "/",
		"/%2Fevil.example":             "/",
		"/.//evil.example":             "/",
		"/x/..//evil.example":          "/",
		"/%2e%2e//evil.example":        "/",
		"/../inbox":                    "/",
		`/\evil.example`:               "/",
		`\\evil.example`:               "/",
		`/%5Cevil.example`:             "/%5Cevil.example", // a path of that name, to every browser
		"/\t/evil.example":             "/",
		"/\n/evil.example":             "/",
		"\t//evil.example":             "/",
		" //evil.example":              "/",
		"/inbox\r\nSet-Cookie: a=b":    "/",
		"/inbox\x00":                   "/",
		"/inbox\x7f":                   "/",
		"https://evil.example":         "/",
		"https:/evil.example":          "/",
		"https:evil.example":           "/",
		"HTTPS://evil.example/":        "/",
		"javascript:alert(1)":          "/",
		"data:text/html,x":             "/",
		"user@evil.example":            "/",
		"//user:word@evil.example":     "/",
		"?x":                           "/",
		"/%zz":                         "/",
		"/sign-in?return=/inbox":       "/",
		"/sign-in/oidc":                "/",
		"/sign-out":                    "/",
		"/" + strings.Repeat("a", 4e3): "/",
	} {
		if got := local("", back); got != want {
			t.Errorf("%q leads to %q, want %q", back, got, want)
		}
		// As a browser would go on from there.
		at, err := url.Parse("https://assent.example/sign-in")
		if err != nil {
			t.Fatal(err)
		}
		if there, err := at.Parse(local("", back)); err != nil || there.Host != "assent.example" || there.Scheme != "https" {
			t.Errorf("%q leads to %v, %v", back, there, err)
		}
	}
}

func TestBelowAPathOnlyItsOwnPathsAreComeBackTo(t *testing.T) {
	for back, want := range map[string]string{
		"/assent/inbox?x=y": "/assent/inbox?x=y", "/assent/": "/assent/", "/assent": "/assent/", "/other": "/assent/", "/assentother/x": "/assent/",
		"/assent/../other": "/assent/", "/assent//evil.example": "/assent/", "/assent/sign-out": "/assent/",
	} {
		if got := local("/assent", back); got != want {
			t.Errorf("%q leads to %q, want %q", back, got, want)
		}
	}
}
