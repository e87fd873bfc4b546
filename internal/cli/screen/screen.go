// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package screen is the full-screen view of `kubectl assent ui`: the inbox, the matrix, and the diff of a Promotion.
//
//	inbox ── enter ──► diff ── a, r ──► question ── enter ──► Decide
//	  │ tab              │ esc                     esc
//	matrix             inbox                       diff
//
// It is pure: keys and data go in, lines and actions come out. It reads no terminal and makes no request.
package screen

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/report"
)

// Data is what there is to show.
type Data struct {
	User string
	// Inbox are the Promotions that wait for the user, and Open all that have not ended.
	Inbox, Open []v1alpha1.Promotion
	Matrix      report.Matrix
	// Projects says that Environments of several projects are shown.
	Projects bool
}

// view is what takes the place between heading and foot.
type view int

const (
	viewInbox view = iota
	viewMatrix
	viewDiff
)

// Screen is what is to be seen, and where whoever looks stands. The zero value shows an empty inbox.
type Screen struct {
	Width, Height int
	Style         report.Style
	Now           time.Time

	data    Data
	view    view
	cursor  int
	top     int
	looked  *v1alpha1.Promotion
	asking  *question
	message string
}

// question is answered on the last line but one: by enter, with what was typed until then.
type question struct {
	decision v1alpha1.Decision
	typed    string
}

// Show other data. The Promotion that the diff is of stays as it was looked at.
func (s Screen) Show(data Data) Screen {
	s.data = data
	s.cursor = max(0, min(s.cursor, len(data.Inbox)-1))
	return s
}

// Tell what has come of an action.
func (s Screen) Tell(message string) Screen {
	s.message = message
	return s
}

// Closed is the screen after a decision on the Promotion that was looked at: the inbox again.
func (s Screen) Closed(message string) Screen {
	s.view, s.looked, s.asking, s.top = viewInbox, nil, nil, 0
	return s.Tell(message)
}

// Lines are as many as the screen is high, none wider than it is.
func (s Screen) Lines() []string {
	lines := []string{s.heading(), ""}
	room := max(0, s.Height-4)
	body := s.body()
	top := max(0, min(s.top, len(body)-room))
	if s.view == viewInbox && s.cursor+1 >= top+room { // the heading of the table is the first line
		top = s.cursor + 2 - room
	}
	top = max(0, top)
	body = body[min(top, len(body)):min(top+room, len(body))]
	lines = append(lines, body...)
	for len(lines) < s.Height-2 {
		lines = append(lines, "")
	}
	lines = append(lines, s.note(), s.keys())
	for i := range lines {
		lines[i] = ansi.Truncate(strings.ReplaceAll(lines[i], "\t", "    "), s.Width, "…")
	}
	return lines[:min(len(lines), max(0, s.Height))]
}

func (s Screen) heading() string {
	names := []string{fmt.Sprintf("Inbox (%d)", len(s.data.Inbox)), "Matrix"}
	for i := range names {
		if view(i) == s.view {
			names[i] = s.Style.Bold("[" + names[i] + "]")
		} else {
			names[i] = " " + names[i] + " "
		}
	}
	if s.view == viewDiff {
		names = append(names, s.Style.Bold("["+s.looked.Name+"]"))
	}
	return strings.Join(names, " ") + "   " + plan.Visible(s.data.User)
}

func (s Screen) body() []string {
	switch s.view {
	case viewMatrix:
		if len(s.data.Matrix.Items) == 0 {
			return []string{"No Environments."}
		}
		return split(s.data.Matrix.Text(s.Style, s.data.Projects, s.Width, s.Now))
	case viewDiff:
		return split(report.Differ(s.looked).Text(s.Style) + "\n" + report.Explain(s.looked).Text(s.Style, s.Now))
	case viewInbox:
	}
	if len(s.data.Inbox) == 0 {
		return []string{"Nothing waits for you."}
	}
	lines := split(report.Inbox(s.data.Inbox, false, s.Now).Text(s.Style))
	for i := range lines {
		mark := "  "
		if i == s.cursor+1 {
			mark = s.Style.Bold("> ")
		}
		lines[i] = mark + lines[i]
	}
	return lines
}

func split(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }

// note is a question, what has come of the last action, or what has happened to the plan that is shown.
func (s Screen) note() string {
	switch {
	case s.asking != nil && s.asking.decision == v1alpha1.DecisionRejected:
		return s.Style.Bad("Reject "+s.looked.Name+", because: ") + plan.Visible(s.asking.typed) + "_"
	case s.asking != nil:
		return s.Style.Good("Approve "+s.looked.Name+", with the comment: ") + plan.Visible(s.asking.typed) + "_"
	case s.message != "":
		return plan.Visible(strings.ReplaceAll(s.message, "\n", " "))
	case s.view == viewDiff:
		return s.Style.Waiting(s.overtaken())
	default:
		return ""
	}
}

// overtaken says what has become of the plan that is shown, where it is not the current one any more.
func (s Screen) overtaken() string {
	now := s.current()
	switch {
	case now == nil:
		return "It has ended meanwhile, or was deleted."
	case now.Status.Plan.Digest != s.looked.Status.Plan.Digest:
		return "Its plan has changed meanwhile: press enter to look at the new one."
	case !now.Status.StartTime.IsZero():
		return "Its rollout has started meanwhile: decisions are closed."
	default:
		return ""
	}
}

// current is the Promotion that is looked at, as it is now; nil if it has ended.
func (s Screen) current() *v1alpha1.Promotion {
	for i := range s.data.Open {
		if s.data.Open[i].UID == s.looked.UID {
			return &s.data.Open[i]
		}
	}
	return nil
}

func (s Screen) keys() string {
	switch {
	case s.asking != nil && s.asking.decision == v1alpha1.DecisionRejected:
		return "type why   enter reject   esc leave it"
	case s.asking != nil:
		return "type a comment, or nothing   enter approve   esc leave it"
	case s.view == viewDiff:
		return "↑↓ pgup pgdown scroll   a approve   r reject   esc back   q quit"
	case s.view == viewMatrix:
		return "↑↓ pgup pgdown scroll   tab inbox   q quit"
	default:
		return "↑↓ choose   enter look at it   tab matrix   q quit"
	}
}
