// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Command devcluster runs a real Kubernetes control plane on this machine, with nothing but Go installed.
//
// It builds etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and kwok from their Go modules, once,
// into the user's cache; starts them on free ports of 127.0.0.1; and leaves one kubeconfig for each of a few users who
// differ in their groups. Everything about one cluster is in one directory, so that clusters with different
// directories run side by side, and nothing in it is meant to last: after `down` the next `up` starts from nothing.
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

const usage = `Usage: devcluster COMMAND [--dir DIR] [COMPONENT]

Commands:
  build   build the binaries, if this machine does not have them yet
  up      start a cluster in the background and wait until it is ready
  run     start a cluster and keep it until Ctrl-C
  down    stop the cluster and remove its data; logs stay
  restart end one component, such as kube-apiserver or etcd, and start it again with its data

Flags:
`

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// Caught and left alone: that nobody reads the output must not keep anybody from stopping the cluster.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := execute(ctx, os.Args[1:])
	cancel()
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintf(os.Stderr, "devcluster: %v\n", err)
		os.Exit(1)
	}
}

// execute carries out one command line. Cancelling ctx ends it, and with it whatever it has started.
func execute(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("devcluster", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	dir := flags.String("dir", ".devcluster", "directory of the cluster; each directory is a cluster of its own")
	killed := flags.Bool("kill", false, "with restart: do not let the component finish what is under way")
	var trusted issuer
	trusted.flags(flags)
	if len(arguments) == 0 {
		flags.Usage()
		return errors.New("a command is required: build, up, run, down or restart")
	}
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	restarts := arguments[0] == "restart"
	switch {
	case restarts && flags.NArg() != 1:
		return errors.New("restart needs the name of one component, such as kube-apiserver")
	case !restarts && flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := trusted.check(); err != nil {
		return err
	}
	c, err := newCluster(*dir, os.Stdout)
	if err != nil {
		return err
	}
	c.issuer = trusted
	switch arguments[0] {
	case "build":
		_, err = build(ctx, os.Stdout)
		return err
	case "up":
		return c.up(ctx)
	case "run":
		return c.run(ctx)
	case "down":
		return c.down(ctx)
	case "restart":
		return c.restart(ctx, flags.Arg(0), *killed)
	case "help", "-h", "--help":
		flags.Usage()
		return nil
	default:
		return fmt.Errorf("unknown command %q: use build, up, run, down or restart", arguments[0])
	}
}
