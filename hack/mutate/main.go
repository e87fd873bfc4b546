// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Command mutate measures whether the tests would notice if a rule were gone: it takes each rule out, or turns it round, one at a time, and runs the
// tests that have to fail. docs/mutation.md says how to read what it prints.
//
//	mutate code [flags]       the gates and permission checks in Go
//	mutate policies [flags]   the rules of the guard
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/assent-dev/assent/hack/mutate/code"
	"github.com/assent-dev/assent/hack/mutate/policies"
)

// command is one kind of mutation. It prints to the writer and returns an error if a mutant has survived or nothing could be measured.
type command struct {
	name, does string
	run        func(ctx context.Context, args []string, out io.Writer) error
}

var commands = []command{
	{name: "code", does: "take the gates and permission checks out of the Go code, one at a time", run: code.Run},
	{name: "policies", does: "take the rules of the guard out of its policies, one at a time", run: policies.Run},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		for _, command := range commands {
			if command.name == args[0] {
				return command.run(ctx, args[1:], os.Stdout)
			}
		}
	}
	for _, command := range commands {
		fmt.Fprintf(os.Stderr, "  mutate %-10s %s\n", command.name, command.does)
	}
	return fmt.Errorf("say what to mutate: one of the above, and not %q", args)
}
