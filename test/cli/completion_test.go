// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/assent-dev/assent/test/cluster"
)

// testCompletion: in front of each shell, bob types the beginning of a name and presses the tabulator. The shell has to put in the rest: the command that he then
// runs is about the whole name.
func testCompletion(t *testing.T, connected *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	bob := people(ctx, t, connected)(cluster.Bob)
	bob.does(ctx, "promote", "shop-1.1.0", "--to", "staging")
	t.Setenv("KUBECONFIG", strings.TrimPrefix(bob.kubeconfig, "--kubeconfig="))
	dir := t.TempDir()
	// kubectl asks a program of this name what completes the plugin's arguments: docs/cli.md.
	must(t, os.WriteFile(filepath.Join(dir, "kubectl_complete-assent"), []byte("#!/bin/sh\nexec kubectl-assent __complete \"$@\"\n"), 0o700))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+filepath.Join(connected.Dir(), "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("HOME", dir)
	for _, shell := range []struct {
		name string
		args []string
		// setup is typed first, and typed what is completed afterwards.
		setup, typed string
	}{
		{"bash", []string{"--norc", "--noprofile", "-i"}, ". /usr/share/bash-completion/bash_completion; . <(kubectl-assent completion bash)", "kubectl-assent why shop-1.1\t"},
		{"bash", []string{"--norc", "--noprofile", "-i"}, ". /usr/share/bash-completion/bash_completion; . <(kubectl completion bash)", "kubectl assent why shop-1.1\t"},
		{"zsh", []string{"-f", "-i"}, "autoload -U compinit; compinit -D; . <(kubectl-assent completion zsh)", "kubectl-assent why shop-1.1\t"},
		{"fish", []string{"--no-config", "-i"}, "kubectl-assent completion fish | source", "kubectl-assent why shop-1.1\t"},
	} {
		t.Run(shell.name, func(t *testing.T) {
			screen := newTerminal(t, 160, 40)
			start(ctx, t, screen, shell.name, shell.args...)
			screen.press(shell.setup + "; echo so''urced\r")
			screen.sees(ctx, "sourced")
			screen.press(shell.typed + "\r")
			screen.sees(ctx, `shop-1.1.0-staging +shop-1.1.0 to staging, asked for by bob`)
		})
	}
}

// start a program on a terminal of its own, until the test ends.
func start(ctx context.Context, t *testing.T, on *terminal, name string, args ...string) {
	t.Helper()
	command := exec.CommandContext(ctx, name, args...)
	command.Stdin, command.Stdout, command.Stderr = on.screen, on.screen, on.screen
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		t.Fatalf("%v: `sh hack/packages.sh bash zsh fish` installs it", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}
