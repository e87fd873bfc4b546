// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"testing"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

func TestWhoCouldStillApprove(t *testing.T) {
	owners := v1alpha1.ApprovalRule{Name: "owners", Required: ptr.To[int32](1), Groups: []string{"shop-owners"}}
	dave := v1alpha1.ApprovalRule{Name: "security", Required: ptr.To[int32](1), Users: []string{"dave"}}
	anybody := v1alpha1.ApprovalRule{Name: "anybody", Required: ptr.To[int32](1)}
	missing := func(names ...string) []v1alpha1.RuleStatus {
		var rules []v1alpha1.RuleStatus
		for _, name := range names {
			rules = append(rules, v1alpha1.RuleStatus{Name: name, Required: ptr.To[int32](1)})
		}
		return rules
	}
	met := []v1alpha1.RuleStatus{{Name: "owners", Required: ptr.To[int32](1), ApprovedBy: []string{"carol"}}}
	for name, row := range map[string]struct {
		me        v1alpha1.Person
		rules     []v1alpha1.ApprovalRule
		status    []v1alpha1.RuleStatus
		approvals []v1alpha1.Approval
		self      v1alpha1.SelfApproval
		machines  v1alpha1.ServiceAccountApproval
		want      bool
	}{
		"a member of the group that is missing": {
			me: v1alpha1.Person{Username: "alice", Groups: []string{"shop-owners"}}, rules: []v1alpha1.ApprovalRule{owners}, status: missing("owners"), want: true},
		"nobody else":                             {me: v1alpha1.Person{Username: "erin"}, rules: []v1alpha1.ApprovalRule{owners, dave}, status: missing("owners", "security")},
		"a user whom the rule names":              {me: v1alpha1.Person{Username: "dave"}, rules: []v1alpha1.ApprovalRule{owners, dave}, status: missing("owners", "security"), want: true},
		"not once the rule is met":                {me: v1alpha1.Person{Username: "alice", Groups: []string{"shop-owners"}}, rules: []v1alpha1.ApprovalRule{owners}, status: met},
		"anybody, where a rule names nobody":      {me: v1alpha1.Person{Username: "erin"}, rules: []v1alpha1.ApprovalRule{owners, anybody}, status: missing("owners", "anybody"), want: true},
		"anybody, where no rule is left":          {me: v1alpha1.Person{Username: "erin"}, status: missing("default"), want: true},
		"not who has decided on this plan":        {me: v1alpha1.Person{Username: "erin"}, status: missing("default"), approvals: []v1alpha1.Approval{{User: "erin", PlanDigest: digest}}},
		"who has decided on another plan":         {me: v1alpha1.Person{Username: "erin"}, status: missing("default"), approvals: []v1alpha1.Approval{{User: "erin", PlanDigest: "sha256:0"}}, want: true},
		"not who has asked":                       {me: v1alpha1.Person{Username: "bob"}, status: missing("default")},
		"who has asked, where the own one counts": {me: v1alpha1.Person{Username: "bob"}, status: missing("default"), self: v1alpha1.SelfApprovalAllowed, want: true},
		"not a service account":                   {me: v1alpha1.Person{Username: "system:serviceaccount:shop:ci"}, status: missing("default")},
		"a service account, where they count": {
			me: v1alpha1.Person{Username: "system:serviceaccount:shop:ci"}, status: missing("default"), machines: v1alpha1.ServiceAccountApprovalAllowed, want: true},
	} {
		p := blocked()
		p.Spec.Approvals, p.Status.Approvals.Rules = row.approvals, row.status
		environment := &v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Approval: v1alpha1.ApprovalPolicy{Rules: row.rules, SelfApproval: row.self, ServiceAccounts: row.machines}}}
		if got := report.CouldApprove(p, environment, row.me); got != row.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestOnlyWhatHasAPlanAndLacksApprovalsAwaitsThem(t *testing.T) {
	without := blocked()
	without.Status.Plan = v1alpha1.Plan{}
	approved := blocked()
	approved.Status.Blockers = approved.Status.Blockers[:1]
	for name, row := range map[string]struct {
		of   *v1alpha1.Promotion
		want bool
	}{
		"a plan that lacks approvals": {blocked(), true}, "no plan yet": {without, false}, "approved, and on hold": {approved, false}, "started": {rollingOut(), false},
	} {
		if got := report.AwaitsApproval(row.of); got != row.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
