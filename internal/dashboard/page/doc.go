// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package page makes of what a viewer may see the pages of the dashboard.
//
//	World, URL, person ──► one function for each page ──► View: slots of parts
//	                                                        │
//	        first: frame around all slots, as one document ◄┴► later: the parts that differ from what the browser has
//
// It is pure: it is given objects and the time, and returns HTML that html/template has escaped. It reads nothing and makes no request.
package page
