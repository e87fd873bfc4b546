// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import "strings"

// node is a line with lines under it.
type node struct {
	text  string
	under []*node
}

func leaf(text string) *node { return &node{text: text} }

func (n *node) add(under *node) { n.under = append(n.under, under) }

// lines of a tree, the way people draw one.
func (n *node) lines(out *strings.Builder, first, rest string) {
	out.WriteString(first + n.text + "\n")
	for i, child := range n.under {
		if i == len(n.under)-1 {
			child.lines(out, rest+"└─ ", rest+"   ")
		} else {
			child.lines(out, rest+"├─ ", rest+"│  ")
		}
	}
}
