// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Command krew packs the binaries of the kubectl plugin into archives, and writes their checksums and the manifest by which krew, the plugin manager of
// kubectl, installs them.
//
// The same binaries give the same archives, byte by byte, on any machine and on any day: whoever builds them again can compare the checksums.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	// program is what kubectl looks for in PATH.
	program = "kubectl-assent"
	// plugin is its name in krew: `kubectl krew install assent`.
	plugin = "assent"
	// checksums is the file that `sha256sum --check` reads.
	checksums = "SHA256SUMS"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "krew: %v\n", err)
		os.Exit(1)
	}
}

// run writes archives, checksums and manifest into the folder that the arguments name.
func run(arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("krew", flag.ContinueOnError)
	version := flags.String("version", "", "version of the plugin, such as v1.2.3; what is no semantic version becomes one that comes before all others")
	output := flags.String("output", "dist", "folder that the archives are written to")
	license := flags.String("license", "LICENSE", "file of the licence, which every archive holds")
	downloads := flags.String("downloads", "https://github.com/assent-dev/assent/releases/download", "address under which a folder for each version has its archives")
	var binaries binaries
	flags.Var(&binaries, "binary", "`OS/ARCHITECTURE=FILE` of a binary; once for each platform")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if len(binaries) == 0 {
		return errors.New("no binary: pass --binary=OS/ARCHITECTURE=FILE")
	}
	text, err := os.ReadFile(*license)
	if err != nil {
		return fmt.Errorf("read the licence: %w", err)
	}
	if err := os.MkdirAll(*output, 0o750); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	found := manifest(semantic(*version))
	var sums strings.Builder
	for _, each := range binaries {
		name, sum, err := each.pack(*output, text)
		if err != nil {
			return fmt.Errorf("pack %s/%s: %w", each.system, each.architecture, err)
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, name)
		found.add(each, *downloads+"/"+found.Spec.Version+"/"+name, sum)
		fmt.Fprintln(out, filepath.Join(*output, name))
	}
	written, err := yaml.Marshal(found)
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	for name, content := range map[string][]byte{checksums: []byte(sums.String()), plugin + ".yaml": written} {
		if err := os.WriteFile(filepath.Join(*output, name), content, 0o644); err != nil { //nolint:gosec // for everybody to read
			return err
		}
	}
	fmt.Fprintln(out, filepath.Join(*output, plugin+".yaml"))
	return nil
}

// binaries are what is packed, in the order in which they are given.
type binaries []binary

// binary for one platform.
type binary struct{ system, architecture, file string }

// Set adds one, given as OS/ARCHITECTURE=FILE.
func (b *binaries) Set(value string) error {
	platform, file, found := strings.Cut(value, "=")
	system, architecture, divided := strings.Cut(platform, "/")
	if !found || !divided || system == "" || architecture == "" || file == "" {
		return fmt.Errorf("%q must be OS/ARCHITECTURE=FILE, such as linux/amd64=dist/%s", value, program)
	}
	*b = append(*b, binary{system, architecture, file})
	return nil
}

// String shows them as they are given.
func (b *binaries) String() string {
	shown := make([]string, 0, len(*b))
	for _, each := range *b {
		shown = append(shown, each.system+"/"+each.architecture+"="+each.file)
	}
	return strings.Join(shown, " ")
}
