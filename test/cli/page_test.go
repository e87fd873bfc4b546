// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-dev/assent/test/cluster"
)

// page is the one whose examples are run, and notFollowed are its sections about this machine.
const (
	page        = "../../docs/cli.md"
	notFollowed = "Install"
)

// example is one command of the page.
type example struct {
	section, user, text string
}

// examples of the page, in their order. In each block the administrator runs what nobody else is named for.
func examples(t *testing.T) []example {
	t.Helper()
	content, err := os.ReadFile(page)
	must(t, err)
	var found []example
	section, user, open := "", "", false
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSuffix(line, "\n")
		name, named := strings.CutPrefix(line, "# as ")
		switch {
		case strings.HasPrefix(line, "## "):
			section = strings.TrimPrefix(line, "## ")
		case strings.HasPrefix(line, "```"):
			open, user = line == "```sh", cluster.Admin
		case open && named:
			user = name
		case open && section != notFollowed:
			found = append(found, example{section, user, line})
		}
	}
	return found
}

// testPage runs the examples as the page has them, one after the other, in a project like that of the demo.
func testPage(t *testing.T, connected *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	project, err := newProject(ctx, connected)
	must(t, err)
	dir := t.TempDir()
	must(t, writeKubeconfigs(connected, dir, project))
	commands := examples(t)
	if len(commands) == 0 {
		t.Fatal("the page has no examples")
	}
	path := strings.Join([]string{os.Getenv("PATH"), filepath.Join(connected.Dir(), "bin")}, string(os.PathListSeparator))
	for _, each := range commands {
		shell := exec.CommandContext(ctx, "sh", "-c", each.text)
		shell.Dir = dir
		shell.Env = append(os.Environ(), "PATH="+path, "KUBECONFIG="+filepath.Join(dir, each.user+".kubeconfig"))
		output, err := shell.CombinedOutput()
		if err != nil {
			t.Fatalf("%s, as %s: %s: %v: %s", each.section, each.user, each.text, err, output)
		}
	}
}

func TestThePageShowsEveryCommand(t *testing.T) {
	help, err := exec.Command("kubectl-assent", "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, help)
	}
	shown := ""
	for _, each := range examples(t) {
		shown += each.text + "\n"
	}
	count := 0
	for line := range strings.Lines(string(help)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(line, "  ") || strings.HasPrefix(name, "-") || name == "completion" || name == "help" || name == "kubectl" {
			continue
		}
		count++
		if !strings.Contains(shown, "kubectl assent "+name) {
			t.Errorf("the page has no example of `kubectl assent %s`", name)
		}
	}
	if count < 10 {
		t.Errorf("the help lists %d commands: %s", count, help)
	}
}
