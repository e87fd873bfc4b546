// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package measure says what was measured, how it compares, and whether that is good enough. It is pure: it measures nothing itself.
//
//	contestants, in turn, run after run    Interleave
//	 └─ Series of values, one for each     Result (of one case of one benchmark)
//	     └─ compared with the floor        Goal.Judge -> Verdict
//	         └─ Report                     table, JSON, picture
//
// What is compared was measured in the same run, a moment before or after, on the same machine: a ratio of such a pair says more than
// either value, because whatever else the machine had to do slowed both down.
package measure
