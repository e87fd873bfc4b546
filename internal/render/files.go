// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/assent-dev/assent/internal/source"
)

// treeFiles shows a tree to kustomize as the only file system there is, with the tree at "/". It cannot be written. Kustomize's own file
// system in memory takes only some letters in names.
type treeFiles struct {
	tree    source.Tree
	folders map[string][]string // names within, by folder
}

var _ filesys.FileSystem = (*treeFiles)(nil)

func newTreeFiles(tree source.Tree) *treeFiles {
	files := &treeFiles{tree: tree, folders: map[string][]string{".": nil}}
	for name := range tree {
		files.addTo(path.Dir(name), path.Base(name))
	}
	for _, names := range files.folders {
		sort.Strings(names)
	}
	return files
}

func (f *treeFiles) addTo(folder, name string) {
	_, known := f.folders[folder]
	f.folders[folder] = append(f.folders[folder], name)
	if !known {
		f.addTo(path.Dir(folder), path.Base(folder))
	}
}

// inTree turns a path of kustomize's into one of the tree.
func inTree(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}

func missing(operation, name string) error {
	return &fs.PathError{Op: operation, Path: name, Err: fs.ErrNotExist}
}

func readOnly(operation, name string) error {
	return &fs.PathError{Op: operation, Path: name, Err: fs.ErrPermission}
}

// Create is refused: the tree is read only.
func (f *treeFiles) Create(name string) (filesys.File, error) { return nil, readOnly("create", name) }

// Mkdir is refused: the tree is read only.
func (f *treeFiles) Mkdir(name string) error { return readOnly("mkdir", name) }

// MkdirAll is refused: the tree is read only.
func (f *treeFiles) MkdirAll(name string) error { return readOnly("mkdir", name) }

// RemoveAll is refused: the tree is read only.
func (f *treeFiles) RemoveAll(name string) error { return readOnly("remove", name) }

// WriteFile is refused: the tree is read only.
func (f *treeFiles) WriteFile(name string, _ []byte) error { return readOnly("write", name) }

// Open is refused: kustomize reads whole files.
func (f *treeFiles) Open(name string) (filesys.File, error) { return nil, readOnly("open", name) }

// Glob is refused: kustomize finds files by their names.
func (f *treeFiles) Glob(pattern string) ([]string, error) { return nil, readOnly("glob", pattern) }

// Walk is refused: kustomize finds files by their names.
func (f *treeFiles) Walk(name string, _ filepath.WalkFunc) error { return readOnly("walk", name) }

// IsDir says whether there is a folder of that name.
func (f *treeFiles) IsDir(name string) bool {
	_, found := f.folders[inTree(name)]
	return found
}

// ReadDir lists a folder.
func (f *treeFiles) ReadDir(name string) ([]string, error) {
	names, found := f.folders[inTree(name)]
	if !found {
		return nil, missing("read", name)
	}
	return names, nil
}

// CleanedAbs splits a path into a folder that exists and a file in it, or no file where it is a folder itself.
func (f *treeFiles) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	inside := inTree(name)
	if f.IsDir(inside) {
		return filesys.ConfirmedDir(path.Join("/", inside)), "", nil
	}
	if _, found := f.tree[inside]; !found {
		return "", "", fmt.Errorf("%q is not in the artifact: %w", inside, fs.ErrNotExist)
	}
	return filesys.ConfirmedDir(path.Join("/", path.Dir(inside))), path.Base(inside), nil
}

// Exists says whether there is a file or folder of that name.
func (f *treeFiles) Exists(name string) bool {
	_, isFile := f.tree[inTree(name)]
	return isFile || f.IsDir(name)
}

// ReadFile returns a copy: what kustomize does with it must not reach the tree.
func (f *treeFiles) ReadFile(name string) ([]byte, error) {
	content, found := f.tree[inTree(name)]
	if !found {
		return nil, missing("read", name)
	}
	return bytes.Clone(content), nil
}
