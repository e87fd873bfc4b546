// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// live is the guard as an API server returns it: with defaults, UIDs and generations.
func live(t *testing.T) manifests {
	t.Helper()
	shipped, err := ship()
	if err != nil {
		t.Fatal(err)
	}
	var cluster manifests
	for i := range shipped.policies {
		policy := shipped.policies[i].DeepCopy()
		policy.UID, policy.Generation = types.UID("policy-"+policy.Name), 1
		policy.Spec.MatchConstraints = withDefaults(policy.Spec.MatchConstraints)
		cluster.policies = append(cluster.policies, *policy)
	}
	for i := range shipped.bindings {
		binding := shipped.bindings[i].DeepCopy()
		binding.UID, binding.Generation = types.UID("binding-"+binding.Name), 1
		cluster.bindings = append(cluster.bindings, *binding)
	}
	return cluster
}

// all are the names of the policies, and of their bindings.
var all = []string{"assent-locks", "assent-objects", "assent-projects", "assent-promotions", "assent-scaling", "assent-targets"}

func TestTheGuardIsSixPoliciesAndTheirBindings(t *testing.T) {
	g := NewWithT(t)
	policies, bindings := Names()
	g.Expect(policies).To(Equal(all))
	g.Expect(bindings).To(Equal(all))
}

func policy(m *manifests, name string) *admissionregistrationv1.ValidatingAdmissionPolicy {
	return &m.policies[slices.IndexFunc(m.policies, func(p admissionregistrationv1.ValidatingAdmissionPolicy) bool { return p.Name == name })]
}

func without(m *manifests, name string) []admissionregistrationv1.ValidatingAdmissionPolicy {
	return slices.DeleteFunc(m.policies, func(p admissionregistrationv1.ValidatingAdmissionPolicy) bool { return p.Name == name })
}

func TestTheShippedGuardHasAnIdentity(t *testing.T) {
	g := NewWithT(t)
	cluster := live(t)
	digest, problems := Identify(cluster.policies, cluster.bindings)
	g.Expect(problems).To(BeEmpty())
	g.Expect(string(digest)).To(MatchRegexp(`^sha256:[a-f0-9]{64}$`))
}

func TestWhatChangesTheIdentity(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(*manifests)
		another bool
	}{
		{"nothing", func(*manifests) {}, false},
		{"the order of the objects", func(m *manifests) { slices.Reverse(m.policies); slices.Reverse(m.bindings) }, false},
		{"a policy of somebody else", func(m *manifests) {
			m.policies = append(m.policies, admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "other", UID: "other"}})
		}, false},
		{"a message", func(m *manifests) { m.policies[0].Spec.Validations[0].Message = "non" }, false},
		{"a label", func(m *manifests) { m.policies[0].Labels["a"] = "b" }, false},
		{"a policy made anew", func(m *manifests) { m.policies[0].UID = "new" }, true},
		{"a policy changed and changed back", func(m *manifests) { m.policies[1].Generation = 3 }, true},
		{"a binding made anew", func(m *manifests) { m.bindings[0].UID = "new" }, true},
		{"a binding changed and changed back", func(m *manifests) { m.bindings[1].Generation = 3 }, true},
		{"two policies' UIDs swapped", func(m *manifests) {
			m.policies[0].UID, m.policies[1].UID = m.policies[1].UID, m.policies[0].UID
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := NewWithT(t)
			before, changed := live(t), live(t)
			test.change(&changed)
			want, _ := Identify(before.policies, before.bindings)
			got, problems := Identify(changed.policies, changed.bindings)
			g.Expect(problems).To(BeEmpty())
			if test.another {
				g.Expect(got).NotTo(Equal(want))
			} else {
				g.Expect(got).To(Equal(want))
			}
		})
	}
}

