// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package code measures whether the tests would notice if a gate or a permission check in the Go code were gone.
//
// Every condition in scope is wrapped in a call that can turn it to true, to false or round, and every statement that adds a problem in a call that can
// leave it out. All these mutants are compiled into the packages at once, by an overlay: the working tree is not touched. An environment variable
// switches one of them on, and the tests that are named in the scope have to fail.
//
//	load    the packages in scope, with their types
//	sites   the places in them that can be turned, and how
//	overlay the same packages with a switch at each site
//	suites  their tests, compiled once, run once without a mutant, and seen which test reaches which site
//	hunt    one run of tests for each mutant, until one fails
//	score   what was noticed, what was not, and what is excepted
package code
