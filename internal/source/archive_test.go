// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestArchivesHoldOnlyFilesBelowTheirRoot(t *testing.T) {
	for name, row := range map[string]struct {
		entries []archived
		want    string // the message; empty where the archive is fine
	}{
		"files and folders":                        {entries: []archived{{name: "a/", kind: tar.TypeDir}, file("a/b.yaml", "x")}},
		"a path that begins with ./":               {entries: []archived{file("./b.yaml", "x")}},
		"a path in any script":                     {entries: []archived{file("配置/größe 🚀.yaml", "x")}},
		"what git archive begins with":             {entries: []archived{{name: "pax_global_header", kind: tar.TypeXGlobalHeader}, file("b.yaml", "x")}},
		"the same file twice":                      {entries: []archived{file("a", "x"), file("./a", "x")}},
		"a name with two dots in it":               {entries: []archived{file("a..b/..c", "x")}},
		"another content for the same path":        {entries: []archived{file("a", "x"), file("./a", "y")}, want: `two different files at "a"`},
		"a file that is also a folder":             {entries: []archived{file("a", "x"), file("a/b", "y")}, want: `"a" as a file and as a folder`},
		"a symbolic link":                          {entries: []archived{{name: "l", kind: tar.TypeSymlink, link: "/etc/passwd"}}, want: `"l" is a symbolic link`},
		"a hard link":                              {entries: []archived{{name: "l", kind: tar.TypeLink, link: "a"}}, want: `"l" is a hard link`},
		"a device":                                 {entries: []archived{{name: "d", kind: tar.TypeChar}}, want: `"d" is a device`},
		"a block device":                           {entries: []archived{{name: "d", kind: tar.TypeBlock}}, want: `"d" is a device`},
		"an entry of an unknown kind":              {entries: []archived{{name: "d", kind: tar.TypeCont}}, want: `"d" is of the unknown type`},
		"an entry without a name":                  {entries: []archived{{name: "", kind: tar.TypeDir}}, want: "entry without a name"},
		"a pipe":                                   {entries: []archived{{name: "d", kind: tar.TypeFifo}}, want: `"d" is a device or a pipe`},
		"a path out of the archive":                {entries: []archived{file("a/../../b", "x")}, want: `leads out of the artifact`},
		"a path that leads out and in again":       {entries: []archived{file("a/../b", "x")}, want: `must not contain ".."`},
		"a folder out of the archive":              {entries: []archived{{name: "../", kind: tar.TypeDir}}, want: `leads out of the artifact`},
		"an absolute path":                         {entries: []archived{file("/etc/a", "x")}, want: `absolute path "/etc/a"`},
		"a backslash":                              {entries: []archived{file(`..\a`, "x")}, want: "backslash"},
		"a control character":                      {entries: []archived{file("a\nb", "x")}, want: "control character"},
		"a path that is not UTF-8":                 {entries: []archived{file("a\xff", "x")}, want: "not UTF-8"},
		"a file without a name":                    {entries: []archived{file(".", "x")}, want: "without a name"},
		"a path at the allowed depth":              {entries: []archived{file(strings.Repeat("a/", 31)+"b", "x")}},
		"a path deeper than allowed":               {entries: []archived{file(strings.Repeat("a/", 32)+"b", "x")}, want: "deeper than 32"},
		"a path of the allowed length":             {entries: []archived{file(strings.Repeat("é", 512), "x")}},
		"a path longer than allowed":               {entries: []archived{file(strings.Repeat("a", 1025), "x")}, want: "at most 1024 are allowed"},
		"a whiteout of nothing":                    {entries: []archived{file("a/.wh.", "")}, want: "not a whiteout"},
		"a whiteout of the folder itself":          {entries: []archived{file("a/.wh..", "")}, want: "not a whiteout"},
		"a whiteout of a whiteout":                 {entries: []archived{file("a/.wh..wh.b", "")}, want: "not a whiteout"},
		"a whiteout that leads out of the archive": {entries: []archived{file("a/.wh...", "")}, want: "not a whiteout"},
	} {
		for form, wrap := range map[string]func([]byte) []byte{
			"plain": bytes.Clone, "gzipped": func(archive []byte) []byte { return gzipped(t, archive) },
		} {
			t.Run(name+", "+form, func(t *testing.T) {
				_, err := unpack(wrap(tarOf(t, row.entries...)), newBudget(DefaultLimits()))
				expectMessage(t, err, row.want)
			})
		}
	}
}

