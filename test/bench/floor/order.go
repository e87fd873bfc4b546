// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package floor is what Assent is measured against: a program that does what is necessary and nothing else. It watches for the approval, and then sends
// the intent record and the objects, which were encoded before. It reads nothing, checks nothing, and has no idea what it writes.
//
// It is a process of its own, connected as the operator is: over HTTP/2, with the token of the operator's service account, impersonating the deployer.
package floor

import (
	"encoding/json"
	"time"
)

// Order is what a floor is to do.
type Order struct {
	// Kubeconfig of the operator's service account.
	Kubeconfig string `json:"kubeconfig"`
	// Parallel is how many requests are under way at once.
	Parallel int `json:"parallel"`
	// Project to watch; empty: all of them.
	Project string `json:"project,omitempty"`
	// Jobs to do, each when its Promotion is approved.
	Jobs []Job `json:"jobs"`
}

// Job is one promotion.
type Job struct {
	// Project and Name of the Promotion.
	Project string `json:"project"`
	Name    string `json:"name"`
	// Intent is the record, as JSON. It is answered before the first object is sent.
	Intent json.RawMessage `json:"intent"`
	// Deployer is whom to impersonate, and Extra what it says of the promotion.
	Deployer string `json:"deployer"`
	Extra    string `json:"extra"`
	// Writes of the objects, in any order.
	Writes []Write `json:"writes"`
	// Deployments to wait for, in this namespace, until all that were written are ready; empty: none.
	Deployments string `json:"deployments,omitempty"`
}

// Write is one server-side apply.
type Write struct {
	// Path of the object, with the query.
	Path string `json:"path"`
	// Body is the object as JSON.
	Body json.RawMessage `json:"body"`
}

// Done is told of each job.
type Done struct {
	Project string `json:"project"`
	Name    string `json:"name"`
	// Seen is when the approval was, Written when the last object was answered, and Ready when the last Deployment was ready.
	Seen    time.Time `json:"seen"`
	Written time.Time `json:"written"`
	Ready   time.Time `json:"ready"`
	// Error in words; empty if all went well.
	Error string `json:"error,omitempty"`
}
