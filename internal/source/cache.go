// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
)

// cache keeps verified blobs on disk, so that a plan can be rendered again without the registry. It is bounded in bytes; what was used
// longest ago goes first. An entry belongs to one repository: knowing a digest must not be enough to read what somebody else's
// credentials have fetched.
type cache struct {
	dir      string
	maxBytes int64

	mu      sync.Mutex
	bytes   int64
	recent  *list.List // of *entry, most recently used first
	entries map[string]*list.Element
}

type entry struct {
	name string
	size int64
}

const partialSuffix = ".partial"

// openCache takes over the folder with what an earlier process has left in it.
func openCache(dir string, maxBytes int64) (*cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the cache folder %q: %w", dir, err)
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the cache folder %q: %w", dir, err)
	}
	c := &cache{dir: dir, maxBytes: maxBytes, recent: list.New(), entries: map[string]*list.Element{}}
	for _, file := range found {
		c.adopt(file)
	}
	c.evict()
	return c, nil
}

func (c *cache) adopt(file fs.DirEntry) {
	if strings.HasSuffix(file.Name(), partialSuffix) {
		_ = os.Remove(filepath.Join(c.dir, file.Name()))
		return
	}
	info, err := file.Info()
	if err != nil || !info.Mode().IsRegular() || len(file.Name()) != sha256.Size*2 {
		return
	}
	c.remember(file.Name(), info.Size())
}

func entryName(repository string, blob digest.Digest) string {
	sum := sha256.Sum256([]byte(repository + "\n" + blob.String()))
	return hex.EncodeToString(sum[:])
}

// get returns the blob if it is there and still is what its digest says. Whatever is on the disk instead is thrown away.
func (c *cache) get(repository string, blob digest.Digest, maxBytes int64) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := entryName(repository, blob)
	element, found := c.entries[name]
	if !found {
		return nil, false
	}
	content, err := readBounded(filepath.Join(c.dir, name), maxBytes)
	if err != nil || digest.FromBytes(content) != blob {
		c.drop(element)
		return nil, false
	}
	c.recent.MoveToFront(element)
	return content, true
}

func readBounded(name string, maxBytes int64) ([]byte, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxBytes {
		return nil, fmt.Errorf("not a file of at most %d bytes", maxBytes)
	}
	return os.ReadFile(name) //nolint:gosec // the name is a hash below the cache's own folder
}

// put keeps a blob that has been verified. That it cannot be kept costs time later and nothing else, so it is no error.
func (c *cache) put(repository string, blob digest.Digest, content []byte) {
	size := int64(len(content))
	if size > c.maxBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name := entryName(repository, blob)
	if _, found := c.entries[name]; found {
		return
	}
	if writeWhole(filepath.Join(c.dir, name), content) != nil {
		return
	}
	c.remember(name, size)
	c.evict()
}

func writeWhole(name string, content []byte) error {
	partial := name + partialSuffix
	if err := os.WriteFile(partial, content, 0o600); err != nil {
		_ = os.Remove(partial)
		return err
	}
	return os.Rename(partial, name)
}

func (c *cache) remember(name string, size int64) {
	c.entries[name] = c.recent.PushFront(&entry{name: name, size: size})
	c.bytes += size
}

func (c *cache) evict() {
	for c.bytes > c.maxBytes {
		c.drop(c.recent.Back())
	}
}

func (c *cache) drop(element *list.Element) {
	dropped, ok := c.recent.Remove(element).(*entry)
	if !ok {
		return
	}
	delete(c.entries, dropped.name)
	c.bytes -= dropped.size
	_ = os.Remove(filepath.Join(c.dir, dropped.name))
}
