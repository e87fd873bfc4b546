// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// source is a package in scope, parsed and with its types.
type source struct {
	// path of its import, and what that is below the module, such as internal/promotion.
	path, short string
	dir         string
	files       []*sourceFile
	types       *types.Package
	info        *types.Info
	fset        *token.FileSet
	imports     types.Importer
}

type sourceFile struct {
	name string
	text []byte
	tree *ast.File
}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath, Dir, Name, Export string
	GoFiles                       []string
	Module                        *struct{ Path string }
	Error                         *struct{ Err string }
}

// loader reads packages of the module in a directory. What they import is taken from the compiler's export data, which `go list` makes.
type loader struct {
	root   string
	fset   *token.FileSet
	listed map[string]listed
	gc     types.Importer
}

func newLoader(ctx context.Context, root string, packages []string) (*loader, error) {
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Dir,Name,Export,GoFiles,Module,Error"}
	args = append(args, switchImports...)
	for _, short := range packages {
		args = append(args, "./"+short)
	}
	output, err := output(ctx, root, args...)
	if err != nil {
		return nil, err
	}
	l := &loader{root: root, fset: token.NewFileSet(), listed: map[string]listed{}}
	decoder := json.NewDecoder(bytes.NewReader(output))
	for {
		var found listed
		err := decoder.Decode(&found)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read what `go list` says: %w", err)
		}
		if found.Error != nil {
			return nil, fmt.Errorf("package %q: %s", found.ImportPath, found.Error.Err)
		}
		l.listed[found.ImportPath] = found
	}
	l.gc = importer.ForCompiler(l.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(l.listed[path].Export) })
	return l, nil
}

// output of the go command, run in a directory.
func output(ctx context.Context, dir string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0") // as the Makefile has it; anything else compiles all there is once more
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, complaints.String())
	}
	return output, nil
}

// load a package by its path below the module.
func (l *loader) load(short string) (*source, error) {
	dir := filepath.Join(l.root, short)
	for _, found := range l.listed {
		if found.Dir == dir {
			return l.parse(short, found)
		}
	}
	return nil, fmt.Errorf("there is no package in %q", short)
}

func (l *loader) parse(short string, found listed) (*source, error) {
	p := &source{path: found.ImportPath, short: short, dir: found.Dir, fset: l.fset, imports: l.gc}
	for _, name := range found.GoFiles {
		text, err := os.ReadFile(filepath.Join(found.Dir, name))
		if err != nil {
			return nil, err
		}
		tree, err := parser.ParseFile(l.fset, filepath.Join(found.Dir, name), text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, &sourceFile{name: name, text: text, tree: tree})
	}
	p.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	trees := make([]*ast.File, 0, len(p.files))
	for _, file := range p.files {
		trees = append(trees, file.tree)
	}
	var err error
	if p.types, err = (&types.Config{Importer: l.gc}).Check(p.path, l.fset, trees, p.info); err != nil {
		return nil, fmt.Errorf("package %q: %w", short, err)
	}
	return p, nil
}

// module that the package is of, as far as its import path says: the path without what is below the module.
func (p *source) module() string {
	if p.short == "." {
		return p.path
	}
	return p.path[:len(p.path)-len(p.short)-1]
}
