// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package promotion decides what happens to a Promotion. It is pure: an Observation goes in, a Decision and a status come
// out; it has no client, no clock and no logger.
//
//	                     Observation
//	                          │
//	ended? ───────────────────┼──────────────────────────────► Rest
//	outcome on record? ───────┼──────────────────────────────► Conclude
//	started? ─────────────────┼──► no intent on record? ─────► Prove, Start again, or Finish (nothing was applied)
//	   │                      │    cancelled, failed, late? ─► Finish
//	   │                      │    not applied yet? ─────────► Apply
//	   │                      │    healthy? ─────────────────► Prune, then Finish(Succeeded)
//	   │                      │    else ─────────────────────► Watch
//	cancelled, superseded,    │
//	impossible, rejected? ────┼──────────────────────────────► Prove, then End
//	no plan for these inputs? ┼──────────────────────────────► MakePlan
//	a gate is closed? ────────┼──────────────────────────────► Wait, with the blockers
//	seen in caches only? ─────┼──────────────────────────────► Prove
//	every gate open, live ────┴──────────────────────────────► Start
//
// MakePlan and Prove ask for a closer look and change nothing. A promotion starts, and ends without a start, only by an
// observation that was made of live reads from first to last (Live): caches inform, they never decide.
package promotion