func expectMessage(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want no error", err)
	case want != "" && err == nil:
		t.Errorf("got no error, want %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("got %v, want %q", err, want)
	case want != "" && (!utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\n\x00")):
		t.Errorf("%q is not fit for a status", err.Error())
	}
}

func TestArchivesAreCutOffAtTheirLimits(t *testing.T) {
	limits := Limits{FileBytes: 100, DecompressedBytes: 10_240, Files: 3}.withDefaults()
	for name, row := range map[string]struct {
		archive []byte
		want    string
	}{
		"a file of the allowed size":     {archive: tarOf(t, file("a", strings.Repeat("x", 100)))},
		"a file that is too large":       {archive: tarOf(t, file("a", strings.Repeat("x", 101))), want: `"a" is larger than 100 bytes`},
		"as many entries as allowed":     {archive: tarOf(t, file("a", ""), file("b", ""), archived{name: "c", kind: tar.TypeDir})},
		"more entries than allowed":      {archive: tarOf(t, file("a", ""), file("b", ""), archived{name: "c", kind: tar.TypeDir}, file("d", "")), want: "more than 3 files"},
		"a bomb within a header":         {archive: gzipped(t, bytes.Repeat(tarOf(t, file("a", ""))[:512], 10_000)), want: "3 files"},
		"something that is no archive":   {archive: []byte("apiVersion: v1\n"), want: "not a readable tar archive"},
		"a gzip that ends too early":     {archive: gzipped(t, tarOf(t, file("a", "x")))[:40], want: "not a readable tar archive"},
		"a gzip that is none":            {archive: []byte{0x1f, 0x8b, 0, 0}, want: "not a readable tar archive"},
		"a compression that is unknown":  {archive: []byte{0x28, 0xb5, 0x2f, 0xfd, 0}, want: "zstd"},
		"an archive that breaks off":     {archive: tarOf(t, file("a", strings.Repeat("x", 100)))[:600], want: "not a readable tar archive"},
		"one that breaks off in a file":  {archive: tarOf(t, file("a", "x"), file("a", strings.Repeat("x", 100)))[:1600], want: "not a readable tar archive"},
		"nothing":                        {archive: nil},
		"padding that is larger than it": {archive: gzipped(t, append(tarOf(t, file("a", "")), make([]byte, 20_000)...))},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unpack(row.archive, newBudget(limits))
			expectMessage(t, err, row.want)
		})
	}
}

func TestAnArchiveMayUseUpItsLimit(t *testing.T) {
	archive := tarOf(t, file("a", "x"))[:1024] // without the blocks at the end, which not every tool writes
	_, err := unpack(archive, newBudget(Limits{DecompressedBytes: 1024}.withDefaults()))
	expectMessage(t, err, "")
	_, err = unpack(archive, newBudget(Limits{DecompressedBytes: 1023}.withDefaults()))
	expectMessage(t, err, "larger than 1023 bytes")
	if strings.Contains(err.Error(), "not a readable") {
		t.Errorf("%v: pushing it again would not help", err)
	}
}

func TestADecompressionBombIsCutOffWhileItStreams(t *testing.T) {
	const files, fileBytes = 100, 1 << 20
	entries := make([]archived, files)
	for i := range entries {
		entries[i] = file(fmt.Sprint(i), strings.Repeat("\x00", fileBytes))
	}
	bomb := gzipped(t, tarOf(t, entries...))
	spend := newBudget(Limits{DecompressedBytes: 4 << 20}.withDefaults())
	_, err := unpack(bomb, spend)
	expectMessage(t, err, "larger than 4194304 bytes after decompression")
	if read := DefaultLimits().Files - spend.files; read > 4 {
		t.Errorf("%d files were begun of a source that has room for 3", read)
	}
}

