// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"archive/tar"

	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unpacked is one archive: its files, and what it takes away from the layers below it.
type unpacked struct {
	files Tree
	// whiteouts are paths that disappear from lower layers, with everything below them.
	whiteouts []string
	// opaque are folders whose content in lower layers disappears.
	opaque []string
}

// budget is what may still be spent on one source. Several archives share it.
type budget struct {
	limits Limits
	bytes  int64
	files  int
}

func newBudget(limits Limits) *budget {
	return &budget{limits: limits, bytes: limits.DecompressedBytes, files: limits.Files}
}

// The prefixes by which the OCI image specification marks what a layer removes.
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// unpack reads a tar archive, gzipped or not. It holds no more than the budget allows, whatever the archive says about itself.
func unpack(archive []byte, spend *budget) (*unpacked, error) {
	stream, err := decompress(archive)
	if err != nil {
		return nil, err
	}
	reader := tar.NewReader(&meteredReader{from: stream, spend: spend})
	result := &unpacked{files: Tree{}}
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return result, result.files.check()
		}
		if err != nil {
			return nil, archiveError(err)
		}
		if err := result.add(header, reader, spend); err != nil {
			return nil, err
		}
	}
}

// decompress looks at the content, since tools disagree about media types.
func decompress(archive []byte) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(archive, []byte{0x1f, 0x8b}):
		stream, err := gzip.NewReader(bytes.NewReader(archive))
		if err != nil {
			return nil, archiveError(err)
		}
		return stream, nil
	case bytes.HasPrefix(archive, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, errors.New("is compressed with zstd, which is not supported: push it with gzip")
	default:
		return bytes.NewReader(archive), nil
	}
}

// archiveError tells what was cut off by a limit from what is no archive.
func archiveError(err error) error {
	var limit *limitError
	if errors.As(err, &limit) {
		return limit
	}
	return fmt.Errorf("is not a readable tar archive (%s): push it again", foreign(err.Error()))
}

func (u *unpacked) add(header *tar.Header, content io.Reader, spend *budget) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil // what `git archive` begins with
	}
	if spend.files--; spend.files < 0 {
		return &limitError{fmt.Sprintf("has more than %d files and folders: publish only the manifests", spend.limits.Files)}
	}
	name, err := cleanName(header.Name, spend.limits)
	if err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
		if base := path.Base(name); strings.HasPrefix(base, whiteoutPrefix) {
			return u.addWhiteout(name, base)
		}
		return u.addFile(name, content, spend)
	default:
		return fmt.Errorf("entry %q is %s; only regular files and folders are allowed: put the file itself there",
			foreign(name), entryKind(header.Typeflag))
	}
}

func (u *unpacked) addWhiteout(name, base string) error {
	folder := path.Dir(name)
	if base == whiteoutOpaque {
		u.opaque = append(u.opaque, folder)
		return nil
	}
	removed := strings.TrimPrefix(base, whiteoutPrefix)
	if removed == "" || removed == "." || removed == ".." || strings.HasPrefix(removed, whiteoutPrefix) {
		return fmt.Errorf("entry %q is not a whiteout of the OCI image specification: take it out", foreign(name))
	}
	u.whiteouts = append(u.whiteouts, path.Join(folder, removed))
	return nil
}

func (u *unpacked) addFile(name string, content io.Reader, spend *budget) error {
	if name == "." {
		return errors.New("has a file without a name: take it out")
	}
	data, err := io.ReadAll(io.LimitReader(content, spend.limits.FileBytes+1))
	if err != nil {
		return archiveError(err)
	}
	if int64(len(data)) > spend.limits.FileBytes {
		return fileTooLarge(name, spend.limits)
	}
	return u.files.add(name, data)
}

func fileTooLarge(name string, limits Limits) error {
	return &limitError{fmt.Sprintf("file %q is larger than %d bytes: split it or leave it out", foreign(name), limits.FileBytes)}
}

// add puts a file into the tree. The same file twice is fine; two contents for one path are not, since either could be meant.
func (t Tree) add(name string, content []byte) error {
	if present, found := t[name]; found && !bytes.Equal(present, content) {
		return fmt.Errorf("has two different files at %q: keep one", foreign(name))
	}
	t[name] = content
	return nil
}

// check refuses a path that is a file and a folder at once.
func (t Tree) check() error {
	for name := range t {
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			if _, found := t[folder]; found {
				return fmt.Errorf("has %q as a file and as a folder: keep one", foreign(folder))
			}
		}
	}
	return nil
}

func entryKind(flag byte) string {
	switch flag {
	case tar.TypeSymlink:
		return "a symbolic link"
	case tar.TypeLink:
		return "a hard link"
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return "a device or a pipe"
	default:
		return fmt.Sprintf("of the unknown type %q", flag)
	}
}

// cleanName returns the path as a tree has it, or says why there must be none such.
func cleanName(name string, limits Limits) (string, error) {
	shown := foreign(name)
	switch {
	case name == "":
		return "", errors.New("has an entry without a name: take it out")
	case len(name) > limits.NameBytes:
		return "", fmt.Errorf("has a path of %d bytes (%q), at most %d are allowed: shorten it", len(name), shown, limits.NameBytes)
	case !utf8.ValidString(name):
		return "", fmt.Errorf("has a path that is not UTF-8 (%q): rename it", shown)
	case strings.ContainsRune(name, '\\') || strings.ContainsFunc(name, unicode.IsControl):
		return "", fmt.Errorf("has a path with a backslash or a control character (%q): rename it", shown)
	case strings.HasPrefix(name, "/"):
		return "", fmt.Errorf("has the absolute path %q: paths must be relative to the artifact's root", shown)
	}
	elements := strings.Split(name, "/")
	for _, element := range elements {
		if element == ".." {
			return "", fmt.Errorf("has the path %q, which leads out of the artifact: it must not contain \"..\"", shown)
		}
	}
	clean := path.Clean(name)
	if strings.Count(clean, "/") >= limits.Depth {
		return "", fmt.Errorf("has the path %q, which is deeper than %d: flatten it", shown, limits.Depth)
	}
	return clean, nil
}

// limitError is an archive that goes beyond a limit.
type limitError struct{ message string }

func (e *limitError) Error() string { return e.message }

// meteredReader cuts a stream off where the budget ends: the compressed size of an archive says nothing about what comes out of it.
type meteredReader struct {
	from  io.Reader
	spend *budget
}

func (m *meteredReader) Read(p []byte) (int, error) {
	if m.spend.bytes <= 0 {
		// The end may be right here: look for one byte more before complaining.
		if n, err := m.from.Read(p[:min(1, len(p))]); n == 0 {
			return 0, err
		}
		return 0, &limitError{fmt.Sprintf("is larger than %d bytes after decompression: publish only the manifests",
			m.spend.limits.DecompressedBytes)}
	}
	n, err := m.from.Read(p[:min(int64(len(p)), m.spend.bytes)])
	m.spend.bytes -= int64(n)
	return n, err
}

// overlay puts an image's layer on top of the ones below it, as the OCI image specification says.
func (t Tree) overlay(layer *unpacked) {
	for _, gone := range layer.whiteouts {
		delete(t, gone)
		t.removeBelow(gone)
	}
	for _, folder := range layer.opaque {
		t.removeBelow(folder)
	}
	for name, content := range layer.files {
		t.removeBelow(name)
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			delete(t, folder)
		}
		t[name] = content
	}
}

func (t Tree) removeBelow(folder string) {
	for name := range t {
		if folder == "." || strings.HasPrefix(name, folder+"/") {
			delete(t, name)
		}
	}
}
