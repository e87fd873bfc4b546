// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

// Kind is what an Environment can be looked for by. It can be of several.
type Kind string

// Kinds of Environments.
const (
	KindWaiting  Kind = "waiting"
	KindBlocked  Kind = "blocked"
	KindMoving   Kind = "moving"
	KindTrouble  Kind = "trouble"
	KindHold     Kind = "hold"
	KindOverride Kind = "override"
	KindEnded    Kind = "ended"
	KindBehind   Kind = "behind"
	KindHealthy  Kind = "healthy"
	KindEmpty    Kind = "empty"
)

// describedKind is a Kind as people see it.
type describedKind struct {
	Kind Kind
	// Text in a list to choose from, and Few and Many after a number.
	Text, Few, Many string
	Icon, Tone      string
	// Figure says that it is counted above the matrix.
	Figure bool
}

var kinds = []describedKind{
	{KindWaiting, "Waits for approval", "waits for approval", "wait for approval", "waiting", "wait", true},
	{KindBlocked, "Waits for something else", "waits for something else", "wait for something else", "blocked", "stop", true},
	{KindMoving, "Is being rolled out", "is being rolled out", "are being rolled out", "running", "run", true},
	{KindTrouble, "In trouble", "in trouble", "in trouble", "failed", "bad", true},
	{KindHold, "On hold", "on hold", "on hold", "hold", "stop", true},
	{KindOverride, "Break-glass used", "break-glass to acknowledge", "break-glass to acknowledge", "override", "bad", true},
	{KindEnded, "Last request ended unanswered or refused", "", "", "ended", "quiet", false},
	{KindBehind, "Behind the stage before", "", "", "behind", "quiet", false},
	{KindHealthy, "Healthy", "", "", "ok", "good", false},
	{KindEmpty, "Nothing runs there yet", "", "", "empty", "quiet", false},
}
