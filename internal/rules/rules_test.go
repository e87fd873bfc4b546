// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/rules"
)

func environment(name string, after ...string) *v1alpha1.Environment {
	return &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"},
		Spec:       v1alpha1.EnvironmentSpec{Application: "shop", After: after},
	}
}

func project(environments ...*v1alpha1.Environment) map[string]*v1alpha1.Environment {
	byName := map[string]*v1alpha1.Environment{}
	for _, e := range environments {
		byName[e.Name] = e
	}
	return byName
}

func TestWhatIsInOrderHasNoProblems(t *testing.T) {
	g := NewWithT(t)
	e := environment("production", "staging")
	e.Spec.SoakSeconds = 3600
	e.Spec.Windows.Allow = []v1alpha1.Window{{Schedule: "0 9 * * 1-4", DurationSeconds: 28800, TimeZone: "Europe/Zurich"}}
	e.Spec.Approval.Rules = []v1alpha1.ApprovalRule{
		{Name: "owners", Required: ptr.To[int32](2), Groups: []string{"shop-owners"}},
		{Name: "security", Groups: []string{"security"}, When: "plan.changes.exists(c, c.kind == 'NetworkPolicy')"},
	}
	e.Spec.AutoPromotion.Versions = ">=1.0.0 <2.0.0"
	g.Expect(rules.Problems(e, project(e, environment("staging")))).To(BeEmpty())
	g.Expect(rules.Problems(environment("dev"), nil)).To(BeEmpty())
}

func TestEachProblemNamesItsFieldAndWhatToDo(t *testing.T) {
	other := environment("elsewhere")
	other.Spec.Application = "billing"
	for name, c := range map[string]struct {
		change  func(*v1alpha1.EnvironmentSpec)
		field   string
		message string
	}{
		"an environment that does not exist": {
			func(s *v1alpha1.EnvironmentSpec) { s.After = []string{"staging", "stagin"} },
			"spec.after[1]", `environment "stagin" does not exist in project "shop": create it, or correct the name`,
		},
		"an environment of another application": {
			func(s *v1alpha1.EnvironmentSpec) { s.After = []string{"elsewhere"} },
			"spec.after[0]", `environment "elsewhere" is of application "billing", and this one of "shop": no release can succeed in both; name an environment of the same application`,
		},
		"a time zone that does not exist": {
			func(s *v1alpha1.EnvironmentSpec) {
				s.Windows.Freeze = []v1alpha1.Window{{Schedule: "0 9 * * *", DurationSeconds: 60, TimeZone: "Europe/Zuerich"}}
			},
			"spec.windows.freeze[0].timeZone", "Europe/Zuerich",
		},
		"a rule that nobody can fill": {
			func(s *v1alpha1.EnvironmentSpec) {
				s.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "owners", Required: ptr.To[int32](2), Users: []string{"alice"}}}
			},
			"spec.approval.rules[0]", "alice",
		},
		"an expression that does not compile": {
			func(s *v1alpha1.EnvironmentSpec) {
				s.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "owners"}, {Name: "security", When: "plan.chages.size() > 0"}}
			},
			"spec.approval.rules[1].when", `the expression of rule "security" must be mended: `,
		},
		"versions that are no constraint": {
			func(s *v1alpha1.EnvironmentSpec) { s.AutoPromotion.Versions = "the newest" },
			"spec.autoPromotion.versions", `"the newest" is no constraint on semantic versions: write one such as ">=1.0.0 <2.0.0"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			e := environment("production")
			c.change(&e.Spec)
			problems := rules.Problems(e, project(e, environment("staging"), other))
			g.Expect(problems).To(HaveLen(1))
			g.Expect(problems[0].Field).To(Equal(c.field))
			g.Expect(problems[0].Message).To(ContainSubstring(c.message))
		})
	}
}

func TestAllProblemsAreListedInTheOrderOfTheSpec(t *testing.T) {
	g := NewWithT(t)
	e := environment("production", "nowhere")
	e.Spec.AutoPromotion.Versions = "?"
	e.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "security", When: "plan."}}
	e.Spec.Windows.Allow = []v1alpha1.Window{{Schedule: "never", DurationSeconds: 60}}
	found := rules.Join(rules.Problems(e, nil), []rules.Problem{{Field: "spec.checks[0].http.url", Message: "wrong"}})
	var fields []string
	for _, problem := range found {
		fields = append(fields, problem.Field)
	}
	g.Expect(fields).To(Equal([]string{
		"spec.after[0]", "spec.windows.allow[0].schedule", "spec.approval.rules[0].when", "spec.checks[0].http.url", "spec.autoPromotion.versions",
	}))
}

func TestEachEnvironmentOfACycleNamesTheWholeCycle(t *testing.T) {
	all := project(
		environment("dev"), environment("staging", "dev", "production"), environment("production", "staging"),
		environment("itself", "itself"), environment("behind", "production"), environment("a", "c"), environment("b", "a"), environment("c", "dev", "b"),
	)
	for name, want := range map[string]string{
		"dev": "", "staging": "staging -> production -> staging", "production": "production -> staging -> production",
		"itself": "itself -> itself", "behind": "", "a": "a -> c -> b -> a", "c": "c -> b -> a -> c", "unknown": "",
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(strings.Join(rules.Cycle(name, all), " -> ")).To(Equal(want))
			if want == "" || all[name] == nil {
				return
			}
			g.Expect(rules.Upstreams(all[name], all)).To(ConsistOf(And(
				HaveField("Field", "spec.after"),
				HaveField("Message", "the environments wait for each other, so that no release can be first: "+want+
					"; take one of them out of the `spec.after` of the one before it"))))
		})
	}
}

func TestATextOfProblemsIsBoundedAndSaysHowManyAreLeftOut(t *testing.T) {
	g := NewWithT(t)
	g.Expect(rules.Text([]rules.Problem{{"spec.a", "is wrong"}, {"spec.b", "too"}})).To(Equal("`spec.a`: is wrong; `spec.b`: too"))
	g.Expect(rules.Text(nil)).To(BeEmpty())

	var many []rules.Problem
	for i := range 200 {
		many = append(many, rules.Problem{Field: fmt.Sprintf("spec.f[%03d]", i), Message: strings.Repeat("ü", 40)})
	}
	text := rules.Text(many)
	g.Expect(len(text)).To(BeNumerically("<=", 2000))
	g.Expect(text).To(MatchRegexp(`; and \d+ more$`))

	text = rules.Text([]rules.Problem{{"spec.a", strings.Repeat("ü", 5000)}, {"spec.b", "too"}})
	g.Expect(len(text)).To(BeNumerically("<=", 2000))
	g.Expect(utf8.ValidString(text)).To(BeTrue())
	g.Expect(text).To(HaveSuffix(" …; and 1 more"))
}
