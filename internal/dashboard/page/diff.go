// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strconv"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// diffText is the diff of a plan, read: the unified diff of YAML that plan.Diff writes, object by object.
type diffText struct {
	objects []diffObject
	// rest are lines that belong to no object, such as the one that says that the diff is cut.
	rest []string
}

// diffObject is what a diff shows of one object.
type diffObject struct {
	// path is the object's name in the diff, as plan.Path has it.
	path string
	// created and pruned say that it does not run yet, or not any more; recreated that it is deleted and created again.
	created, pruned, recreated bool
	hunks                      []diffHunk
}

// diffHunk is a run of lines, and where it stands on both sides.
type diffHunk struct {
	before, after int
	lines         []diffLine
}

// diffLine is one line: its mark is a space, a minus or a plus.
type diffLine struct {
	mark byte
	text string
}

const (
	diffOld     = "--- "
	diffNew     = "+++ "
	diffNothing = "/dev/null"
	diffHunkAt  = "@@ -"
)

// parseDiff reads a diff. The lines of a hunk are counted as its head says, so that no line of an object can pass for the beginning of another one.
func parseDiff(text string) diffText {
	var parsed diffText
	lines := strings.Split(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for len(lines) > 0 {
		if object, isHead := parseDiffHead(lines); isHead {
			parsed.objects = append(parsed.objects, object)
			lines = lines[2:]
			continue
		}
		if hunk, taken := parseHunk(lines); taken > 0 && len(parsed.objects) > 0 {
			last := &parsed.objects[len(parsed.objects)-1]
			last.hunks = append(last.hunks, hunk)
			lines = lines[taken:]
			continue
		}
		parsed.rest = append(parsed.rest, lines[0])
		lines = lines[1:]
	}
	return parsed
}

func parseDiffHead(lines []string) (diffObject, bool) {
	if len(lines) < 2 || !strings.HasPrefix(lines[0], diffOld) || !strings.HasPrefix(lines[1], diffNew) {
		return diffObject{}, false
	}
	before, after := lines[0][len(diffOld):], lines[1][len(diffNew):]
	after, note, _ := strings.Cut(after, " ")
	object := diffObject{created: before == diffNothing, pruned: after == diffNothing, recreated: note != ""}
	if object.path = strings.TrimPrefix(after, "plan/"); object.pruned {
		object.path = strings.TrimPrefix(before, "live/")
	}
	return object, true
}

// parseHunk reads a hunk and says how many lines it takes; none if there is no hunk. One that is cut ends where its lines do.
func parseHunk(lines []string) (hunk diffHunk, taken int) {
	ranges, isHunk := strings.CutPrefix(lines[0], diffHunkAt)
	if !isHunk {
		return diffHunk{}, 0
	}
	oldRange, rest, _ := strings.Cut(ranges, " +")
	newRange, _, isHunk := strings.Cut(rest, " @@")
	before, oldLeft, oldOK := parseRange(oldRange)
	after, newLeft, newOK := parseRange(newRange)
	if !isHunk || !oldOK || !newOK {
		return diffHunk{}, 0
	}
	hunk = diffHunk{before: before, after: after}
	for taken = 1; taken < len(lines); taken++ {
		line := lines[taken]
		if line == "" {
			break
		}
		inOld, inNew := line[0] != '+', line[0] != '-'
		if !strings.ContainsRune(" +-", rune(line[0])) || (inOld && oldLeft == 0) || (inNew && newLeft == 0) {
			break
		}
		hunk.lines = append(hunk.lines, diffLine{line[0], line[1:]})
		if inOld {
			oldLeft--
		}
		if inNew {
			newLeft--
		}
	}
	return hunk, taken
}

// parseRange reads "12,7" or "12", which is one line.
func parseRange(text string) (from, count int, ok bool) {
	first, rest, several := strings.Cut(text, ",")
	from, err := strconv.Atoi(first)
	if err != nil || from < 0 {
		return 0, 0, false
	}
	if !several {
		return from, 1, true
	}
	count, err = strconv.Atoi(rest)
	return from, count, err == nil && count >= 0
}

// count of the lines that come and go.
func (o diffObject) count() (added, removed int) {
	for _, hunk := range o.hunks {
		for _, line := range hunk.lines {
			switch line.mark {
			case '+':
				added++
			case '-':
				removed++
			}
		}
	}
	return added, removed
}

// action that the diff shows; for objects that the list of changes does not name any more.
func (o diffObject) action() v1alpha1.ChangeAction {
	switch {
	case o.created:
		return v1alpha1.ChangeCreate
	case o.pruned:
		return v1alpha1.ChangePrune
	case o.recreated:
		return v1alpha1.ChangeRecreate
	default:
		return v1alpha1.ChangeUpdate
	}
}

// names splits a path as plan.Path makes it into the kind and the name, with its namespace.
func (o diffObject) names() (kind, name string) {
	kind, name, _ = strings.Cut(o.path, "/")
	kind, _, _ = strings.Cut(kind, ".")
	return kind, name
}

// changeOf is the change that the object of a path is part of, if it is listed.
func changeOf(changes []v1alpha1.Change, path string) (v1alpha1.Change, bool) {
	for _, change := range changes {
		// The diff spells out what deceives, and so is its path.
		if plan.Visible(plan.Path(change.ObjectReference)) == path {
			return change, true
		}
	}
	return v1alpha1.Change{}, false
}
