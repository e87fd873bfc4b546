// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	. "github.com/onsi/gomega"
)

// fakeJudge evaluates the one validation of a policy for some people, as a suite would that tries each.
type fakeJudge struct {
	t *testing.T
	// people, and whether they may.
	people map[string]bool
	broken error
	// flaky is the name of a test that fails on the shipped guard, though it did not at first.
	flaky string
}

func (f fakeJudge) prepare(context.Context, mood, string) error { return f.broken }
func (f fakeJudge) confirm(_ context.Context, _ mood, _ string, tests []string) error {
	if slices.Contains(tests, f.flaky) {
		return errors.New("fails on the shipped guard as well")
	}
	return nil
}
func (f fakeJudge) putBack(context.Context) error { return nil }

func (f fakeJudge) try(_ context.Context, _ stage, m mutant) (outcome, error) {
	validations := entries(m.changed.objects[0], "spec", "validations")
	for _, person := range slices.Sorted(maps.Keys(f.people)) {
		allowed := true
		for _, validation := range validations {
			allowed = allowed && f.evaluate(text(validation, "expression"), person)
		}
		if allowed != f.people[person] {
			return outcome{mutant: m, killedBy: "what " + person + " may"}, nil
		}
	}
	return outcome{mutant: m}, nil
}

func (f fakeJudge) evaluate(expression, user string) bool {
	f.t.Helper()
	g := NewWithT(f.t)
	environment, err := cel.NewEnv(cel.Variable("user", cel.StringType))
	g.Expect(err).NotTo(HaveOccurred())
	checked, issues := environment.Compile(expression)
	g.Expect(issues.Err()).NotTo(HaveOccurred())
	program, err := environment.Program(checked)
	g.Expect(err).NotTo(HaveOccurred())
	value, _, err := program.Eval(map[string]any{"user": user})
	g.Expect(err).NotTo(HaveOccurred())
	return value.Value().(bool)
}

func policyOf(t *testing.T, expression string) []mutant {
	t.Helper()
	g := NewWithT(t)
	parsed, err := parseManifest("config/guard/one.yaml", []byte(`
kind: ValidatingAdmissionPolicy
metadata: {name: assent-one}
spec: {failurePolicy: Fail, validations: [{expression: "`+expression+`", message: no (G1)}]}
`))
	g.Expect(err).NotTo(HaveOccurred())
	mutants, err := generate([]manifest{parsed})
	g.Expect(err).NotTo(HaveOccurred())
	return mutants
}

// measure is what the tool prints of a policy with one validation, which alice may pass and nobody else.
func measure(t *testing.T, expression string, exceptions ...exception) (string, error) {
	t.Helper()
	known := map[string]bool{}
	var mutants []mutant
	for _, m := range policyOf(t, expression) {
		known[m.name] = true
		if m.kind != failing { // which no user makes a difference to
			mutants = append(mutants, m)
		}
	}
	var out strings.Builder
	r := &run{out: &out, stages: stages[:1], judges: []judge{
		fakeJudge{t: t, people: map[string]bool{"alice": true, "mallory": false}},
	}}
	outcomes, err := r.through(t.Context(), mutants)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	err = score{outcomes: outcomes, exceptions: exceptions, known: known}.print(&out)
	return out.String(), err
}

func TestAPolicyOfWhichEveryConditionCountsScoresOneHundredPercent(t *testing.T) {
	g := NewWithT(t)
	printed, err := measure(t, "user == 'alice'")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(printed).To(ContainSubstring("policies: killed 2/2 = 100 %; 0 exceptions, 0 invalid"))
	g.Expect(printed).To(ContainSubstring("one/G1.1 removed  <- what mallory may"))
}

const (
	uselessCondition = "size(user) > 0 && user == 'alice'"
	uselessName      = "one/G1.1: without size(user) > 0"
)

func TestAPlantedConditionThatMakesNoDifferenceSurvivesAndIsShown(t *testing.T) {
	g := NewWithT(t)
	printed, err := measure(t, uselessCondition)
	g.Expect(err).To(MatchError(ContainSubstring("1 mutants survived")))
	g.Expect(printed).To(ContainSubstring("SURVIVED: " + uselessName))
	g.Expect(printed).To(ContainSubstring(`+ user == "alice"`))
	g.Expect(printed).To(ContainSubstring("policies: killed 3/4 = 75.0 %"))
}

