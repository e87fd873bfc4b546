// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demo shows Assent at work, on a local cluster of its own and with nothing but Go installed.
//
// It prepares what a team would have: a cluster with the guard and the operator, a registry with two versions of an application, a project
// with three Environments. Then it tells a story in a few commands, in which people ask, are refused, look, approve and watch:
//
//	DEMO=        prints the commands, to be tried by hand, and stays until Ctrl-C
//	DEMO=auto    runs the commands, checks what each says, and ends
//
// Both read the same table of steps (steps.go). Whatever was started ends with it: the operator, the registry and the cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// mode says who carries out the story.
type mode string

const (
	byHand        mode = "ByHand"
	automatically mode = "Automatically"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// Caught and left alone: that nobody reads the output must not keep the demo from stopping what it has started.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := run(ctx, os.Args[1:])
	interrupted := ctx.Err() != nil
	cancel()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case interrupted && errors.Is(err, context.Canceled):
		os.Exit(130)
	default:
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

// run carries out the command line, in the mode that the variable DEMO asks for.
func run(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	dir := flags.String("dir", ".devcluster", "directory of the demo's cluster")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	wanted, err := parseMode(os.Getenv("DEMO"))
	if err != nil {
		return err
	}
	d, err := newDemo(*dir, wanted, os.Stdout)
	if err != nil {
		return err
	}
	return d.run(ctx)
}

func parseMode(value string) (mode, error) {
	switch value {
	case "":
		return byHand, nil
	case "auto":
		return automatically, nil
	default:
		return "", fmt.Errorf("DEMO must be \"auto\", which does every step by itself, or not be set, which prints the steps for you to try; it is %q", value)
	}
}
