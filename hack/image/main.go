// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Command image puts a static binary into a container image, without a container engine.
//
// The image holds what a static binary needs and nothing else: the binary, the certificates of the public authorities, and a user
// without rights. There is no shell and no package. It is written as an OCI layout with one image for each architecture; the same
// binaries give the same digest, on any machine and on any day.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/layout"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

// run writes the layout that the arguments ask for and prints its digest.
func run(arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	output := flags.String("output", "dist/image", "directory of the OCI layout; what was there is replaced")
	version := flags.String("version", "unknown", "version of what is in the image")
	binaries := binaries{}
	flags.Var(binaries, "binary", "`ARCHITECTURE=FILE` of a static linux binary; once for each architecture")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if len(binaries) == 0 {
		return errors.New("no binary: pass --binary=ARCHITECTURE=FILE")
	}
	index, err := buildIndex(*version, binaries)
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("digest of the image: %w", err)
	}
	if err := os.RemoveAll(*output); err != nil {
		return fmt.Errorf("replace the layout: %w", err)
	}
	if _, err := layout.Write(*output, layoutOf(index, *version)); err != nil {
		return fmt.Errorf("write the layout: %w", err)
	}
	fmt.Fprintf(out, "%s: %s for %s\n", *output, digest, strings.Join(binaries.architectures(), ", "))
	return nil
}

// binaries are the files to put into images, by architecture.
type binaries map[string]string

// Set adds one, given as ARCHITECTURE=FILE.
func (b binaries) Set(value string) error {
	architecture, file, found := strings.Cut(value, "=")
	if !found || architecture == "" || file == "" {
		return fmt.Errorf("%q must be ARCHITECTURE=FILE, such as amd64=dist/assent", value)
	}
	b[architecture] = file
	return nil
}

// String shows them as they are given.
func (b binaries) String() string {
	shown := make([]string, 0, len(b))
	for _, architecture := range b.architectures() {
		shown = append(shown, architecture+"="+b[architecture])
	}
	return strings.Join(shown, " ")
}

// architectures are in alphabetical order, which is their order in the index.
func (b binaries) architectures() []string {
	names := make([]string, 0, len(b))
	for architecture := range b {
		names = append(names, architecture)
	}
	slices.Sort(names)
	return names
}
