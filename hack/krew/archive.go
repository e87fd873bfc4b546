// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// windows has its own kind of archive and of name.
const windows = "windows"

// always is the time of every file in an archive: the earliest that a zip archive can hold.
var always = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// entry is one file of an archive.
type entry struct {
	name    string
	mode    fs.FileMode
	content []byte
}

// bin is the name of the program on its platform.
func (b binary) bin() string {
	if b.system == windows {
		return program + ".exe"
	}
	return program
}

// pack writes the archive of one binary, and returns its name and its checksum.
func (b binary) pack(folder string, license []byte) (name, sum string, err error) {
	content, err := os.ReadFile(b.file)
	if err != nil {
		return "", "", fmt.Errorf("read the binary: %w", err)
	}
	entries := []entry{{"LICENSE", 0o644, license}, {b.bin(), 0o755, content}}
	name = fmt.Sprintf("%s-%s-%s", program, b.system, b.architecture)
	var packed []byte
	if b.system == windows {
		name += ".zip"
		packed, err = zipped(entries)
	} else {
		name += ".tar.gz"
		packed, err = tarred(entries)
	}
	if err != nil {
		return "", "", err
	}
	if err := os.WriteFile(filepath.Join(folder, name), packed, 0o644); err != nil { //nolint:gosec // for everybody to read
		return "", "", fmt.Errorf("write the archive: %w", err)
	}
	digest := sha256.Sum256(packed)
	return name, hex.EncodeToString(digest[:]), nil
}

func tarred(entries []entry) ([]byte, error) {
	var packed bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(compressed)
	for _, each := range entries {
		header := &tar.Header{
			Name: each.name, Mode: int64(each.mode), Size: int64(len(each.content)), Typeflag: tar.TypeReg, ModTime: always, Format: tar.FormatUSTAR,
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("%s: %w", each.name, err)
		}
		if _, err := archive.Write(each.content); err != nil {
			return nil, fmt.Errorf("%s: %w", each.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func zipped(entries []entry) ([]byte, error) {
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	for _, each := range entries {
		header := &zip.FileHeader{Name: each.name, Method: zip.Deflate, Modified: always}
		header.SetMode(each.mode)
		writer, err := archive.CreateHeader(header)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each.name, err)
		}
		if _, err := writer.Write(each.content); err != nil {
			return nil, fmt.Errorf("%s: %w", each.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
