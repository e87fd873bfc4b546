// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"k8s.io/client-go/discovery"

	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/bench/scene"
	"github.com/assent-dev/assent/test/cluster"
)

// readGoals that are committed beside this command.
func readGoals(ctx context.Context) (measure.Goals, error) {
	root, err := said(ctx, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return measure.Goals{}, err
	}
	content, err := os.ReadFile(filepath.Join(root, "test", "bench", "goals.yaml"))
	if err != nil {
		return measure.Goals{}, fmt.Errorf("reading the goals: %w", err)
	}
	return measure.ReadGoals(content)
}

// write the table to the terminal, and the report and the picture into a directory.
func write(done measure.Report, dir string) error {
	fmt.Println()
	if err := done.Table(os.Stdout); err != nil {
		return err
	}
	content, err := done.JSON()
	if err != nil {
		return err
	}
	err = errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "performance.json"), content, 0o644),
		os.WriteFile(filepath.Join(dir, "performance.svg"), done.Picture(), 0o644),
	)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	fmt.Printf("\nwritten to %s and performance.svg\n", filepath.Join(dir, "performance.json"))
	return nil
}

// machine that this runs on. What it does not tell stays empty.
func machine(ctx context.Context) measure.Machine {
	found := measure.Machine{
		Cores: runtime.GOMAXPROCS(0), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
		Processor: strings.TrimSpace(strings.TrimLeft(entry("/proc/cpuinfo", "model name"), "\t :")),
	}
	_, _ = fmt.Sscanf(entry("/proc/meminfo", "MemTotal:"), "%d", &found.MemoryMiB)
	found.MemoryMiB /= 1024
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscanf(string(load), "%g", &found.Load)
	}
	found.Commit, _ = said(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
	return found
}

// entry is what follows a name in the first line of a file that begins with it.
func entry(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), name); found {
			return rest
		}
	}
	return ""
}

// kubernetes is the API server's version; empty if it does not say.
func kubernetes(s *scene.Scene) string {
	config, err := s.Cluster.Config(cluster.Admin)
	if err != nil {
		return ""
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return ""
	}
	version, err := client.ServerVersion()
	if err != nil {
		return ""
	}
	return version.GitVersion
}

// said is what a program prints.
func said(ctx context.Context, name string, arguments ...string) (string, error) {
	output, err := exec.CommandContext(ctx, name, arguments...).Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(append([]string{name}, arguments...), " "), err)
	}
	return strings.TrimSpace(string(output)), nil
}
