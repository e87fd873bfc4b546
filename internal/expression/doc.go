// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package expression compiles and evaluates the CEL expressions that people write into Environments: when an approval rule applies to a plan
// (Rule), and when the answer of a server passes a check (Answer). It is pure: no client, no clock, no logger.
//
// An expression is checked against real types when it is compiled, so that a field that does not exist is found when the Environment is written
// and not when a promotion waits. Two limits hold what it costs. Its cost is estimated when it is compiled, from how large its variables can
// become; what may cost too much is refused with a message that says what to simplify. When it is evaluated, its cost is counted, and it ends with
// an error beyond the same limit: estimates of what a server answers are assumptions. Functions whose result can be much larger than what
// goes in are refused, because a cost that is counted after a call comes too late for its memory.
//
// Whatever goes wrong is an error, and never false: the caller keeps its gate closed.
package expression
