// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package render turns the tree of a source into the objects that a plan would apply.
//
//	Tree, path ──> a YAML file                      ──┐
//	               a folder with a kustomization    ──┼──> documents ──> objects ──> images ──> overlay ──> labels
//	               a folder of YAML files, by path  ──┤                 (checked)             (checked again)
//	               a Helm chart, with values        ──┘
//
// The same input gives the same objects in the same order. Rendering reads nothing but the tree: no network, no program, no plugin, no
// remote base, no environment variable, no file of the machine. What it may cost is bounded, and whatever is wrong with
// the input is an [*Error] that says where and what to do.
//
// Namespaces are left as they are: which kinds have one is known to whoever can ask the API server.
//
// # Charts
//
// A chart is rendered by Helm's own engine, and applied like any other source: Helm keeps no release of it. The charts that it uses must be vendored in
// its charts/ folder. What is different from an installation by Helm:
//
//   - Templates are written anew before they run, so that each loop, call and printed value passes a meter: one that runs cannot be stopped from
//     outside. The meter ends it after a number of steps and bytes, which are the same on each machine, and at last by the clock.
//   - `lookup`, `getHostByName` and `env` fail where they are called.
//   - Functions that answer differently each time answer with values that are made up, differently in each of two runs. A chart whose objects
//     differ between the runs is refused; one that does not use what was made up is not.
//   - `keys` and `values` answer in order, and times without a zone are in UTC.
//   - Schemas of values may not refer to anything outside of themselves.
//   - NOTES.txt and tests are left out. The objects in crds/ come first, in an upgrade too.
//   - Hooks of an installation or an upgrade become ordinary objects of waves before or after all others, in the order of their weights. Jobs among
//     them run with each rollout. Hooks that belong to the other moment are left out, and so pruned. Deletion policies are dropped: nothing is
//     deleted because it has succeeded. What is a hook of deletion or rollback alone is refused, since there is no such moment.
//   - helm.sh/resource-policy stays as it is, and means nothing to Assent: an object that is no longer rendered is pruned.
//
// # Overlays
//
// An overlay's patches are those of kustomize, each for the objects of its target, and then come its replicas and its labels. A patch may change an
// object or delete it (`$patch: delete`), and not make another object of it. What matches nothing is refused.
package render

import (
	"fmt"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/source"
)

// Bounds of a rendering.
const (
	// MaxObjects of one source.
	MaxObjects = 1000
	// MaxObjectBytes of one object as JSON. The API server's store takes not much more.
	MaxObjectBytes = 1 << 20
	// MaxTotalBytes of all objects as JSON.
	MaxTotalBytes = 32 << 20
	// MaxDepth of nesting in one object.
	MaxDepth = 64
	// MaxNodes of one YAML document after its aliases are followed.
	MaxNodes = 500_000
)

// Options say what to render of a tree and what to add to it.
type Options struct {
	// Path inside the tree: a YAML file, a folder with a kustomization file, or a folder of YAML files. Empty means the whole tree.
	Path string
	// Labels are added to each object's metadata.labels, and nowhere else: not to selectors and not to pod templates.
	Labels map[string]string
	// Images are pinned in the objects' pod templates. Each must match at least one image.
	Images []v1alpha1.ReleaseImage
	// Chart says how the tree is rendered as a Helm chart; nil if it is none.
	Chart *Chart
	// Overlay is what the Environment changes, after the images were pinned. Its values are in Chart, and are not looked at.
	Overlay v1alpha1.Overlay
}

// Chart is what a Helm chart is rendered with.
type Chart struct {
	// ReleaseName and Namespace that the templates see.
	ReleaseName, Namespace string
	// Upgrade says that the application ran there before: the hooks of an upgrade are rendered, not those of an installation.
	Upgrade bool
	// Values over those of the chart; later ones go over earlier ones.
	Values []map[string]any
	// Capabilities of the target cluster.
	Capabilities Capabilities
}

// Capabilities are what a chart may ask about a cluster.
type Capabilities struct {
	// KubeVersion such as v1.37.2.
	KubeVersion string
	// APIVersions that the cluster serves, such as "apps/v1" and "apps/v1/Deployment".
	APIVersions []string
}

// Error is a mistake in the input. Trying again does not help.
type Error struct {
	// File of the tree, or the folder of the kustomization.
	File string
	// Line in the file, from 1; 0 where it is not known.
	Line int
	// Document in the file, from 1; 0 where there is only one or it is not known.
	Document int
	// Object is the kind and name, such as: Deployment "web".
	Object string
	// Message says what is wrong and what to change.
	Message string
}

