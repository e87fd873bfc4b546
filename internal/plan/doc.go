// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package plan says what a promotion would apply, and gives it a digest that people approve. It is pure: no client, no clock, no logger.
//
// A plan is made in this order:
//
//	rendered objects
//	  -> Place           every object stands in the target namespace and carries its Environment's labels, or all problems are refused at once
//	  -> Sort            one order, whatever order the source had
//	  -> Steps           parted by the waves that the Release asks for; Waves orders the kinds inside each
//	  -> RenderedDigest  what would be applied
//	  -> Digest          that, for this Promotion, this Release, this Environment and this guard: what an approval names
//
// What runs now is compared with what would run by the API server (a dry run, package apply). The pairs that come of it are what
// Changes and Diff show to people. They are no part of the digest: it says what would run, whatever runs now.
package plan
