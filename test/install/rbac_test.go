// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// golden is every right of the operator, one a line. Each line is a decision: `go test ./test/install -args -update` only writes it down.
const golden = "testdata/rbac.golden"

var update = flag.Bool("update", false, "write the golden files anew")

func TestTheOperatorHasTheseRightsAndNoOthers(t *testing.T) {
	g := NewWithT(t)
	rights := operatorsRights(g, render(t, "default"))
	if *update {
		g.Expect(os.WriteFile(golden, []byte(strings.Join(rights, "\n")+"\n"), 0o600)).To(Succeed())
	}
	content, err := os.ReadFile(golden)
	g.Expect(err).NotTo(HaveOccurred())
	decided := strings.Split(strings.TrimSpace(string(content)), "\n")
	g.Expect(without(rights, decided)).To(BeEmpty(), "rights that the operator has gained: take them away, or decide on them in %s", golden)
	g.Expect(without(decided, rights)).To(BeEmpty(), "rights that the operator has no more: remove them from %s", golden)
}

func TestTheOperatorCannotDecideReadSecretsOrWriteWhatDecides(t *testing.T) {
	g := NewWithT(t)
	rights := operatorsRights(g, render(t, "default"))
	g.Expect(rights).NotTo(BeEmpty())
	for _, right := range rights {
		g.Expect(right).NotTo(ContainSubstring("*"), "everything, of something")
		g.Expect(right).NotTo(MatchRegexp(`\b(promote|rollback|approve|override|resume|unblock|archive|bind|escalate)$`))
		g.Expect(right).NotTo(MatchRegexp(`\bsecrets?\b`))
		g.Expect(right).NotTo(MatchRegexp(`(rbac\.authorization|admissionregistration)\.k8s\.io.* (create|update|patch|delete|deletecollection)$`))
		g.Expect(right).NotTo(MatchRegexp(`(/users|/groups) impersonate$`))
	}
}

func TestARightThatIsBoundLaterIsNoticed(t *testing.T) {
	g := NewWithT(t)
	objects := render(t, "default")
	before := operatorsRights(g, objects)
	objects = append(objects,
		&rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}}},
		&rbacv1.ClusterRoleBinding{
			RoleRef:  rbacv1.RoleRef{Kind: "ClusterRole"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, Name: "system:serviceaccounts:assent-system"}},
		})
	g.Expect(without(operatorsRights(g, objects), before)).To(Equal([]string{"everywhere core/secrets get"}))
}

// operatorsRights are the rules of every role that is bound to the operator, as lines of: where, resource, names, verb.
func operatorsRights(g *WithT, objects []client.Object) []string {
	var rights []string
	for _, binding := range all[*rbacv1.ClusterRoleBinding](objects) {
		if slices.ContainsFunc(binding.Subjects, isOperator) {
			rights = append(rights, lines("everywhere", rulesOf(g, objects, "", binding.RoleRef))...)
		}
	}
	for _, binding := range all[*rbacv1.RoleBinding](objects) {
		if slices.ContainsFunc(binding.Subjects, isOperator) {
			rights = append(rights, lines("in "+binding.Namespace, rulesOf(g, objects, binding.Namespace, binding.RoleRef))...)
		}
	}
	slices.Sort(rights)
	return slices.Compact(rights)
}

// isOperator says whether a subject is the operator, by name or by a group that every service account is in.
func isOperator(subject rbacv1.Subject) bool {
	if subject.Kind == rbacv1.ServiceAccountKind {
		return subject.Namespace == "assent-system" && subject.Name == "assent-controller"
	}
	return slices.Contains([]string{
		"system:serviceaccount:assent-system:assent-controller", "system:serviceaccounts:assent-system", "system:serviceaccounts", "system:authenticated",
	}, subject.Name)
}

// rulesOf are the rules that a binding points to. They must be there to be read, so that the list is all there is.
func rulesOf(g *WithT, objects []client.Object, namespace string, reference rbacv1.RoleRef) []rbacv1.PolicyRule {
	for _, role := range all[*rbacv1.ClusterRole](objects) {
		if reference.Kind == "ClusterRole" && role.Name == reference.Name {
			g.Expect(role.AggregationRule).To(BeNil(), "an aggregated role can grow without anybody noticing")
			return role.Rules
		}
	}
	for _, role := range all[*rbacv1.Role](objects) {
		if reference.Kind == "Role" && role.Name == reference.Name && role.Namespace == namespace {
			return role.Rules
		}
	}
	g.Expect(reference).To(BeNil(), "the role is not installed by us: its rules are not known")
	return nil
}

// lines spells rules out, one right a line.
func lines(where string, rules []rbacv1.PolicyRule) []string {
	var rights []string
	for _, rule := range rules {
		for _, verb := range rule.Verbs {
			for _, url := range rule.NonResourceURLs {
				rights = append(rights, fmt.Sprintf("%s %s %s", where, url, verb))
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					rights = append(rights, strings.Join(append([]string{where, groupName(group) + "/" + resource},
						append(slices.Sorted(slices.Values(rule.ResourceNames)), verb)...), " "))
				}
			}
		}
	}
	return rights
}

// groupName shows the core group, whose name is empty.
func groupName(group string) string {
	if group == corev1.GroupName {
		return "core"
	}
	return group
}

// without are the lines of one list that the other does not have.
func without(list, other []string) []string {
	var rest []string
	for _, line := range list {
		if !slices.Contains(other, line) {
			rest = append(rest, line)
		}
	}
	return rest
}
