// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	modulesFile = ".gitmodules"
	// maxModulesBytes of one .gitmodules.
	maxModulesBytes = 64 << 10
	// maxSubmoduleDepth is how many submodules may lie in each other.
	maxSubmoduleDepth = 4
)

// modules reads .gitmodules at the root of a repository. Only path and URL count: nothing in it is run or trusted further.
func (o objects) modules(root []object.TreeEntry) (map[string]string, error) {
	for _, entry := range root {
		blob := o[entry.Hash]
		if entry.Name != modulesFile || blob.kind != plumbing.BlobObject {
			continue
		}
		parsed := config.NewModules()
		if len(blob.data) > maxModulesBytes {
			return nil, &limitError{fmt.Sprintf("has a %s of more than %d bytes", modulesFile, maxModulesBytes)}
		}
		if err := parsed.Unmarshal(blob.data); err != nil {
			// It only counts where a submodule is needed, which is then said not to be in it.
			return nil, nil
		}
		urls := make(map[string]string, len(parsed.Submodules))
		for _, module := range parsed.Submodules {
			urls[module.Path] = module.URL
		}
		return urls, nil
	}
	return nil, nil
}

func (w *walk) submodule(ctx context.Context, here *checkout, commit plumbing.Hash, name string) error {
	switch {
	case !w.needed(name):
		return nil
	case w.repository.source.Submodules != v1alpha1.SubmodulesAllowed:
		return &contentError{fmt.Sprintf("has a submodule at %q: commit the files themselves, or create a new Release with `submodules: Allowed`", foreign(name))}
	}
	if w.submodules++; w.submodules > w.spend.limits.Submodules {
		return &limitError{fmt.Sprintf("has more than %d submodules", w.spend.limits.Submodules)}
	}
	if here.depth >= maxSubmoduleDepth {
		return &contentError{fmt.Sprintf("has submodules that lie more than %d deep in each other at %q: take it out", maxSubmoduleDepth, foreign(name))}
	}
	relative := strings.TrimPrefix(strings.TrimPrefix(name, here.root), "/")
	written, found := here.modules[relative]
	if !found {
		return &contentError{fmt.Sprintf("has a submodule at %q that %s does not name: add it with `git submodule add`", foreign(name), modulesFile)}
	}
	from, err := here.submoduleURL(written)
	if err != nil {
		return &contentError{fmt.Sprintf("has a submodule at %q %s", foreign(name), err)}
	}
	return w.commit(ctx, &checkout{url: from, root: name, depth: here.depth + 1}, commit)
}

// submoduleURL is where a submodule comes from: the same scheme, host and port, so that credentials meet no server that nobody has named.
func (c *checkout) submoduleURL(written string) (*url.URL, error) {
	var from *url.URL
	if strings.HasPrefix(written, "./") || strings.HasPrefix(written, "../") {
		relative := *c.url
		relative.Path = path.Join(c.url.Path, written)
		from = &relative
	} else {
		parsed, err := url.Parse(written)
		if err != nil || (parsed.Scheme != "https" && parsed.Scheme != "http") {
			return nil, fmt.Errorf("with the URL %q, which is neither relative nor https://: write ../REPOSITORY", foreign(written))
		}
		from = parsed
	}
	if from.User != nil || from.RawQuery != "" || from.Fragment != "" {
		return nil, fmt.Errorf("with a URL that has more than a host and a path: write ../REPOSITORY")
	}
	if !sameOrigin(from, c.url) {
		return nil, fmt.Errorf("on another host, %q: only submodules from %q are fetched", foreign(originText(from)), originText(c.url))
	}
	return from, nil
}
