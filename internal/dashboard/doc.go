// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dashboard is the page that shows every application in every stage, what waits for whom and exactly what would change, and where people decide.
//
//	browser ──► security (headers, other origins) ──► session (who is it?) ──► pages    World and reads ──► page.View ──► document
//	                                                                     ├──► stream   World changes   ──► the parts that differ
//	                                                                     └──► actions  forms           ──► person: one write
//
// It has no rights. Whatever is read or written is read or written with the token of the person who is signed in, and the API server decides; its own service
// account is bound to nothing. What several people look at is read once, and shown to those alone whose own rights the API server has confirmed: package live.
package dashboard
