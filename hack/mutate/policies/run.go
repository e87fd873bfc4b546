// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policies measures whether the guard's tests would notice if something of the guard were gone.
//
// Mutants are made of the manifests in config/guard: each validation taken out and turned round, and each operand, condition, list entry and
// question to the authorizer in any of its expressions, each boolean variable, each resource and operation that is met, each binding, each stamp.
// One after the other they are put in force on a real API server, and the guard's tests (test/guard) run on them: first those of the rules
// concerned, then what the policy permits, then all. A test that fails has noticed the mutant.
//
//	for each stage:  install what is shipped; its tests must pass
//	                 for each mutant that is left:  apply; wait until it is in force; run until a test fails
//	last:            install what is shipped
package policies

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// exceptionsFile is the committed list of exceptions, from the repository's root.
const exceptionsFile = "hack/mutate/policies/exceptions.yaml"

type options struct {
	clusters []string
	only     *regexp.Regexp
	sample   int
	seed     uint64
	list     bool
	remember bool
	stages   int
}

// Run mutates the guard's policies on running local clusters, prints what became of each mutant, and then the score. It must be run in the
// repository's root. It is an error if a mutant survives of which no exception is made, or if an exception is none.
func Run(ctx context.Context, args []string, out io.Writer) error {
	chosen, err := parseOptions(args, out)
	if err != nil {
		return err
	}
	exceptions, err := readExceptions(exceptionsFile)
	if err != nil {
		return err
	}
	shipped, err := read(".")
	if err != nil {
		return err
	}
	all, err := generate(shipped)
	if err != nil {
		return err
	}
	mark(all, exceptions)
	mutants := choose(all, chosen)
	if chosen.list {
		for _, m := range mutants {
			fmt.Fprintf(out, "%s\n%s", m.name, difference(m))
		}
		return nil
	}
	if len(chosen.clusters) == 0 {
		return errors.New("no cluster to try the mutants on: run `make cluster-up`, and name its directory in --dir or ASSENT_DEVCLUSTER")
	}
	remembered, err := readMemory(memoryFile)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, m := range all {
		known[m.name] = true
	}
	log.SetLogger(logr.Discard()) // controller-runtime complains of having none
	r := &run{out: out, memory: remembered, started: time.Now(), stages: stages[:chosen.stages]}
	outcomes, err := r.judge(ctx, mutants, shipped, chosen.clusters)
	if err != nil {
		return err
	}
	if chosen.remember {
		if err := r.memory.write(memoryFile, outcomes); err != nil {
			return err
		}
	}
	return score{outcomes: outcomes, exceptions: exceptions, known: known}.print(out)
}

func parseOptions(args []string, out io.Writer) (options, error) {
	flags := flag.NewFlagSet("policies", flag.ContinueOnError)
	flags.SetOutput(out)
	directories := flags.String("dir", os.Getenv("ASSENT_DEVCLUSTER"), "`directories` of running local clusters, separated by commas: they share the mutants")
	only := flags.String("only", "", "try only the mutants whose name matches this `expression`")
	sample := flags.Int("sample", 0, "try only so `many`, chosen among those that attacks on the guard alone must notice; at most a minute for 8")
	seed := flags.Uint64("seed", 1, "which ones to choose")
	upTo := flags.Int("stages", len(stages), "how many stages to run; what the later ones would notice counts as survived")
	remember := flags.Bool("remember", false, "write down which test has noticed each mutant, to run it first the next time")
	list := flags.Bool("list", false, "print the mutants, and try none")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	matching, err := regexp.Compile(*only)
	if err != nil {
		return options{}, fmt.Errorf("reading --only: %w", err)
	}
	chosen := options{only: matching, sample: *sample, seed: *seed, list: *list, remember: *remember, stages: min(*upTo, len(stages))}
	if chosen.sample > 0 {
		chosen.stages = 1
	}
	for _, directory := range strings.Split(*directories, ",") {
		if directory != "" {
			chosen.clusters = append(chosen.clusters, directory)
		}
	}
	return chosen, nil
}