func TestAGuardThatIsNotTheShippedOneHasProblemsAndNoIdentity(t *testing.T) {
	now := metav1.NewTime(time.Unix(0, 0))
	ignore, exact := admissionregistrationv1.Ignore, admissionregistrationv1.Exact
	for _, test := range []struct {
		name   string
		change func(*manifests)
		want   string
	}{
		{"a policy is missing", func(m *manifests) { m.policies = m.policies[1:] }, `is missing`},
		{"a binding is missing", func(m *manifests) { m.bindings = m.bindings[1:] }, `is missing`},
		{"a policy is being deleted", func(m *manifests) { m.policies[0].DeletionTimestamp = &now }, `is being deleted`},
		{"a binding is being deleted", func(m *manifests) { m.bindings[0].DeletionTimestamp = &now }, `is being deleted`},
		{"a policy fails open", func(m *manifests) { m.policies[0].Spec.FailurePolicy = &ignore }, "`failurePolicy` is not \"Fail\""},
		{"a policy takes parameters", func(m *manifests) { m.policies[0].Spec.ParamKind = &admissionregistrationv1.ParamKind{} }, "`paramKind`"},
		{"a validation is gone", func(m *manifests) {
			m.policies[0].Spec.Validations = m.policies[0].Spec.Validations[1:]
		}, "other `validations`"},
		{"a validation always holds", func(m *manifests) { m.policies[0].Spec.Validations[0].Expression = "true" }, "other `validations`"},
		{"a variable means something else", func(m *manifests) { m.policies[0].Spec.Variables[0].Expression = "''" }, "other `variables`"},
		{"a condition leaves requests out", func(m *manifests) {
			m.policies[0].Spec.MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "never", Expression: "false"}}
		}, "other `matchConditions`"},
		{"a condition is gone, so that other requests may be broken", func(m *manifests) {
			policy(m, "assent-projects").Spec.MatchConditions = nil
		}, "other `matchConditions`"},
		{"the policy of projects is missing", func(m *manifests) { m.policies = without(m, "assent-projects") }, `"assent-projects" is missing`},
		{"the policy of locked objects is missing", func(m *manifests) { m.policies = without(m, "assent-locks") }, `"assent-locks" is missing`},
		{"an override of a lock is no longer written down", func(m *manifests) {
			policy(m, "assent-locks").Spec.AuditAnnotations = nil
		}, "other `auditAnnotations`"},
		{"locked objects are told by another label", func(m *manifests) {
			policy(m, "assent-locks").Spec.MatchConstraints.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}, "other `matchConstraints`"},
		{"a subresource is left out", func(m *manifests) {
			rules := policy(m, "assent-objects").Spec.MatchConstraints.ResourceRules
			rules[0].Resources = rules[0].Resources[:1]
		}, "other `matchConstraints`"},
		{"an operation is left out", func(m *manifests) {
			rules := m.policies[0].Spec.MatchConstraints.ResourceRules
			rules[0].Operations = rules[0].Operations[:1]
		}, "other `matchConstraints`"},
		{"a rule is excluded again", func(m *manifests) {
			m.policies[0].Spec.MatchConstraints.ExcludeResourceRules = m.policies[0].Spec.MatchConstraints.ResourceRules
		}, "other `matchConstraints`"},
		{"a policy leaves namespaces out", func(m *manifests) {
			m.policies[0].Spec.MatchConstraints.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}, "other `matchConstraints`"},
		{"a policy leaves objects out", func(m *manifests) {
			m.policies[0].Spec.MatchConstraints.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}, "other `matchConstraints`"},
		{"a policy leaves other versions out", func(m *manifests) { m.policies[0].Spec.MatchConstraints.MatchPolicy = &exact }, "other `matchConstraints`"},
		{"a policy matches nothing", func(m *manifests) { m.policies[0].Spec.MatchConstraints = nil }, "other `matchConstraints`"},
		{"a binding only warns", func(m *manifests) {
			m.bindings[0].Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn}
		}, "does not deny"},
		{"a binding binds another policy", func(m *manifests) { m.bindings[0].Spec.PolicyName = "other" }, `binds policy "other"`},
		{"a binding is narrowed by parameters", func(m *manifests) { m.bindings[0].Spec.ParamRef = &admissionregistrationv1.ParamRef{} }, "`paramRef`"},
		{"a binding is narrowed to some namespaces", func(m *manifests) {
			m.bindings[0].Spec.MatchResources = &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
			}
		}, "`matchResources`"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := NewWithT(t)
			cluster := live(t)
			test.change(&cluster)
			digest, problems := Identify(cluster.policies, cluster.bindings)
			g.Expect(digest).To(BeEmpty())
			g.Expect(problems).To(HaveLen(1))
			g.Expect(problems[0]).To(And(ContainSubstring(test.want), ContainSubstring("kubectl apply -k config/guard")))
		})
	}
}

