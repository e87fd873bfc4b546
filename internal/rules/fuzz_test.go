// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/rules"
)

// FuzzProblems looks for rules of an Environment that cannot even be judged, or whose problems do not say where they are.
func FuzzProblems(f *testing.F) {
	f.Add("approval: {rules: [{name: owners, required: 2, users: [alice], when: 'plan.objects >'}]}")
	f.Add("windows: {allow: [{schedule: '0 9 * * 1-4', durationSeconds: 28800, timeZone: Europe/Zurich}], freeze: [{startTime: '2026-12-24T00:00:00Z', endTime: '2026-12-23T00:00:00Z'}]}")
	f.Add("after: [staging, production]\nautoPromotion: {versions: '>=1 <x'}")
	f.Add("autoPromotion: {versions: '^1.2 || ~2 - 3, !=2.*'}")
	f.Add("after: [production]\napproval: {rules: [{name: a, required: 16, groups: [g]}, {name: b, required: 16}], oneRulePerPerson: Required}")
	f.Fuzz(func(t *testing.T, text string) {
		environment := &v1alpha1.Environment{}
		environment.Name = "production"
		if yaml.Unmarshal([]byte(text), &environment.Spec) != nil {
			return
		}
		staging := &v1alpha1.Environment{}
		staging.Name, staging.Spec.After, staging.Spec.Application = "staging", []string{"production"}, environment.Spec.Application
		project := map[string]*v1alpha1.Environment{"production": environment, "staging": staging}
		problems := rules.Problems(environment, project)
		if again := rules.Problems(environment, project); !slices.Equal(problems, again) {
			t.Fatalf("the problems are %q and then %q", problems, again)
		}
		for _, problem := range problems {
			if !strings.HasPrefix(problem.Field, "spec.") || problem.Message == "" {
				t.Errorf("%+v does not say what is wrong where", problem)
			}
		}
		said := rules.Text(problems)
		if len(said) > 2000 || !utf8.ValidString(said) || (said == "") != (len(problems) == 0) {
			t.Errorf("%d bytes that are not fit for a status: %q", len(said), said)
		}
	})
}
