// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report makes of objects of the API what commands print: reports, which are printed as JSON and YAML as they are, and their text for people.
//
// It is pure: it is given objects and the time. It judges nothing anew: what a status says is shown, in its words and in its order. What anybody may have
// written is shown with everything spelled out that a terminal would obey.
package report
