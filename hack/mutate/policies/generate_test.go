// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"testing"

	. "github.com/onsi/gomega"
)

const smallPolicy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: assent-small}
spec:
  failurePolicy: Fail
  matchConstraints:
    objectSelector: {matchExpressions: [{key: mine, operator: Exists}]}
    resourceRules:
    - {operations: [CREATE, UPDATE], resources: [things]}
    - {operations: [DELETE], resources: [things, things/status]}
  matchConditions:
  - {name: some, expression: "object.a == 1"}
  variables:
  - {name: who, expression: request.userInfo.username}
  - {name: mine, expression: "variables.who == 'me'"}
  validations:
  - {expression: variables.mine, message: not yours (G4)}
  - {expression: "object.b == 2", message: "not so (G7)"}
  - {expression: "object.c == 2", message: "nor so (G7)"}
  auditAnnotations:
  - {key: who, valueExpression: variables.who}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: assent-small-binding}
spec: {policyName: assent-small, validationActions: [Deny, Audit]}
`

func TestEachPartOfAPolicyMakesAMutant(t *testing.T) {
	g := NewWithT(t)
	parsed, err := parseManifest("config/guard/small.yaml", []byte(smallPolicy))
	g.Expect(err).NotTo(HaveOccurred())
	mutants, err := generate([]manifest{parsed})
	g.Expect(err).NotTo(HaveOccurred())
	names := map[string][]string{}
	for _, m := range mutants {
		names[m.name] = m.rules
	}
	all := []string{"G4", "G7"}
	g.Expect(names).To(Equal(map[string][]string{
		"small/without rule 1":               all,
		"small/without rule 2":               all,
		"small/rule 1 without CREATE":        all,
		"small/rule 1 without UPDATE":        all,
		"small/rule 2 without things":        all,
		"small/rule 2 without things/status": all,
		"small/without the objectSelector":   all,
		"small/some removed":                 all,
		"small/some negated":                 all,
		"small/mine is true":                 {"G4"},
		"small/mine is false":                {"G4"},
		"small/G4.1 removed":                 {"G4"},
		"small/G4.1 negated":                 {"G4"},
		"small/G7.1 removed":                 {"G7"},
		"small/G7.1 negated":                 {"G7"},
		"small/G7.2 removed":                 {"G7"},
		"small/G7.2 negated":                 {"G7"},
		"small/annotation who removed":       all,
		"small/failurePolicy Ignore":         all,
		"small/binding removed":              all,
		"small/binding without Deny":         all,
	}))
}

func TestAMutantChangesOnePlaceAlone(t *testing.T) {
	g := NewWithT(t)
	parsed, err := parseManifest("config/guard/small.yaml", []byte(smallPolicy))
	g.Expect(err).NotTo(HaveOccurred())
	mutants, err := generate([]manifest{parsed})
	g.Expect(err).NotTo(HaveOccurred())
	for _, m := range mutants {
		if m.name != "small/G7.1 removed" {
			continue
		}
		want := parsed.copy()
		validations := entries(want.objects[0], "spec", "validations")
		g.Expect(set(want.objects[0], []any{validations[0], validations[2]}, "spec", "validations")).To(Succeed())
		g.Expect(m.changed).To(Equal(want))
		return
	}
	t.Fatal("no such mutant")
}

func TestWhatIsShippedMakesMutantsOfEveryRuleWithNamesOfTheirOwn(t *testing.T) {
	g := NewWithT(t)
	shipped, err := read("../../..")
	g.Expect(err).NotTo(HaveOccurred())
	mutants, err := generate(shipped)
	g.Expect(err).NotTo(HaveOccurred())
	names, rules := map[string]bool{}, map[string]bool{}
	for _, m := range mutants {
		g.Expect(names).NotTo(HaveKey(m.name))
		names[m.name] = true
		for _, rule := range m.rules {
			rules[rule] = true
		}
	}
	g.Expect(rules).To(HaveLen(17))
	g.Expect(rules).NotTo(HaveKey("G0"))
}

func TestEveryExceptionIsOfAMutantThatThereIs(t *testing.T) {
	g := NewWithT(t)
	shipped, err := read("../../..")
	g.Expect(err).NotTo(HaveOccurred())
	mutants, err := generate(shipped)
	g.Expect(err).NotTo(HaveOccurred())
	exceptions, err := readExceptions("exceptions.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	known := map[string]bool{}
	for _, m := range mutants {
		known[m.name] = true
	}
	g.Expect(score{exceptions: exceptions, known: known}.unknown()).To(BeEmpty())
}
