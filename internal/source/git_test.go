// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestACommitIsFetchedWithoutItsHistory(t *testing.T) {
	g := startGit(t, tlsRegistry)
	work := g.create(t, "shop")
	work.write("deploy/base/service.yaml", service)
	work.write("history.bin", strings.Repeat("old", 100))
	work.commit("first")
	work.git("rm", "-q", "history.bin")
	work.write("deploy/deployment.yaml", deployment)
	work.write("run.sh", "true")
	if err := os.Chmod(filepath.Join(work.folder, "run.sh"), 0o700); err != nil {
		t.Fatal(err)
	}
	commit := work.commit("second")

	tree, digest := resolveAndFetch(t, g.fetcher(t, Limits{}), g.source("shop", commit, "deploy"), Credentials{})
	expectTree(t, tree, map[string]string{"deploy/base/service.yaml": service, "deploy/deployment.yaml": deployment, "run.sh": "true"})

	_, again := resolveAndFetch(t, g.fetcher(t, Limits{}), g.source("shop", commit, ""), Credentials{})
	if again != digest {
		t.Errorf("the same files have the digests %q and %q", digest, again)
	}
	work.write("deploy/deployment.yaml", deployment+"# changed\n")
	other := work.commit("third")
	if _, changed := resolveAndFetch(t, g.fetcher(t, Limits{}), g.source("shop", other, "deploy"), Credentials{}); changed == digest {
		t.Error("other files have the same digest")
	}
}

// refuseByHash answers as a server that sends nothing but the tips of branches and tags.
func refuseByHash(commit string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, request *http.Request) bool {
		asked, err := io.ReadAll(request.Body)
		request.Body = io.NopCloser(bytes.NewReader(asked))
		if err != nil || !bytes.Contains(asked, []byte("want "+commit)) {
			return false
		}
		text := "ERR upload-pack: not our ref " + commit
		_, _ = fmt.Fprintf(w, "%04x%s", 4+len(text), text)
		return true
	}
}

func TestACommitIsFoundWhereverItIs(t *testing.T) {
	for name, row := range map[string]struct {
		advertised string
		depth      int
		// refused says that the server sends tips alone.
		refused bool
		posts   int
	}{
		"behind the tip, from a server that says it sends by hash": {advertised: "true", depth: 3, posts: 1},
		"behind the tip, from a server that does not say so":       {advertised: "false", depth: 3, posts: 1},
		"behind the tip, from a server that refuses":               {advertised: "false", depth: 3, refused: true, posts: 2},
		"far behind the tip, from a server that refuses":           {advertised: "false", depth: 60, refused: true, posts: 3},
		"at the tip of a branch":                                   {advertised: "false", posts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGit(t, plainRegistry)
			work := g.create(t, "shop")
			work.write("a.yaml", service)
			commit := work.commit("wanted")
			for i := range row.depth {
				work.write("a.yaml", fmt.Sprintf("%s# %d\n", service, i))
				work.git("add", "-A")
				work.git("commit", "-q", "-m", "later")
			}
			work.git("push", "-q", "origin", "HEAD:main")
			g.configure(t, "shop", "uploadpack.allowReachableSHA1InWant", row.advertised)
			if row.refused {
				g.set(refuseByHash(commit))
			}
			digest, err := g.fetcher(t, Limits{}).Resolve(t.Context(), g.source("shop", commit, ""), Credentials{})
			if err != nil {
				t.Fatal(err)
			}
			posts := 0
			for _, request := range g.seen() {
				posts += strings.Count(request, http.MethodPost)
			}
			if posts != row.posts {
				t.Errorf("the server was asked %d times for objects, want %d", posts, row.posts)
			}
			tree, err := g.fetcher(t, Limits{}).Fetch(t.Context(), g.source("shop", commit, ""), digest, Credentials{})
			if err != nil {
				t.Fatal(err)
			}
			expectTree(t, tree, map[string]string{"a.yaml": service})
			if row.refused {
				_, err = g.fetcher(t, Limits{DecompressedBytes: 4000}).Resolve(t.Context(), g.source("shop", commit, ""), Credentials{})
				expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGitCommit, "tag the commit", "allowReachableSHA1InWant")
			}
		})
	}
}

