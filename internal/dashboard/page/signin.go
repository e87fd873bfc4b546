// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

// SignInOffer is how somebody can sign in.
type SignInOffer struct {
	// Provider is the name of the OIDC provider; empty if there is none.
	Provider string
	// Token says that a token can be pasted.
	Token bool
	// Return is the path to come back to, with Base.
	Return string
	// Message says why the last try has not worked; empty before the first.
	Message string
}

// SignIn is the page that somebody sees who has not signed in.
func SignIn(_ Context, offer SignInOffer) (View, error) {
	return View{Title: "Sign in", Template: "signin", Data: offer}, nil
}
