// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Command assent is the operator, and the dashboard.
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/assent-dev/assent/controllers"
	"github.com/assent-dev/assent/internal/dashboard"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "assent: %v\n", err)
		os.Exit(1)
	}
}

// run starts the subcommand that the arguments name; the operator if they name none.
func run(args []string, stdout, stderr io.Writer) error {
	name := "controller"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("assent "+name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	ctrl.RegisterFlags(flags)
	switch name {
	case "controller":
		return runController(flags, args, stdout, stderr)
	case "dashboard":
		return runDashboard(flags, args, stderr)
	default:
		return fmt.Errorf("unknown argument %q: the subcommands are `controller` and `dashboard`, and the rest are flags (--help lists them)", name)
	}
}

func runController(flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	var options controllers.Options
	options.BindFlags(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := options.Validate(); err != nil {
		return err
	}
	if err := setLogger(options.LogFormat, options.LogLevel, stderr); err != nil {
		return err
	}
	return operate(options, stdout)
}

func runDashboard(flags *flag.FlagSet, args []string, stderr io.Writer) error {
	var options dashboard.Options
	options.BindFlags(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := options.Validate(); err != nil {
		return err
	}
	if err := setLogger(options.LogFormat, options.LogLevel, stderr); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server (--kubeconfig, KUBECONFIG, or the pod's own account, of which nothing but the address is used): %w", err)
	}
	return dashboard.Run(ctrl.SetupSignalHandler(), options, config, ctrl.Log)
}

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q: after the subcommand there are flags alone (--help lists them)", flags.Arg(0))
	}
	return nil
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

func setLogger(format, level string, out io.Writer) error {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("--log-level must be debug, info, warn or error, not %q", level)
	}
	options := &slog.HandlerOptions{Level: least}
	handler := slog.Handler(slog.NewJSONHandler(out, options))
	if format == "text" {
		handler = slog.NewTextHandler(out, options)
	}
	ctrl.SetLogger(logr.FromSlogHandler(handler))
	return nil
}