func TestATaggedCommitIsATipToo(t *testing.T) {
	g := startGit(t, plainRegistry)
	work := g.create(t, "shop")
	work.write("a.yaml", service)
	commit := work.commit("wanted")
	work.git("tag", "-a", "-m", "release", "v1")
	work.git("push", "-q", "origin", "v1")
	work.write("a.yaml", "other")
	work.commit("later")
	tree, _ := resolveAndFetch(t, g.fetcher(t, Limits{}), g.source("shop", commit, ""), Credentials{})
	expectTree(t, tree, map[string]string{"a.yaml": service})

	_, err := g.fetcher(t, Limits{}).Resolve(t.Context(), g.source("shop", work.git("rev-parse", "v1"), ""), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGit, "is a tag and must be a commit")
}

func TestACommitThatIsGoneIsSaidToBeGone(t *testing.T) {
	for name, byHash := range map[string]string{"from a server that sends by hash": "true", "from one that does not": "false"} {
		t.Run(name, func(t *testing.T) {
			g := startGit(t, plainRegistry)
			work := g.create(t, "shop")
			work.write("a.yaml", service)
			first := work.commit("first")
			g.configure(t, "shop", "uploadpack.allowReachableSHA1InWant", byHash)
			fetcher := g.fetcher(t, Limits{})
			_, digest := resolveAndFetch(t, fetcher, g.source("shop", first, ""), Credentials{})

			work.write("a.yaml", deployment)
			work.git("add", "-A")
			work.git("commit", "-q", "--amend", "-m", "rewritten")
			work.commit("force-pushed")

			g.set(nil)
			_, err := fetcher.Resolve(t.Context(), g.source("shop", first, ""), Credentials{})
			expectError(t, err, v1alpha1.ReasonFetchFailed, fieldGitCommit, first, "push a branch or a tag", "tried again")
			// By its hash, and in the history where that is not known to be the answer. The whole of it has been seen then.
			if seen := g.seen(); len(seen) > 3 {
				t.Errorf("the server was asked %v", seen)
			}
			// What has been seen before is still there to be rolled back to.
			tree, err := fetcher.Fetch(t.Context(), g.source("shop", first, ""), digest, Credentials{})
			if err != nil {
				t.Fatal(err)
			}
			expectTree(t, tree, map[string]string{"a.yaml": service})

			_, err = fetcher.Resolve(t.Context(), g.source("shop", strings.Repeat("0123456789", 4), ""), Credentials{})
			expectError(t, err, v1alpha1.ReasonFetchFailed, fieldGitCommit, "push a branch or a tag")
		})
	}
}

func TestAPlanIsRenderedAgainWhileTheGitServerIsDown(t *testing.T) {
	g := startGit(t, plainRegistry)
	work := g.create(t, "shop")
	work.write("a.yaml", service)
	source := g.source("shop", work.commit("first"), "")
	fetcher := g.fetcher(t, Limits{})
	tree, digest := resolveAndFetch(t, fetcher, source, Credentials{})
	g.server.Close()
	again, err := fetcher.Fetch(t.Context(), source, digest, Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	expectTree(t, again, map[string]string{"a.yaml": string(tree["a.yaml"])})

	_, err = fetcher.Resolve(t.Context(), source, Credentials{})
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldGitURL, "up and reachable")
	elsewhere := source
	elsewhere.Git.Path = "other"
	_, err = fetcher.Fetch(t.Context(), elsewhere, digest, Credentials{})
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldGitURL, "up and reachable")
}

func TestContentThatIsNotWhatTheDigestSaysIsRefused(t *testing.T) {
	g := startGit(t, plainRegistry)
	work := g.create(t, "shop")
	work.write("a.yaml", service)
	source := g.source("shop", work.commit("first"), "")
	_, err := g.fetcher(t, Limits{}).Fetch(t.Context(), source, "sha256:"+v1alpha1.Digest(strings.Repeat("0", 64)), Credentials{})
	expectError(t, err, v1alpha1.ReasonDigestMismatch, fieldGitCommit, "create a new Release")
}

