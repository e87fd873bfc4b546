// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package code

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
	"time"
)

var errNothing = errors.New("there is nothing to mutate: look at the flags and the scope")

// options of a run.
type options struct {
	root, scope, exceptions string
	only                    *regexp.Regexp
	sample                  int
	seed                    uint64
	at                      int
	clusters                []string
	part                    string
	within                  []string
	listing                 bool
}

// Run mutates what is in scope and runs the tests that have to notice. It prints the score, and returns an error if a mutant has survived or the tests are
// red without one.
func Run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args, out)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	r := &run{options: *o, work: work, out: out}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if o.listing {
		for _, m := range r.mutants {
			fmt.Fprintln(out, m.name())
		}
		fmt.Fprintf(out, "%d mutants\n", len(r.mutants))
		return nil
	}
	if err := r.hunt(ctx); err != nil {
		return err
	}
	report(out, r.packages, r.mutants)
	survivors := 0
	for _, m := range r.mutants {
		if m.result == survived || m.result == unreached {
			survivors++
		}
	}
	if survivors > 0 {
		return fmt.Errorf("%d mutants have survived", survivors)
	}
	return ctx.Err()
}

func parse(args []string, out io.Writer) (*options, error) {
	o := &options{}
	var only, clusters, packages string
	flags := flag.NewFlagSet("mutate code", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.root, "root", ".", "the module's directory")
	flags.StringVar(&o.scope, "scope", "hack/mutate/code/scope.yaml", "what is mutated, and what has to notice; below the root")
	flags.StringVar(&o.exceptions, "exceptions", "hack/mutate/code/exceptions.yaml", "mutants that nobody has to notice; below the root")
	flags.StringVar(&only, "only", "", "a regular expression: only mutants whose names, as they are printed, match")
	flags.IntVar(&o.sample, "sample", 0, "try only so many mutants, of the packages that the scope marks with `slice`")
	flags.Uint64Var(&o.seed, "seed", 1, "which mutants a sample takes")
	flags.IntVar(&o.at, "parallel", 2, "how many mutants are tried at once; on clusters, one on each")
	flags.StringVar(&clusters, "clusters", os.Getenv("ASSENT_DEVCLUSTER"), "directories of local clusters, with commas")
	flags.StringVar(&o.part, "part", "all", "`pure` for the tests that need no cluster, `cluster` for those that do, or all")
	flags.StringVar(&packages, "packages", "", "only these packages of the scope, with commas, such as internal/guard")
	flags.BoolVar(&o.listing, "list", false, "print the mutants and try none")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"pure", "cluster", "all"}, o.part) {
		return nil, fmt.Errorf("-part must be pure, cluster or all, and not %q", o.part)
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	o.root, err = filepath.Abs(o.root)
	o.clusters, o.within = parts(clusters), parts(packages)
	return o, err
}

// parts of a list with commas.
func parts(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// run is one measurement.
type run struct {
	options
	work     string
	out      io.Writer
	scope    Scope
	packages []*mutated
	mutants  []*mutant
}

// prepare the mutants.
func (r *run) prepare(ctx context.Context) error {
	if err := readYAML(filepath.Join(r.root, r.options.scope), &r.scope); err != nil {
		return err
	}
	var exceptions Exceptions
	if err := readYAML(filepath.Join(r.root, r.exceptions), &exceptions); err != nil {
		return err
	}
	names := r.names()
	if len(names) == 0 {
		return errNothing
	}
	r.say("reading %d packages", len(names))
	l, err := newLoader(ctx, r.root, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := r.take(l, name); err != nil {
			return err
		}
	}
	if err := except(exceptions.Exceptions, r.mutants, names); err != nil {
		return err
	}
	r.choose()
	if len(r.mutants) == 0 {
		return errNothing
	}
	return nil
}

// names of the packages that this run can ask anything about.
func (r *run) names() []string {
	var names []string
	for _, entry := range r.scope.Packages {
		asked := slices.ContainsFunc(entry.Tests, func(t Tests) bool { return r.part == "all" || (t.Suite != "") == (r.part == "cluster") })
		wanted := (r.sample == 0 || entry.Slice) && (len(r.within) == 0 || slices.Contains(r.within, entry.Package))
		if asked && wanted && !slices.Contains(names, entry.Package) {
			names = append(names, entry.Package)
		}
	}
	return names
}

// take the mutants of a package.
func (r *run) take(l *loader, short string) error {
	var entries []Entry
	for _, entry := range r.scope.Packages {
		if entry.Package == short {
			entries = append(entries, entry)
		}
	}
	p, err := l.load(short)
	if err != nil {
		return err
	}
	m, err := mutate(p, entries)
	if err != nil {
		return err
	}
	r.packages = append(r.packages, m)
	for _, entry := range entries {
		if err := entry.missing(m); err != nil {
			return err
		}
		r.mutants = append(r.mutants, m.mutants(entry)...)
	}
	return nil
}

// mutants of a package that an entry of the scope asks for.
func (m *mutated) mutants(entry Entry) []*mutant {
	var all []*mutant
	for _, site := range m.sites {
		for _, kind := range site.kinds {
			if entry.has(site.file.name, site.function) && entry.hasKind(kind) {
				all = append(all, &mutant{in: m, site: site, kind: kind, tests: entry.Tests})
			}
		}
	}
	return all
}

// choose those that this run tries, by the flags. Packages with none left are not mutated.
func (r *run) choose() {
	sliced := map[string]bool{}
	for _, entry := range r.scope.Packages {
		sliced[entry.Package] = entry.Slice
	}
	var chosen []*mutant
	for _, m := range r.mutants {
		if r.only.MatchString(m.name()) && (r.sample == 0 || sliced[m.in.short] && m.excepted == "") {
			chosen = append(chosen, m)
		}
	}
	if r.sample > 0 {
		random := rand.New(rand.NewPCG(r.seed, 0)) //nolint:gosec // a sample that can be had again, and no secret
		random.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:min(r.sample, len(chosen))]
	}
	r.mutants = chosen
	var packages []*mutated
	for _, p := range r.packages {
		for _, m := range chosen {
			if m.in == p {
				packages = append(packages, p)
				break
			}
		}
	}
	r.packages = packages
}

func (r *run) say(format string, args ...any) {
	fmt.Fprintf(r.out, "==> %s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
