// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheDigestOfACommitCoversPathsModesAndContents(t *testing.T) {
	base := commitContent{{name: "a", mode: "100644", data: []byte("x")}, {name: "b", mode: "100644", data: []byte("y")}}
	seen := map[string]string{string(base.encode()): "itself"}
	for name, other := range map[string]commitContent{
		"a path":                       {{name: "c", mode: "100644", data: []byte("x")}, {name: "b", mode: "100644", data: []byte("y")}},
		"a mode":                       {{name: "a", mode: "100755", data: []byte("x")}, {name: "b", mode: "100644", data: []byte("y")}},
		"a content":                    {{name: "a", mode: "100644", data: []byte("z")}, {name: "b", mode: "100644", data: []byte("y")}},
		"contents swapped":             {{name: "a", mode: "100644", data: []byte("y")}, {name: "b", mode: "100644", data: []byte("x")}},
		"one file less":                {{name: "a", mode: "100644", data: []byte("x")}},
		"one file that looks like two": {{name: "a", mode: "100644", data: []byte("x100644 1 b\ny")}},
	} {
		encoded := string(other.encode())
		if same, found := seen[encoded]; found {
			t.Errorf("%s has the digest of %s", name, same)
		}
		seen[encoded] = name
	}
	turned := commitContent{base[1], base[0]}
	if string(turned.encode()) != string(base.encode()) {
		t.Error("the order in which files are found counts")
	}
	decoded, err := decodeContent(base.encode())
	if err != nil {
		t.Fatal(err)
	}
	expectTree(t, decoded.tree(), map[string]string{"a": "x", "b": "y"})
	for _, bad := range []string{"", "x", contentFormat + "100644", contentFormat + "100644 9 a\nx", contentFormat + "100644 -1 a\nx"} {
		if _, err := decodeContent([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestOurOwnTreeIsFetchedWhole(t *testing.T) {
	const root = "testdata/trees/shop"
	g := startGit(t, plainRegistry)
	work := g.create(t, "shop")
	if err := os.CopyFS(filepath.Join(work.folder, "deploy"), os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	tree, digest := resolveAndFetch(t, g.fetcher(t, Limits{}), g.source("shop", work.commit("first"), "deploy/overlays/production"), Credentials{})
	for _, name := range []string{"deploy/base/catalogue.json", "deploy/base/web.yaml", "deploy/components/ingress/ingress.yaml", "deploy/overlays/production/kustomization.yaml"} {
		want, err := os.ReadFile(filepath.Join(root, strings.TrimPrefix(name, "deploy/")))
		if err != nil || !bytes.Equal(tree[name], want) {
			t.Errorf("%s holds %q, want %q (%v)", name, tree[name], want, err)
		}
	}
	if !strings.HasPrefix(string(digest), "sha256:") || len(digest) != 71 {
		t.Errorf("got the digest %q", digest)
	}
}

// FuzzContent expects what was decoded to be the same after it was encoded and decoded once more.
func FuzzContent(f *testing.F) {
	f.Add(commitContent{{name: "a b.yaml", mode: "100644", data: []byte("100644 1 b\nx")}, {name: "z", mode: "100755"}}.encode())
	f.Fuzz(func(t *testing.T, encoded []byte) {
		decoded, err := decodeContent(encoded)
		if err != nil || len(decoded.tree()) != len(decoded) {
			return // nor does a commit hold two files of one name
		}
		again, err := decodeContent(decoded.encode())
		if err != nil || !bytes.Equal(again.encode(), decoded.encode()) || !slices.EqualFunc(again, decoded, sameFile) {
			t.Errorf("got %v and %v, want %v", again, err, decoded)
		}
	})
}

func sameFile(one, other contentFile) bool {
	return one.name == other.name && one.mode == other.mode && bytes.Equal(one.data, other.data)
}
