// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package live lets many viewers see what the API server has now, while it is read once for all who may see the same.
//
//	viewer ─┐                                     ┌─ feed of a scope ── one list and one watch of each kind
//	viewer ─┼─ identity (one token): its reviews ─┤     with the token of one of the identities that may see it
//	viewer ─┘   say which scopes it may see       └─ feed of a scope ── …
//	                                                    │ changes, gathered for 100 ms
//	   the same *page.World for all with the same ◄─────┘
//	   scopes, whose reviews are no older than 30 s
//
// A scope is all projects, or one. An identity is whoever a token stands for: what it may see is asked of the API server with that very token, again and again for
// as long as a viewer stays. Nothing of a scope reaches an identity whose own review has not allowed it in the last 30 seconds:
//
//   - allowed: the scope is in its World.
//   - denied: the scope is taken out of its World at once; where none is left, its viewers have to go.
//   - not answered, because the API server is away: its viewers keep what they have seen, and are told so. They get nothing newer before they are allowed again.
//   - denied just after the API server was away: a server that has just started does not know yet who may what. It counts as not answered, and is asked again.
//
// A feed belongs to no identity. When the one whose token it uses leaves, expires or is refused, it goes on with that of another one where it was; with nobody
// present, for a minute. Then it is dropped, and with it what it had. Whether somebody has to go is never concluded from a feed: only their own reviews say that.
//
// One lock, that of the Hub, guards everything that goroutines share, and is never held while the API server is asked. What was handed out is never changed.
package live