func TestAnExceptionIsNamedWithItsReason(t *testing.T) {
	g := NewWithT(t)
	printed, err := measure(t, uselessCondition, exception{name: uselessName, reason: "nobody is called nothing"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(printed).To(ContainSubstring("exception: " + uselessName + "\n  nobody is called nothing"))
	g.Expect(printed).To(ContainSubstring("policies: killed 3/3 = 100 %; 1 exceptions, 0 invalid"))
}

func TestAnExceptionThatATestNoticesIsAnError(t *testing.T) {
	g := NewWithT(t)
	printed, err := measure(t, "user == 'alice'", exception{name: "one/G1.1 removed", reason: "none"})
	g.Expect(err).To(MatchError(ContainSubstring("1 exceptions are none")))
	g.Expect(printed).To(ContainSubstring("MISTAKEN EXCEPTION: one/G1.1 removed"))
}

func TestAnExceptionOfNoMutantIsAnError(t *testing.T) {
	g := NewWithT(t)
	printed, err := measure(t, "user == 'alice'", exception{name: "one/gone", reason: "none"})
	g.Expect(err).To(HaveOccurred())
	g.Expect(printed).To(ContainSubstring("MISTAKEN EXCEPTION: one/gone"))
}

func TestWhatTheServerRefusesIsNotKilled(t *testing.T) {
	g := NewWithT(t)
	var out strings.Builder
	err := score{outcomes: []outcome{{mutant: mutant{name: "a"}, refused: "no such function"}, {mutant: mutant{name: "b"}, killedBy: "a test"}}}.print(&out)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(out.String()).To(ContainSubstring("killed 1/1 = 100 %; 0 exceptions, 1 invalid"))
}

func TestNothingIsSaidOfMutantsWhenTheShippedGuardFailsItsTests(t *testing.T) {
	broken := errors.New("a test fails already")
	r := &run{out: &strings.Builder{}, stages: stages[:1], judges: []judge{fakeJudge{t: t, broken: broken}}}
	_, err := r.through(t.Context(), policyOf(t, "user == 'alice'"))
	NewWithT(t).Expect(err).To(MatchError(broken))
}

func TestWhatFailsOnTheShippedGuardTooHasNoticedNothing(t *testing.T) {
	r := &run{out: &strings.Builder{}, stages: stages[:1], judges: []judge{
		fakeJudge{t: t, people: map[string]bool{"alice": true, "mallory": false}, flaky: "what alice may"},
	}}
	_, err := r.through(t.Context(), policyOf(t, "user == 'alice'"))
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("as well")))
}

func TestASampleIsTheSameForTheSameSeed(t *testing.T) {
	g := NewWithT(t)
	shipped, err := read("../../..")
	g.Expect(err).NotTo(HaveOccurred())
	all, err := generate(shipped)
	g.Expect(err).NotTo(HaveOccurred())
	chosen, err := parseOptions([]string{"--sample=8", "--seed=7"}, &strings.Builder{})
	g.Expect(err).NotTo(HaveOccurred())
	sample := choose(all, chosen)
	g.Expect(sample).To(HaveLen(8))
	for _, m := range sample {
		g.Expect(m.kind).To(Equal(validationRemoved))
	}
	g.Expect(choose(all, chosen)).To(Equal(sample))
}

func TestTheTestThatFailedIsFoundInWhatTheSuitePrints(t *testing.T) {
	const summary = "Summarizing 1 Failure:" //nolint:misspell // as Ginkgo spells it
	NewWithT(t).Expect(failure(summary + `
  [FAIL] the guard alone, with nothing stamped [It] denies by G5 that a user approves (update) [alone, G5, first]
  /guard_test.go:64

Ran 1 of 1925 Specs in 4.4 seconds
`)).To(Equal("denies by G5 that a user approves (update)"))
	NewWithT(t).Expect(failure("panic: runtime error")).To(BeEmpty())
}
