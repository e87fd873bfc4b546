// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

const (
	kubernetesModule = "k8s.io/kubernetes"
	kwokModule       = "sigs.k8s.io/kwok"
)

// binaries is a folder with the built programs and kwok's stages. It never changes once it exists.
type binaries string

func (b binaries) controlplane() string { return filepath.Join(string(b), "controlplane") }
func (b binaries) kwok() string         { return filepath.Join(string(b), "kwok") }
func (b binaries) stages() string       { return filepath.Join(string(b), "stages") }

// stageFiles are kwok's own descriptions of how nodes and pods come to life, as paths in its module.
func stageFiles() []string {
	return []string{
		"kustomize/stage/node/fast/node-initialize.yaml",
		"kustomize/stage/node/heartbeat/node-heartbeat.yaml",
		"kustomize/stage/pod/fast/pod-ready.yaml",
		"kustomize/stage/pod/fast/pod-complete.yaml",
		"kustomize/stage/pod/fast/pod-delete.yaml",
	}
}

// build returns the binaries, from the user's cache if they were built before. Two builds at once wait for each other.
func build(ctx context.Context, out io.Writer) (binaries, error) {
	source, err := sourceDirectory()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache for the built binaries (set HOME or XDG_CACHE_HOME): %w", err)
	}
	cache = filepath.Join(cache, "assent-devcluster")
	key, err := versionKey(ctx, source)
	if err != nil {
		return "", err
	}
	built := binaries(filepath.Join(cache, key))
	if exists(string(built)) {
		return built, nil
	}
	release, err := lock(ctx, filepath.Join(cache, "lock"), func() {
		fmt.Fprintln(out, "Another build is running; waiting for it.")
	})
	if err != nil {
		return "", err
	}
	defer release()
	if exists(string(built)) {
		return built, nil
	}
	// Left by builds that were killed; nobody else builds while this holds the lock.
	abandoned, _ := filepath.Glob(filepath.Join(cache, "building-*"))
	for _, folder := range abandoned {
		if err := os.RemoveAll(folder); err != nil {
			return "", fmt.Errorf("removing an abandoned build: %w", err)
		}
	}
	return built, buildInto(ctx, out, source, built)
}

// buildInto builds next to the place where the binaries belong, and moves them there when they are complete.
func buildInto(ctx context.Context, out io.Writer, source string, built binaries) error {
	unfinished, err := os.MkdirTemp(filepath.Dir(string(built)), "building-")
	if err != nil {
		return fmt.Errorf("creating a folder to build in: %w", err)
	}
	defer func() { _ = os.RemoveAll(unfinished) }() // if it stays, the next build removes it
	fmt.Fprintf(out, "Building %s.\nThe first time takes about 12 minutes on two cores; the result is kept in %s.\n", filepath.Base(string(built)), built)
	controlplane, kwok := filepath.Join(source, "controlplane"), filepath.Join(source, "kwok")
	version, err := moduleVersion(controlplane, kubernetesModule)
	if err != nil {
		return err
	}
	next := binaries(unfinished)
	if err := compile(ctx, out, compilation{controlplane, ".", next.controlplane(), versionFlags(version)}); err != nil {
		return err
	}
	if err := compile(ctx, out, compilation{kwok, kwokModule + "/cmd/kwok", next.kwok(), "-s -w"}); err != nil {
		return err
	}
	if err := copyStages(ctx, kwok, next.stages()); err != nil {
		return err
	}
	return os.Rename(unfinished, string(built))
}

// versionFlags are linker flags that make the control plane report its version; without them it claims to be v0.0.0.
func versionFlags(version string) string {
	const variable = " -X k8s.io/component-base/version."
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return "-s -w" + variable + "gitVersion=" + version + variable + "gitMajor=" + parts[0] + variable + "gitMinor=" + parts[1]
}

// copyStages takes kwok's stages out of its module, so that the version of the stages is that of the program.
func copyStages(ctx context.Context, module, to string) error {
	dir, err := goOutput(ctx, module, "list", "-m", "-f", "{{.Dir}}", kwokModule)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o750); err != nil {
		return err
	}
	for _, file := range stageFiles() {
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		if err != nil {
			return fmt.Errorf("copying kwok's stages: %w", err)
		}
		//nolint:gosec // the names are stageFiles, the folder is one of this program's own
		if err := os.WriteFile(filepath.Join(to, filepath.Base(file)), content, 0o600); err != nil {
			return fmt.Errorf("copying kwok's stages: %w", err)
		}
	}
	return nil
}

// versionKey names the result of a build by everything that has a part in it.
func versionKey(ctx context.Context, source string) (string, error) {
	kubernetes, err := moduleVersion(filepath.Join(source, "controlplane"), kubernetesModule)
	if err != nil {
		return "", err
	}
	kwok, err := moduleVersion(filepath.Join(source, "kwok"), kwokModule)
	if err != nil {
		return "", err
	}
	toolchain, err := goOutput(ctx, filepath.Join(source, "controlplane"), "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	for _, file := range []string{"controlplane/main.go", "controlplane/go.mod", "controlplane/go.sum", "kwok/go.mod", "kwok/go.sum"} {
		content, err := os.ReadFile(filepath.Join(source, filepath.FromSlash(file)))
		if err != nil {
			return "", fmt.Errorf("reading what is to be built: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n", file, len(content))
		hash.Write(content)
	}
	return fmt.Sprintf("kubernetes-%s-kwok-%s-%s-%s-%s-%.6x", kubernetes, kwok, toolchain, runtime.GOOS, runtime.GOARCH, hash.Sum(nil)), nil
}

// moduleVersion returns the version that the go.mod in dir requires of a module.
func moduleVersion(dir, module string) (string, error) {
	path := filepath.Join(dir, "go.mod")
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the version of %s: %w", module, err)
	}
	match := regexp.MustCompile(`(?m)^(?:require)?\s*` + regexp.QuoteMeta(module) + ` (v\d+\.\d+\.\S+)`).FindSubmatch(content)
	if match == nil {
		return "", fmt.Errorf("%s does not require %s", path, module)
	}
	return string(match[1]), nil
}

// sourceDirectory finds the folder that holds the modules to build: the working directory, one above it, or hack/devcluster in one of them.
func sourceDirectory() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		for _, candidate := range []string{dir, filepath.Join(dir, "hack", "devcluster")} {
			if exists(filepath.Join(candidate, "controlplane", "go.mod")) {
				return candidate, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no hack/devcluster above %s: run this inside the repository", start)
		}
	}
}

func goOutput(ctx context.Context, dir string, arguments ...string) (string, error) {
	command := goCommand(ctx, dir, arguments...)
	output, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("running go %s: %w", strings.Join(arguments, " "), err)
	}
	return strings.TrimSpace(string(output)), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