func TestCommitsThatCannotBeDeployedAreRefusedWithARemedy(t *testing.T) {
	g := startGit(t, plainRegistry)
	pointed := lfsPointer([]byte("large"))
	for name, row := range map[string]struct {
		make func(*worktree)
		want []string
		// beside is a path for which it is not needed, so that it is left out; above and below are some for which it is.
		beside string
		needed []string
		field  string
	}{
		"a link": {make: func(w *worktree) { mustLink(w, "/etc/passwd", "a/link.yaml") }, beside: "deploy", needed: []string{"a", "a/link.yaml"},
			want: []string{`"a/link.yaml" is a symbolic link`, "put the file itself there"}},
		"a link in the place of a folder": {make: func(w *worktree) { mustLink(w, "../..", "a") }, beside: "deploy", needed: []string{"a", "a/b"}, want: []string{`"a" is a symbolic link`}},
		"a submodule": {make: func(w *worktree) { w.index("160000", strings.Repeat("a", 40), "a/module") }, beside: "deploy",
			want: []string{`submodule at "a/module"`, "submodules: Allowed"}},
		"a file in Git LFS": {make: func(w *worktree) { w.write("a/b.yaml", pointed) }, beside: "deploy", want: []string{`"a/b.yaml" in Git LFS`, "lfs: Allowed"}},
		"a broken pointer":  {make: func(w *worktree) { w.write("a/b.yaml", lfsVersion+"\noid md5:1\n") }, beside: "deploy", want: []string{"Git LFS"}},
		"a file that is large": {make: func(w *worktree) { w.write("a/b.yaml", strings.Repeat("x", 3001)) },
			want: []string{`"a/b.yaml" is larger than 3000 bytes`}},
		"many files": {make: func(w *worktree) {
			for i := range 25 {
				w.write(fmt.Sprintf("a/%d.yaml", i), "x")
			}
		}, want: []string{"more than 20 files"}},
		"many bytes": {make: func(w *worktree) {
			for i := range 8 {
				w.write(fmt.Sprintf("a/%d.yaml", i), strings.Repeat("x", 2900))
			}
		}, want: []string{"files of more than 20000 bytes together"}},
		"a path with a backslash": {make: func(w *worktree) { w.write(`a\b.yaml`, "x") }, want: []string{"backslash"}},
		"a path that is long":     {make: func(w *worktree) { w.write(strings.Repeat("a", 101), "x") }, want: []string{"at most 100"}},
		"no file":                 {make: func(w *worktree) { w.git("rm", "-q", "-r", "-f", ".") }, field: fieldGitCommit, want: []string{"holds no files"}},
	} {
		t.Run(name, func(t *testing.T) {
			work := g.create(t, strings.ReplaceAll(name, " ", "-"))
			work.write("deploy/a.yaml", service)
			work.git("add", "-A")
			row.make(work)
			hash := work.commitIndex()
			limits := Limits{FileBytes: 3000, Files: 20, DecompressedBytes: 20_000, NameBytes: 100}
			_, err := g.fetcher(t, limits).Resolve(t.Context(), g.source(work.name, hash, ""), Credentials{})
			field := fieldGit
			if row.field != "" {
				field = row.field
			}
			expectError(t, err, v1alpha1.ReasonInvalidSource, field, row.want...)
			for _, path := range row.needed {
				_, err := g.fetcher(t, limits).Resolve(t.Context(), g.source(work.name, hash, path), Credentials{})
				expectError(t, err, v1alpha1.ReasonInvalidSource, field, row.want...)
			}
			if row.beside == "" {
				return
			}
			tree, _ := resolveAndFetch(t, g.fetcher(t, limits), g.source(work.name, hash, row.beside), Credentials{})
			expectTree(t, tree, map[string]string{"deploy/a.yaml": service})
		})
	}
}

func TestACommitThatIsTooLargeIsRefusedAndThePathDoesNotHelp(t *testing.T) {
	g := startGit(t, plainRegistry)
	work := g.create(t, "shop")
	work.write("deploy/a.yaml", service)
	work.write("beside.txt", strings.Repeat("x", 5000))
	commit := work.commit("first")
	_, err := g.fetcher(t, Limits{FileBytes: 3000}).Resolve(t.Context(), g.source("shop", commit, "deploy"), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGitPath, `"beside.txt" is larger than 3000`, `not only "deploy"`, "OCI artifact")
	_, err = g.fetcher(t, Limits{CompressedBytes: 500}).Resolve(t.Context(), g.source("shop", commit, ""), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGit, "larger than 500 bytes", "OCI artifact")
	// It compresses well, so only what comes out of it is too large.
	_, err = g.fetcher(t, Limits{DecompressedBytes: 4000}).Resolve(t.Context(), g.source("shop", commit, ""), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGit, "larger than 4000 bytes when it is unpacked")
}

