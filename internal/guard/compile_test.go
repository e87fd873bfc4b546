// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"os"
	"testing"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

// An API server lets new policies use what the version before its own knew.
var (
	beforeKubernetes130 = version.MajorMinor(1, 29)
	beforeKubernetes136 = version.MajorMinor(1, 35)
)

func TestTheGuardCompilesOnKubernetes130(t *testing.T) {
	g := NewWithT(t)
	shipped, err := ship()
	g.Expect(err).NotTo(HaveOccurred())
	for _, policy := range shipped.policies {
		compiler := compilerOf(t, beforeKubernetes130, policy.Spec.Variables)
		for _, condition := range policy.Spec.MatchConditions {
			g.Expect(compiler.CompileCELExpression(&matchconditions.MatchCondition{Name: condition.Name, Expression: condition.Expression},
				cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions).Error).NotTo(HaveOccurred(), condition.Name)
		}
		for _, annotation := range policy.Spec.AuditAnnotations {
			g.Expect(compiler.CompileCELExpression(&validating.AuditAnnotationCondition{Key: annotation.Key, ValueExpression: annotation.ValueExpression},
				cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions).Error).NotTo(HaveOccurred(), annotation.Key)
		}
		for _, validation := range policy.Spec.Validations {
			g.Expect(compiler.CompileCELExpression(&validating.ValidationCondition{Expression: validation.Expression},
				cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions).Error).NotTo(HaveOccurred(), validation.Message)
			if validation.MessageExpression == "" {
				continue
			}
			g.Expect(compiler.CompileCELExpression(&validating.MessageExpressionCondition{MessageExpression: validation.MessageExpression},
				cel.OptionalVariableDeclarations{}, environment.NewExpressions).Error).NotTo(HaveOccurred(), validation.Message)
		}
	}
}

func TestTheStampingCompilesOnKubernetes136(t *testing.T) {
	g := NewWithT(t)
	content, err := os.ReadFile("../../config/guard/stamping/policy.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	var policy admissionregistrationv1.MutatingAdmissionPolicy
	g.Expect(yaml.UnmarshalStrict(content, &policy)).To(Succeed())
	variables := make([]admissionregistrationv1.Variable, 0, len(policy.Spec.Variables))
	for _, variable := range policy.Spec.Variables {
		variables = append(variables, admissionregistrationv1.Variable{Name: variable.Name, Expression: variable.Expression})
	}
	compiler := compilerOf(t, beforeKubernetes136, variables)
	for _, mutation := range policy.Spec.Mutations {
		g.Expect(compiler.CompileCELExpression(&patch.JSONPatchCondition{Expression: mutation.JSONPatch.Expression},
			cel.OptionalVariableDeclarations{HasAuthorizer: true, HasPatchTypes: true}, environment.NewExpressions).Error).NotTo(HaveOccurred())
	}
}

// compilerOf is the API server's own, at an older version.
func compilerOf(t *testing.T, at *version.Version, variables []admissionregistrationv1.Variable) *cel.CompositedCompiler {
	t.Helper()
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(at))
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range variables {
		result := compiler.CompileAndStoreVariable(&validating.Variable{Name: variable.Name, Expression: variable.Expression},
			cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions)
		if result.Error != nil {
			t.Errorf("variable %q: %v", variable.Name, result.Error)
		}
	}
	return compiler
}
