// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// mutantVariable names the mutant that is on, as PACKAGE:NUMBER.
	mutantVariable = "ASSENT_MUTANT"
	// reachedVariable names a file that every site which is reached is written to, with the time.
	reachedVariable = "ASSENT_MUTANT_REACHED"
	// switchFile is added to each mutated package.
	switchFile = "zz_mutants.go"
)

// switchText is that file; the names of the package and of the package's path are put in.
//
//go:embed switch.go.txt
var switchText string

// switchImports are what that file imports.
var switchImports = []string{"os", "strconv", "strings", "sync", "sync/atomic", "time"}

// mutated is a package with a switch at each of its sites.
type mutated struct {
	*source
	sites []*site
	// leftOut are places that cannot be changed, with why.
	leftOut []string
	// texts of the files that differ, by name.
	texts map[string]string
}

// mutate a package: find its sites in the files and functions that are wanted, and leave out one by one what would not compile.
func mutate(p *source, entries []Entry) (*mutated, error) {
	m := &mutated{source: p}
	finders := map[*sourceFile]*finder{}
	for _, file := range p.files {
		found := find(p, file, func(function string) bool {
			return slices.ContainsFunc(entries, func(e Entry) bool { return e.has(file.name, function) })
		})
		m.leftOut = append(m.leftOut, found.leftOut...)
		if len(found.sites) == 0 {
			continue
		}
		finders[file] = found
		m.sites = append(m.sites, found.sites...)
	}
	for i, site := range m.sites {
		site.number = i + 1
	}
	for {
		m.texts = map[string]string{switchFile: strings.NewReplacer("PACKAGE", p.types.Name(), "PATH", p.short, "SITES", fmt.Sprint(len(m.sites)+1)).Replace(switchText)}
		for file, found := range finders {
			m.texts[file.name] = splice(file, m.sites, found.tags)
		}
		fault := m.check()
		if fault == nil {
			return m, nil
		}
		if err := m.without(*fault); err != nil {
			return nil, err
		}
	}
}

// check the types of what was made; nil if it compiles.
func (m *mutated) check() *types.Error {
	texts := map[string]string{}
	for _, file := range m.files {
		texts[file.name] = string(file.text)
	}
	maps.Copy(texts, m.texts)
	trees := make([]*ast.File, 0, len(texts))
	for name, text := range texts {
		tree, err := parser.ParseFile(m.fset, filepath.Join(m.dir, name), text, parser.SkipObjectResolution)
		if err != nil {
			return &types.Error{Fset: m.fset, Msg: err.Error()}
		}
		trees = append(trees, tree)
	}
	_, err := (&types.Config{Importer: m.imports}).Check(m.path, m.fset, trees, nil)
	var fault types.Error
	if errors.As(err, &fault) {
		return &fault
	}
	return nil
}

// without leaves out the innermost site where the compiler complains.
func (m *mutated) without(fault types.Error) error {
	at := m.fset.Position(fault.Pos)
	last := -1
	for i, site := range m.sites {
		if site.file.name == filepath.Base(at.Filename) && site.line == at.Line {
			last = i
		}
	}
	if last < 0 {
		return fmt.Errorf("mutating package %q: %s: %s", m.short, at, fault.Msg)
	}
	site := m.sites[last]
	m.leftOut = append(m.leftOut, fmt.Sprintf("%s: does not compile: %s", m.where(site), fault.Msg))
	m.sites = slices.Delete(m.sites, last, last+1)
	return nil
}

func (m *mutated) where(site *site) string {
	return fmt.Sprintf("%s/%s:%d %s: `%s`", m.short, site.file.name, site.line, site.function, site.source)
}

// insertion of a text into a file, in the place of what is there up to its end.
type insertion struct {
	at, end int
	text    string
	// width of what it wraps, and whether it closes it: wraps at one place have to be nested.
	width  int
	closes bool
}

// splice the switches into a file. No line is added, so that every line keeps its number.
func splice(file *sourceFile, sites []*site, tags []tagged) string {
	var all []insertion
	for _, tag := range tags {
		if tag.name == "" {
			all = append(all, insertion{at: tag.start, end: tag.end, width: tag.end - tag.start}) // the cases name it
			continue
		}
		all = append(all, insertion{at: tag.start, end: tag.start, text: tag.name + " := ", width: tag.end - tag.start},
			insertion{at: tag.end, end: tag.end, text: "; ", width: tag.end - tag.start + 1, closes: true})
	}
	for _, site := range sites {
		if site.file != file {
			continue
		}
		before, after := fmt.Sprintf("mutantTurn(%d, ", site.number), ")"
		switch {
		case slices.Contains(site.kinds, Dropped):
			before, after = fmt.Sprintf("if mutantKeeps(%d) { ", site.number), " }"
		case site.compared != "":
			before, after = before+site.compared+" == (", "))"
		}
		width := site.end - site.start
		all = append(all, insertion{at: site.start, end: site.start, text: before, width: width},
			insertion{at: site.end, end: site.end, text: after, width: width, closes: true})
	}
	slices.SortStableFunc(all, nesting)
	var made strings.Builder
	done := 0
	for _, next := range all {
		made.Write(file.text[done:max(done, next.at)])
		made.WriteString(next.text)
		done = max(done, next.end)
	}
	made.Write(file.text[done:])
	return made.String()
}

// nesting is the order of insertions: what closes comes before what opens, what closes less before what closes more, what opens more before what opens less.
func nesting(a, b insertion) int {
	switch {
	case a.at != b.at:
		return cmp.Compare(a.at, b.at)
	case a.closes != b.closes:
		if a.closes {
			return -1
		}
		return 1
	case a.closes:
		return cmp.Compare(a.width, b.width)
	default:
		return cmp.Compare(b.width, a.width)
	}
}

// writeOverlay writes the mutated packages into a directory, and the file that makes the go command take them for the real ones. It returns that file's path.
func writeOverlay(dir string, packages []*mutated, replaced map[string]string) (string, error) {
	replace := map[string]string{}
	for path, text := range replaced {
		to := filepath.Join(dir, fmt.Sprintf("replaced-%d.go", len(replace)))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[path] = to
	}
	for _, m := range packages {
		to := filepath.Join(dir, "overlay", strings.ReplaceAll(m.short, "/", "-"))
		if err := os.MkdirAll(to, 0o700); err != nil {
			return "", err
		}
		for name, text := range m.texts {
			if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o600); err != nil {
				return "", err
			}
			replace[filepath.Join(m.dir, name)] = filepath.Join(to, name)
		}
	}
	content, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, content, 0o600)
}
