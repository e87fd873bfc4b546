// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// section of a page: what is under one heading of the second level.
type section struct {
	title  string
	blocks []block
}

// block is an example in a section.
type block struct {
	// kind is "yaml" for whole objects, "sh" for commands, and "text" for what the Promotion says then.
	kind string
	text string
	line int
}

// kinds of blocks that a page may have: one of another kind would be tried by nobody.
var kinds = []string{"yaml", "sh", "text"}

// readPage reads the sections of a page.
func readPage(path string) ([]section, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	var sections []section
	var open *block
	for i, line := range strings.Split(string(content), "\n") {
		fence, fenced := strings.CutPrefix(line, "```")
		switch {
		case open != nil && fenced:
			last := &sections[len(sections)-1]
			last.blocks = append(last.blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case fenced && (len(sections) == 0 || !slices.Contains(kinds, fence)):
			return nil, fmt.Errorf("line %d: a block of kind %q must be one of %q, in a section", i+1, fence, kinds)
		case fenced:
			open = &block{kind: fence, line: i + 1}
		case strings.HasPrefix(line, "## "):
			sections = append(sections, section{title: strings.TrimPrefix(line, "## ")})
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block is not closed", open.line)
	}
	return sections, nil
}

// command is one that somebody runs.
type command struct {
	user, text string
}

// commands of a block of kind "sh": one a line, but for lines that go on and documents in place.
func (b block) commands(administrator string) []command {
	var found []command
	user, current, end := administrator, "", ""
	for line := range strings.Lines(b.text) {
		trimmed := strings.TrimSpace(line)
		if name, is := strings.CutPrefix(trimmed, "# as "); is && current == "" {
			user = name
			continue
		}
		if current == "" && (trimmed == "" || strings.HasPrefix(trimmed, "#")) {
			continue
		}
		current += line
		if here := inPlace.FindStringSubmatch(line); here != nil && end == "" {
			end = here[1]
			continue
		}
		if (end != "" && trimmed != end) || (end == "" && strings.HasSuffix(trimmed, `\`)) {
			continue
		}
		found = append(found, command{user: user, text: current})
		current, end = "", ""
	}
	return found
}

// inPlace begins a document in the middle of a command.
var inPlace = regexp.MustCompile(`<<'([A-Z]+)'`)

var (
	// ofProject is the project's name wherever the page speaks of the namespace, and not of the application of the same name.
	ofProject = regexp.MustCompile(`(?m)(namespace:? |namespace=|project "|serviceaccount=)shop([\s",:}]|$)`)
	// ofTarget is the target namespace of one of its Environments.
	ofTarget = regexp.MustCompile(`(namespace: |namespace "|serviceaccount:)(shop-[a-z]+)([\s,}":])`)
)

// moved makes a text of the page speak of another project and other targets.
func moved(text, project string, targets map[string]string) string {
	text = ofProject.ReplaceAllString(text, "${1}"+project+"${2}")
	return ofTarget.ReplaceAllStringFunc(text, func(found string) string {
		parts := ofTarget.FindStringSubmatch(found)
		if target, known := targets[parts[2]]; known {
			return parts[1] + target + parts[3]
		}
		return found
	})
}
