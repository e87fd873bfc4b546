// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestRulesOfAFileStandInThePlaceOfTheEnvironmentsOwn(t *testing.T) {
	own := v1alpha1.EnvironmentSpec{Application: "shop", SoakSeconds: 60, After: []string{"staging"}, Target: v1alpha1.Target{Namespace: "shop-prod"}}
	own.Approval.SelfApproval = v1alpha1.SelfApprovalAllowed
	own.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "owners", Required: ptr.To[int32](2), Users: []string{"alice"}}}
	for _, text := range []string{
		"approval: {rules: [{name: four-eyes}]}\nafter: null",
		`{"approval": {"rules": [{"name": "four-eyes"}]}, "after": []}`,
		"kind: Environment\nmetadata: {name: other}\nspec: {target: {namespace: elsewhere}, after: [], approval: {rules: [{name: four-eyes}]}}",
	} {
		found, err := otherRules(own, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		rule := found.Approval.Rules[0]
		if len(found.Approval.Rules) != 1 || rule.Name != "four-eyes" || rule.Required != nil || rule.Users != nil || found.Approval.SelfApproval != "" {
			t.Errorf("%s: approval is %+v", text, found.Approval)
		}
		if len(found.After) != 0 || found.SoakSeconds != 60 || found.Application != "shop" || found.Target != own.Target {
			t.Errorf("%s: the rest is %+v", text, found)
		}
	}
	for _, text := range []string{"", "# nothing", "[1]", "approvals: {}", "soakSeconds: 1h", "a: 1\na: 2"} {
		if _, err := otherRules(own, []byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