func TestATreeThatNamesItselfOverAndOverIsCutOff(t *testing.T) {
	g := startGit(t, plainRegistry)
	work := g.create(t, "bomb")
	blob := work.pipe("lol", "hash-object", "-w", "--stdin")
	entries := func(mode, kind, hash string) string {
		var lines strings.Builder
		for i := range 10 {
			fmt.Fprintf(&lines, "%s %s %s\tf%d\n", mode, kind, hash, i)
		}
		return lines.String()
	}
	tree := work.pipe(entries("100644", "blob", blob), "mktree")
	for range 12 {
		tree = work.pipe(entries("040000", "tree", tree), "mktree")
	}
	commit := work.git("commit-tree", "-m", "bomb", tree)
	work.git("push", "-q", "origin", commit+":refs/heads/main")
	_, err := g.fetcher(t, Limits{}).Resolve(t.Context(), g.source("bomb", commit, ""), Credentials{})
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGit, "more than 2000 files and folders")
}

func TestGitCredentialsGoToTheHostThatTheirSecretNamesAndNowhereElse(t *testing.T) {
	g := startGit(t, authRegistry)
	work := g.create(t, "shop")
	work.write("a.yaml", service)
	source := g.source("shop", work.commit("first"), "")
	host := strings.TrimPrefix(g.server.URL, "https://")

	tree, _ := resolveAndFetch(t, g.fetcher(t, Limits{}), source, basicAuth(t, "git.example.org, "+host))
	expectTree(t, tree, map[string]string{"a.yaml": service})

	_, err := g.fetcher(t, Limits{}).Resolve(t.Context(), source, Credentials{})
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldGit+".secretRef", "Unauthorized", secretTypeBasicAuth)
	for _, hosts := range []string{"", "git.example.org", "http://" + host, "127.0.0.1"} {
		g.set(nil)
		_, err = g.fetcher(t, Limits{}).Resolve(t.Context(), source, basicAuth(t, hosts))
		expectError(t, err, v1alpha1.ReasonFetchFailed, fieldGit+".secretRef", `"`+host+`"`, v1alpha1.AnnotationSourceHosts)
		if seen := g.seen(); len(seen) > 0 {
			t.Errorf("with the hosts %q the server was asked %v", hosts, seen)
		}
	}
	docker, err := ParseDockerConfig([]byte(`{"auths":{"` + host + `":{"username":"puller","password":"x"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.fetcher(t, Limits{}).Resolve(t.Context(), source, docker)
	expectError(t, err, v1alpha1.ReasonFetchFailed, fieldGit+".secretRef", "for registries", secretTypeBasicAuth)
}

func TestAGitServerThatSendsOnToAnotherHostIsNotFollowed(t *testing.T) {
	var stolen []string
	other := startGit(t, plainRegistry)
	other.set(func(_ http.ResponseWriter, request *http.Request) bool {
		stolen = append(stolen, request.Header.Get("Authorization"))
		return false
	})
	other.create(t, "shop")
	g := startGit(t, plainRegistry)
	work := g.create(t, "shop")
	work.write("a.yaml", service)
	source := g.source("shop", work.commit("first"), "")
	credentials := basicAuth(t, g.server.URL)
	g.set(func(w http.ResponseWriter, request *http.Request) bool {
		http.Redirect(w, request, other.server.URL+request.URL.RequestURI(), http.StatusTemporaryRedirect)
		return true
	})
	_, err := g.fetcher(t, Limits{}).Resolve(t.Context(), source, credentials)
	expectError(t, err, v1alpha1.ReasonInvalidSource, fieldGitURL, "sends on to", other.server.URL)
	if len(stolen) > 0 {
		t.Errorf("the other host was asked, with %q", stolen)
	}
	// A repository that has moved on the same host is found.
	g.set(func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.HasPrefix(request.URL.Path, "/old") {
			return false
		}
		http.Redirect(w, request, "/shop.git"+strings.TrimPrefix(request.URL.RequestURI(), "/old.git"), http.StatusMovedPermanently)
		return true
	})
	moved := source
	moved.Git.URL = g.url("old")
	tree, _ := resolveAndFetch(t, g.fetcher(t, Limits{}), moved, credentials)
	expectTree(t, tree, map[string]string{"a.yaml": service})
}
