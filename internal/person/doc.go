// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package person is what people do with Assent, as writes to the Kubernetes API: it is the same by the kubectl plugin and by the dashboard.
//
// An Actor is one person and a client that acts as them; there is no other identity. Whether somebody may is for the API server to say, and its refusals come back
// as they are. What it cannot see is refused here, by an error of its own type: that something was meant which does not go any more.
//
//	what was looked at (object; UID, digest) -> what cannot have been meant is refused -> one write, which names what was looked at
//
// Each write about an object carries the UID of the one that was looked at, so that another one of the same name is not written. A decision carries the digest of
// its plan too, and the resource version, which keeps the place of its entry in the list.
//
// Errors say what has happened, and nothing of what to type or to press next: that is for whoever shows them.
package person