// Error names the place and says what is wrong there.
func (e *Error) Error() string {
	var where []string
	if e.File != "" {
		where = append(where, fmt.Sprintf("file %q", e.File))
	}
	if e.Document > 0 {
		where = append(where, fmt.Sprintf("document %d", e.Document))
	}
	if e.Line > 0 {
		where = append(where, fmt.Sprintf("line %d", e.Line))
	}
	if e.Object != "" {
		where = append(where, e.Object)
	}
	if len(where) == 0 {
		return e.Message
	}
	return strings.Join(where, ", ") + ": " + e.Message
}

// place is where an object was found.
type place struct {
	file     string
	document int
	line     int
}

func (p place) String() string {
	if p.line == 0 {
		return fmt.Sprintf("%q", p.file)
	}
	return fmt.Sprintf("%q line %d", p.file, p.line)
}

func (p place) errorf(format string, args ...any) *Error {
	return &Error{File: p.file, Document: p.document, Line: p.line, Message: fmt.Sprintf(format, args...)}
}

// located is an object and where it came from.
type located struct {
	place  place
	object *unstructured.Unstructured
}

func (l located) errorf(format string, args ...any) *Error {
	err := l.place.errorf(format, args...)
	err.Object = describe(l.object)
	return err
}

// describe names an object for people. What has no kind or name yet is left out.
func describe(object *unstructured.Unstructured) string {
	kind, name := object.GetKind(), object.GetName()
	switch {
	case kind == "":
		return ""
	case name == "":
		return kind
	}
	return fmt.Sprintf("%s %q", kind, name)
}

// Render returns the objects of a tree. Every error is an [*Error].
func Render(tree source.Tree, options Options) ([]*unstructured.Unstructured, error) {
	found, err := collect(tree, options)
	if err != nil {
		return nil, err
	}
	if err := checkAll(found, options.Path); err != nil {
		return nil, err
	}
	if err := pinImages(objectsOf(found), options.Images); err != nil {
		return nil, err
	}
	if found, err = overlaid(found, options.Overlay); err != nil {
		return nil, err
	}
	objects := objectsOf(found)
	addLabels(objects, options.Labels)
	return objects, nil
}

func collect(tree source.Tree, options Options) ([]located, error) {
	wanted := options.Path
	if options.Chart != nil {
		return renderChart(tree, wanted, *options.Chart)
	}
	root, err := cleanPath(wanted)
	if err != nil {
		return nil, err
	}
	if content, isFile := tree[root]; isFile {
		if isKustomization(path.Base(root)) {
			return nil, &Error{File: root, Message: "`path` names a kustomization file: name its folder instead"}
		}
		return parseFile(root, content)
	}
	if !tree.HasFolder(root) {
		return nil, &Error{Message: fmt.Sprintf("`path` %q is not in the source, which has %s: name one of them", wanted, topLevel(tree))}
	}
	if kustomizationIn(tree, root) != "" {
		return kustomize(tree, root)
	}
	return parseFolder(tree, root)
}

// cleanPath returns the path as a tree has it. A path out of the tree is refused here too, whatever the API has checked before.
func cleanPath(wanted string) (string, error) {
	if path.IsAbs(wanted) {
		return "", &Error{Message: fmt.Sprintf("`path` %q must be relative to the source's root", wanted)}
	}
	clean := path.Clean(wanted)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", &Error{Message: fmt.Sprintf("`path` %q must stay inside the source", wanted)}
	}
	return clean, nil
}

const shownNames = 10

// topLevel lists what is at the root of a tree.
func topLevel(tree source.Tree) string {
	var names []string
	for _, name := range tree.Paths() {
		first, rest, isFolder := strings.Cut(name, "/")
		if isFolder && rest != "" {
			first += "/"
		}
		if len(names) == 0 || names[len(names)-1] != first {
			names = append(names, first)
		}
	}
	return quotedList(names)
}

// quotedList shows the first few of many names.
func quotedList(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	quoted := make([]string, 0, shownNames+1)
	for i, name := range names {
		if i == shownNames {
			quoted = append(quoted, fmt.Sprintf("and %d more", len(names)-shownNames))
			break
		}
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	return strings.Join(quoted, ", ")
}

func addLabels(objects []*unstructured.Unstructured, labels map[string]string) {
	if len(labels) == 0 {
		return
	}
	for _, object := range objects {
		merged := object.GetLabels()
		if merged == nil {
			merged = make(map[string]string, len(labels))
		}
		for key, value := range labels {
			merged[key] = value
		}
		object.SetLabels(merged)
	}
}
