// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Command assent is the operator.
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/assent-dev/assent/controllers"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "assent: %v\n", err)
		os.Exit(1)
	}
}

// run starts the subcommand that the arguments name; the operator if they name none.
func run(args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "controller" {
		args = args[1:]
	}
	var options controllers.Options
	flags := flag.NewFlagSet("assent controller", flag.ContinueOnError)
	flags.SetOutput(stderr)
	options.BindFlags(flags)
	ctrl.RegisterFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q: the subcommand is `controller`, and the rest are flags (--help lists them)", flags.Arg(0))
	}
	if err := options.Validate(); err != nil {
		return err
	}
	logger, err := newLogger(options, stderr)
	if err != nil {
		return err
	}
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))
	return operate(options, stdout)
}

// collectAt is how much garbage there may be, in percent of what is in use, before it is collected. Nearly all that is in use is the cache, which stays: at Go's
// own 100 the process would hold it twice. The collector's work is some per cent of a core while a thousand rollouts run, and nothing at rest.
const collectAt = 50

// operate runs the operator until it is told to stop. Audit records go to lines as well.
func operate(options controllers.Options, lines io.Writer) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster (--kubeconfig, KUBECONFIG, or the pod's own account): %w", err)
	}
	config.QPS = -1 // the API server's own fairness limits us; a second limit here only delays approvals
	// What unpacks an answer holds 50 KiB for as long as a watch runs, and packing lists costs the API server more than it saves beside it.
	config.DisableCompression = true
	if options.CacheDir == "" {
		options.CacheDir = filepath.Join(os.TempDir(), "assent-cache")
	}
	mgr, err := ctrl.NewManager(config, controllers.ManagerOptions(options))
	if err != nil {
		return fmt.Errorf("set up the manager: %w", err)
	}
	if err := controllers.Setup(mgr, options, clock.RealClock{}, lines); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("set up the health probe: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("set up the readiness probe: %w", err)
	}
	return controllers.Run(ctrl.SetupSignalHandler(), mgr)
}

func newLogger(options controllers.Options, out io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(options.LogLevel)); err != nil {
		return nil, fmt.Errorf("--log-level must be debug, info, warn or error, not %q", options.LogLevel)
	}
	handlerOptions := &slog.HandlerOptions{Level: level}
	if options.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, handlerOptions)), nil
	}
	return slog.New(slog.NewTextHandler(out, handlerOptions)), nil
}
