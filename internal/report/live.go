// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// LiveState says whether an object still runs as the diff of a plan shows it.
type LiveState string

// States of an object.
const (
	// LiveSame: what the diff shows of it is still so.
	LiveSame LiveState = "Same"
	// LiveChanged: somebody has changed or created it since.
	LiveChanged LiveState = "Changed"
	// LiveGone: somebody has deleted it since.
	LiveGone LiveState = "Gone"
	// LiveUnknown: it could not be compared, and the message says why.
	LiveUnknown LiveState = "Unknown"
)

// LiveObject is an object that a plan changes, compared with what runs now.
type LiveObject struct {
	v1alpha1.ObjectReference `json:",inline"`
	State                    LiveState `json:"state"`
	Message                  string    `json:"message,omitempty"`
	// Diff of what has changed since: lines with - were there, and lines with + are there now.
	Diff string `json:"diff,omitempty"`
}

// Found is what was found of an object: its text, as plan.Shown has it, empty where it does not exist, or why nobody knows.
type Found struct{ Text, Unknown string }

// Against compares the diff with what runs now, for each object that the plan changes.
func (d Difference) Against(found map[v1alpha1.ObjectReference]Found) Difference {
	parts := sections(d.Diff)
	for _, change := range d.Changes {
		live := LiveObject{ObjectReference: change.ObjectReference}
		part, shown := parts[plan.Path(change.ObjectReference)]
		now, looked := found[change.ObjectReference]
		switch {
		case !looked || now.Unknown != "":
			live.State, live.Message = LiveUnknown, now.Unknown
		case !shown:
			live.State, live.Message = LiveUnknown, "the diff is cut before it"
		default:
			live.State, live.Diff = part.compare(now.Text)
		}
		d.Live = append(d.Live, live)
	}
	return d
}

// section of a diff is about one object.
type section struct {
	path string
	// created says that it did not run.
	created bool
	// before and after are the lines that are shown of both sides, hunk by hunk.
	before [][]string
	after  []string
}

// sections by the paths of their objects.
func sections(text string) map[string]*section {
	found := map[string]*section{}
	var current *section
	old := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		name, isOld := strings.CutPrefix(line, "--- ")
		if isOld && (name == "/dev/null" || strings.HasPrefix(name, "live/")) {
			old, current = name, nil
			continue
		}
		if name, isNew := strings.CutPrefix(line, "+++ "); isNew && current == nil {
			name, _, _ = strings.Cut(strings.TrimPrefix(name, "plan/"), " ")
			current = &section{path: name, created: old == "/dev/null"}
			if name == "/dev/null" {
				current.path = strings.TrimPrefix(old, "live/")
			}
			found[current.path] = current
			continue
		}
		if current != nil {
			current.add(line)
		}
	}
	return found
}

func (s *section) add(line string) {
	if strings.HasPrefix(line, "@@ ") {
		s.before = append(s.before, nil)
		return
	}
	if len(s.before) == 0 || line == "" {
		return
	}
	last := len(s.before) - 1
	switch mark, text := line[0], unmasked(line[1:]); mark {
	case ' ':
		s.before[last], s.after = append(s.before[last], text), append(s.after, text)
	case '-':
		s.before[last] = append(s.before[last], text)
	case '+':
		s.after = append(s.after, text)
	}
}

// unmasked levels the masks of a Secret's values: what is behind them cannot be compared.
func unmasked(line string) string {
	for _, side := range []string{" (before)", " (after)"} {
		line = strings.Replace(line, "'***"+side+"'", "'***'", 1)
	}
	return line
}

// compare with the text of the object that runs now.
func (s *section) compare(text string) (state LiveState, difference string) {
	var now []string
	for line := range strings.Lines(text) {
		now = append(now, unmasked(strings.TrimSuffix(line, "\n")))
	}
	switch {
	case text == "" && s.created:
		return LiveSame, ""
	case text == "":
		return LiveGone, ""
	case s.created:
		return LiveChanged, unified("live/"+s.path, now, "plan/"+s.path, s.after)
	}
	rest, missing := now, ""
	for _, hunk := range s.before {
		at := within(rest, hunk)
		if at < 0 {
			missing += missed(hunk, rest)
			continue
		}
		rest = rest[at+len(hunk):]
	}
	if missing == "" {
		return LiveSame, ""
	}
	return LiveChanged, missing
}

// within is where lines follow each other among others; -1 if they do not.
func within(all, lines []string) int {
	for at := 0; at+len(lines) <= len(all); at++ {
		if slices.Equal(all[at:at+len(lines)], lines) {
			return at
		}
	}
	return -1
}

// missed are the lines of a hunk that are not there any more, and as many of those that stand in their place.
func missed(hunk, now []string) string {
	var out strings.Builder
	gone := 0
	for line := range strings.Lines(unified("before", hunk, "now", now)) {
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "@@"):
		case strings.HasPrefix(line, "-"):
			out.WriteString(line)
			gone++
		case strings.HasPrefix(line, "+") && gone > 0:
			out.WriteString(line)
			gone--
		default:
			gone = 0
		}
	}
	if out.Len() == 0 { // every line is there, and others have come in between
		return "+ (lines were added in between)\n"
	}
	return out.String()
}

// unified diff, without the library's first line.
func unified(oldName string, before []string, newName string, after []string) string {
	text := string(diff.Diff(oldName, []byte(strings.Join(before, "\n")+"\n"), newName, []byte(strings.Join(after, "\n")+"\n")))
	_, rest, _ := strings.Cut(text, "\n")
	return rest
}

// liveText says to people whether the diff is still true.
func (d Difference) liveText(style Style) string {
	var out strings.Builder
	same := 0
	for _, live := range d.Live {
		name := live.Kind + " " + shown(live.Name)
		switch live.State {
		case LiveSame:
			same++
			continue
		case LiveChanged:
			fmt.Fprintf(&out, "%s: %s\n", style.Bad("changed since the plan was made"), name)
		case LiveGone:
			fmt.Fprintf(&out, "%s: %s\n", style.Bad("deleted since the plan was made"), name)
		case LiveUnknown:
			fmt.Fprintf(&out, "%s: %s: %s\n", style.Waiting("not compared"), name, oneLine(live.Message))
		}
		for line := range strings.Lines(shown(live.Diff)) {
			out.WriteString("  " + diffLine(style, strings.TrimSuffix(line, "\n")) + "\n")
		}
	}
	if same == len(d.Live) {
		return style.Good("against what runs now: all of it is still so") + "\n"
	}
	return fmt.Sprintf("against what runs now: %d of %s still as shown\n%s", same, counted(len(d.Live), "object"), out.String())
}
