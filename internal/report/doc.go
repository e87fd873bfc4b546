// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report makes of objects of the API what people are shown of them: reports, which commands print as JSON and YAML as they are, and their text on a
// terminal. The plugin and the dashboard judge by it, so that "why" has one author.
//
// It is pure: it is given objects and the time. It judges nothing anew: what a status says is shown, in its words and in its order. What anybody may have
// written is shown with everything spelled out that a terminal would obey.
package report
