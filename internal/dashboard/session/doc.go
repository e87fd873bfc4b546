// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package session knows who a request is from.
//
//	token pasted ──────────────┐
//	                           ├─► the API server is asked whose it is ─► Identity, sealed into cookies
//	provider ─► code ─► id_token ┘                                          │
//	                                                                       ▼
//	request ─► cookies opened ─► token near its end? a new one is fetched ─► Identity in the request's context
//
// The token of the person is the only one there is: the dashboard has no identity that a request could fall back to. Where a person's cannot be had, the
// request is from nobody, and is answered with 401.
//
// Nothing is kept of a session but what is in its cookies, so that it outlives a restart with the same keys. This process remembers only which sessions were
// signed out of before their end, and the tokens that were fetched anew for cookies that browsers may send once more.
package session
