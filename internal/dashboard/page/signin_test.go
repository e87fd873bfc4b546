// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strings"
	"testing"
)

func TestThePageToSignInOnOffersWhatThereIs(t *testing.T) {
	for name, row := range map[string]struct {
		offer      SignInOffer
		has, hasNo []string
	}{
		"a provider alone": {
			SignInOffer{Provider: "Example", Return: "/assent/inbox?x=y"},
			[]string{`href="/assent/sign-in/oidc?return=%2fassent%2finbox%3fx%3dy"`, "Sign in with Example"},
			[]string{"<form", `role="alert"`},
		},
		"a token alone": {
			SignInOffer{Token: true, Return: "/assent/inbox?x=y"},
			[]string{`action="/assent/sign-in/token"`, `value="/assent/inbox?x=y"`, `<label for="signin-token">`, `autocomplete="off"`, `aria-describedby="signin-hint"`, "button-main"},
			[]string{"sign-in/oidc", `role="alert"`, "aria-invalid"},
		},
		"both": {
			SignInOffer{Provider: "Example", Token: true},
			[]string{"sign-in/oidc", "sign-in/token", "or with a token"}, nil,
		},
		"why it has not worked": {
			SignInOffer{Token: true, Message: "Make a new one."},
			[]string{`role="alert"`, "Make a new one.", `aria-describedby="signin-hint signin-message" aria-invalid="true"`}, nil,
		},
		"text that others have written": {
			SignInOffer{Provider: "<script>alert(1)</script>", Token: true, Return: `"><script>alert(2)</script>`, Message: "<img src=x onerror=alert(3)>"},
			[]string{"&lt;img"}, []string{"<script>alert", "<img src=x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := Context{Base: "/assent"}
			view, err := SignIn(c, row.offer)
			if err != nil {
				t.Fatal(err)
			}
			document, err := c.Document(view, "/sign-in", "/assent/assets")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range row.has {
				if !strings.Contains(string(document), want) {
					t.Errorf("the page has no %s:\n%s", want, document)
				}
			}
			for _, unwanted := range append(row.hasNo, "style=", "javascript:", " onclick", " onerror=\"") {
				if strings.Contains(string(document), unwanted) {
					t.Errorf("the page has %s:\n%s", unwanted, document)
				}
			}
		})
	}
}
