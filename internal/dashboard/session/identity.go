// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Identity is a person who has signed in, with what shows it to the API server.
type Identity struct {
	// Token is the bearer token of everything that is asked for this person. It is never empty.
	Token string `json:"-"`
	// RefreshToken gets another from the provider; empty where there is none.
	RefreshToken string `json:"-"`
	// Expires is when Token does.
	Expires time.Time
	// Person is whose the token is, in the API server's words.
	Person v1alpha1.Person

	// session is the same from signing in to signing out, whichever token it has.
	session string
	// began is when this person signed in.
	began time.Time
}

// String leaves out what proves who somebody is: an Identity that gets into a log gives nothing away.
func (i Identity) String() string { return "identity of " + i.Person.Username }

// GoString is for %#v, which would look into the fields.
func (i Identity) GoString() string { return i.String() }

// MarshalLog is for structured logs.
func (i Identity) MarshalLog() any { return i.String() }

type contextKey struct{}

// With makes the context one of a request by that person.
func With(ctx context.Context, identity Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, identity)
}

// From returns who the request is from. It is false where nobody has signed in: there is no Identity to go on with.
func From(ctx context.Context) (Identity, bool) {
	identity, found := ctx.Value(contextKey{}).(Identity)
	return identity, found && identity.Token != ""
}
