// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strconv"
)

// commitContent is the files of a commit, in order of their paths.
//
// Its encoding is what the digest in a Release's status covers, and what the cache keeps: a first line with the name of the format, then for
// each file a line "MODE SIZE PATH" followed by the file's bytes. Paths have no control characters, so two different contents never have the
// same encoding. A digest of the commit's hash would be shorter, but it would rest on SHA-1, which can be forged, and say nothing of
// submodules and of files in Git LFS. The commit's author, message and history are not in it: they are not deployed. Whoever holds the
// encoding can check it against the digest without the server, which is why a plan can be rendered again while that is down.
type commitContent []contentFile

type contentFile struct {
	name string
	// mode as Git writes it, 100644 or 100755.
	mode string
	data []byte
}

const contentFormat = "assent git content 1\n"

func (c commitContent) encode() []byte {
	sort.Slice(c, func(i, j int) bool { return c[i].name < c[j].name })
	size := len(contentFormat)
	for _, file := range c {
		size += len(file.name) + len(file.data) + 32
	}
	out := bytes.NewBuffer(make([]byte, 0, size))
	out.WriteString(contentFormat)
	for _, file := range c {
		fmt.Fprintf(out, "%s %d %s\n", file.mode, len(file.data), file.name)
		out.Write(file.data)
	}
	return out.Bytes()
}

// decodeContent is the way back. The files are parts of the encoding, not copies.
func decodeContent(encoded []byte) (commitContent, error) {
	rest, found := bytes.CutPrefix(encoded, []byte(contentFormat))
	if !found {
		return nil, errors.New("is kept in an unknown form: create a new Release")
	}
	var decoded commitContent
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		parts := bytes.SplitN(line, []byte(" "), 3)
		if len(parts) != 3 {
			return nil, errors.New("is kept with a line that cannot be read: create a new Release")
		}
		size, err := strconv.Atoi(string(parts[1]))
		if err != nil || size < 0 || size > len(after) {
			return nil, errors.New("is kept with a size that cannot be right: create a new Release")
		}
		decoded = append(decoded, contentFile{name: string(parts[2]), mode: string(parts[0]), data: after[:size:size]})
		rest = after[size:]
	}
	return decoded, nil
}

func (c commitContent) tree() Tree {
	tree := make(Tree, len(c))
	for _, file := range c {
		tree[file.name] = file.data
	}
	return tree
}

func digits(n int64) string { return strconv.FormatInt(n, 10) }
