// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionKeyChangesWithEverythingThatIsBuilt(t *testing.T) {
	source := sourceCopy(t)
	key := mustKey(t, source)
	for _, part := range []string{"kubernetes-v1.", "kwok-v0.", "go1."} {
		if !strings.Contains(key, part) {
			t.Errorf("the key %q does not tell %s…", key, part)
		}
	}
	for _, file := range []string{"controlplane/main.go", "controlplane/go.mod", "controlplane/go.sum", "kwok/go.mod", "kwok/go.sum"} {
		appendTo(t, filepath.Join(source, file), "\n")
		next := mustKey(t, source)
		if next == key {
			t.Errorf("the key is the same after a change to %s", file)
		}
		key = next
	}
}

func TestModuleVersionIsReadFromGoMod(t *testing.T) {
	for name, row := range map[string]struct{ content, want string }{
		"in a block":            {"require (\n\texample.com/other v9.9.9\n\texample.com/it v1.2.3\n)\n", "v1.2.3"},
		"indirect":              {"require (\n\texample.com/it v0.8.0 // indirect\n)\n", "v0.8.0"},
		"on a line of its own":  {"require example.com/it v1.37.2\n", "v1.37.2"},
		"not another's version": {"require example.com/it/v2 v2.0.0\nreplace example.com/it => example.com/fork v3.0.0\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			appendTo(t, filepath.Join(dir, "go.mod"), row.content)
			got, err := moduleVersion(dir, "example.com/it")
			if got != row.want || (err == nil) != (row.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, row.want)
			}
		})
	}
}

func TestProgressCountsModulesAndPackages(t *testing.T) {
	p := &progress{name: "it"}
	for _, line := range []string{"go: downloading k8s.io/api v0.37.2", "k8s.io/api/core/v1", "fmt", "# k8s.io/api/core/v1", "types.go:1:1: undefined: x"} {
		p.add(line)
	}
	if p.downloaded != 1 || p.compiled != 2 {
		t.Errorf("counted %d modules and %d packages, want 1 and 2", p.downloaded, p.compiled)
	}
	if want := "# k8s.io/api/core/v1\ntypes.go:1:1: undefined: x"; p.complaints() != want {
		t.Errorf("complaints are %q, want %q", p.complaints(), want)
	}
}

// sourceCopy returns a folder with the files that the binaries are built from.
func sourceCopy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, module := range []string{"controlplane", "kwok"} {
		if err := os.CopyFS(filepath.Join(dir, module), os.DirFS(module)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustKey(t *testing.T, source string) string {
	t.Helper()
	key, err := versionKey(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func appendTo(t *testing.T, path, content string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.WriteString(content); err != nil {
		t.Fatal(err)
	}
}