func TestArchivesShareOneBudget(t *testing.T) {
	spend := newBudget(Limits{Files: 3}.withDefaults())
	archive := tarOf(t, file("a", ""), file("b", ""))
	if _, err := unpack(archive, spend); err != nil {
		t.Fatal(err)
	}
	_, err := unpack(archive, spend)
	expectMessage(t, err, "more than 3 files")
}

func TestTitlesAreHeldToTheSameRulesAsArchives(t *testing.T) {
	for title, want := range map[string]string{
		"a/b.yaml": "", "./b.yaml": "", "../b.yaml": "leads out", "/b.yaml": "absolute", ".": "without a name", "": "entry without a name", `a\b`: "backslash",
	} {
		t.Run(title, func(t *testing.T) {
			expectMessage(t, Tree{}.addTitled(title, nil, newBudget(DefaultLimits())), want)
		})
	}
}

func TestTitledFilesAreCutOffAtTheLimitsOfTheArtifact(t *testing.T) {
	for name, row := range map[string]struct {
		sizes []int
		want  string
	}{
		"files of the allowed size":   {sizes: []int{10, 10, 5}},
		"a file that is too large":    {sizes: []int{11}, want: `"0" is larger than 10 bytes`},
		"more bytes than allowed":     {sizes: []int{10, 10, 6}, want: "limit of files or bytes"},
		"more files than are allowed": {sizes: []int{0, 0, 0, 0}, want: "limit of files or bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			tree, spend := Tree{}, newBudget(Limits{FileBytes: 10, DecompressedBytes: 25, Files: 3}.withDefaults())
			var err error
			for i, size := range row.sizes {
				expectMessage(t, err, "")
				err = tree.addTitled(fmt.Sprint(i), make([]byte, size), spend)
			}
			expectMessage(t, err, row.want)
		})
	}
}

// checkInvariants are what every tree promises.
func checkInvariants(t *testing.T, tree Tree, limits Limits) {
	t.Helper()
	var total int64
	for name, content := range tree {
		total += int64(len(content))
		if name != path.Clean(name) || path.IsAbs(name) || name == "." || name == ".." || strings.HasPrefix(name, "../") || !utf8.ValidString(name) {
			t.Errorf("the tree has the path %q", name)
		}
		if strings.ContainsAny(name, "\\\x00\n") || len(name) > limits.NameBytes || strings.Count(name, "/") >= limits.Depth {
			t.Errorf("the tree has the path %q", name)
		}
		if int64(len(content)) > limits.FileBytes {
			t.Errorf("the file %q has %d bytes", name, len(content))
		}
	}
	if len(tree) > limits.Files || total > limits.DecompressedBytes {
		t.Errorf("the tree has %d files of %d bytes", len(tree), total)
	}
	if err := tree.check(); err != nil {
		t.Error(err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(tarOf(f, file("a.yaml", "x"), file("b/c.yaml", "y")))
	f.Add(gzipped(f, tarOf(f, file("./a.yaml", "x"))))
	f.Add(tarOf(f, archived{name: "l", kind: tar.TypeSymlink, link: "../x"}))
	f.Add(tarOf(f, file("a/../../b", "x")))
	f.Add(tarOf(f, file(".wh.a", ""), file("d/.wh..wh..opq", "")))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	f.Add([]byte("not an archive"))
	limits := Limits{FileBytes: 1 << 16, DecompressedBytes: 1 << 18, Files: 64}.withDefaults()
	f.Fuzz(func(t *testing.T, archive []byte) {
		spend := newBudget(limits)
		layer, err := unpack(archive, spend)
		if err != nil {
			var limit *limitError
			if errors.As(err, &limit) || utf8.ValidString(err.Error()) {
				return
			}
			t.Fatalf("the message %q is not fit for a status", err.Error())
		}
		checkInvariants(t, layer.files, limits)
		tree := Tree{"a": []byte("x"), "d/e/f": []byte("y")}
		tree.overlay(layer)
		checkInvariants(t, tree, Limits{FileBytes: 1 << 16, DecompressedBytes: 1<<18 + 2, Files: 66}.withDefaults())
	})
}
