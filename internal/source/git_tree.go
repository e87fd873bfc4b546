// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// walk goes through the tree of a commit, and of its submodules, and takes the files. All of them share one budget.
//
// What is not a plain file (a link, a submodule, a file in Git LFS) is refused where the Release's path may need it, and left out elsewhere:
// a repository may have such things beside the manifests. What is left out cannot be read by a kustomization, so nothing goes wrong unseen.
type walk struct {
	repository *repository
	spend      *budget
	found      commitContent
	pointers   []pointer
	submodules int
}

func newWalk(r *repository) *walk {
	return &walk{repository: r, spend: newBudget(r.limits)}
}

// checkout is one repository during a walk: the source's own or that of a submodule, with the folder that it lies in.
type checkout struct {
	url  *url.URL
	root string
	// depth is how many repositories it lies in.
	depth   int
	objects objects
	// modules are the URLs of submodules by their path in this repository.
	modules map[string]string
}

// commit takes the files of a commit into the tree.
func (w *walk) commit(ctx context.Context, here *checkout, hash plumbing.Hash) error {
	found, err := w.repository.objectsOf(ctx, here.url, hash)
	if err != nil {
		return err
	}
	memory, err := found.memory(hash, plumbing.CommitObject)
	if err != nil {
		return err
	}
	var commit object.Commit
	if err := commit.Decode(memory); err != nil {
		return fmt.Errorf("the commit cannot be read: %w", err)
	}
	entries, err := found.entries(commit.TreeHash)
	if err != nil {
		return err
	}
	here.objects = found
	if here.modules, err = found.modules(entries); err != nil {
		return err
	}
	return w.folder(ctx, here, entries, here.root)
}

// memory returns an object as the library wants it.
func (o objects) memory(hash plumbing.Hash, kind plumbing.ObjectType) (*plumbing.MemoryObject, error) {
	found, present := o[hash]
	switch {
	case !present:
		return nil, fmt.Errorf("the server left out the %s %s", kind, hash)
	case found.kind != kind:
		return nil, &contentError{fmt.Sprintf("%q is a %s and must be a %s: take the hash that `git rev-parse NAME^{commit}` shows", hash, found.kind, kind)}
	}
	memory := &plumbing.MemoryObject{}
	memory.SetType(kind)
	_, err := memory.Write(found.data)
	return memory, err
}

func (o objects) entries(hash plumbing.Hash) ([]object.TreeEntry, error) {
	memory, err := o.memory(hash, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	var tree object.Tree
	if err := tree.Decode(memory); err != nil {
		return nil, &contentError{fmt.Sprintf("has a folder that cannot be read (%s): push it again", foreign(err.Error()))}
	}
	return tree.Entries, nil
}

func (w *walk) folder(ctx context.Context, here *checkout, entries []object.TreeEntry, folder string) error {
	for _, entry := range entries {
		if w.spend.files--; w.spend.files < 0 {
			return &limitError{fmt.Sprintf("has more than %d files and folders", w.spend.limits.Files)}
		}
		if entry.Name == "." || entry.Name == ".." || strings.Contains(entry.Name, "/") || strings.EqualFold(entry.Name, ".git") {
			return &contentError{fmt.Sprintf("has an entry with the name %q in folder %q: take it out", foreign(entry.Name), foreign(folder))}
		}
		name, err := cleanName(path.Join(folder, entry.Name), w.spend.limits)
		if err != nil {
			return &contentError{err.Error()}
		}
		if err := w.entry(ctx, here, entry, name); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(ctx context.Context, here *checkout, entry object.TreeEntry, name string) error {
	switch entry.Mode {
	case filemode.Dir:
		within, err := here.objects.entries(entry.Hash)
		if err != nil {
			return err
		}
		return w.folder(ctx, here, within, name)
	case filemode.Regular:
		return w.file(here, entry.Hash, name, "100644")
	case filemode.Executable:
		return w.file(here, entry.Hash, name, "100755")
	case filemode.Submodule:
		return w.submodule(ctx, here, entry.Hash, name)
	case filemode.Symlink, filemode.Deprecated, filemode.Empty: // the last two become others when a tree is read, as in Git itself
	}
	if !w.needed(name) {
		return nil
	}
	return &contentError{fmt.Sprintf("entry %q is a symbolic link; only regular files and folders are allowed: put the file itself there", foreign(name))}
}

// needed says whether an entry lies below the Release's path, or on the way to it.
func (w *walk) needed(name string) bool {
	wanted := path.Clean(w.repository.source.Path)
	return wanted == "." || name == wanted || strings.HasPrefix(name, wanted+"/") || strings.HasPrefix(wanted, name+"/")
}

func (w *walk) file(here *checkout, hash plumbing.Hash, name, mode string) error {
	blob := here.objects[hash]
	if blob.kind != plumbing.BlobObject { // nor has what is not there this kind
		return fmt.Errorf("the server left out the file %s", hash)
	}
	if pointed, err := parsePointer(blob.data); err != nil || pointed.size > 0 {
		switch {
		case !w.needed(name):
			return nil
		case w.repository.source.LFS != v1alpha1.LFSAllowed:
			return &contentError{fmt.Sprintf("keeps file %q in Git LFS: commit the file itself, or create a new Release with `lfs: Allowed`", foreign(name))}
		case err != nil:
			return &contentError{fmt.Sprintf("has a Git LFS pointer at %q that cannot be read (%s): commit the file again", foreign(name), err)}
		}
		pointed.url, pointed.name, pointed.mode = here.url, name, mode
		if err := w.charge(name, pointed.size); err != nil {
			return err
		}
		w.pointers = append(w.pointers, pointed)
		return nil
	}
	if err := w.charge(name, int64(len(blob.data))); err != nil {
		return err
	}
	w.found = append(w.found, contentFile{name: name, mode: mode, data: blob.data})
	return nil
}

// charge counts a file each time that it occurs: a few objects can make a tree with billions of files.
func (w *walk) charge(name string, size int64) error {
	if size > w.spend.limits.FileBytes {
		return fileTooLarge(name, w.spend.limits)
	}
	if w.spend.bytes -= size; w.spend.bytes < 0 {
		return &limitError{fmt.Sprintf("has files of more than %d bytes together", w.spend.limits.DecompressedBytes)}
	}
	return nil
}
