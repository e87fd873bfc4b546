// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strings"
	"unicode/utf8"
)

// diffBlock is a run of lines that stay, or of lines that change, or a gap of which the diff shows nothing.
//
// Its rows stand side by side: what goes at the left of what comes instead. The same rows make the unified view, where a style puts all that goes before all
// that comes; so both views are one text, and need no script.
type diffBlock struct {
	// Gap is how many lines are left out; then there are no rows.
	Gap int
	// Changed says that the rows are of lines that come and go.
	Changed bool
	Rows    []diffRow
}

// diffRow has a line at either side, or at one of them.
type diffRow struct {
	Old, New *diffSide
}

// diffSide is a line as one side shows it. Where it has a counterpart that is much like it, Mark is the part in which they differ.
type diffSide struct {
	Number              int
	Before, Mark, After string
}

// blocks of an object's diff, in their order.
func (o diffObject) blocks() []diffBlock {
	var blocks []diffBlock
	next := 1 // line that has not been shown yet, of the side that there is
	for _, hunk := range o.hunks {
		at := hunk.before
		if o.created {
			at = hunk.after
		}
		if gap := at - next; gap > 0 {
			blocks = append(blocks, diffBlock{Gap: gap})
		}
		blocks = append(blocks, hunk.blocks()...)
		next = at
		for _, line := range hunk.lines {
			if (line.mark != '+') != o.created || line.mark == ' ' {
				next++
			}
		}
	}
	return blocks
}

// blocks of a hunk: lines that stay and lines that change take turns.
func (h diffHunk) blocks() []diffBlock {
	var blocks []diffBlock
	before, after := h.before, h.after
	lines := h.lines
	for len(lines) > 0 {
		var block diffBlock
		var gone, come []*diffSide
		same := lines[0].mark == ' '
		for len(lines) > 0 && (lines[0].mark == ' ') == same {
			line := lines[0]
			lines = lines[1:]
			if line.mark != '+' {
				gone = append(gone, &diffSide{Number: before, Before: line.text})
				before++
			}
			if line.mark != '-' {
				come = append(come, &diffSide{Number: after, Before: line.text})
				after++
			}
		}
		block.Changed = !same
		block.Rows = paired(gone, come)
		if block.Changed {
			for _, row := range block.Rows {
				markDifference(row.Old, row.New)
			}
		}
		blocks = append(blocks, block)
	}
	return blocks
}

func paired(gone, come []*diffSide) []diffRow {
	rows := make([]diffRow, max(len(gone), len(come)))
	for i, side := range gone {
		rows[i].Old = side
	}
	for i, side := range come {
		rows[i].New = side
	}
	return rows
}

// markDifference sets off the part in which two lines differ, if what they share is worth to be told apart from it.
func markDifference(before, after *diffSide) {
	if before == nil || after == nil {
		return
	}
	a, b := before.Before, after.Before
	prefix := sharedPrefix(a, b)
	suffix := sharedSuffix(a[prefix:], b[prefix:])
	shared := strings.TrimSpace(a[:prefix] + a[len(a)-suffix:])
	if 3*len(shared) < min(len(strings.TrimSpace(a)), len(strings.TrimSpace(b))) {
		return
	}
	before.Before, before.Mark, before.After = a[:prefix], a[prefix:len(a)-suffix], a[len(a)-suffix:]
	after.Before, after.Mark, after.After = b[:prefix], b[prefix:len(b)-suffix], b[len(b)-suffix:]
}

// sharedPrefix is the length of what both begin with, in whole characters.
func sharedPrefix(a, b string) int {
	length := 0
	for length < len(a) && length < len(b) {
		r, size := utf8.DecodeRuneInString(a[length:])
		other, otherSize := utf8.DecodeRuneInString(b[length:])
		if r != other || size != otherSize {
			break
		}
		length += size
	}
	return length
}

// sharedSuffix is the length of what both end with, in whole characters.
func sharedSuffix(a, b string) int {
	length := 0
	for length < len(a) && length < len(b) {
		r, size := utf8.DecodeLastRuneInString(a[:len(a)-length])
		other, otherSize := utf8.DecodeLastRuneInString(b[:len(b)-length])
		if r != other || size != otherSize {
			break
		}
		length += size
	}
	return length
}