// mark notes of which mutants exceptions are made.
func mark(all []mutant, exceptions []exception) {
	for i := range all {
		all[i].excepted = slices.ContainsFunc(exceptions, func(e exception) bool { return e.name == all[i].name })
	}
}

// choose takes those that are asked for. A sample is of rules that are taken out, which need the fewest tests to be noticed.
func choose(all []mutant, chosen options) []mutant {
	var mutants []mutant
	for _, m := range all {
		if !chosen.only.MatchString(m.name) || chosen.sample > 0 && (m.kind != validationRemoved || m.excepted) {
			continue
		}
		mutants = append(mutants, m)
	}
	if chosen.sample == 0 || chosen.sample >= len(mutants) {
		return mutants
	}
	order := rand.New(rand.NewPCG(chosen.seed, 0)) //nolint:gosec // the same choice for the same seed
	order.Shuffle(len(mutants), func(i, j int) { mutants[i], mutants[j] = mutants[j], mutants[i] })
	return mutants[:chosen.sample]
}

// run is one measurement.
type run struct {
	out     io.Writer
	memory  memory
	started time.Time
	stages  []stage
	// judges have a cluster each.
	judges []judge

	mutex sync.Mutex
	done  int
	total int
}

// judge tries mutants, one at a time.
type judge interface {
	// prepare makes ready for stages in that mood. It is an error if a test with those labels fails on the guard as it is shipped.
	prepare(ctx context.Context, in mood, filter string) error
	// try runs the stage's tests on a mutant until one fails.
	try(ctx context.Context, s stage, m mutant) (outcome, error)
	// confirm is an error if one of the tests with those labels and names fails on the guard as it is shipped.
	confirm(ctx context.Context, in mood, filter string, tests []string) error
	// putBack leaves everything as it is shipped.
	putBack(ctx context.Context) error
}

// judge returns what became of the mutants, in the order in which that was known; those that survived come last.
func (r *run) judge(ctx context.Context, mutants []mutant, shipped []manifest, clusters []string) (_ []outcome, err error) {
	scratch, err := os.MkdirTemp("", "mutate-policies-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for copies: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	r.say("compiling the guard's tests")
	binary, err := compile(ctx, ".", scratch)
	if err != nil {
		return nil, err
	}
	for i, cluster := range clusters {
		judge, err := appoint(cluster, binary, filepath.Join(scratch, fmt.Sprint(i)), shipped, r.memory)
		if err != nil {
			return nil, err
		}
		r.judges = append(r.judges, judge)
	}
	defer func() { err = errors.Join(err, r.putBack(context.WithoutCancel(ctx))) }()
	return r.through(ctx, mutants)
}

// through takes the mutants through the stages.
func (r *run) through(ctx context.Context, mutants []mutant) ([]outcome, error) {
	r.total = len(mutants)
	var outcomes []outcome
	left := mutants
	for _, stage := range r.stages {
		known, remaining, err := r.hold(ctx, stage, left)
		if err != nil {
			return nil, err
		}
		outcomes, left = append(outcomes, known...), remaining
	}
	for _, m := range left {
		outcomes = append(outcomes, outcome{mutant: m})
	}
	return outcomes, nil
}

func (r *run) say(format string, args ...any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	seconds := int(time.Since(r.started).Seconds())
	fmt.Fprintf(r.out, "%3dm%02ds %s\n", seconds/60, seconds%60, fmt.Sprintf(format, args...))
}

// putBack leaves the clusters as they are shipped.
func (r *run) putBack(ctx context.Context) error {
	r.say("putting the guard back")
	var problems []error
	for _, judge := range r.judges {
		problems = append(problems, judge.putBack(ctx))
	}
	return errors.Join(problems...)
}
