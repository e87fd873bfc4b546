// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli has the commands of the kubectl plugin `kubectl assent`.
//
// A command acts as its caller, through the Kubernetes API alone, and decides nothing: whether somebody may is answered by the API server, and why
// something waits is read from the status that the operator writes. Each command goes the same way:
//
//	flags -> connect -> read -> report (pure: package report) -> ask on a terminal -> one write -> follow the status
//
// A write that depends on what was read (a decision on a plan, an override) names what was read, so that the API server refuses it when that has changed:
// the plan by its digest, the object by its resource version.
//
// What is printed goes to standard output, what is said meanwhile to standard error. What people wrote is printed with everything spelled out that a terminal
// would obey.
package cli
