// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package screen

import (
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Action is what a key asks for beyond the screen: Quit or Decide.
type Action interface{ action() }

// Quit ends the view.
type Quit struct{}

// Decide on a Promotion as it was shown.
type Decide struct {
	Promotion *v1alpha1.Promotion
	Decision  v1alpha1.Decision
	Comment   string
}

func (Quit) action() {}

func (Decide) action() {}

// Key is pressed. Name is that of the key, such as "enter", and text what it types, if it does. The action is nil where nothing is asked for.
func (s Screen) Key(name, text string) (Screen, Action) {
	if name == "ctrl+c" {
		return s, Quit{}
	}
	if s.asking != nil {
		return s.answer(name, text)
	}
	s.message = ""
	switch name {
	case "q":
		return s, Quit{}
	case "tab", "1", "2":
		return s.turn(name), nil
	case "up", "k":
		return s.move(-1), nil
	case "down", "j":
		return s.move(1), nil
	case "pgup":
		return s.move(-max(1, s.Height-5)), nil
	case "pgdown", "space":
		return s.move(max(1, s.Height-5)), nil
	case "home", "g":
		s.cursor, s.top = 0, 0
	case "enter":
		return s.look(), nil
	case "esc", "backspace", "left":
		return s.Closed(""), nil
	case "a":
		return s.ask(v1alpha1.DecisionApproved), nil
	case "r":
		return s.ask(v1alpha1.DecisionRejected), nil
	}
	return s, nil
}

// turn to another view.
func (s Screen) turn(name string) Screen {
	to := viewMatrix
	if name == "1" || (name == "tab" && s.view != viewInbox) {
		to = viewInbox
	}
	s.view, s.looked, s.top = to, nil, 0
	return s
}

// move the cursor in the inbox, and what is shown elsewhere.
func (s Screen) move(by int) Screen {
	if s.view == viewInbox {
		s.cursor = max(0, min(s.cursor+by, len(s.data.Inbox)-1))
		return s
	}
	s.top = max(0, min(s.top+by, len(s.body())-max(0, s.Height-4)))
	return s
}

// look at the diff of what is chosen, or at the new plan of what is looked at.
func (s Screen) look() Screen {
	switch {
	case s.view == viewInbox && len(s.data.Inbox) > 0:
		s.looked = s.data.Inbox[s.cursor].DeepCopy()
		s.view, s.top = viewDiff, 0
	case s.view == viewDiff:
		if now := s.current(); now != nil && now.Status.Plan.Digest != "" && now.Status.Plan.Digest != s.looked.Status.Plan.Digest {
			s.looked, s.top = now.DeepCopy(), 0
		}
	}
	return s
}

// ask before a decision; only what is shown can be decided on, and only while its plan is the current one.
func (s Screen) ask(decision v1alpha1.Decision) Screen {
	if s.view != viewDiff {
		return s.Tell("Look at it first: press enter.")
	}
	if s.overtaken() == "" {
		s.asking = &question{decision: decision}
	}
	return s
}

// answer a question.
func (s Screen) answer(name, text string) (Screen, Action) {
	asked := *s.asking
	switch name {
	case "esc":
		s.asking = nil
		return s.Tell("Nothing was decided."), nil
	case "enter":
		comment := strings.TrimSpace(asked.typed)
		if asked.decision == v1alpha1.DecisionRejected && comment == "" {
			return s, nil
		}
		s.asking = nil
		return s.Tell("Writing your decision …"), Decide{s.looked, asked.decision, comment}
	case "backspace":
		if typed := []rune(asked.typed); len(typed) > 0 {
			asked.typed = string(typed[:len(typed)-1])
		}
	default:
		asked.typed += text
	}
	s.asking = &asked
	return s, nil
}
