// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apply brings objects into the cluster as an Environment's deployer, never as the operator.
//
// A Factory makes a Deployer for one promotion. Each of its requests impersonates the deployer's service account and carries the
// promotion's identity as an extra, so that the API server's audit log and its admission policies know for which promotion a request is
// made. What the deployer may not do, a rollout cannot do.
//
//	Compare  reads what runs and asks the API server, by a dry run, what would run     (reads only)
//	Apply    wave by wave, in parallel within a wave: read, dry run, and write what differs; what Compare has just seen is not read again,
//	         but each write says which version it is meant for. What cannot be changed is deleted, waited for, and created again, where
//	         the Release allows that (a Job always is)
//	Prune    deletes what the Environment has applied before and no longer has
//
// Apply may be killed and started again at any point: what it has written before is unchanged then, and is not written again.
//
// An *Error says what kind of trouble it is: the deployer's rights, the object, its owner, or something that passes.
package apply
