// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package promotion decides what happens to a Promotion. It is pure: an Observation goes in, a Decision and a status come
// out; it has no client, no clock and no logger.
//
//	                     Observation
//	                          │
//	ended? ───────────────────┼──────────────────────────────► Rest, or Acknowledge an override that was used
//	outcome on record? ───────┼──────────────────────────────► Conclude
//	started? ─────────────────┼──► no intent on record? ─────► Prove, Start again, or Finish (nothing was applied)
//	   │                      │    cancelled, failed, late? ─► Finish
//	   │                      │    not applied yet? ─────────► Apply
//	   │                      │    healthy? ─────────────────► Prune, then Finish(Succeeded)
//	   │                      │    else ─────────────────────► Watch
//	cancelled, superseded,    │
//	impossible, rejected? ────┼──────────────────────────────► Prove, then End
//	no plan for these inputs? ┼──────────────────────────────► MakePlan
//	waited for too long? ─────┼──────────────────────────────► Prove, then End (Expired)
//	a gate is closed that no  │
//	override opens? ──────────┼──────────────────────────────► Wait, with the blockers, and run the checks that are due
//	seen in caches only? ─────┼──────────────────────────────► Prove
//	every gate open, live ────┴──────────────────────────────► Start, with the gates that the override opens
//
// MakePlan and Prove ask for a closer look and change nothing. A promotion starts, and ends without a start, only by an
// observation that was made of live reads from first to last (Live): caches inform, they never decide.
package promotion