func TestEveryProblemIsNamed(t *testing.T) {
	g := NewWithT(t)
	digest, problems := Identify(nil, nil)
	g.Expect(digest).To(BeEmpty())
	g.Expect(problems).To(HaveLen(2 * len(all)))
	for _, name := range all {
		g.Expect(strings.Join(problems, "\n")).To(ContainSubstring("%q", name))
	}
}

func TestWhatAPolicyMatchesIsComparedWithTheAPIServersDefaults(t *testing.T) {
	equivalent, exact := admissionregistrationv1.Equivalent, admissionregistrationv1.Exact
	everywhere, namespaced := admissionregistrationv1.AllScopes, admissionregistrationv1.NamespacedScope
	labelled := &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	rules := func(scope *admissionregistrationv1.ScopeType) []admissionregistrationv1.NamedRuleWithOperations {
		return []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{Rule: admissionregistrationv1.Rule{
			Resources: []string{"promotions"}, Scope: scope,
		}}}}
	}
	type match = admissionregistrationv1.MatchResources
	for name, test := range map[string]struct {
		live, want *match
		same       bool
	}{
		"neither matches anything":          {same: true},
		"only what is shipped matches":      {want: &match{}},
		"only what is live matches":         {live: &match{}},
		"all defaults":                      {live: &match{MatchPolicy: &equivalent, NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{}}, want: &match{}, same: true},
		"the default of the versions":       {live: &match{MatchPolicy: &equivalent}, want: &match{}, same: true},
		"other versions":                    {live: &match{MatchPolicy: &exact}, want: &match{}},
		"the same other versions":           {live: &match{MatchPolicy: &exact}, want: &match{MatchPolicy: &exact}, same: true},
		"the default of the namespaces":     {live: &match{NamespaceSelector: &metav1.LabelSelector{}}, want: &match{}, same: true},
		"some namespaces":                   {live: &match{NamespaceSelector: labelled}, want: &match{}},
		"the same namespaces":               {live: &match{NamespaceSelector: labelled}, want: &match{NamespaceSelector: labelled}, same: true},
		"the default of the objects":        {live: &match{ObjectSelector: &metav1.LabelSelector{}}, want: &match{}, same: true},
		"some objects":                      {live: &match{ObjectSelector: labelled}, want: &match{}},
		"the default of the scope":          {live: &match{ResourceRules: rules(&everywhere)}, want: &match{ResourceRules: rules(nil)}, same: true},
		"the default of the scope left out": {live: &match{ExcludeResourceRules: rules(&everywhere)}, want: &match{ExcludeResourceRules: rules(nil)}, same: true},
		"another scope":                     {live: &match{ResourceRules: rules(&namespaced)}, want: &match{ResourceRules: rules(nil)}},
		"another scope left out":            {live: &match{ExcludeResourceRules: rules(&namespaced)}, want: &match{ExcludeResourceRules: rules(nil)}},
		"the same scope":                    {live: &match{ResourceRules: rules(&namespaced)}, want: &match{ResourceRules: rules(&namespaced)}, same: true},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(matchesTheSame(test.live, test.want)).To(Equal(test.same))
		})
	}
}

func TestABindingWithTheAPIServersDefaultsIsNotNarrowed(t *testing.T) {
	equivalent := admissionregistrationv1.Equivalent
	cluster := live(t)
	cluster.bindings[0].Spec.MatchResources = &admissionregistrationv1.MatchResources{
		MatchPolicy: &equivalent, NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{},
	}
	_, problems := Identify(cluster.policies, cluster.bindings)
	NewWithT(t).Expect(problems).To(BeEmpty())
}

func TestAPolicyThatDoesNotSayWhatHappensWhenItFailsFailsClosed(t *testing.T) {
	cluster := live(t)
	cluster.policies[0].Spec.FailurePolicy = nil
	_, problems := Identify(cluster.policies, cluster.bindings)
	NewWithT(t).Expect(problems).To(BeEmpty())
}
