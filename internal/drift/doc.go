// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package drift says in which fields objects differ from what was approved. It is pure.
//
// For each object there are three: as the Release says it (desired), as it runs (live), and as it would run if it were applied once more (merged).
// Live and merged are compared where desired says something, and nowhere else:
//
//	a field that only others set, such as an autoscaler's replicas   no drift: nobody has approved another value
//	a field that the API server fills in                             no drift, for the same reason
//	a value that is written in another way, such as 1000m and 1      no drift: live and merged are both as the API server writes them
//	status, and what the API server writes into metadata             no drift
//	another value, or none, where the Release has one                drift
//	no object                                                        drift
//
// An item of a list is found again by what names it (`name`, or a port, a path, a key); a list whose items have no names is compared as a whole.
package drift
