// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package faults runs promotions again and again on a real API server, each time with one fault at another request of the operator's, and looks
// at what has become of them.
//
//	undisturbed:  ask, approve, roll out ...            -> the list of the operator's writes, and what is there in the end
//	for every write x every mode:
//	              the same in a new project, the write meets the fault
//	              the operator goes on, or dies and a new one with fresh caches takes over
//	              until all promotions have ended and the Environment knows of it
//	              -> judge: the API server's audit log, the final objects, the history
//	then:         pairs of faults by chance; disturbances of watches, leaders, clocks and of the cluster itself
//
// The operator runs inside this process, on a manager of its own for each run, connected as its own service account: only so can the transport under
// its clients fail one request and no other. Several runs go on side by side: each has a project, a target namespace, a lease and a cache of its own.
//
// Requests are told apart by what they say, not by when they come: parallel writes and the renewal of leases are in no fixed order.
package faults
