// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures Assent against what is necessary, and against what one would use instead: `make bench`.
//
//	go run ./test/bench [--only B1,B2] [--runs 5] [--environments 1000] [--out DIR] [--check] [--list] [--timeline]
//
// Each benchmark has a cluster of its own, which is started and stopped, unless ASSENT_DEVCLUSTER names one that runs.
// docs/performance.md says how to read what comes of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/assent-dev/assent/test/bench/crowd"
	"github.com/assent-dev/assent/test/bench/floor"
	"github.com/assent-dev/assent/test/bench/latency"
	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/bench/scene"
)

// errMissed says that a goal was missed, which is an error only for those who ask for it.
var errMissed = errors.New("a goal was missed")

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	cancel()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// options of the command line.
type options struct {
	only                  string
	runs, environments    int
	out                   string
	check, list, timeline bool
}

func run(ctx context.Context, arguments []string) error {
	switch {
	case len(arguments) == 1 && arguments[0] == floor.Command:
		return floor.Serve(ctx, os.Stdin, os.Stdout)
	case len(arguments) == 2 && arguments[0] == crowd.FloorCommand:
		return crowd.RunFloor(ctx, arguments[1], os.Stdout)
	}
	chosen, err := parse(arguments)
	if err != nil {
		return err
	}
	benchmarks, err := choose(all(chosen.environments), chosen.only)
	if err != nil {
		return err
	}
	switch {
	case chosen.list:
		for _, benchmark := range benchmarks {
			fmt.Printf("%-4s %s\n", benchmark.ID, benchmark.Title)
		}
		return nil
	case chosen.timeline:
		return timeline(ctx)
	}
	return report(ctx, benchmarks, chosen)
}

// all benchmarks, in the order in which they run.
func all(environments int) []scene.Benchmark {
	return append(latency.Benchmarks(), crowd.Benchmarks(environments)...)
}

func parse(arguments []string) (options, error) {
	var chosen options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&chosen.only, "only", "", "benchmarks to run, separated by commas; all if empty")
	flags.IntVar(&chosen.runs, "runs", 5, "how often each contender is measured, after once to warm up")
	flags.IntVar(&chosen.environments, "environments", 1000, "how many environments there are where many are measured, with ten promotions each")
	flags.StringVar(&chosen.out, "out", "dist/bench", "directory for performance.json and performance.svg")
	flags.BoolVar(&chosen.check, "check", false, "end with exit code 1 if a goal is missed")
	flags.BoolVar(&chosen.list, "list", false, "say which benchmarks there are, and run none")
	flags.BoolVar(&chosen.timeline, "timeline", false, "show each request of one promotion of 50 objects instead, created and then updated")
	if err := flags.Parse(arguments); err != nil {
		return chosen, err
	}
	if flags.NArg() > 0 {
		return chosen, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if chosen.runs < 1 {
		return chosen, fmt.Errorf("--runs must be at least 1, and is %d", chosen.runs)
	}
	return chosen, nil
}

func choose(benchmarks []scene.Benchmark, only string) ([]scene.Benchmark, error) {
	if only == "" {
		return benchmarks, nil
	}
	var chosen []scene.Benchmark
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(benchmarks, func(b scene.Benchmark) bool { return strings.EqualFold(b.ID, strings.TrimSpace(name)) })
		if i < 0 {
			return nil, fmt.Errorf("there is no benchmark %q; `--list` says which there are", name)
		}
		chosen = append(chosen, benchmarks[i])
	}
	return chosen, nil
}

// say prints progress, with the time since the start.
func say(began time.Time) func(string, ...any) {
	return func(format string, arguments ...any) {
		fmt.Printf("%6s  %s\n", time.Since(began).Round(time.Second), fmt.Sprintf(format, arguments...))
	}
}

// on a scene of its own, something is done.
func on(ctx context.Context, tell func(string, ...any), do func(*scene.Scene) error) error {
	opened, err := scene.Open(ctx, tell)
	if err == nil {
		err = do(opened)
	}
	return errors.Join(err, opened.Close())
}

// sharing are the first of the benchmarks, and those right after it that use the same scene.
func sharing(benchmarks []scene.Benchmark) []scene.Benchmark {
	count := 1
	for count < len(benchmarks) && benchmarks[0].Shared != "" && benchmarks[count].Shared == benchmarks[0].Shared {
		count++
	}
	return benchmarks[:count]
}

func timeline(ctx context.Context) error {
	return on(ctx, say(time.Now()), func(s *scene.Scene) error { return latency.Timeline(ctx, s, os.Stdout) })
}

func report(ctx context.Context, benchmarks []scene.Benchmark, chosen options) error {
	goals, err := readGoals(ctx)
	if err != nil {
		return err
	}
	tell := say(time.Now())
	done := measure.Report{Time: time.Now().UTC().Truncate(time.Second), Runs: chosen.runs, Machine: machine(ctx)}
	var failed []error
	var ran []string
	for i := 0; i < len(benchmarks) && ctx.Err() == nil; {
		together := sharing(benchmarks[i:])
		err := on(ctx, tell, func(s *scene.Scene) error {
			done.Machine.Kubernetes = kubernetes(s)
			var failed []error
			for k, benchmark := range together {
				tell("%s (%d of %d): %s", benchmark.ID, i+k+1, len(benchmarks), benchmark.Title)
				ran = append(ran, benchmark.ID)
				results, err := benchmark.Run(ctx, s, chosen.runs)
				done.Results = append(done.Results, results...)
				if err != nil {
					tell("%s failed: %v", benchmark.ID, err)
					failed = append(failed, fmt.Errorf("%s: %w", benchmark.ID, err))
				}
			}
			return errors.Join(failed...)
		})
		failed = append(failed, err)
		i += len(together)
	}
	done.Verdicts = goals.Judge(ran, done.Results)
	if err := write(done, chosen.out); err != nil {
		failed = append(failed, err)
	}
	if missed := done.Missed(); chosen.check && len(missed) > 0 {
		failed = append(failed, fmt.Errorf("%w: %d of %d", errMissed, len(missed), len(done.Verdicts)))
	}
	return errors.Join(failed...)
}
